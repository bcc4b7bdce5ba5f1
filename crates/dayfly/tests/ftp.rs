//! `dayfly ftp`: what people see, of sessions, messages and configurations.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use dayfly_testkit::command;
use insta::assert_snapshot;

fn ftp(arguments: &[&str]) -> Command {
    let mut command = command(env!("CARGO_BIN_EXE_dayfly"));
    command.arg("ftp").args(arguments).stdin(Stdio::null()).env_remove("COLUMNS");
    command
}

fn told(output: Output) -> String {
    let mut text = format!("exit: {}\n", output.status.code().unwrap());
    text.push_str(&String::from_utf8(output.stdout).unwrap());
    text.push_str(&String::from_utf8(output.stderr).unwrap());
    text
}

/// The answer to a session on standard input.
fn explained(session: &str, arguments: &[&str], columns: &str) -> String {
    let mut command = ftp(&[&["explain"], arguments].concat());
    command.env("COLUMNS", columns).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(session.as_bytes()).unwrap();
    told(child.wait_with_output().unwrap())
}

const SESSION: &str = "* Connected to files.example (203.0.113.5) port 21\n\
    < 220 (vsFTPd 3.0.3)\n\
    > PASV\n\
    < 227 Entering Passive Mode (192,168,1,2,7,138).\n\
    > RETR a.txt\n\
    < 425 Failed to establish connection.\n\
    > EPSV\n\
    < 229 Entering Extended Passive Mode (|||50007|)\n\
    > RETR a.txt\n\
    < 150 Opening BINARY mode data connection.\n\
    < 226 Transfer complete.\n\
    > PORT 192,0,2,1,7\n\
    > AUTH TLS\n\
    < 234 Proceed.\n\
    > EPRT |2|2001:db8::1|40000|\n\
    < 200 EPRT command successful.\n";

#[test]
fn a_session_is_explained() {
    assert_snapshot!("session", explained(SESSION, &["-"], "80"));
    assert_snapshot!("session_60", explained(SESSION, &[], "60"));
    let json = explained(SESSION, &["--json"], "80");
    assert_snapshot!("session_json", json.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}

#[test]
fn a_message_or_its_numbers_are_enough() {
    let subjects = ["192,168,1,2,7,138", "PORT 192,0,2,1,7,138", "(|||6446|)", "EPRT |2|::1|5282|"];
    let answers = subjects.map(|subject| {
        format!("$ {subject}\n{}", told(ftp(&["explain", subject]).output().unwrap()))
    });
    assert_snapshot!("messages", answers.join("\n"));
}

#[test]
fn what_is_no_ftp_is_refused_with_a_hint() {
    let wrong: [&[&str]; 6] = [
        &["explain", "hello"],
        &["explain", "192,168,1,256,7,138"],
        &["explain", "/dev/null"],
        &["check", "/no/such/file"],
        &["check", "/etc/passwd"],
        &[],
    ];
    let answers = wrong.map(|words| {
        let answer = told(ftp(words).output().unwrap());
        format!("$ dayfly ftp {}\n{answer}", words.join(" "))
    });
    assert_snapshot!("wrong", answers.join("\n"));
}

#[test]
fn configurations_are_checked() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("ftp-check");
    fs::create_dir_all(&folder).unwrap();
    let files = [
        ("vsftpd.conf", "pasv_min_port=70000\npasv_max_port=50000\nconnect_from_port_20=YES\n"),
        ("good.py", "from pyftpdlib import handlers\npassive_ports = range(1100, 1700)\n"),
        ("proftpd.conf", "PassivePorts 2000 2009\nMaxInstances 30\nTLSEngine on\n"),
    ];
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
    }
    // A namespace is looked at as well: one whose range does not differ from host to host.
    dayfly_testkit::privileged!();
    let namespace = dayfly_testkit::Namespace::new();
    let check = |arguments: &[&str]| {
        let mut command = ftp(&[&["check", "--netns", namespace.name()], arguments].concat());
        told(command.current_dir(&folder).output().unwrap())
    };
    assert_snapshot!("check", check(&["vsftpd.conf", "good.py", "proftpd.conf"]));
    assert_snapshot!("check_good", check(&["good.py", "--clients", "600"]));
    assert_snapshot!("check_nothing", check(&[]));
    let json = check(&["--json", "proftpd.conf"]);
    assert_snapshot!("check_json", json.replace(env!("CARGO_PKG_VERSION"), "VERSION"));
}
