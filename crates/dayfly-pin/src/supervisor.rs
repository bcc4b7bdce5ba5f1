//! The supervisor: a process that answers stopped calls, reaps children, and goes when nothing
//! pinned is left.
//!
//! It sits in one `poll()`, has its buffers on the stack, and blocks all signals. As long as the
//! program runs it is a member of the caller's process group, and so a witness: what is sent to the
//! group has reached the program already and must not be handed on to it. Then it leaves for a
//! session of its own.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, Result};
use rustix::process::Pid;

use crate::bpf::attachment::Attachment;
use crate::event::Event;
use crate::seccomp::decide::Decider;
use crate::seccomp::notification::{Answer, Listener};
use crate::sys::checked;

// What the pipe of life carries: a tag and a number.
pub(crate) const EXITED: u32 = 0;
pub(crate) const STOPPED: u32 = 1;
pub(crate) const CONTINUED: u32 = 2;
/// Somebody sent this signal to the whole process group.
pub(crate) const SENT_TO_ALL: u32 = 3;
/// The caller's question is answered: all that was sent to the group before has been told.
pub(crate) const ANSWERED: u32 = 4;

/// How long a call waits for the other side to close the last connection from its port: as a rule one
/// round trip. A program that runs another right after the first would not get the port otherwise.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often calls that wait are looked at.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
/// So many calls wait at the same time.
const MOST_WAITING: usize = 64;

/// The ends that the supervisor writes to.
#[derive(Debug)]
pub(crate) struct Pipes {
    pub(crate) life: OwnedFd,
    pub(crate) log: OwnedFd,
}

/// What the supervisor watches over.
#[derive(Debug)]
pub(crate) enum Guard {
    /// The stopped calls of a seccomp filter.
    Calls { listener: Listener, decider: Box<Decider> },
    /// The cgroup that BPF programs are attached to.
    Group(Attachment),
}

impl Guard {
    /// What to poll, and for what.
    fn source(&self) -> PollFd<'_> {
        match self {
            Guard::Calls { listener, .. } => PollFd::new(listener, PollFlags::IN),
            Guard::Group(attachment) => PollFd::new(&attachment.group.events, PollFlags::PRI),
        }
    }

    /// What has to stay open.
    fn descriptors(&self) -> Vec<RawFd> {
        match self {
            Guard::Calls { listener, .. } => vec![listener.as_fd().as_raw_fd()],
            Guard::Group(Attachment { group, links }) => vec![
                group.events.as_raw_fd(),
                group.folder.as_raw_fd(),
                links[0].as_raw_fd(),
                links[1].as_raw_fd(),
            ],
        }
    }
}

#[derive(Debug)]
pub(crate) struct Supervisor {
    program: Pid,
    /// Whether the program, not what it left behind, still runs.
    runs: bool,
    guard: Guard,
    /// Whether anything is left to watch over.
    guards: bool,
    signals: Signals,
    /// Who asks what the group was sent.
    caller: u32,
    pipes: Pipes,
    lost: u32,
    waiting: Vec<Waiting>,
}

/// A stopped call that waits for its port.
#[derive(Debug)]
struct Waiting {
    call: libc::seccomp_notif,
    until: Instant,
}

impl Supervisor {
    /// Leaves the caller's directory behind.
    pub(crate) fn settle(program: Pid, guard: Guard, signals: Signals, pipes: Pipes) -> Self {
        let caller = rustix::process::getppid().map_or(0, |pid| pid.as_raw_pid() as u32);
        let _ = rustix::process::chdir("/");
        let _ = rustix::thread::set_name(c"dayfly-pin");
        Supervisor {
            program,
            runs: true,
            guard,
            guards: true,
            signals,
            caller,
            pipes,
            lost: 0,
            waiting: Vec::new(),
        }
    }

