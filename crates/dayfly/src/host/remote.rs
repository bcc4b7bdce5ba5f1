//! Another host, behind its login shell. Nothing is installed there; what runs is its own shell
//! with commands of its own.
//!
//! Login shells differ (root's is csh on some BSDs), so the only thing that one ever sees is
//! [`bootstrap`], a constant but for a number, that sh, csh, fish and zsh read alike. It starts `sh`, which takes the
//! rest from standard input: so many bytes of script, then what the script itself reads. Windows
//! has no sh; there the login shell is cmd.exe or PowerShell, and gets the command itself.

use std::path::PathBuf;

use dayfly_systems::identify::{self, Identified};
use dayfly_systems::{ScriptKind, System};

use super::address::Address;
use super::complaint::complaint;
use super::ssh::Ssh;
use super::{Host, HostError, Output};
use crate::quote::{posix, powershell};

/// Another host.
#[derive(Debug)]
pub(crate) struct Remote {
    ssh: Ssh,
    login: Login,
    identified: Identified,
}

/// How a command gets to a shell that knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Login {
    Sh,
    Cmd,
    PowerShell,
}

/// What the login shell is given. `sh` reads its script byte by byte, so that what follows is left
/// for the script to read: shells themselves read ahead. No character of it means anything to any
/// shell within single quotes.
fn bootstrap(length: usize) -> String {
    format!(r#"exec sh -c 'eval "`dd bs=1 count={length} 2>/dev/null`"'"#)
}

impl Remote {
    /// Connects and finds out which system it is.
    pub(crate) fn connect(address: &Address) -> Result<Self, HostError> {
        Remote::through("ssh".into(), address)
    }

    fn through(program: PathBuf, address: &Address) -> Result<Self, HostError> {
        let ssh = Ssh::open(program, address)?;
        let name = ssh.name.clone();
        let unknown = |error: identify::Unknown| {
            HostError::new(format_args!("{name}: {error}"))
                .hint("`dayfly systems` names the systems that dayfly knows")
        };
        let (shell, identified) = match posix_run(&ssh, identify::QUESTION, None) {
            Ok(output) => (Login::Sh, identify::identified(&output.text()).map_err(unknown)?),
            Err(Unheard::Lost(error)) => return Err(error),
            Err(Unheard::Foreign(answer)) => windows(&ssh, &answer)?,
        };
        if (shell == Login::Sh) != matches!(identified.system.script, ScriptKind::Shell { .. }) {
            return Err(HostError::new(format_args!(
                "{name}: {} answers in another system's shell",
                identified.system.title
            )));
        }
        Ok(Remote { ssh, login: shell, identified })
    }

    /// Which system it is.
    pub(crate) fn system(&self) -> &'static System {
        self.identified.system
    }

    /// What it calls itself, with its version, fit for a terminal.
    pub(crate) fn version(&self) -> &str {
        &self.identified.version
    }

    /// A script of several commands with files as its subject, in `sh`.
    fn script(&self, script: &str, input: Option<&[u8]>) -> Result<Output, HostError> {
        if self.login != Login::Sh {
            return Err(HostError::new(format_args!(
                "{}: dayfly changes no files on {}",
                self.ssh.name, self.identified.system.title
            )));
        }
        posix_run(&self.ssh, script, input).map_err(|unheard| unheard.into_error(&self.ssh.name))
    }
}

/// Why `sh` did not answer.
enum Unheard {
    /// The connection is the reason; what was asked may have been done.
    Lost(HostError),
    /// The login shell is none that knows `sh`.
    Foreign(Output),
}

impl Unheard {
    fn into_error(self, name: &str) -> HostError {
        match self {
            Unheard::Lost(error) => error,
            Unheard::Foreign(answer) => foreign(name, &answer),
        }
    }
}

/// The shell was not understood.
fn foreign(name: &str, answer: &Output) -> HostError {
    let said = answer.said();
    let said = if said.is_empty() { String::new() } else { format!(": it says {said:?}") };
    HostError::new(format_args!("{name}: its login shell knows neither sh nor cmd.exe{said}"))
        .hint("log in as a user with an ordinary shell")
}

