//! dayfly is killed around each of its commands on another host, and the connection is cut in the
//! middle of each command that changes something. Afterwards the journal and the host agree, and
//! `undo` returns to the exact bytes. What is tried on this host at every system call that writes is
//! in `kill.rs`; there is one engine for both.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use dayfly_testkit::{FakeHost, Folder, needs, privileged};
use serde_json::Value;

/// An `ssh` that kills who called it, before or after the command with this number: what makes and
/// ends connections is not counted.
const SSH: &str = r#"#!/bin/sh
case " $* " in *" -O "* | *" -N "*) exec "$REAL" "$@" ;; esac
number=$(($(cat "$COUNT") + 1))
echo $number > "$COUNT"
if test $number -ne "$WHEN"; then exec "$REAL" "$@"; fi
if test "$MOMENT" = after; then "$REAL" "$@" > /dev/null 2>&1; fi
kill -9 $PPID
"#;

/// A program of the host that cuts the connection it was called through, before or after it does
/// its work. Where it is to stay so, nobody gets in any more either.
const CUT: &str = r#"#!/bin/sh
program=${0##*/}
for real in /usr/sbin/$program /usr/bin/$program; do test -x $real && break; done
number=$(($(cat /run/fakehost/count.$program 2> /dev/null) + 1))
echo $number > /run/fakehost/count.$program
read name when moment stays < /run/fakehost/cut
cut() {
    if test $stays = stays; then
        nft add table inet away
        nft 'add chain inet away input { type filter hook input priority 0; }'
        nft add rule inet away input tcp dport 22 tcp flags '& (syn | ack) == syn' reject with tcp reset
    fi
    process=$PPID
    until read about < /proc/$process/comm && case $about in sshd*) true ;; *) false ;; esac; do
        process=$(awk '/^PPid:/ { print $2 }' /proc/$process/status)
    done
    kill -9 $process
}
if test "$name $when" != "$program $number"; then exec $real "$@"; fi
if test $moment = before; then cut; exit 1; fi
$real "$@"
cut
exit 1
"#;

/// A Linux host, and what this one knows of it.
struct Ground {
    host: FakeHost,
    folder: Folder,
    state: PathBuf,
}

impl Ground {
    fn new() -> Ground {
        let (host, folder) = (FakeHost::start("linux"), Folder::new());
        let _ = folder.script("ssh", SSH);
        let _ = host.sh(
            "mkdir -p /etc/sysctl.d; rm -f /etc/sysctl.d/* /etc/sysctl.conf
            echo 'net.ipv4.ip_local_port_range = 40000 41000' > /etc/sysctl.d/90-dayfly-range.conf",
        );
        let state = folder.path().join("state");
        Ground { host, folder, state }
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.host.command(env!("CARGO_BIN_EXE_dayfly"));
        command.args(words).stdin(Stdio::null());
        // What a dayfly that is killed leaves of its connection goes with the folder.
        command.env("DAYFLY_STATE", &self.state).env("TMPDIR", self.folder.path());
        command
    }

    /// The same, killed around this command.
    fn killed(&self, words: &[&str], moment: &str, when: u32) -> Output {
        let count = self.folder.path().join("count");
        fs::write(&count, "0").unwrap();
        let mut command = self.command(words);
        let path = command.get_envs().find(|(name, _)| *name == "PATH").unwrap().1.unwrap();
        let path = format!("{}:{}", self.folder.path().display(), path.to_str().unwrap());
        command.env("REAL", self.host.folder().join("bin/ssh")).env("COUNT", count);
        command.env("PATH", path).env("WHEN", when.to_string()).env("MOMENT", moment);
        command.output().unwrap()
    }

    #[track_caller]
    fn done(&self, words: &[&str], place: &str) {
        let output = self.command(words).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{place}: {words:?}: {said}");
    }

    /// What is set, and the files that a boot reads, to the byte.
    fn look(&self) -> String {
        self.host.sh("cat /proc/sys/net/ipv4/ip_local_port_range; cd /etc/sysctl.d
            for file in *; do echo \"$file\"; od -c \"$file\"; done")
    }

    /// Keeps everything as it is now, to come back to it.
    fn save(&self, name: &str) {
        let _ = self.host.sh(&format!(
            "mkdir /run/{name}; cp -a /etc/sysctl.d /run/{name}
            cat /proc/sys/net/ipv4/ip_local_port_range > /run/{name}/range"
        ));
        let copy = self.folder.path().join(name);
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(&self.state).into_iter().flatten().flatten() {
            fs::copy(entry.path(), copy.join(entry.file_name())).unwrap();
        }
    }

    fn restore(&self, name: &str) {
        let _ = self.host.sh(&format!(
            "rm -rf /etc/sysctl.d; cp -a /run/{name}/sysctl.d /etc
            cat /run/{name}/range > /proc/sys/net/ipv4/ip_local_port_range"
        ));
        let _ = fs::remove_dir_all(&self.state);
        fs::create_dir(&self.state).unwrap();
        for entry in fs::read_dir(self.folder.path().join(name)).unwrap().flatten() {
            fs::copy(entry.path(), self.state.join(entry.file_name())).unwrap();
        }
    }

