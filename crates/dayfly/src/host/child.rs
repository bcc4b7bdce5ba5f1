//! A process that gets its input, is read to the end, and is not waited for longer than it may
//! take.

use std::fs;
use std::io::{self, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::Output;

/// No command that is run prints as much; who does is stopped, and not listened to.
const MOST: usize = 256 << 20;

/// How long what a command left running may hold its output open without a word.
const GRACE: Duration = Duration::from_secs(1);

/// Why there is no [`Output`].
#[derive(Debug)]
pub(super) enum ChildError {
    /// The program cannot be started.
    Start(io::Error),
    /// It took longer than it may.
    Late,
    /// It printed more than anybody would read.
    Flood,
}

enum Event {
    Bytes(Stream, Vec<u8>),
    End,
    Exited,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stream {
    Out,
    Err,
}

/// Runs it with these bytes on standard input. When the time is up, it is killed, and what it
/// started with it.
pub(super) fn run(
    command: &mut Command,
    input: &[u8],
    limit: Duration,
) -> Result<Output, ChildError> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(ChildError::Start)?;
    let (sender, events) = mpsc::channel();
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // A command that does not read to the end is its own affair.
        thread::spawn(move || drop(stdin.write_all(&input)));
    }
    if let Some(stdout) = child.stdout.take() {
        read(stdout, Stream::Out, sender.clone());
    }
    if let Some(stderr) = child.stderr.take() {
        read(stderr, Stream::Err, sender.clone());
    }
    watch(&child, sender);
    let collected = collect(&events, limit);
    if collected.is_err() {
        end(child.id());
    }
    let status = child.wait().map_err(ChildError::Start)?;
    let (stdout, stderr) = collected?;
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    Ok(Output { status: code.unwrap_or(-1), stdout, stderr })
}

fn read(mut from: impl Read + Send + 'static, stream: Stream, sender: Sender<Event>) {
    thread::spawn(move || {
        let mut buffer = [0; 16 << 10];
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if sender.send(Event::Bytes(stream, buffer[..length].to_vec())).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::End);
    });
}

/// Says when the process has ended, and leaves it to be waited for: its number stays its own.
fn watch(child: &Child, sender: Sender<Event>) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    thread::spawn(move || {
        if let Some(pid) = pid {
            let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            while matches!(waitid(WaitId::Pid(pid), options), Err(Errno::INTR)) {}
        }
        let _ = sender.send(Event::Exited);
    });
}

/// Kills a process and what it started. A shell would go on after a command that was killed, and a
/// command without its shell: so the one that starts others is stopped first.
fn end(process: u32) {
    let Some(pid) = i32::try_from(process).ok().and_then(Pid::from_raw) else { return };
    // It may have ended by itself just now.
    let _ = kill_process(pid, Signal::STOP);
    // proc_pid_task(5); empty where the kernel was built without.
    let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
    let _ = kill_process(pid, Signal::KILL);
    for child in children.unwrap_or_default().split_whitespace() {
        child.parse().into_iter().for_each(end);
    }
}

/// Both outputs, until they end, or shortly after the process did: what it left running in the
/// background may hold them open for ever.
fn collect(events: &Receiver<Event>, limit: Duration) -> Result<(Vec<u8>, Vec<u8>), ChildError> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut open = 2;
    let mut exited = false;
    let mut deadline = Instant::now() + limit;
    while open > 0 || !exited {
        let left = deadline.saturating_duration_since(Instant::now());
        match events.recv_timeout(left) {
            Ok(Event::Bytes(stream, bytes)) => {
                let all = if stream == Stream::Out { &mut stdout } else { &mut stderr };
                all.extend_from_slice(&bytes);
                if all.len() > MOST {
                    return Err(ChildError::Flood);
                }
                if exited {
                    deadline = Instant::now() + GRACE;
                }
            }
            Ok(Event::End) => open -= 1,
            Ok(Event::Exited) => {
                exited = true;
                deadline = Instant::now() + GRACE;
            }
            Err(_) if exited => break,
            Err(_) => return Err(ChildError::Late),
        }
    }
    Ok((stdout, stderr))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &[u8], limit: Duration) -> Result<Output, ChildError> {
        run(Command::new("sh").args(["-c", script]), input, limit)
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn status_and_both_outputs_come_back() {
        let output = sh("cat; echo no >&2; exit 3", b"\0\xffx", LONG).unwrap();
        assert_eq!(output, Output { status: 3, stdout: b"\0\xffx".into(), stderr: b"no\n".into() });
        assert_eq!(sh("kill -9 $$", b"", LONG).unwrap().status, 137);
    }

    #[test]
    fn more_than_a_pipe_holds_passes_both_ways() {
        let input = vec![b'x'; 1 << 20];
        let output = sh("tee /dev/stderr", &input, LONG).unwrap();
        assert_eq!((output.stdout.len(), output.stderr.len()), (1 << 20, 1 << 20));
    }

    #[test]
    fn nobody_is_waited_for_in_vain() {
        let late = sh("sleep 1000", b"", Duration::from_millis(50));
        assert!(matches!(late, Err(ChildError::Late)), "{late:?}");
        let none = run(&mut Command::new("/no/such/program"), b"", LONG);
        assert!(matches!(none, Err(ChildError::Start(_))), "{none:?}");
    }

    #[test]
    fn what_was_started_ends_too() {
        let mut command = Command::new("sh");
        command.args(["-c", "sh -c 'sleep 1000; echo on'; echo on"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let first_child = |process: &str| {
            let children = fs::read_to_string(format!("/proc/{process}/task/{process}/children"));
            children.unwrap_or_default().split(' ').next().unwrap_or_default().to_owned()
        };
        let name = |process: &str| fs::read_to_string(format!("/proc/{process}/comm"));
        let begun = Instant::now();
        while !name(&first_child(&first_child(&child.id().to_string())))
            .is_ok_and(|name| name == "sleep\n")
        {
            assert!(begun.elapsed() < LONG, "nothing sleeps");
            thread::sleep(Duration::from_millis(5));
        }
        end(child.id());
        // All of them had it open.
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!(said, "");
        child.wait().unwrap();
    }

    #[test]
    fn what_is_left_running_is_not_waited_for() {
        // What is left running holds the outputs open.
        let left = sh("sleep 5 & echo done", b"", LONG).unwrap();
        assert_eq!((left.status, left.stdout), (0, b"done\n".to_vec()));
    }
}