    /// Closes every descriptor that came from the caller: a pipe must end when the program does.
    #[expect(unsafe_code, reason = "rustix has no close_range")]
    pub(crate) fn close_all_else(&self) {
        let mut kept = vec![
            self.signals.source.as_raw_fd(),
            self.pipes.life.as_raw_fd(),
            self.pipes.log.as_raw_fd(),
        ];
        kept.extend(self.guard.descriptors());
        kept.sort_unstable();
        let close = |first: RawFd, last: RawFd| {
            if first <= last {
                // SAFETY: the supervisor owns none of these and uses none of them any more.
                unsafe {
                    libc::syscall(libc::SYS_close_range, first, last, 0);
                }
            }
        };
        let mut next = 0;
        for descriptor in kept {
            close(next, descriptor - 1);
            next = descriptor + 1;
        }
        close(next, RawFd::MAX);
    }

    /// Works until nothing is left; returns the exit code.
    pub(crate) fn run(&mut self) -> i32 {
        if let Guard::Group(attachment) = &self.guard {
            // The kernel tells changes since the last look.
            self.guards = !attachment.group.is_empty();
        }
        while self.runs || self.guards {
            let signals = PollFd::new(&self.signals.source, PollFlags::IN);
            // When nothing is left to watch over, a second look at the signals says nothing new.
            let guard = if self.guards { self.guard.source() } else { signals.clone() };
            let mut sources = [guard, signals];
            let look = (!self.waiting.is_empty()).then_some(&LOOK);
            match poll(&mut sources, look) {
                Ok(_) => {}
                Err(Errno::INTR) => continue,
                Err(_) => return 1,
            }
            let (guard, signals) = (sources[0].revents(), sources[1].revents());
            if self.guards && !guard.is_empty() {
                self.attend(guard);
            }
            for Waiting { call, until } in std::mem::take(&mut self.waiting) {
                self.answer(call, until);
            }
            if !signals.is_empty() {
                self.hear();
            }
        }
        if let Guard::Group(attachment) = &self.guard {
            attachment.group.remove();
        }
        0
    }

    /// Something is to be seen at the guard's source.
    fn attend(&mut self, seen: PollFlags) {
        let listener = match &self.guard {
            Guard::Calls { listener, .. } => listener,
            Guard::Group(attachment) => {
                self.guards = !attachment.group.is_empty();
                return;
            }
        };
        if !seen.contains(PollFlags::IN) {
            // Every process with the filter is gone.
            self.guards = false;
            return;
        }
        // The caller may have been killed meanwhile.
        let Ok(call) = listener.receive() else { return };
        self.answer(call, Instant::now() + PATIENCE);
    }

    /// Answers a stopped call, or keeps it for later.
    fn answer(&mut self, call: libc::seccomp_notif, until: Instant) {
        let Guard::Calls { listener, decider } = &mut self.guard else { return };
        let may_wait = self.waiting.len() < MOST_WAITING && Instant::now() < until;
        let (answer, event) = decider.decide(listener, &call, may_wait);
        if answer == Answer::Later {
            self.waiting.push(Waiting { call, until });
            return;
        }
        listener.answer(call.id, answer);
        if let Some(event) = event {
            self.tell(&event);
        }
    }

    /// Tells an event if somebody listens and keeps up.
    fn tell(&mut self, event: &Event) {
        let log = &self.pipes.log;
        if self.lost > 0 {
            match rustix::io::write(log, &Event::lost(self.lost).to_record()) {
                Ok(_) => self.lost = 0,
                Err(_) => {
                    self.lost = self.lost.saturating_add(1);
                    return;
                }
            }
        }
        if rustix::io::write(log, &event.to_record()).is_err() {
            self.lost = self.lost.saturating_add(1);
        }
    }

    /// Takes note of the signals that came. The kernel hands them out by their number: what was sent
    /// to the group comes before the caller's question about it.
    fn hear(&mut self) {
        while let Some(signal) = self.signals.next() {
            match signal.ssi_signo as i32 {
                libc::SIGCHLD => self.reap(),
                _ if !self.runs => {}
                number if number == question() && signal.ssi_pid == self.caller => {
                    write_record(&self.pipes.life, ANSWERED, 0);
                }
                number if signal.ssi_code <= 0 => {
                    write_record(&self.pipes.life, SENT_TO_ALL, number as u32);
                }
                // The kernel's own, such as the terminal's.
                _ => {}
            }
        }
    }

