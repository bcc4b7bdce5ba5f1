//! The command. Everything is in the library beside it.

fn main() -> std::process::ExitCode {
    dayfly::run()
}
