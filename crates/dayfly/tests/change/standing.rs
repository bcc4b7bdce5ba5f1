//! What stands against a change, and what fails in the middle of one.

use std::fs;
use std::net::{TcpListener, UdpSocket};

use dayfly_testkit::{Machine, needs, privileged};

use super::{DAYFLY, RANGE, RESERVED, done, files, refused, states, write};

#[test]
fn services_are_not_cut_off() {
    privileged!();
    needs!("setpriv", "util-linux");
    let machine = Machine::new();
    let (_tcp, _udp) = machine.run(|| {
        (TcpListener::bind("127.0.0.1:62222").unwrap(), UdpSocket::bind("0.0.0.0:61900").unwrap())
    });
    let words = ["set", "32768-65535", "--yes"];
    let said = refused(&machine, &words);
    assert!(said.contains("receives on udp 0.0.0.0:61900, a port that the"), "{said}");
    assert!(said.contains("1 other (ports 61900,62222)"), "{said}");
    assert!(said.contains("reserve ports 61900,62222 first: dayfly reserve 61900,62222"), "{said}");
    let output = machine
        .command(DAYFLY)
        .args(words)
        .env("SSH_CONNECTION", "192.0.2.1 5000 192.0.2.2 62222")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap().replace("\n  ", " ");
    assert!(
        said.contains("Your own ssh session came in through port 62222: it stays open"),
        "{said}"
    );
    assert_eq!((machine.read_sysctl(RANGE).as_str(), states(&machine).len()), ("32768\t60999", 0));

    // As advised, it goes.
    done(&machine, &["reserve", "61900,62222", "--yes"]);
    done(&machine, &words);
    // Back into the pool only by force.
    let said = refused(&machine, &["unreserve", "61900", "--yes"]);
    assert!(said.contains("would hand out again"), "{said}");
    done(&machine, &["unreserve", "61900", "--yes", "--force"]);

    // A range with nothing in it.
    let said = refused(&machine, &["reserve", "32768-65535", "--yes"]);
    assert!(said.contains("no connect() and no bind() to port 0 would succeed"), "{said}");
    let said = refused(&machine, &["set", "62222-62222", "--yes"]);
    assert!(said.contains("every port of 62222-62222 is reserved"), "{said}");

    // An ordinary user sees the difference, and then what to type.
    // The build may lie where nobody else can enter.
    let own = "/usr/local/lib/dayfly";
    assert!(
        machine.command("install").args(["-m", "755", DAYFLY, own]).status().unwrap().success()
    );
    let output = machine
        .command("setpriv")
        .args(["--reuid", "1000", "--clear-groups", own, "set", "40000-50001", "--yes"])
        .output()
        .unwrap();
    assert!(String::from_utf8(output.stdout).unwrap().contains("32768-65535 -> 40000-50001"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("hint: sudo ") && said.ends_with("set 40000-50001 --yes\n"), "{said}");
}

/// A step fails: the host is as before, and dayfly says so.
#[test]
fn a_failure_in_the_middle_takes_everything_back() {
    privileged!();
    needs!("strace", "strace");
    let machine = Machine::new();
    let remount = |how: &str| {
        let how = format!("remount,{how}");
        let done = machine.command("mount").args(["-o", &how, "/etc/sysctl.d"]).status().unwrap();
        assert!(done.success());
    };
    remount("ro");
    let said = refused(&machine, &["set", "49152-65535", "--yes"]);
    assert!(
        said.contains("step 2 failed: /etc/sysctl.d/90-dayfly-range.conf cannot be written"),
        "{said}"
    );
    assert!(said.contains("The host is as it was before"), "{said}");
    assert_eq!(
        (machine.read_sysctl(RANGE).as_str(), states(&machine)),
        ("32768\t60999", vec!["undone".to_owned()])
    );
    remount("rw");
    done(&machine, &["set", "49152-65535", "--yes"]);
    // An undo that cannot be done to its end is not done at all.
    remount("ro");
    let said = refused(&machine, &["undo", "--yes"]);
    assert!(said.contains("The host is as it was before this command"), "{said}");
    remount("rw");
    machine.sysctl(RESERVED, "49152-65535");
    assert_eq!(
        (machine.read_sysctl(RANGE).as_str(), states(&machine)[1].as_str()),
        ("49152\t65535", "applied")
    );

    // Every write fails once: the disk of the journals and that of the files are full.
    let (before, range) = (files(&machine), machine.read_sysctl(RANGE));
    for call in ["write", "fsync", "fdatasync", "rename", "pwrite64", "fchmod"] {
        for when in 1.. {
            let inject = format!("inject={call}:error=ENOSPC:when={when}");
            let output = machine
                .command("strace")
                .args(["-f", "-o", "/dev/null", "-e", &inject, DAYFLY])
                .args(["set", "40000-50001", "--yes"])
                .output()
                .unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            if output.status.success() {
                break;
            }
            assert_eq!(output.status.code(), Some(2), "{call} {when}: {said}");
            // The last line is written when all is done, and what follows it is talk.
            let is_done = machine.read_sysctl(RANGE) == "40000\t50001";
            if is_done {
                let all = said.contains("standard output") || said.matches("is done").count() == 2;
                assert!(all, "{call} {when}: {said}");
                done(&machine, &["undo", "--yes"]);
            }
            let now = (files(&machine), machine.read_sysctl(RANGE));
            assert_eq!(now, (before.clone(), range.clone()), "{call} {when}: {said}");
        }
        done(&machine, &["undo", "--yes"]);
    }
}

#[test]
fn what_others_changed_since_is_not_overwritten() {
    privileged!();
    let machine = Machine::new();
    done(&machine, &["set", "49152-65535", "--yes"]);
    machine.sysctl(RANGE, "20000 30001");
    let said = refused(&machine, &["undo", "--yes"]);
    assert!(said.contains(&format!("{RANGE} is \"20000 30001\" now: it was not dayfly")), "{said}");
    assert_eq!(states(&machine), ["applied"]);
    done(&machine, &["undo", "--yes", "--force"]);
    assert_eq!((machine.read_sysctl(RANGE).as_str(), files(&machine).len()), ("32768\t60999", 0));

    done(&machine, &["set", "49152-65535", "--yes"]);
    done(&machine, &["set", "40000-50001", "--yes"]);
    let said = refused(&machine, &["undo", "2", "--yes"]);
    assert!(said.contains("change 3 (set 40000-50001) came after"), "{said}");
    write(&machine, "/etc/sysctl.d/90-dayfly-range.conf", "# mine now\n");
    let said = refused(&machine, &["undo", "--yes"]);
    assert!(said.contains("90-dayfly-range.conf has another line 1: \"# mine now\""), "{said}");
    done(&machine, &["undo", "--yes", "--force"]);
    done(&machine, &["undo", "--yes"]);
    assert_eq!((machine.read_sysctl(RANGE).as_str(), files(&machine).len()), ("32768\t60999", 0));
    assert_eq!(states(&machine), ["undone"; 3]);
}

#[test]
fn two_do_not_change_at_once() {
    privileged!();
    let machine = Machine::new();
    done(&machine, &["set", "49152-65535", "--yes"]);
    let lock = fs::File::open(machine.path("/var/lib/dayfly/lock")).unwrap();
    lock.lock().unwrap();
    for words in [&["set", "40000-50001", "--yes"][..], &["undo", "--yes"]] {
        assert!(refused(&machine, words).contains("another dayfly is changing something"));
    }
    drop(lock);
    done(&machine, &["undo", "--yes"]);
}