/// Runs a script in `sh`, with standard input from these bytes or from nowhere. What the login
/// shell's own files print comes before a mark that nobody can guess, and the status comes after
/// a second one: without it the connection broke, and nobody knows how far the script came.
fn posix_run(ssh: &Ssh, script: &str, input: Option<&[u8]>) -> Result<Output, Unheard> {
    let mark = format!("dayfly-{:016x}", dayfly_linux::observe::hash_seed());
    let nowhere = if input.is_some() { "" } else { " </dev/null" };
    // One compound command: cut off anywhere, it is a syntax error and nothing of it is run.
    let framed = format!(
        "{{ LC_ALL=C; export LC_ALL
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin; export PATH
echo {mark}; echo {mark} >&2
(
{script}
){nowhere}
dayfly_status=$?
echo; echo {mark} $dayfly_status
}}"
    );
    let mut bytes = framed.into_bytes();
    let command = bootstrap(bytes.len());
    bytes.extend_from_slice(input.unwrap_or_default());
    let output = ssh.run(&command, &bytes).map_err(Unheard::Lost)?;
    let Some(answer) = after(&output.stdout, mark.as_bytes()) else {
        return Err(match output.status {
            255 => Unheard::Lost(complaint(&ssh.name, &output)),
            _ => Unheard::Foreign(output),
        });
    };
    let end = format!("\n{mark} ");
    let cut = || {
        let error = HostError::lost(format_args!(
            "{}: the connection broke while a command ran; whether it was done is not known",
            ssh.name
        ));
        Unheard::Lost(error)
    };
    let place = find(answer, end.as_bytes()).ok_or_else(cut)?;
    let status = String::from_utf8_lossy(&answer[place + end.len()..]);
    let status = status.trim().parse().map_err(|_| cut())?;
    let stderr = after(&output.stderr, mark.as_bytes()).unwrap_or(&output.stderr);
    Ok(Output { status, stdout: answer[..place].to_vec(), stderr: stderr.to_vec() })
}

/// What follows the first line that is this mark.
fn after<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<&'a [u8]> {
    let rest = &bytes[find(bytes, mark)? + mark.len()..];
    rest.strip_prefix(b"\n").or_else(|| rest.strip_prefix(b"\r\n"))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// A host whose shell is not of Unix: cmd.exe, or PowerShell, which lacks `ver`.
fn windows(ssh: &Ssh, answer: &Output) -> Result<(Login, Identified), HostError> {
    for (shell, question) in [(Login::Cmd, "ver"), (Login::PowerShell, "cmd /d /c ver")] {
        let output = ssh.run(question, b"")?;
        if let Some(identified) = identify::identified_windows(&output.text()) {
            return Ok((shell, identified));
        }
    }
    Err(foreign(&ssh.name, answer))
}

impl Host for Remote {
    fn name(&self) -> &str {
        &self.ssh.name
    }

    fn run(&self, command: &str) -> Result<Output, HostError> {
        let typed = match self.login {
            Login::Sh => return self.script(command, None),
            // Whoever writes commands for cmd.exe writes each on one line.
            _ if command.contains(['\r', '\n', '\0']) => {
                return Err(HostError::new("a command for cmd.exe has more than one line"));
            }
            Login::Cmd => command.to_owned(),
            // With /s, cmd.exe takes off the outer double quotes and nothing else.
            Login::PowerShell => {
                format!(
                    "cmd /d /s /c {}; exit $LASTEXITCODE",
                    powershell(&format!("\"{command}\""))
                )
            }
        };
        let output = self.ssh.run(&typed, b"")?;
        match output.status {
            255 => Err(complaint(&self.ssh.name, &output)),
            _ => Ok(output),
        }
    }

    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        const NONE: i32 = 44;
        // `test -e` is younger than Solaris 10's sh.
        let script = format!(
            "f={}
if test -f \"$f\"; then cat \"$f\"; exit; fi
d=`dirname \"$f\"`
if test -d \"$d\" && test ! -x \"$d\"; then ls \"$d\"; exit 1; fi
if test -d \"$f\"; then echo 'it is a folder' >&2; exit 1; fi
exit {NONE}",
            posix(path)
        );
        let output = self.script(&script, None)?;
        match output.status {
            0 => Ok(Some(output.stdout)),
            NONE => Ok(None),
            _ => Err(self.refused(path, "read", &output)),
        }
    }

    /// The same as on this host: a new file beside it, whole and on disk, then a rename.
    fn replace(&self, path: &str, bytes: &[u8], mode: u16) -> Result<(), HostError> {
        let script = format!(
            r#"{resolved}
t=`dirname "$f"`/.`basename "$f"`.dayfly-$$
umask 077
rm -f "$t"
if test -f "$f"; then cp -p "$f" "$t"; else : > "$t"; fi || exit 1
if cat > "$t" && test `wc -c < "$t"` -eq {length}; then :; else
    rm -f "$t"; echo 'not all of it arrived' >&2; exit 1
fi
if test -f "$f"; then :; else chmod {mode:o} "$t"; fi &&
{{ sync "$t" 2>/dev/null || sync; }} &&
mv -f "$t" "$f" || {{ rm -f "$t"; exit 1; }}
sync"#,
            resolved = resolved(path),
            length = bytes.len(),
        );
        let output = self.script(&script, Some(bytes))?;
        if output.is_success() { Ok(()) } else { Err(self.refused(path, "written", &output)) }
    }

    fn tidy(&self, path: &str) -> Result<(), HostError> {
        let script = format!(
            r#"{}
rm -f "`dirname "$f"`"/."`basename "$f"`".dayfly-*"#,
            resolved(path)
        );
        let output = self.script(&script, None)?;
        if output.is_success() { Ok(()) } else { Err(self.refused(path, "tidied up", &output)) }
    }

    fn remove(&self, path: &str) -> Result<(), HostError> {
        let output = self.script(&format!("rm -f {} && sync", posix(path)), None)?;
        if output.is_success() { Ok(()) } else { Err(self.refused(path, "removed", &output)) }
    }
}

