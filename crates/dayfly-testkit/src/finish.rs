//! Running a program to its end, or to the end of patience.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

/// How a program ended and what it wrote.
#[derive(Clone, Debug)]
pub struct Finished {
    /// Its status; none when it was killed because it did not end.
    pub status: Option<ExitStatus>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Whether it ended by itself, with 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.is_some_and(|status| status.success())
    }
}

/// Runs the command to its end, at most so long.
///
/// Output goes to memory rather than through a pipe, so that it does not matter who else still has
/// it open: a daemon may outlive the command.
///
/// # Panics
/// When it cannot be started.
#[must_use]
pub fn finish(command: &mut Command, patience: Duration) -> Finished {
    let (stdout, stderr) = (memory("stdout"), memory("stderr"));
    let mut child = command
        .stdout(stdout.try_clone().expect("a descriptor can be duplicated"))
        .stderr(stderr.try_clone().expect("a descriptor can be duplicated"))
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    let status = wait(&mut child, patience).expect("a child can be waited for");
    Finished { status, stdout: text(stdout), stderr: text(stderr) }
}

/// Waits for a child to end, at most so long; then kills it and returns none.
///
/// # Errors
/// The kernel's.
pub fn wait(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let handle = pidfd_open(Pid::from_child(child), PidfdFlags::empty())?;
    let patience = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: patience.subsec_nanos().into(),
    };
    let mut ended = [PollFd::new(&handle, PollFlags::IN)];
    if poll(&mut ended, Some(&patience))? == 0 {
        child.kill()?;
        child.wait()?;
        return Ok(None);
    }
    child.wait().map(Some)
}

fn memory(name: &str) -> File {
    memfd_create(name, MemfdFlags::CLOEXEC).expect("the kernel has memory files").into()
}

fn text(mut file: File) -> String {
    let mut bytes = Vec::new();
    file.rewind().and_then(|()| file.read_to_end(&mut bytes)).expect("a memory file can be read");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_status_come_back_although_a_daemon_lives_on() {
        let script = "echo out; echo err >&2; sleep 1 & exit 3";
        let done = finish(Command::new("sh").args(["-c", script]), Duration::from_secs(30));
        assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("out\n", "err\n"));
        assert_eq!(done.status.and_then(|status| status.code()), Some(3));
    }

    #[test]
    fn what_does_not_end_is_killed() {
        let done = finish(Command::new("sleep").arg("60"), Duration::from_millis(10));
        assert!(done.status.is_none() && !done.success());
    }
}
