//! Changes of other hosts that return: by themselves after a time, by `undo` to the bytes of the
//! files. Ports that are reserved there, and what cannot be done from here.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::fs;
use std::path::PathBuf;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use dayfly_systems::{Current, System, find};
use dayfly_testkit::{FakeHost, needs, privileged};
use serde_json::Value;

/// A host, and a folder for the journals of this one.
struct Ground {
    host: FakeHost,
    system: &'static System,
    state: PathBuf,
}

impl Ground {
    fn new(name: &str) -> Ground {
        let host = FakeHost::start(name);
        let state = host.folder().join("state");
        Ground { host, system: find(name).unwrap(), state }
    }

    /// Exit code and all that was said.
    fn dayfly(&self, words: &[&str]) -> (i32, String) {
        let mut command = self.host.command(env!("CARGO_BIN_EXE_dayfly"));
        command.args(words).env("DAYFLY_STATE", &self.state).env_remove("COLUMNS");
        let output = command.stdin(Stdio::null()).output().unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code().unwrap(), said.replace("\n  ", " "))
    }

    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let (code, said) = self.dayfly(words);
        assert_eq!(code, 0, "{} {words:?}: {said}", self.system.name);
        said
    }

    fn change(&self, words: &[&str]) -> (i32, String) {
        let url = self.host.url();
        self.dayfly(&[words, &["--host", &url, "--yes"]].concat())
    }

    fn read(&self) -> Current {
        let script = format!("{} 2>&1; true", self.system.read_command());
        self.system.read(&self.host.sh(&script)).unwrap()
    }

    /// The ranges of the default class, and the files that a change might touch.
    fn look(&self) -> (Vec<Option<(u16, u16)>>, Vec<String>) {
        let ranges = self.read().ranges.iter().map(|found| found.ends()).collect();
        // What the plans and the systems' own commands write.
        let files = self.host.sh(
            "for f in /etc/sysctl.conf /etc/sysctl.d/*dayfly* /etc/rc.config.d/nddconf \
             /etc/init.d/ephemports /etc/rc2.d/S70ephemports /Library/LaunchDaemons/* \
             /data/adb/service.d/* /etc/tunables/nextboot /etc/sysconfigtab /etc/*.dayfly \
             /var/svc/manifest/site/* /lib/svc/method/*dayfly*; do \
             test -f \"$f\" && cksum \"$f\"; done; true",
        );
        (ranges, files.lines().map(str::to_owned).collect())
    }

    fn states(&self) -> Vec<String> {
        let (_, said) = self.dayfly(&["history", "--json"]);
        let json: Value = serde_json::from_str(&said.replace("\n ", "\n")).unwrap();
        let changes = json["changes"].as_array().unwrap().iter();
        changes.map(|change| change["state"].as_str().unwrap().to_owned()).collect()
    }
}

/// The files that a system keeps the change in have their old bytes again.
#[test]
fn files_come_back_to_the_byte() {
    privileged!();
    needs!("sshd", "openssh-server");
    for name in ["aix", "freebsd", "solaris", "tru64"] {
        let ground = Ground::new(name);
        let mut looks = vec![ground.look()];
        for range in ["60000-61000", "2000-3001"] {
            let (code, said) = ground.change(&["set", range]);
            assert_eq!(code, 0, "{name} {range}: {said}");
            looks.push(ground.look());
        }
        assert_ne!(looks[1].1, looks[2].1, "{name}");
        looks.pop();
        while let Some(look) = looks.pop() {
            ground.done(&["undo", "--yes"]);
            assert_eq!(ground.look(), look, "{name}");
        }
        assert_eq!(ground.states(), ["undone"; 2], "{name}");
    }
}

#[test]
fn what_is_not_kept_returns_there_by_itself() {
    privileged!();
    needs!("sshd", "openssh-server");
    for name in ["hpux", "linux"] {
        let ground = Ground::new(name);
        let before = ground.look();
        let (code, said) = ground.change(&["set", "50001-61000", "--for", "2s"]);
        assert_eq!(code, 0, "{name}: {said}");
        let begun = Instant::now();
        while ground.look() != before {
            assert!(begun.elapsed() < Duration::from_secs(60), "{name} does not return");
            thread::sleep(Duration::from_millis(100));
        }
        let (code, said) = ground.change(&["set", "50001-61000", "--for", "1h"]);
        assert_eq!(code, 0, "{name}: {said}");
        assert!(said.contains("then /var/tmp/dayfly-"), "{said}");
        ground.done(&["keep"]);
        assert_eq!(ground.host.sh("ls /var/tmp | grep dayfly- || true"), "", "{name}");
        ground.host.boot();
        let now = ground.look();
        assert!(now.0.contains(&Some((50001, 61000))), "{name}: {now:?}");
        ground.done(&["undo", "--yes"]);
        assert_eq!(ground.look(), before, "{name}");
    }
}

#[test]
fn ports_are_reserved_where_that_exists() {
    privileged!();
    needs!("sshd", "openssh-server");
    for name in ["linux", "openbsd"] {
        let ground = Ground::new(name);
        let reserved = || -> Vec<String> {
            ground.read().reserved.iter().map(|reserved| reserved.ports.to_string()).collect()
        };
        let before = (reserved(), ground.look());
        let (code, said) = ground.change(&["reserve", "50000-50010"]);
        assert_eq!(code, 0, "{name}: {said}");
        assert!(reserved().iter().all(|list| list.contains("50000-50010")), "{name}");
        ground.host.boot();
        assert!(reserved().iter().all(|list| list.contains("50000-50010")), "{name}, after a boot");
        ground.done(&["undo", "--yes"]);
        assert_eq!((reserved(), ground.look()), before, "{name}");
    }
}

/// The journal is here, the host is there: another change of it waits its turn, one of this host
/// does not.
#[test]
fn what_cannot_be_done_there_is_said() {
    privileged!();
    needs!("sshd", "openssh-server");
    let ground = Ground::new("freebsd");
    for (words, said) in [
        (&["set", "20-4000"][..], "its sshd is reached through port 22"),
        (&["reserve", "8080"], "cannot keep single ports"),
        (&["unreserve", "8080"], "keeps no single ports"),
        (&["set", "1024-65535", "--unprivileged-start", "1"], "for the live kernel of this host"),
    ] {
        let (code, text) = ground.change(words);
        assert!(code == 2 && text.contains(said), "{words:?}: {text}");
    }
    assert!(!fs::exists(&ground.state).unwrap());
}
