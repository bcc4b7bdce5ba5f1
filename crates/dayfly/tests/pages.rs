//! The manual page and the completions that are shipped are those of this very command.

use std::fs;
use std::process::Stdio;

use dayfly_testkit::command;

const FILES: [(&str, &[&str]); 4] = [
    ("man/dayfly.1", &["man"]),
    ("completions/dayfly.bash", &["completions", "bash"]),
    ("completions/_dayfly", &["completions", "zsh"]),
    ("completions/dayfly.fish", &["completions", "fish"]),
];

#[test]
fn shipped_pages_are_up_to_date() {
    for (file, words) in FILES {
        let output = command(env!("CARGO_BIN_EXE_dayfly")).args(words).output().unwrap();
        let shipped = fs::read_to_string(format!("{}/{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        let now = String::from_utf8(output.stdout).unwrap();
        assert!(now == shipped, "{file} is out of date: run `cargo xtask generate`");
    }
}

#[test]
fn the_bash_completion_is_valid() {
    let script = format!("{}/completions/dayfly.bash", env!("CARGO_MANIFEST_DIR"));
    let status = command("bash").args(["-n", &script]).stdin(Stdio::null()).status().unwrap();
    assert!(status.success());
}

#[test]
fn help_names_every_flag_of_the_manual() {
    let text = |words: &[&str]| {
        let output = command(env!("CARGO_BIN_EXE_dayfly")).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let (help, manual) = (text(&["--help"]), text(&["man"]).replace('\\', ""));
    let flags = help.split_whitespace().filter(|word| word.starts_with("--"));
    for flag in flags.map(|flag| flag.trim_matches(|c: char| !c.is_alphanumeric() && c != '-')) {
        assert!(manual.contains(flag), "{flag}");
    }
}