    /// Takes note of every child whose state has changed.
    #[expect(unsafe_code, reason = "rustix splits the status that is handed on whole")]
    fn reap(&mut self) {
        loop {
            let mut status = 0;
            let options = libc::WNOHANG | libc::WUNTRACED | libc::WCONTINUED;
            // SAFETY: the kernel writes one integer.
            let child = unsafe { libc::waitpid(-1, &raw mut status, options) };
            if child <= 0 {
                // ECHILD cannot come before the program's own end was seen.
                return;
            }
            if child != self.program.as_raw_pid() {
                continue;
            }
            let life = &self.pipes.life;
            if libc::WIFSTOPPED(status) {
                write_record(life, STOPPED, libc::WSTOPSIG(status) as u32);
            } else if libc::WIFCONTINUED(status) {
                write_record(life, CONTINUED, 0);
            } else {
                self.runs = false;
                write_record(life, EXITED, status as u32);
                // It fails for the leader of a process group, which a child of its caller never is.
                let _ = rustix::process::setsid();
            }
        }
    }
}

/// The signal by which the caller asks what the group was sent; none that means anything has a higher
/// number than the first of those for real time.
pub(crate) fn question() -> i32 {
    libc::SIGRTMAX()
}

/// The signals of the supervisor: all are blocked, and a source to poll.
#[derive(Debug)]
pub(crate) struct Signals {
    source: OwnedFd,
    mask: libc::sigset_t,
    children: libc::sigaction,
}

impl Signals {
    /// To be made before there is a child: a signal that is not blocked is lost, and the children
    /// of a process that ignores `SIGCHLD` are reaped by the kernel.
    #[expect(unsafe_code, reason = "signal masks and signalfd(2) have no safe wrapper")]
    pub(crate) fn block() -> Result<Signals> {
        // SAFETY: sets and actions are filled before they are used, and live until the calls return;
        // an action of zeros is the default one.
        unsafe {
            let mut all: libc::sigset_t = std::mem::zeroed();
            let mut mask: libc::sigset_t = std::mem::zeroed();
            let mut children: libc::sigaction = std::mem::zeroed();
            let default: libc::sigaction = std::mem::zeroed();
            libc::sigfillset(&raw mut all);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut mask);
            libc::sigaction(libc::SIGCHLD, &raw const default, &raw mut children);
            let flags = libc::SFD_CLOEXEC | libc::SFD_NONBLOCK;
            let number = libc::signalfd(-1, &raw const all, flags);
            checked(number.into())?;
            Ok(Signals { source: OwnedFd::from_raw_fd(number), mask, children })
        }
    }

    /// The next signal that came.
    #[expect(unsafe_code, reason = "rustix has no signalfd")]
    fn next(&self) -> Option<libc::signalfd_siginfo> {
        // SAFETY: the structure is made of integers, and the kernel fills in one of them.
        let (length, info) = unsafe {
            let mut info: libc::signalfd_siginfo = std::mem::zeroed();
            let size = size_of_val(&info);
            (libc::read(self.source.as_raw_fd(), (&raw mut info).cast(), size), info)
        };
        (length > 0).then_some(info)
    }

    /// In the child: as they were in the caller.
    #[expect(unsafe_code, reason = "signal masks have no safe wrapper")]
    pub(crate) fn restore(&self) {
        // SAFETY: set and action live until the calls return.
        unsafe {
            libc::sigaction(libc::SIGCHLD, &raw const self.children, std::ptr::null_mut());
            libc::sigprocmask(libc::SIG_SETMASK, &raw const self.mask, std::ptr::null_mut());
        }
    }
}

/// Writes a tag and a number, eight bytes at once. Whoever should read may be gone.
pub(crate) fn write_record(pipe: &OwnedFd, tag: u32, number: u32) {
    let mut record = [0; 8];
    record[..4].copy_from_slice(&tag.to_ne_bytes());
    record[4..].copy_from_slice(&number.to_ne_bytes());
    let _ = rustix::io::write(pipe, &record);
}
