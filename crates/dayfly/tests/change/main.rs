//! `set`, `reserve`, `unreserve`, `undo`, `keep` and `history` on the real kernel, on machines of
//! their own: with the files that the real `systemd-sysctl` and `sysctl` read.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

mod boot;
mod seen;
mod standing;
mod waiting;

use std::collections::BTreeMap;
use std::fs;
use std::process::{Output, Stdio};

use dayfly_testkit::Machine;
use serde_json::Value;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");
const RANGE: &str = "net.ipv4.ip_local_port_range";
const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";
const FLOOR: &str = "net.ipv4.ip_unprivileged_port_start";
const SYSTEMD_SYSCTL: &str = "/lib/systemd/systemd-sysctl";

fn dayfly(machine: &Machine, words: &[&str]) -> Output {
    let mut command = machine.command(DAYFLY);
    command.args(words).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn done(machine: &Machine, words: &[&str]) {
    let output = dayfly(machine, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// What was said when it was refused.
#[track_caller]
fn refused(machine: &Machine, words: &[&str]) -> String {
    let output = dayfly(machine, words);
    assert_eq!(output.status.code(), Some(2), "{words:?}");
    String::from_utf8([output.stdout, output.stderr].concat()).unwrap().replace("\n  ", " ")
}

fn history(machine: &Machine) -> Vec<(u64, String, String)> {
    let json: Value =
        serde_json::from_slice(&dayfly(machine, &["history", "--json"]).stdout).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let changes = json["changes"].as_array().unwrap().iter();
    changes
        .map(|one| (one["id"].as_u64().unwrap(), text(&one["state"]), text(&one["note"])))
        .collect()
}

fn states(machine: &Machine) -> Vec<String> {
    history(machine).into_iter().map(|(_, state, _)| state).collect()
}

/// The files of sysctl.d, by their names.
fn files(machine: &Machine) -> BTreeMap<String, String> {
    let entries = fs::read_dir(machine.path("/etc/sysctl.d")).unwrap();
    let read = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path()).unwrap();
        (entry.file_name().into_string().unwrap(), text)
    };
    entries.map(|entry| read(entry.unwrap())).collect()
}

fn write(machine: &Machine, path: &str, text: &str) {
    fs::write(machine.path(path), text).unwrap();
}
