//! A login on another host that may look and not change: nothing is changed, and what is printed as
//! the way out is one.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::process::Stdio;

use dayfly_systems::find;
use dayfly_testkit::{FakeHost, needs, privileged};

/// A user beside root, who gets in with the same key.
const USER: &str = "echo 'worker:x:1000:1000::/:/bin/sh' >> /etc/passwd
    echo 'worker:*:20000:0:99999:7:::' >> /etc/shadow";

/// Exit code, and all that was said, on one line.
fn dayfly(host: &FakeHost, words: &str) -> (Option<i32>, String) {
    let mut command = host.command(env!("CARGO_BIN_EXE_dayfly"));
    command.args(words.split(' ')).env("DAYFLY_STATE", host.folder().join("state"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code(), said.replace("\n  ", " "))
}

#[test]
fn who_may_not_change_a_host_is_told_the_command_that_may() {
    privileged!();
    needs!("sshd", "openssh-server");
    for (system, words, refusal) in [
        ("linux", "set 50000-51001", "permission denied on key \"net.ipv4.ip_local_port_range\""),
        ("linux", "reserve 50000", "permission denied on key \"net.ipv4.ip_local_reserved_ports\""),
        ("linux", "set 50000-51001 --for 60s", "permission denied on key"),
        ("freebsd", "set 50000-51001", "Operation not permitted"),
        ("openbsd", "reserve 50000", "Operation not permitted"),
    ] {
        let host = FakeHost::start(system);
        host.netstat("");
        let _ = host.sh(USER);
        let read = find(system).unwrap().read_command();
        let look = || host.sh(&format!("{read}; cat /etc/sysctl.conf /etc/sysctl.d/*; true"));
        let before = look();
        let (code, shown) = dayfly(&host, "show --host ssh://worker@127.0.0.1");
        assert_eq!(code, Some(0), "{system}: {shown}");
        let (code, said) = dayfly(&host, &format!("{words} --yes --host ssh://worker@127.0.0.1"));
        assert_eq!(code, Some(2), "{system} {words}: {said}");
        for part in [refusal, "The host is as it was before this command"] {
            assert!(said.contains(part), "{system} {words}: {said}");
        }
        let (_, hint) = said.trim_end().rsplit_once("hint: ").unwrap();
        assert_eq!(hint, format!("dayfly {words} --yes --host ssh://root@127.0.0.1"));
        assert_eq!(look(), before, "{system} {words}");
        let (code, said) = dayfly(&host, hint.strip_prefix("dayfly ").unwrap());
        assert_eq!(code, Some(0), "{system}: {said}");
        assert_ne!(look(), before, "{system} {words}");
    }
}
