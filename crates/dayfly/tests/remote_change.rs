//! Changes of hosts with other systems, through a real sshd: set, across, refused in the middle,
//! undone, and each time what a boot makes of it.
#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::process::Output;

use dayfly_systems::{Class, Current, System, find};
use dayfly_testkit::{FakeHost, needs, privileged};

struct Host {
    host: FakeHost,
    system: &'static System,
}

impl Host {
    fn new(name: &str) -> Host {
        Host { host: FakeHost::start(name), system: find(name).unwrap() }
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
        let text = if self.system.name.starts_with("windows") {
            let asked =
                format!("SSH_ORIGINAL_COMMAND='{}' /usr/bin/cmd", self.system.read_command());
            self.host.sh(&format!("rm -f /tmp/ps; mv /etc/fakehost/powershell /tmp/ps 2>/dev/null; {asked}; mv /tmp/ps /etc/fakehost/powershell 2>/dev/null; true"))
        } else {
            self.host.sh(&format!("{} 2>&1; true", self.system.read_command()))
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
