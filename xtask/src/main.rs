//! dayfly's own chores: `cargo xtask test`, `fuzz`, `generate`, `claims`, `bench`.

mod bench;
mod claims;
mod daemons;
mod fuzz;
mod generate;
mod shell;
mod test;

use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <chore>

  test [FILTER...]       install what the tests need (as root), then run doc tests and tests;
                         the words go to the test runner
  fuzz [SECONDS]         run every fuzz target for that long (60 unless told)
  generate               write the manual page and the completions anew
  claims                 write the page of claims and its pictures anew
  bench NAME             measure; without a name, list what can be measured
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["test", filter @ ..] => test::run(filter),
        ["fuzz"] => fuzz::run(60),
        ["fuzz", seconds] => match seconds.parse() {
            Ok(seconds) => fuzz::run(seconds),
            Err(_) => Err(format!("{seconds:?} is not a number of seconds")),
        },
        ["generate"] => generate::run(),
        ["claims"] => claims::run(),
        ["bench", rest @ ..] => bench::run(rest),
        _ => Err(USAGE.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{}", why.trim_end());
            ExitCode::FAILURE
        }
    }
}
