//! Changes for a while: they return unless they are kept, whoever dies meanwhile.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use dayfly_testkit::{Machine, needs, privileged};

use super::{DAYFLY, RANGE, dayfly, done, files, history, refused, states, write};

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}");
        thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn what_is_not_kept_returns_by_itself() {
    privileged!();
    let machine = Machine::new();
    done(&machine, &["set", "49152-65535", "--for", "1s", "--yes"]);
    // A reset would return as well: the file comes with the keep.
    assert_eq!(files(&machine).len(), 0);
    wait_until("it returns", || states(&machine) == ["undone"]);
    assert_eq!(machine.read_sysctl(RANGE), "32768\t60999");

    done(&machine, &["set", "49152-65535", "--for", "1h", "--yes"]);
    let said = refused(&machine, &["set", "40000-50001", "--yes"]);
    assert!(said.contains("change 2 (set 49152-65535) waits to be kept"), "{said}");
    done(&machine, &["keep"]);
    assert_eq!((machine.read_sysctl(RANGE).as_str(), files(&machine).len()), ("49152\t65535", 1));
    assert!(refused(&machine, &["keep", "2"]).contains("does not wait"));
    // Both guardians have gone home.
    let guardians = || {
        let output =
            machine.command("sh").args(["-c", "cat /proc/[0-9]*/cmdline"]).output().unwrap();
        String::from_utf8_lossy(&output.stdout).matches("guard").count()
    };
    wait_until("the guardians go", || guardians() == 0);

    // Where systemd has a folder and does not answer, a process watches.
    fs::create_dir_all(machine.path("/run/systemd/system")).unwrap();
    let output = dayfly(&machine, &["set", "50000-60001", "--for", "1s", "--yes"]);
    assert!(String::from_utf8(output.stdout).unwrap().contains("; then process "));
    wait_until("it returns", || states(&machine)[2] == "undone");
    assert_eq!(machine.read_sysctl(RANGE), "49152\t65535");

    // Whoever changes it meanwhile is not overruled.
    done(&machine, &["set", "40000-50001", "--for", "1s", "--yes"]);
    machine.sysctl(RANGE, "20000 30001");
    wait_until("it gives up", || history(&machine)[3].2.contains("was not taken back"));
    assert!(history(&machine)[3].2.contains("somebody else changed it"));
    done(&machine, &["undo", "--yes", "--force"]);
    assert_eq!(machine.read_sysctl(RANGE), "49152\t65535");
}

/// dayfly is killed at every write of a change for a second: it returns all the same.
#[test]
fn what_is_not_kept_returns_after_a_kill() {
    privileged!();
    needs!("strace", "strace");
    let machines: Vec<_> = (0..10).map(|_| Machine::new()).collect();
    let points = [
        ("pwrite64", 1),
        ("fdatasync", 1),
        ("fdatasync", 2),
        ("fdatasync", 3),
        ("fdatasync", 4),
        ("write", 5),
        ("write", 6),
        ("write", 7),
        ("write", 8),
        ("write", 9),
    ];
    let mut cut = 0;
    for (machine, (call, when)) in machines.iter().zip(points) {
        let inject = format!("inject={call}:signal=KILL:when={when}");
        let output = machine
            .command("strace")
            // Not the guardian: it is not what is killed.
            .args(["-o", "/dev/null", "-e", &inject, DAYFLY])
            .args(["set", "49152-65535", "--for", "1s", "--yes"])
            .output()
            .unwrap();
        cut += u32::from(!output.status.success());
    }
    assert!(cut > 6, "{cut} of them were cut off");
    for (machine, point) in machines.iter().zip(points) {
        wait_until(&format!("it returns after {point:?}"), || {
            machine.read_sysctl(RANGE) == "32768\t60999"
                && history(machine).iter().all(|(_, state, note)| {
                    state == "undone" || note.contains("is in the old state")
                })
        });
        done(machine, &["set", "40000-50001", "--yes"]);
        assert_eq!(
            (machine.read_sysctl(RANGE).as_str(), files(machine).len()),
            ("40000\t50001", 1)
        );
    }
}

/// systemd-run(1) as far as a machine without systemd has it: it keeps the words it was called with,
/// and does what they say.
const STAND_IN: &str = r#"#!/bin/sh
printf '%s\n' "$@" > /tmp/words
while test $# -gt 0; do
    case $1 in
    --on-active=*s) delay=${1#--on-active=}; shift ;;
    --unit) shift 2 ;;
    --*) shift ;;
    *) break ;;
    esac
done
(sleep "${delay%s}"; exec "$@") > /dev/null 2>&1 < /dev/null &
"#;

#[test]
fn where_systemd_answers_a_timer_of_it_returns() {
    privileged!();
    needs!("systemd-run", "systemd");
    let machine = Machine::new();
    fs::create_dir_all(machine.path("/run/systemd/system")).unwrap();
    write(&machine, "/tmp/systemd-run", STAND_IN);
    fs::set_permissions(machine.path("/tmp/systemd-run"), Permissions::from_mode(0o755)).unwrap();
    let path = format!("/tmp:{}", std::env::var("PATH").unwrap());
    let mut command = machine.command(DAYFLY);
    command.args(["set", "49152-65535", "--for", "2s", "--yes"]).env("PATH", path);
    let output = command.env_remove("DAYFLY_STATE").stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap().replace("\n  ", " ");
    let words = fs::read_to_string(machine.path("/tmp/words")).unwrap();
    let words: Vec<&str> = words.lines().collect();
    let unit = words[3];
    assert!(unit.starts_with("dayfly-return-1-"), "{words:?}");
    assert!(said.contains(&format!("; then {unit}.timer takes it back")), "{said}");
    assert_eq!(
        words,
        [
            "--quiet",
            "--collect",
            "--unit",
            unit,
            "--on-active=2s",
            "--timer-property=AccuracySec=1s",
            DAYFLY,
            "guard",
            "1",
            "--after",
            "0",
            "--state",
            "/var/lib/dayfly",
        ]
    );
    wait_until("it returns", || states(&machine) == ["undone"]);
    assert_eq!(machine.read_sysctl(RANGE), "32768\t60999");

    // The real program understands every word: all that it misses is a systemd to talk to.
    fs::remove_dir(machine.path("/run/systemd/system")).unwrap();
    let real = |words: &[&str]| {
        let output = machine.command("systemd-run").args(words).output().unwrap();
        String::from_utf8(output.stderr).unwrap()
    };
    let said = real(&words);
    assert!(said.contains("systemd as init system") || said.contains("connect to bus"), "{said}");
    assert!(real(&["--on-actve=2s", "true"]).contains("--on-actve"));
}
