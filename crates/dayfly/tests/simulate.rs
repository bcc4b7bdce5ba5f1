//! `dayfly simulate`: what people and programs read.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::fs;
use std::io::Write;
use std::process::{Output, Stdio};

use dayfly_testkit::{Folder, command};
use insta::assert_snapshot;
use serde_json::Value;

fn simulate(words: &[&str], columns: &str, input: &str) -> Output {
    let mut command = command(env!("CARGO_BIN_EXE_dayfly"));
    command.arg("simulate").args(words).env("COLUMNS", columns).env_remove("LINES");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that refuses its arguments reads nothing.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

/// The words, the exit code and all that was printed.
fn told(words: &[&str], columns: &str, input: &str) -> String {
    let Output { status, stdout, stderr } = simulate(words, columns, input);
    let mut text =
        format!("$ dayfly simulate {}\nexit: {}\n", words.join(" "), status.code().unwrap());
    text.push_str(&String::from_utf8(stdout).unwrap());
    if !stderr.is_empty() {
        text.push_str("--- stderr\n");
        text.push_str(&String::from_utf8(stderr).unwrap());
    }
    text
}

const SMALL: &str = "title = \"Two hundred ports\"\nduration = \"3 min\"\n\
    [[host]]\nsystem = \"linux\"\nrange = \"40000-40199\"\n[[destination]]\n\
    [[workload]]\nrate = 5\narrivals = \"constant\"\nduration = \"10 ms\"\n";

#[test]
fn the_outcome_in_words_and_pictures() {
    assert_snapshot!("table_80", told(&["-"], "80", SMALL));
    assert_snapshot!("table_60_plot", told(&["-", "--plot"], "60", SMALL));
    let sessions = ["--system", "linux", "--workload", "ftp-active", "--range", "40000-40199"];
    assert_snapshot!("ftp", told(&sessions, "80", ""));
    assert_snapshot!("list", told(&["--list"], "80", ""));
}

#[test]
fn wrong_input_is_answered_with_its_place() {
    let wrong: [(&[&str], &str); 9] = [
        (&["-"], "[[host]]\nsystem = \"linux\"\n  rnage = \"1-2\"\n"),
        (&["-"], "[[host]]\nsystem = \"linux\"\nrange = \"9-1\"\n"),
        (&["-"], "duration = \"soon\"\n"),
        (&["-"], "[[host]\n"),
        (&["-"], ""),
        (&["/no/such/file"], ""),
        (&["--system", "linus", "--workload", "dns"], ""),
        (&["--system", "linux", "--workload", "pop3"], ""),
        (&[], ""),
    ];
    let answers = wrong.map(|(words, input)| told(words, "80", input));
    assert_snapshot!("wrong_input", answers.join("\n"));
}

#[test]
fn a_preset_can_be_kept_and_run_again() {
    let words =
        ["--system", "freebsd", "--workload", "connections", "--rate", "200", "--seed", "3"];
    let printed = simulate(&[&words[..], &["--print"]].concat(), "80", "");
    let text = String::from_utf8(printed.stdout).unwrap();
    assert_snapshot!("preset", text);
    let (direct, again) = (simulate(&words, "80", ""), simulate(&["-"], "80", &text));
    assert_eq!(direct.stdout, again.stdout);
}

#[test]
fn programs_read_what_is_documented() {
    let output = simulate(&["-", "--json"], "80", SMALL);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["capacity"]["most_opened"], 200);
    assert_eq!(json["first_failure"]["error"], "EADDRNOTAVAIL");
    assert_eq!(json["first_slow"]["held"], 100);
    assert_eq!(json["curve"].as_array().unwrap().len(), 240);
    let page = include_str!("../../../docs/json.md");
    let mut names = Vec::new();
    collect(&json, &mut names);
    for name in names {
        assert!(page.contains(&format!("`{name}`")), "docs/json.md says nothing of {name}");
    }
}

fn collect(value: &Value, names: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                names.push(name.clone());
                collect(value, names);
            }
        }
        Value::Array(array) => array.iter().for_each(|value| collect(value, names)),
        _ => {}
    }
}

#[test]
fn pictures_are_files() {
    let folder = Folder::new();
    let output = simulate(&["-", "--picture", &folder.file("pictures")], "80", SMALL);
    assert!(output.status.success());
    for name in ["occupancy.svg", "reuse.svg", "ports.svg"] {
        let text = fs::read_to_string(folder.path().join("pictures").join(name)).unwrap();
        assert!(text.starts_with("<svg ") && text.ends_with("</svg>\n"), "{name}");
        assert!(text.contains("Two hundred ports"), "{name}");
    }
}
