//! Changes of hosts with other systems, through a real sshd: set, across, refused in the middle,
//! undone, and each time what a boot makes of it.
#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::process::Output;

use dayfly_systems::{Class, Current, System, find};
use dayfly_testkit::{FakeHost, Login, needs, privileged};

struct Host {
    host: FakeHost,
    system: &'static System,
}

impl Host {
    fn new(name: &str) -> Host {
        Host::with_login(name, Login::Usual)
    }

    fn with_login(name: &str, login: Login) -> Host {
        Host { host: FakeHost::with_login(name, login), system: find(name).unwrap() }
    }

    /// Exit code, and all that was printed.
    fn dayfly(&self, words: &str) -> (i32, String) {
        let mut command = self.host.command(env!("CARGO_BIN_EXE_dayfly"));
        let url = self.host.url();
        command.args(words.split(' ').map(|word| if word == "HOST" { &url } else { word }));
        command.env("DAYFLY_STATE", self.host.folder().join("state")).env_remove("COLUMNS");
        let Output { status, stdout, stderr } = command.output().unwrap();
        let said = String::from_utf8(stdout).unwrap() + &String::from_utf8(stderr).unwrap();
        (status.code().unwrap(), said)
    }

    fn done(&self, words: &str) -> String {
        let (code, said) = self.dayfly(words);
        assert_eq!(code, 0, "{} {words}: {said}", self.system.name);
        said
    }

    /// What is set, told by the host itself and not through ssh.
    fn current(&self) -> Current {
        let command = self.system.read_command();
        let text = if self.system.name.starts_with("windows") {
            self.host.sh(&format!("/usr/bin/cmd '{command}'; true"))
        } else {
            self.host.sh(&format!("{command} 2>&1; true"))
        };
        self.system.read(&text).unwrap()
    }

    /// The ranges of the default class that can be changed.
    fn ranges(&self) -> Vec<String> {
        let slots = self.system.slots.iter();
        let slots =
            slots.filter(|slot| slot.class == Class::Default && slot.writable && !slot.on_request);
        let current = self.current();
        let shown = |slot| current.found(slot).and_then(|found| found.range());
        slots.map(|slot| shown(slot).map_or("?".to_owned(), |range| range.to_string())).collect()
    }

    fn has(&self, range: &str, when: &str) {
        let ranges = self.ranges();
        assert!(ranges.iter().all(|one| one == range), "{} {when}: {ranges:?}", self.system.name);
    }
}

/// `refused` is the setting whose write fails in the middle; `step` the step that does it.
fn there_and_back(name: &str, refused: &str) {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = Host::new(name);
    let defaults = host.ranges();
    host.done("set 60000-61000 --host HOST --yes");
    host.has("60000-61000", "now");
    host.host.boot();
    host.has("60000-61000", "after a boot");

    // Across: the new high end lies below the old low one.
    host.done("set 2000-3001 --host HOST --yes");
    host.has("2000-3001", "across");

    // The other way, and the kernel refuses a write.
    host.host.refuse(&[refused]);
    let (code, said) = host.dayfly("set 50000-51000 --host HOST --yes");
    assert_eq!(code, 2, "{name}: {said}");
    assert!(said.contains(" failed: ") && said.contains("The host is as it was"), "{name}: {said}");
    host.has("2000-3001", "refused");
    host.host.boot();
    host.has("2000-3001", "refused, after a boot");
    assert_eq!(host.host.file("/var/tmp/fakehost-crossed"), None, "{name}");

    host.done("undo --yes");
    host.has("60000-61000", "undone");
    host.done("undo --yes");
    assert_eq!(host.ranges(), defaults, "{name} undone twice");
    host.host.boot();
    assert_eq!(host.ranges(), defaults, "{name} undone, after a boot");
    let history = host.done("history");
    assert_eq!(history.matches("undone").count(), 3, "{name}: {history}");
}

/// Linux is the real kernel; it refuses by itself what it does not take.
fn linux(name: &str) {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = Host::new(name);
    let reserved = |when: &str| -> String {
        let current = host.current();
        let ports = current.reserved(dayfly_ports::Protocol::Tcp).map(ToString::to_string);
        ports.unwrap_or_else(|| panic!("{name} {when}: {current:?}"))
    };
    // Somebody else's entry stays.
    let _ = host.host.sh("echo 50000 > /proc/sys/net/ipv4/ip_local_reserved_ports");
    host.done("set 20000-29999 --host HOST --yes");
    host.done("reserve 20080,20100-20102 --host HOST --yes");
    assert_eq!(reserved("now"), "20080,20100-20102,50000");
    host.host.boot();
    host.has("20000-29999", "after a boot");
    assert!(reserved("after a boot").starts_with("20080,20100-20102"));
    host.done("undo --yes");
    host.done("undo --yes");
    host.has("32768-60999", "undone");
    assert_eq!(reserved("undone"), "50000");
    host.host.boot();
    host.has("32768-60999", "undone, after a boot");
    assert_eq!(reserved("undone, after a boot"), "");
}

