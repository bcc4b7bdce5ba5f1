//! dayfly is killed before every system call that writes. Afterwards the journal and the host agree,
//! and `undo` returns to the exact bytes.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt;

use dayfly_linux::sysctl;
use dayfly_testkit::{Machine, needs, privileged};
use serde_json::Value;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");
const FOLDER: &str = "/etc/sysctl.d";
const SETTINGS: [&str; 3] = [
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
];

/// Each of them has a count of its own with `strace -e inject`.
const WRITES: [&str; 12] = [
    "write",
    "pwrite64",
    "rename",
    "fsync",
    "fdatasync",
    "fchmod",
    "fchown",
    "ftruncate",
    "unlink",
    "mkdir",
    "flock",
    "lseek",
];

/// The settings and the files, to the byte.
#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    settings: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
}

impl State {
    fn of(machine: &Machine) -> State {
        let entries = fs::read_dir(machine.path(FOLDER)).unwrap();
        let files = entries.map(|entry| {
            let entry = entry.unwrap();
            (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap())
        });
        State {
            settings: machine.run(|| SETTINGS.map(|key| sysctl::read(key).unwrap()).to_vec()),
            files: files.collect(),
        }
    }

    /// Puts everything as it was, journals included.
    fn restore(&self, machine: &Machine, journals: &BTreeMap<String, Vec<u8>>) {
        let folder = machine.path(FOLDER);
        for entry in fs::read_dir(&folder).unwrap() {
            fs::remove_file(entry.unwrap().path()).unwrap();
        }
        for (name, bytes) in &self.files {
            fs::write(folder.join(name), bytes).unwrap();
        }
        // The floor lies below the range at every moment.
        machine.sysctl(SETTINGS[2], "1");
        for (key, value) in SETTINGS.iter().zip(&self.settings).take(2) {
            machine.run(|| sysctl::write(key, value).unwrap());
        }
        machine.sysctl(SETTINGS[2], &self.settings[2]);
        let folder = machine.path("/var/lib/dayfly");
        let _ = fs::remove_dir_all(&folder);
        if !journals.is_empty() {
            fs::create_dir(&folder).unwrap();
        }
        for (name, bytes) in journals {
            fs::write(folder.join(name), bytes).unwrap();
        }
    }

    /// The same but for what a file that was being written left beside it, which no program reads.
    fn without_left_overs(&self) -> State {
        let mut state = self.clone();
        state.files.retain(|name, _| !name.starts_with('.'));
        state
    }
}

fn journals(machine: &Machine) -> BTreeMap<String, Vec<u8>> {
    let Ok(entries) = fs::read_dir(machine.path("/var/lib/dayfly")) else {
        return BTreeMap::new();
    };
    let files = entries
        .flatten()
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()));
    files.collect()
}

