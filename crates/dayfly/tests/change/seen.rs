//! What people and programs read: every verb, wrong words, the question on a terminal.

use std::io::Write;
use std::process::{Output, Stdio};

use dayfly_testkit::{Machine, needs, privileged};
use insta::assert_snapshot;

use super::{DAYFLY, RANGE, RESERVED, dayfly, files, write};

/// The words, the exit code and all that was printed.
fn told(machine: &Machine, words: &[&str]) -> String {
    let Output { status, stdout, stderr } = dayfly(machine, words);
    let mut text = format!("$ dayfly {}\nexit: {}\n", words.join(" "), status.code().unwrap());
    text.push_str(&String::from_utf8(stdout).unwrap());
    if !stderr.is_empty() {
        text.push_str("--- stderr\n");
        text.push_str(&String::from_utf8(stderr).unwrap());
    }
    text
}

/// Hides what differs from run to run.
fn filtered(work: impl FnOnce()) {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter("20[0-9]{2}-[0-9]{2}-[0-9]{2} [0-9:]{8}Z", "2026-11-21 07:00:00Z");
    settings.add_filter(r"process [0-9]+", "process N");
    settings.add_filter(r#""at": [0-9]+"#, r#""at": N"#);
    settings.add_filter(r"sudo \S*dayfly", "sudo DAYFLY");
    settings.add_filter(r#""until": [0-9]+"#, r#""until": N"#);
    settings.add_filter(r#""dayfly_version": "[^"]+""#, r#""dayfly_version": "VERSION""#);
    settings.bind(work);
}

#[test]
fn what_people_see() {
    privileged!();
    let machine = Machine::new();
    machine.sysctl(RESERVED, "8080,9000-9010");
    write(&machine, "/etc/sysctl.d/50-others.conf", &format!("{RESERVED} = 9000-9010\n"));
    let narrow = |words: &[&str]| {
        let output = machine.command(DAYFLY).args(words).env("COLUMNS", "60").output().unwrap();
        format!(
            "$ COLUMNS=60 dayfly {}\n{}",
            words.join(" "),
            String::from_utf8(output.stdout).unwrap()
        )
    };
    let text = [
        told(&machine, &["set", "49152-65535"]),
        narrow(&["set", "49152-65535"]),
        told(&machine, &["set", "49152-65535", "--yes"]),
        told(&machine, &["set", "49152-65535", "--yes"]),
        told(&machine, &["reserve", "8080,50000-50010", "--yes"]),
        told(&machine, &["unreserve", "8080,50000,7", "--yes"]),
        told(&machine, &["set", "40000-40001", "--runtime", "--for", "1h", "--yes", "--json"]),
        told(&machine, &["history"]),
        told(&machine, &["keep"]),
        told(&machine, &["undo", "4", "--yes"]),
        told(&machine, &["undo"]),
        told(&machine, &["undo", "3", "--yes"]),
        narrow(&["history"]),
        told(&machine, &["history", "--json"]),
    ];
    filtered(|| assert_snapshot!("verbs", text.join("\n")));
}

#[test]
fn wrong_words_and_refusals() {
    privileged!();
    let machine = Machine::new();
    let text: Vec<String> = [
        &["set"][..],
        &["set", "65535-49152"],
        &["set", "0-1000"],
        &["set", "512-65535"],
        &["set", "49152-65535", "--for", "0s"],
        &["set", "49152-65535", "--for", "60s", "--persist"],
        &["set", "49152-65535", "--netns", "nowhere"],
        &["set", "49152-65535", "--host", "db"],
        &["set", "49152-65535", "--class", "high"],
        &["set", "49152-65535", "--yes", "--state", "/proc/nowhere"],
        &["reserve", "80-70"],
        &["reserve", "0"],
        &["reserve", ""],
        &["reserve", "1-65535", "--yes"],
        &["reserve", "8080", "--protocol", "udp"],
        &["undo"],
        &["undo", "7"],
        &["undo", "last"],
        &["keep"],
        &["keep", "7"],
        &["history"],
    ]
    .into_iter()
    .map(|words| told(&machine, words))
    .collect();
    filtered(|| assert_snapshot!("refusals", text.join("\n")));
    assert!(files(&machine).is_empty());
}

#[test]
fn a_terminal_is_asked() {
    privileged!();
    needs!("script", "bsdutils");
    let machine = Machine::new();
    let answer = |answer: &str| {
        let mut child = machine
            .command("script")
            .args(["--quiet", "--return", "--command", &format!("'{DAYFLY}' set 49152-65535")])
            .arg("/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    for no in ["n\n", "\n", "maybe\n"] {
        let said = answer(no);
        assert!(said.contains("Do it? [y/N]") && said.contains("Nothing was changed."), "{said}");
        assert_eq!(machine.read_sysctl(RANGE), "32768\t60999");
    }
    let said = answer("y\n");
    assert!(said.contains("done:"), "{said}");
    assert_eq!(machine.read_sysctl(RANGE), "49152\t65535");
}
