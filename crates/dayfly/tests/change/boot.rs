//! Now and after a boot: what the files say to the real `systemd-sysctl` and `sysctl`, and what namespaces have none of.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use dayfly_linux::sysctl;
use dayfly_testkit::{Folder, Machine, Namespace, command, needs, privileged};

use super::{DAYFLY, FLOOR, RANGE, RESERVED, SYSTEMD_SYSCTL, dayfly, done, files, refused, write};

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

/// A named namespace: its settings only, and only as long as it is there.
#[test]
fn namespaces_have_settings_and_no_files() {
    privileged!();
    let state = Folder::new();
    let namespace = Namespace::new();
    let run = |words: &[&str]| {
        let mut command = command(DAYFLY);
        command.args(words).env("DAYFLY_STATE", state.path()).stdin(Stdio::null());
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
}
