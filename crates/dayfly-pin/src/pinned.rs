//! A running program whose connections are pinned.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, pidfd_send_signal};

use crate::bpf::attachment::Tap;
use crate::event::{Event, RECORD};
use crate::pin::Via;
use crate::supervisor::{ANSWERED, CONTINUED, EXITED, SENT_TO_ALL, STOPPED, question};

/// A running program whose connections are pinned.
///
/// Dropping it neither ends the program nor the pinning.
#[derive(Debug)]
pub struct Pinned {
    program: Pid,
    handle: Option<OwnedFd>,
    supervisor: Pid,
    life: OwnedFd,
    log: Log,
    exited: Option<ExitStatus>,
    told: bool,
    /// Whether lost events were asked for.
    counted: bool,
    /// Signals that the supervisor was asked about.
    asked: VecDeque<i32>,
    /// Signals that came to the process group.
    sent_to_all: Vec<i32>,
}

/// Where events come from.
#[derive(Debug)]
pub(crate) enum Log {
    /// The supervisor, which answers stopped calls.
    Pipe(OwnedFd),
    /// The program in the kernel.
    Ring(Tap),
}

/// Something that happened to a pinned program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It made a connection.
    Connection(Event),
    /// It was stopped by this signal.
    Stopped(i32),
    /// It goes on after it was stopped.
    Continued,
    /// It is over. What it left running stays pinned.
    Exited(ExitStatus),
}

impl Pinned {
    pub(crate) fn new(program: Pid, supervisor: Pid, life: OwnedFd, log: Log) -> Self {
        Pinned {
            program,
            // None if it is over already.
            handle: pidfd_open(program, PidfdFlags::empty()).ok(),
            supervisor,
            life,
            log,
            exited: None,
            told: false,
            counted: false,
            asked: VecDeque::new(),
            sent_to_all: Vec::new(),
        }
    }

    /// The program's process number.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.program.as_raw_pid() as u32
    }

    /// The way that was taken; never [`Via::Auto`].
    #[must_use]
    pub const fn via(&self) -> Via {
        match self.log {
            Log::Pipe(_) => Via::Seccomp,
            Log::Ring(_) => Via::Bpf,
        }
    }

    /// Sends the program a signal, by number.
    ///
    /// # Errors
    /// `ESRCH` when it is over.
    pub fn signal(&self, signal: i32) -> io::Result<()> {
        let handle = self.handle.as_ref().ok_or(Errno::SRCH)?;
        #[expect(unsafe_code, reason = "signals of the C library's own are not to be sent")]
        // SAFETY: the number goes to the kernel, which checks it; nothing is done in this process.
        let signal = unsafe { Signal::from_raw_unchecked(signal) };
        Ok(pidfd_send_signal(handle, signal)?)
    }

    /// Hands on a signal that this process was sent by another, unless it was sent to the whole
    /// process group, so that the program got it too. Which of the two it was turns out in
    /// [`Pinned::try_next`].
    ///
    /// # Errors
    /// `ESRCH` when the program is over.
    pub fn hand_on(&mut self, signal: i32) -> io::Result<()> {
        #[expect(unsafe_code, reason = "rustix sends no signals for real time")]
        // SAFETY: it takes numbers; the supervisor is a child of this process that nobody else waits
        // for.
        let asked = unsafe { libc::kill(self.supervisor.as_raw_pid(), question()) };
        if asked != 0 {
            return self.signal(signal);
        }
        self.asked.push_back(signal);
        Ok(())
    }

    /// What to poll for readability before [`Pinned::try_next`].
    #[must_use]
    pub fn sources(&self) -> [BorrowedFd<'_>; 2] {
        [
            self.life.as_fd(),
            match &self.log {
                Log::Pipe(pipe) => pipe.as_fd(),
                Log::Ring(tap) => tap.ring.as_fd(),
            },
        ]
    }

    /// What happened, if anything did; after [`Happening::Exited`] nothing does.
    ///
    /// # Errors
    /// When the supervisor was killed: the program goes on and its connections fail with `ENOSYS`.
    pub fn try_next(&mut self) -> io::Result<Option<Happening>> {
        if let Some(event) = self.read_log() {
            return Ok(Some(Happening::Connection(event)));
        }
        if let Some(status) = self.exited {
            // Once the end is known, the pipe of events holds all there will be before it.
            let first = !std::mem::replace(&mut self.told, true);
            if let Log::Ring(tap) = &self.log
                && first
                && !std::mem::replace(&mut self.counted, true)
            {
                let lost = tap.lost();
                if lost > 0 {
                    self.told = false;
                    return Ok(Some(Happening::Connection(Event::lost(lost))));
                }
            }
            return Ok(first.then_some(Happening::Exited(status)));
        }
        let mut record = [0; 8];
        match rustix::io::read(&self.life, &mut record) {
            Ok(8) => {}
            Ok(_) => return Err(io::Error::other("the supervisor of the program was killed")),
            Err(Errno::AGAIN | Errno::INTR) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        let [a, b, c, d, e, f, g, h] = record;
        let number = i32::from_ne_bytes([e, f, g, h]);
        match u32::from_ne_bytes([a, b, c, d]) {
            EXITED => {
                self.exited = Some(ExitStatus::from_raw(number));
                self.try_next()
            }
            STOPPED => Ok(Some(Happening::Stopped(number))),
            CONTINUED => Ok(Some(Happening::Continued)),
            SENT_TO_ALL => {
                self.sent_to_all.push(number);
                self.try_next()
            }
            ANSWERED => {
                self.answered();
                self.try_next()
            }
            _ => Err(io::Error::other("the supervisor of the program says something unknown")),
        }
    }

    /// Waits for the program's end. Events that were not taken before are passed over.
    ///
    /// # Errors
    /// As for [`Pinned::try_next`].
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.exited {
                self.told = true;
                return Ok(status);
            }
            while self.try_next()?.is_some() {}
            if self.exited.is_none() {
                self.poll()?;
            }
        }
    }

    /// The oldest question is answered: the program has got the signal, or gets it now.
    fn answered(&mut self) {
        let Some(signal) = self.asked.pop_front() else { return };
        match self.sent_to_all.iter().position(|sent| *sent == signal) {
            Some(place) => {
                self.sent_to_all.remove(place);
            }
            // It may be over already.
            None => _ = self.signal(signal),
        }
        if self.asked.is_empty() {
            // Several of a kind may have come to this process as one.
            self.sent_to_all.clear();
        }
    }

    fn poll(&self) -> io::Result<()> {
        let [life, log] = self.sources();
        let mut sources = [
            PollFd::from_borrowed_fd(life, PollFlags::IN),
            PollFd::from_borrowed_fd(log, PollFlags::IN),
        ];
        match poll(&mut sources, None) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read_log(&mut self) -> Option<Event> {
        match &self.log {
            Log::Pipe(pipe) => {
                let mut record = [0; RECORD];
                match rustix::io::read(pipe, &mut record) {
                    Ok(RECORD) => Event::from_record(&record),
                    _ => None,
                }
            }
            Log::Ring(tap) => tap.ring.read().as_ref().and_then(Event::from_record),
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // If nothing was left running, the supervisor is over as well, or about to be.
        let _ = rustix::process::waitpid(Some(self.supervisor), WaitOptions::NOHANG);
    }
}