/// Commands after which `$f` is the file that a path leads to.
fn resolved(path: &str) -> String {
    format!(
        r#"f={}; n=0
while test -h "$f"; do
    l=`ls -ld "$f" | sed 's/.* -> //'`
    case $l in
    /*) f=$l ;;
    *) f=`dirname "$f"`/$l ;;
    esac
    n=`expr $n + 1`
    if test $n -gt 20; then echo 'links lead in a circle' >&2; exit 1; fi
done"#,
        posix(path)
    )
}

impl Remote {
    fn refused(&self, path: &str, done: &str, output: &Output) -> HostError {
        let said = output.said();
        let error =
            HostError::new(format_args!("{path} on {} cannot be {done}: {said}", self.ssh.name));
        HostError { is_permission: output.wants_privilege(), ..error }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use dayfly_testkit::{FakeHost, Login, needs, privileged};
    use proptest::prelude::*;
    use proptest::test_runner::TestRunner;

    use super::*;

    fn connect(host: &FakeHost) -> Result<Remote, HostError> {
        let program = host.folder().join("bin/ssh");
        host.namespace().run(|| Remote::through(program, &host.url().parse().unwrap()))
    }

    /// Runs the work in the host's network namespace: every ssh starts there.
    fn within(system: &str, login: Login, work: impl FnOnce(&Remote, &FakeHost) + Send) {
        let host = FakeHost::with_login(system, login);
        let remote = connect(&host).unwrap();
        host.namespace().run(|| work(&remote, &host));
        host.namespace().run(|| drop(remote));
    }

    #[test]
    fn commands_and_files_of_another_host() {
        privileged!();
        needs!("sshd", "openssh-server");
        needs!("tcsh", "tcsh");
        for login in [Login::Usual, Login::Csh] {
            within("freebsd", login, |remote, host| {
                assert_eq!(remote.version(), "FreeBSD 14.1-RELEASE-p5");
                let output = remote.run("echo 'a  b' $LC_ALL; echo no >&2; exit 255").unwrap();
                assert_eq!((output.status, output.text().as_str()), (255, "a  b C\n"));
                assert_eq!(output.said(), "no");
                // Nobody waits for input that never comes.
                assert_eq!(remote.run("cat").unwrap().stdout, b"");

                let path = "/etc/it's a \"file\".conf";
                assert_eq!(remote.read(path), Ok(None));
                remote.replace(path, b"one\n", 0o640).unwrap();
                let _ = host.sh("chown 7:8 /etc/it*; chmod 604 /etc/it*; ln -s \"it's a \\\"file\\\".conf\" /etc/link");
                remote.replace("/etc/link", b"two", 0o600).unwrap();
                assert_eq!(remote.read(path), Ok(Some(b"two".to_vec())));
                assert_eq!(
                    host.sh("stat -c %u:%g:%a /etc/it*; ls -A /etc | grep -c dayfly || true"),
                    "7:8:604\n0\n"
                );
                let _ = host
                    .sh("cd /etc && touch \".it's a \\\"file\\\".conf.dayfly-77\" .it.dayfly-7");
                remote.tidy("/etc/link").unwrap();
                assert_eq!(host.sh("ls -A /etc | grep dayfly"), ".it.dayfly-7\n");
                remote.remove(path).unwrap();
                remote.remove(path).unwrap();
                assert_eq!(remote.read(path), Ok(None));
                let error = remote.replace("/no/such/folder/a", b"", 0o600).unwrap_err();
                assert!(error.message.contains("cannot be written: "), "{error}");
                let error = remote.read("/etc").unwrap_err();
                assert!(error.message.ends_with("cannot be read: it is a folder"), "{error}");
            });
        }
    }

    #[test]
    fn any_bytes_survive_the_way_there_and_back() {
        privileged!();
        needs!("sshd", "openssh-server");
        needs!("tcsh", "tcsh");
        within("freebsd", Login::Csh, |remote, _| {
            let config =
                ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() };
            let bytes = prop::collection::vec(any::<u8>(), 0..3000);
            let name = "[^/\0]{1,20}";
            let done = TestRunner::new(config).run(&(bytes, name), |(bytes, name)| {
                let path = format!("/root/-{name}");
                remote.replace(&path, &bytes, 0o600).unwrap();
                prop_assert_eq!(remote.read(&path), Ok(Some(bytes)));
                Ok(())
            });
            done.unwrap();
        });
    }

    #[test]
    fn windows_has_another_shell() {
        privileged!();
        needs!("sshd", "openssh-server");
        for login in [Login::Usual, Login::PowerShell] {
            within("windows", login, |remote, _| {
                assert_eq!(remote.system().name, "windows");
                let output = remote.run("netsh int ipv4 show dynamicport tcp & ver").unwrap();
                assert!(output.text().contains("Start Port      : 49152\r\n"), "{output:?}");
                assert!(output.text().contains("[Version 10."), "{output:?}");
                assert_eq!(
                    remote.run("netsh int ipv4 set dynamicport tcp start=1 num=1").unwrap().status,
                    1
                );
                assert!(
                    remote
                        .read("C:\\x")
                        .unwrap_err()
                        .message
                        .contains("changes no files on Windows")
                );
            });
        }
    }

    #[test]
    fn what_stands_in_the_way_is_said() {
        privileged!();
        needs!("sshd", "openssh-server");
        let said = |host: &FakeHost| {
            let error = connect(host).unwrap_err();
            format!("{error}\n{}", error.hint)
        };
        let foreign = FakeHost::with_login("linux", Login::Foreign);
        assert_eq!(
            said(&foreign),
            "ssh://root@127.0.0.1: its login shell knows neither sh nor cmd.exe: it says \"% Unknown \
             command\"\nlog in as a user with an ordinary shell"
        );
        let host = FakeHost::start("linux");
        let known = host.folder().join("known_hosts");
        let line = fs::read_to_string(&known).unwrap();
        fs::write(&known, "").unwrap();
        assert!(said(&host).contains("ssh does not know its host key"), "{}", said(&host));
        let other = fs::read_to_string(foreign.folder().join("known_hosts")).unwrap();
        fs::write(&known, other).unwrap();
        assert!(said(&host).contains("its host key is not the one that ssh knows"));
        fs::write(&known, line).unwrap();
        let key = host.folder().join("user_key");
        fs::copy(foreign.folder().join("user_key"), &key).unwrap();
        assert!(said(&host).contains("it refuses the login (permission denied)"));
        let address = "ssh://127.0.0.1:9".parse().unwrap();
        let program = host.folder().join("bin/ssh");
        let error = host.namespace().run(|| Remote::through(program, &address)).unwrap_err();
        assert!(error.message.starts_with("ssh://127.0.0.1:9: it cannot be reached"), "{error}");
        let none = host.namespace().run(|| Remote::through("/no/ssh".into(), &address));
        assert_eq!(none.unwrap_err().message, "the program ssh is not on the search path");
    }

    /// The connection breaks in the middle of a command: nobody knows whether it was done.
    #[test]
    fn a_lost_answer_is_no_success() {
        privileged!();
        needs!("sshd", "openssh-server");
        within("linux", Login::Usual, |remote, _| {
            // More than is ever under way at a time: what came before has arrived.
            let flood = "head -c 8388608 /dev/zero; kill -9 $PPID; sleep 5";
            let error = remote.run(flood).unwrap_err();
            assert!(error.is_lost && error.message.contains("whether it was done"), "{error}");
            // The next command finds its way by itself.
            assert_eq!(remote.run("echo again").unwrap().text(), "again\n");
        });
    }
}