fn dayfly(machine: &Machine, words: &[&str]) -> (Option<i32>, String) {
    let output = machine.command(DAYFLY).args(words).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn history(machine: &Machine) -> Vec<Value> {
    let output = machine.command(DAYFLY).args(["history", "--json"]).output().unwrap();
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    json["changes"].as_array().unwrap().clone()
}

/// Runs the words until they are through, killed a little later each time; each time the host has
/// to be in the old state, in the new one, or between two steps that the history names. `back` is
/// the state that `undo` has to lead to.
fn kill_everywhere(
    prepare: &[&[&str]],
    words: &[&str],
    id: u64,
    back: impl Fn(&State, &State) -> State,
) {
    let machine = Machine::new();
    fs::write(
        machine.path("/etc/sysctl.d/50-others.conf"),
        "net.ipv4.ip_local_reserved_ports = 9000\n",
    )
    .unwrap();
    machine.sysctl(SETTINGS[1], "8080,9000");
    for words in prepare {
        let (code, said) = dayfly(&machine, words);
        assert_eq!(code, Some(0), "{said}");
    }
    let (old, written) = (State::of(&machine), journals(&machine));
    let (code, said) = dayfly(&machine, words);
    assert_eq!(code, Some(0), "{said}");
    let new = State::of(&machine);
    assert_ne!(old, new);
    let goal = back(&old, &new);
    let mut seen = BTreeMap::<&str, u32>::new();
    for call in WRITES {
        for when in 1.. {
            old.restore(&machine, &written);
            let inject = format!("inject={call}:signal=KILL:when={when}");
            let run = machine
                .command("strace")
                .args(["-f", "-o", "/dev/null", "-e", &inject, DAYFLY])
                .args(words)
                .output()
                .unwrap();
            let place = format!("{} killed at {call} {when}", words[0]);
            let is_killed = run.status.signal().is_some() || run.status.code() != Some(0);
            if !is_killed {
                assert_eq!(State::of(&machine), new, "{place}");
                break;
            }
            *seen.entry(check(&machine, &place, id, (&old, &new, &goal))).or_default() += 1;
        }
    }
    // As few as this, and the calls of this C library are called otherwise.
    assert!(seen.values().sum::<u32>() > 15 && seen.contains_key("between"), "{seen:?}");
}

/// What is found after a kill, and after `undo`.
fn check(
    machine: &Machine,
    place: &str,
    id: u64,
    states: (&State, &State, &State),
) -> &'static str {
    let (old, new, goal) = states;
    let found = State::of(machine).without_left_overs();
    let history = history(machine);
    let change = history.iter().find(|change| change["id"] == id);
    let state = change.map_or("unwritten", |change| change["state"].as_str().unwrap()).to_owned();
    let note = change.map_or("", |change| change["note"].as_str().unwrap()).to_owned();
    let place = format!("{place}: {state}: {note}");
    let kind = if found == *old {
        "old"
    } else if found == *new {
        "new"
    } else {
        // Between two steps: said so, with the step.
        assert!(note.contains("was interrupted at step "), "{place}");
        assert!(note.contains(&format!("`dayfly undo {id}` returns")), "{place}");
        "between"
    };
    match state.as_str() {
        "unwritten" => assert_eq!(kind, "old", "{place}"),
        "applied" | "undone" => assert_ne!(kind, "between", "{place}"),
        "interrupted" => {
            if note.contains("in the old state") || note.contains("in the new state") {
                assert_ne!(kind, "between", "{place}");
            }
        }
        _ => panic!("{place}"),
    }
    if state != "unwritten" && state != "undone" {
        let (code, said) = dayfly(machine, &["undo", &id.to_string(), "--yes"]);
        assert_eq!(code, Some(0), "{place}: {said}");
    }
    if state != "unwritten" {
        assert_eq!(State::of(machine), *goal, "{place}");
    }
    kind
}

/// What a change is undone to is what was before it.
fn to_old(old: &State, _: &State) -> State {
    old.clone()
}

#[test]
fn set_survives_every_kill() {
    privileged!();
    needs!("strace", "strace");
    let words = ["set", "512-49151", "--unprivileged-start", "512", "--yes", "--force"];
    kill_everywhere(&[], &words, 1, to_old);
}

#[test]
fn reserve_survives_every_kill() {
    privileged!();
    needs!("strace", "strace");
    let many = every_second(20_000, 22_500);
    let words = ["reserve", &many, "--yes", "--force"];
    kill_everywhere(&[&["reserve", "50000-50010", "--yes"]], &words, 2, to_old);
}

#[test]
fn unreserve_survives_every_kill() {
    privileged!();
    needs!("strace", "strace");
    let many = every_second(20_000, 22_500);
    let words = ["unreserve", "9000,50000-50005,20000", "--yes"];
    kill_everywhere(
        &[&["reserve", "50000-50010", "--yes"], &["reserve", &many, "--yes", "--force"]],
        &words,
        3,
        to_old,
    );
}

#[test]
fn undo_survives_every_kill() {
    privileged!();
    needs!("strace", "strace");
    // Long lists are replaced in several writes, and a kill may come between two.
    let many = every_second(20_000, 22_500);
    let prepare: [&[&str]; 2] =
        [&["reserve", "50000-50010", "--yes"], &["reserve", &many, "--yes", "--force"]];
    kill_everywhere(&prepare, &["undo", "--yes"], 2, |_, new| new.clone());
    kill_everywhere(&[&["set", "49152-65535", "--yes"]], &["undo", "1", "--yes"], 1, |_, new| {
        new.clone()
    });
}

fn every_second(low: u16, high: u16) -> String {
    let ports: Vec<_> = (low..high).step_by(2).map(|port| port.to_string()).collect();
    ports.join(",")
}
