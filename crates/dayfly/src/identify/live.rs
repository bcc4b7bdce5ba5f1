//! A stream that somebody may end with Ctrl-C: what came until then counts.
//!
//! In `tcpdump -U -w - | dayfly identify -` the terminal interrupts both: tcpdump writes what it still
//! has and ends, and the answer is about all of it. A writer that does not end is left after a
//! moment; a second Ctrl-C ends everything, as ever.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::OwnedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::io::Errno;

use crate::run::signals;

/// How long a writer may be silent after the interrupt.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// A file, or the end of a pipe whose interrupts are held back.
pub(super) struct Live {
    input: File,
    /// None for a file, and once there was an interrupt.
    interrupts: Option<OwnedFd>,
    ending: bool,
}

impl Live {
    pub(super) fn new(input: File) -> io::Result<Live> {
        let kind = FileType::from_raw_mode(fstat(&input)?.st_mode);
        let interrupts = match kind {
            FileType::Fifo | FileType::Socket => Some(signals::hold_back(libc::SIGINT)?),
            _ => None,
        };
        Ok(Live { input, interrupts, ending: false })
    }

    /// Waits for bytes or the end; false if neither comes any more.
    fn wait(&mut self) -> io::Result<bool> {
        loop {
            let readable = |revents: PollFlags| !revents.is_empty();
            let input = PollFd::new(&self.input, PollFlags::IN);
            let came = match &self.interrupts {
                Some(interrupts) => {
                    let mut both = [PollFd::new(interrupts, PollFlags::IN), input];
                    poll(&mut both, None).map(|_| readable(both[0].revents()))
                }
                None if self.ending => {
                    let mut only = [input];
                    match poll(&mut only, Some(&PATIENCE)) {
                        Ok(0) => return Ok(false),
                        other => other.map(|_| false),
                    }
                }
                None => return Ok(true),
            };
            match came {
                Ok(false) => return Ok(true),
                Ok(true) => {
                    if let Some(interrupts) = self.interrupts.take() {
                        signals::let_go(interrupts, libc::SIGINT)?;
                    }
                    self.ending = true;
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl Read for Live {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.wait()? { self.input.read(buffer) } else { Ok(0) }
    }
}