#[test]
fn linux_reserves_too() {
    linux("linux");
}

#[test]
fn android_reserves_too() {
    linux("android");
}

#[test]
fn openbsd_and_windows_keep_single_ports_out() {
    privileged!();
    needs!("sshd", "openssh-server");
    for (name, before) in [("openbsd", "587,749-751,853,871,2049,6000-6010"), ("windows", "")] {
        let host = Host::new(name);
        let reserved = || {
            let current = host.current();
            current.reserved(dayfly_ports::Protocol::Tcp).map(ToString::to_string).unwrap()
        };
        assert_eq!(reserved(), before);
        host.done("reserve 50000-50009,50020 --host HOST --yes");
        let after = format!("{before},50000-50009,50020");
        assert_eq!(reserved(), after.trim_start_matches(','), "{name}");
        host.host.boot();
        assert_eq!(reserved(), after.trim_start_matches(','), "{name} after a boot");
        host.done("undo --yes");
        assert_eq!(reserved(), before, "{name} undone");
        host.host.boot();
        assert_eq!(reserved(), before, "{name} undone, after a boot");
    }
}

/// Only what was asked for goes, and undo brings it back, now and after a boot.
fn reserve_and_unreserve(name: &str, others: &str) {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = Host::new(name);
    let reserved = || {
        let current = host.current();
        current.reserved(dayfly_ports::Protocol::Tcp).map(ToString::to_string).unwrap()
    };
    let list = |own: &str| {
        let both: Vec<_> = [others, own].into_iter().filter(|part| !part.is_empty()).collect();
        both.join(",")
    };
    host.done("reserve 50000-50009,50020 --host HOST --yes");
    let said = host.done("unreserve 50004-50005,50020,60000 --host HOST --yes");
    assert!(said.contains("Not reserved anyway: 60000"), "{name}: {said}");
    assert_eq!(reserved(), list("50000-50003,50006-50009"), "{name}");
    host.host.boot();
    assert_eq!(reserved(), list("50000-50003,50006-50009"), "{name} after a boot");
    host.done("undo --yes");
    assert_eq!(reserved(), list("50000-50009,50020"), "{name} undone");
    host.host.boot();
    assert_eq!(reserved(), list("50000-50009,50020"), "{name} undone, after a boot");
    // All of it.
    host.done("unreserve 50000-50020 --host HOST --yes");
    assert_eq!(reserved(), others, "{name}");
    host.host.boot();
    assert_eq!(reserved(), others, "{name} after a boot");
    // And once more, in other words than before.
    host.done("reserve 50000-50009 --host HOST --yes");
    host.host.boot();
    assert_eq!(reserved(), list("50000-50009"), "{name} reserved again");
    let again = host.done("unreserve 60000 --host HOST --yes");
    assert!(again.contains("There is nothing to do"), "{name}: {again}");
    assert_eq!(reserved(), list("50000-50009"), "{name}");
}

#[test]
fn linux_unreserves() {
    reserve_and_unreserve("linux", "");
}

#[test]
fn android_unreserves() {
    reserve_and_unreserve("android", "");
}

#[test]
fn openbsd_unreserves() {
    reserve_and_unreserve("openbsd", "587,749-751,853,871,2049,6000-6010");
}

#[test]
fn windows_unreserves() {
    reserve_and_unreserve("windows", "");
}

#[test]
fn windows_xp_unreserves() {
    reserve_and_unreserve("windows-xp", "");
}