    /// Changes the range undisturbed: what is found before that and after it, both saved by these
    /// names.
    fn before_and_after(&self) -> (String, String) {
        self.save("before");
        let old = self.look();
        self.done(&["set", RANGE, "--host", &self.host.url(), "--yes"], "undisturbed");
        self.save("after");
        (old, self.look())
    }

    /// State and note of the only change; none where nothing was written down.
    fn change(&self) -> Option<(String, String)> {
        let output = self.command(&["history", "--json"]).output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = |name: &str| json["changes"][0][name].as_str().unwrap().to_owned();
        (!json["changes"].as_array().unwrap().is_empty()).then(|| (text("state"), text("note")))
    }

    /// What is found after a kill or a cut, and after `undo`.
    fn check(&self, place: &str, old: &str, new: &str) -> &'static str {
        let found = self.look();
        let change = self.change();
        let place = format!("{place}: {change:?}");
        let kind = match found {
            found if found == old => "old",
            found if found == new => "new",
            _ => "between",
        };
        let Some((state, note)) = change else {
            assert_eq!(kind, "old", "{place}");
            return kind;
        };
        match state.as_str() {
            "applied" => assert_eq!(kind, "new", "{place}"),
            "undone" => assert_eq!(kind, "old", "{place}"),
            "interrupted" => assert!(note.starts_with("`dayfly undo 1` asks the host"), "{place}"),
            _ => panic!("{place}"),
        }
        if state != "undone" {
            self.done(&["undo", "1", "--yes"], &place);
        }
        assert_eq!(self.look(), old, "{place}");
        assert_eq!(self.change().map(|(state, _)| state).as_deref(), Some("undone"), "{place}");
        kind
    }
}

/// Kills dayfly around each command of what it does from `start` on.
fn kill_around_each(ground: &Ground, start: &str, words: &[&str], old: &str, new: &str) {
    let mut seen = std::collections::BTreeSet::new();
    for moment in ["before", "after"] {
        for when in 1.. {
            ground.restore(start);
            let output = ground.killed(words, moment, when);
            let place = format!("{} killed {moment} command {when}", words[0]);
            if output.status.signal() != Some(9) {
                assert!(output.status.success(), "{place}: {output:?}");
                // Fewer than these, and something is not done through ssh.
                assert!(when > 6, "{place}");
                break;
            }
            seen.insert(ground.check(&place, old, new));
        }
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["between", "new", "old"]);
}

const RANGE: &str = "50000-51001";

#[test]
fn set_survives_a_kill_around_each_command() {
    privileged!();
    needs!("sshd", "openssh-server");
    let ground = Ground::new();
    let (old, new) = ground.before_and_after();
    let url = ground.host.url();
    let set = ["set", RANGE, "--host", &url, "--yes"];
    kill_around_each(&ground, "before", &set, &old, &new);
}

#[test]
fn undo_survives_a_kill_around_each_command() {
    privileged!();
    needs!("sshd", "openssh-server");
    let ground = Ground::new();
    let (old, new) = ground.before_and_after();
    kill_around_each(&ground, "after", &["undo", "--yes"], &old, &new);
}

#[test]
fn set_survives_a_cut_of_the_connection_in_each_step() {
    privileged!();
    needs!("sshd", "openssh-server");
    needs!("nft", "nftables");
    let ground = Ground::new();
    let (old, new) = ground.before_and_after();
    let url = ground.host.url();
    let set = ["set", RANGE, "--host", &url, "--yes"];
    for program in ["sysctl", "mv"] {
        let _ = ground.host.sh(&format!(
            "cat > /usr/local/bin/{program} <<'END_OF_TEXT'\n{CUT}END_OF_TEXT\n\
             chmod 755 /usr/local/bin/{program}"
        ));
        let mut cuts = 0;
        for (moment, stays) in
            [("before", "no"), ("after", "no"), ("before", "stays"), ("after", "stays")]
        {
            for when in 1.. {
                ground.restore("before");
                let _ = ground.host.sh(&format!(
                    "rm -f /run/fakehost/count.*; echo {program} {when} {moment} {stays} > /run/fakehost/cut"
                ));
                let output = ground.command(&set).output().unwrap();
                let place = format!("cut {moment} {program} {when}, {stays}");
                let _ = ground
                    .host
                    .sh("rm /run/fakehost/cut; nft delete table inet away 2> /dev/null; true");
                if output.status.success() {
                    assert_eq!(ground.look(), new, "{place}");
                    break;
                }
                let said = String::from_utf8(output.stderr).unwrap().replace("\n  ", " ");
                assert_eq!(output.status.code(), Some(2), "{place}: {said}");
                assert!(said.contains("whether it was done is not known"), "{place}: {said}");
                let _ = ground.check(&place, &old, &new);
                cuts += 1;
            }
        }
        assert!(cuts >= 4, "{program}: {cuts}");
        let _ = ground.host.sh(&format!("rm /usr/local/bin/{program}"));
    }
}
