//! `set`, `reserve`, `unreserve`, `undo`, `keep` and `history` on the real kernel, on machines of
//! their own: with the files that the real `systemd-sysctl` and `sysctl` read.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::symlink;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use dayfly_linux::sysctl;
use dayfly_testkit::{Machine, Namespace, needs, privileged};
use insta::assert_snapshot;
use serde_json::Value;

const DAYFLY: &str = env!("CARGO_BIN_EXE_dayfly");
const RANGE: &str = "net.ipv4.ip_local_port_range";
const RESERVED: &str = "net.ipv4.ip_local_reserved_ports";
const FLOOR: &str = "net.ipv4.ip_unprivileged_port_start";
const SYSTEMD_SYSCTL: &str = "/lib/systemd/systemd-sysctl";

fn dayfly(machine: &Machine, words: &[&str]) -> Output {
    let mut command = machine.command(DAYFLY);
    command.args(words).env_remove("COLUMNS").env_remove("LINES").env_remove("DAYFLY_STATE");
    command.env_remove("SUDO_USER").stdin(Stdio::null()).output().unwrap()
}

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
fn names_of_the_json_are_documented() {
    privileged!();
    let documented =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/json.md")).unwrap();
    let machine = Machine::new();
    for words in [
        &["set", "512-65535", "--unprivileged-start", "512", "--for", "1h", "--yes", "--json"][..],
        &["undo", "--yes", "--json"],
        &["reserve", "1-65535", "--json"],
        &["history", "--json"],
    ] {
        let json: Value = serde_json::from_slice(&dayfly(&machine, words).stdout).unwrap();
        each_name(&json, &mut |name| {
            assert!(documented.contains(&format!("`{name}`")), "{name} is not in docs/json.md");
        });
    }
}

fn each_name(json: &Value, see: &mut impl FnMut(&str)) {
    match json {
        Value::Object(object) => {
            for (name, value) in object {
                see(name);
                each_name(value, see);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| each_name(value, see)),
        _ => {}
    }
}

/// What the machine would start with after a boot: the kernel's defaults, then the files.
fn boot(machine: &Machine, words: &[&str]) -> (String, String) {
    machine.sysctl(RANGE, "32768 60999");
    machine.sysctl(FLOOR, "1024");
    machine.sysctl(RESERVED, "\n");
    // What is not about ports cannot be set here, and does not matter.
    let _ = machine.command(words[0]).args(&words[1..]).output().unwrap();
    let reserved = machine.run(|| sysctl::read(RESERVED)).unwrap();
    (machine.read_sysctl(RANGE).replace('\t', "-"), reserved)
}

/// Where others have their say before and after us, the real programs and dayfly agree.
#[test]
fn files_count_as_systemd_sysctl_reads_them() {
    privileged!();
    needs!("sysctl", "procps");
    if !fs::exists(SYSTEMD_SYSCTL).unwrap() {
        // The package of systemd; what reads the files at boot has to be there to be asked.
        assert!(std::env::var("CI").is_err(), "{SYSTEMD_SYSCTL} is missing");
        return;
    }
    let machine = Machine::new();
    write(
        &machine,
        "/run/sysctl.d/10-first.conf",
        &format!("{RANGE} = 30000 40001\n{RESERVED} = 1111\n"),
    );
    write(
        &machine,
        "/usr/local/lib/sysctl.d/89-a.conf",
        "net/ipv4/ip_local_port_range=30000 40003\n",
    );
    done(&machine, &["set", "49152-65535", "--yes"]);
    done(&machine, &["reserve", "50000-50010", "--yes"]);
    let all = ("49152-65535".to_owned(), "1111,50000-50010".to_owned());
    assert_eq!(boot(&machine, &[SYSTEMD_SYSCTL]), all);
    assert_eq!(boot(&machine, &["sysctl", "--system"]), all);
    done(&machine, &["unreserve", "1111", "--persist", "--yes"]);
    assert_eq!(boot(&machine, &[SYSTEMD_SYSCTL]).1, "50000-50010");

    // Whoever comes later wins, and is named before anything is written.
    write(
        &machine,
        "/run/sysctl.d/91-later.conf",
        &format!("# x\n{RANGE} = 30000 40005\n{RESERVED} = 2222\n"),
    );
    let before = files(&machine);
    let said = refused(&machine, &["set", "40000-50001", "--yes"]);
    assert!(said.contains("at boot /run/sysctl.d/91-later.conf:2 sets"), "{said}");
    let said = refused(&machine, &["reserve", "3333", "--yes"]);
    assert!(said.contains("91-later.conf:3 sets") && said.contains("without port 3333"), "{said}");
    assert_eq!(
        (files(&machine), boot(&machine, &[SYSTEMD_SYSCTL])),
        (before, ("30000-40005".to_owned(), "2222".to_owned()))
    );
    done(&machine, &["set", "40000-50001", "--yes", "--force"]);
    done(&machine, &["reserve", "3333", "--runtime", "--yes"]);
    let said = String::from_utf8(dayfly(&machine, &["unreserve", "2222", "--yes"]).stdout).unwrap();
    assert!(said.contains("/run/sysctl.d/91-later.conf:3 reserves port 2222 again"), "{said}");
    fs::remove_file(machine.path("/run/sysctl.d/91-later.conf")).unwrap();
    assert_eq!(boot(&machine, &[SYSTEMD_SYSCTL]).0, "40000-50001");

    // The old file counts for systemd only through a link, which sorts after ours.
    write(&machine, "/etc/old.conf", &format!("{RANGE} = 30000 40007\n"));
    symlink("../old.conf", machine.path("/etc/sysctl.d/99-sysctl.conf")).unwrap();
    let said = refused(&machine, &["set", "49152-65535", "--yes"]);
    assert!(said.contains("/etc/sysctl.d/99-sysctl.conf:1 sets"), "{said}");
    assert_eq!(boot(&machine, &[SYSTEMD_SYSCTL]).0, "30000-40007");
    fs::remove_file(machine.path("/etc/old.conf")).unwrap();
}

#[test]
fn a_floor_is_lowered_before_the_range_at_boot_too() {
    privileged!();
    let machine = Machine::new();
    done(&machine, &["set", "512-65535", "--unprivileged-start", "512", "--yes"]);
    assert_eq!(machine.read_sysctl(FLOOR), "512");
    if fs::exists(SYSTEMD_SYSCTL).unwrap() {
        assert_eq!(boot(&machine, &[SYSTEMD_SYSCTL]).0, "512-65535");
    }
    // Up again: the range first. The floor of our file stays in it.
    done(&machine, &["set", "2048-65535", "--unprivileged-start", "2000", "--yes"]);
    assert_eq!(machine.read_sysctl(FLOOR), "2000");
    done(&machine, &["set", "3000-65535", "--yes"]);
    assert!(files(&machine)["90-dayfly-range.conf"].contains(&format!("{FLOOR} = 2000\n")));
    for _ in 0..3 {
        done(&machine, &["undo", "--yes"]);
    }
    assert_eq!((machine.read_sysctl(FLOOR), files(&machine).len()), ("1024".to_owned(), 0));
    assert_eq!(machine.read_sysctl(RANGE), "32768\t60999");
}

/// Every order of ranges that lie above, below, inside and round each other.
#[test]
fn ranges_may_cross() {
    privileged!();
    let machine = Machine::new();
    let ranges =
        ["1024-2047", "50000-60001", "1-65535", "40000-40000", "65535-65535", "1-1", "32768-60999"];
    let words = |range: &'static str| {
        ["set", range, "--unprivileged-start", "1", "--runtime", "--yes", "--force"]
    };
    for range in ranges {
        done(&machine, &words(range));
        assert_eq!(machine.read_sysctl(RANGE).replace('\t', "-"), range);
    }
    for range in ranges[..ranges.len() - 1].iter().rev() {
        done(&machine, &["undo", "--yes"]);
        assert_eq!(machine.read_sysctl(RANGE).replace('\t', "-"), *range);
    }
    done(&machine, &["undo", "--yes"]);
    assert_eq!(
        (machine.read_sysctl(RANGE), machine.read_sysctl(FLOOR)),
        ("32768\t60999".to_owned(), "1024".to_owned())
    );
}