/// A list of several pages arrives whole, beside what others put there.
#[test]
fn a_long_list_is_reserved_whole() {
    privileged!();
    needs!("sshd", "openssh-server");
    for name in ["linux", "android"] {
        let host = Host::new(name);
        let _ = host.host.sh("echo 50000 > /proc/sys/net/ipv4/ip_local_reserved_ports");
        // Longer than one argument of a command may be.
        let reserved = || {
            let command = "dd if=/proc/sys/net/ipv4/ip_local_reserved_ports bs=262144 2>/dev/null";
            host.host.sh(command).trim().to_owned()
        };
        let ports: Vec<_> = (1025..49999).step_by(2).map(|port: u16| port.to_string()).collect();
        let ports = ports.join(",");
        assert!(ports.len() > 131_072);
        let (first, second) = ports.split_at(ports.find(",30001").unwrap());
        let second = &second[1..];
        host.done(&format!("reserve {first} --host HOST --yes --runtime"));
        host.done(&format!("reserve {second} --host HOST --yes --runtime"));
        assert_eq!(reserved(), format!("{ports},50000"), "{name}");
        host.done(&format!("unreserve {first} --host HOST --yes --runtime"));
        assert_eq!(reserved(), format!("{second},50000"), "{name} unreserved");
        host.done("undo --yes");
        assert_eq!(reserved(), format!("{ports},50000"), "{name} undone");
        host.done("undo --yes");
        host.done("undo --yes");
        assert_eq!(reserved(), "50000", "{name} all undone");
    }
}

/// XP reads its registry at boot only.
#[test]
fn windows_xp_waits_for_a_boot() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = Host::new("windows-xp");
    let (code, said) = host.dayfly("set 1024-65534 --host HOST --yes --runtime");
    assert!(code == 2 && said.contains("at boot only"), "{said}");
    host.done("set 1024-65534 --host HOST --yes");
    host.done("reserve 4000,5000-5009 --host HOST --yes");
    host.host.boot();
    let registry = host.host.file("/var/lib/fakehost/registry").unwrap();
    assert!(
        registry.contains("65534") && registry.contains(r"4000-4000\\05000-5009"),
        "{registry}"
    );
    host.has("1024-65534", "after a boot");
    host.done("undo --yes");
    host.done("undo --yes");
    host.has("1024-5000", "undone");
    let registry = host.host.file("/var/lib/fakehost/registry").unwrap();
    assert!(!registry.contains("MaxUserPort") && !registry.contains("ReservedPorts"), "{registry}");
}

/// Root's shell is csh here, an administrator's PowerShell there.
#[test]
fn the_login_shell_does_not_matter() {
    privileged!();
    needs!("sshd", "openssh-server");
    needs!("tcsh", "tcsh");
    for (name, login) in [("dragonfly", Login::Csh), ("windows", Login::PowerShell)] {
        let host = Host::with_login(name, login);
        let before = host.ranges();
        host.done("set 10000-10999 --host HOST --yes");
        host.has("10000-10999", "now");
        host.host.boot();
        host.has("10000-10999", "after a boot");
        host.done("undo --yes");
        assert_eq!(host.ranges(), before, "{name}");
    }
}

/// What a system cannot do is a sentence, and changes nothing.
#[test]
fn what_cannot_be_done_is_said() {
    privileged!();
    needs!("sshd", "openssh-server");
    for (name, words, said) in [
        ("irix", "set 49152-65535", "is a constant of the kernel"),
        ("bsdos", "set 1024-65535", "is a constant of the kernel"),
        ("windows", "set 49152-49160", "255 is the least"),
        ("windows", "set 49152-65535 --persist", "without changing it now"),
        ("netbsd", "set 50000-50000", "has to lie below the high end"),
        ("aix", "set 80-1000", "would hand out privileged ports"),
        ("freebsd", "unreserve 8080", "keeps no single ports from being handed out"),
        ("solaris", "reserve 8080", "cannot keep single ports from being handed out"),
    ] {
        let host = Host::new(name);
        let before = host.ranges();
        let (code, out) = host.dayfly(&format!("{words} --host HOST --yes"));
        assert!(code == 2 && out.contains(said) && out.contains("hint: "), "{name} {words}: {out}");
        assert_eq!(host.ranges(), before, "{name}");
    }
}

macro_rules! systems {
    ($($test:ident: $name:literal, $refused:literal;)*) => {$(
        #[test]
        fn $test() {
            there_and_back($name, $refused);
        }
    )*};
}

systems! {
    aix: "aix", "udp_ephemeral_low";
    dragonfly: "dragonfly", "net.inet.ip.portrange.first";
    freebsd: "freebsd", "net.inet.ip.portrange.first";
    hpux: "hpux", "udp_largest_anon_port";
    illumos: "illumos", "largest_anon_port";
    macos: "macos", "net.inet.ip.portrange.first";
    netbsd: "netbsd", "net.inet6.ip6.anonportmin";
    openbsd: "openbsd", "net.inet.ip.portfirst";
    solaris: "solaris", "udp_smallest_anon_port";
    tru64: "tru64", "ipport_userreserved_min";
    windows: "windows", "ipv6-tcp";
}