#[test]
fn lists_longer_than_a_page() {
    privileged!();
    let machine = Machine::new();
    machine.sysctl(RESERVED, "8080");
    let ports: Vec<_> = (20_000..24_000).step_by(2).map(|port: u16| port.to_string()).collect();
    let list = ports.join(",");
    let output = dayfly(&machine, &["reserve", &list, "--yes"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && said.contains("The list has 11999 bytes."), "{said}");
    let reserved = || machine.run(|| sysctl::read(RESERVED)).unwrap();
    assert_eq!(reserved(), format!("8080,{list}"));
    if fs::exists(SYSTEMD_SYSCTL).unwrap() {
        assert_eq!(boot(&machine, &[SYSTEMD_SYSCTL]).1, list);
        machine.sysctl(RESERVED, "8080");
        done(&machine, &["reserve", &list, "--runtime", "--yes"]);
        done(&machine, &["undo", "--yes"]);
        machine.run(|| sysctl::reserve(&list.parse().unwrap())).unwrap();
    }
    // What others reserve meanwhile stays, whatever is taken back.
    machine.run(|| sysctl::reserve(&"9000".parse().unwrap())).unwrap();
    done(&machine, &["undo", "1", "--yes"]);
    assert_eq!((reserved().as_str(), files(&machine).len()), ("8080,9000", 0));
}

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
    let output = machine
        .command("setpriv")
        .args(["--reuid", "1000", "--clear-groups", DAYFLY, "set", "40000-50001", "--yes"])
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

#[test]
fn a_terminal_is_asked() {
    privileged!();
    needs!("script", "bsdutils");
    let machine = Machine::new();
    let answer = |answer: &str| {
        let mut child = machine
            .command("script")
            .args(["--quiet", "--return", "--command", &format!("{DAYFLY} set 49152-65535")])
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

/// A named namespace: its settings only, and only as long as it is there.
#[test]
fn namespaces_have_settings_and_no_files() {
    privileged!();
    let state = std::env::temp_dir().join(format!("dayfly-change-{}", std::process::id()));
    let namespace = Namespace::new();
    let run = |words: &[&str]| {
        let mut command = Command::new(DAYFLY);
        command.args(words).env("DAYFLY_STATE", &state).stdin(Stdio::null());
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
    };
    let name = namespace.name().to_owned();
    let (code, said) = run(&["set", "49152-65535", "--netns", &name, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("Only as long as the network namespace"), "{said}");
    assert_eq!(namespace.read_sysctl(RANGE), "49152\t65535");
    let (code, said) = run(&["set", "40000-50001", "--netns", &name, "--persist", "--yes"]);
    assert!(code == Some(2) && said.contains("no file sets the sysctls"), "{said}");
    // The journal knows where it was.
    let (code, said) = run(&["undo", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(namespace.read_sysctl(RANGE), "32768\t60999");
    let (code, said) = run(&["reserve", "8080", "--netns", &name, "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    drop(namespace);
    let (code, said) = run(&["undo", "--yes"]);
    assert_eq!(code, Some(0), "{said}");
    fs::remove_dir_all(state).unwrap();
}
