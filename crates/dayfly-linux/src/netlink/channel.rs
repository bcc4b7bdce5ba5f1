//! One question to the kernel and its answer, frame by frame.

use std::fmt;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

use super::{Frame, FrameError, Frames};

/// Room for the largest piece the kernel sends (32 KiB of a dump), twice over.
const BUFFER: usize = 64 * 1024;

/// A netlink socket, in the network namespace it was opened in, and room for an answer.
#[derive(Debug)]
pub(crate) struct Channel {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

impl Channel {
    /// Opens it in the calling thread's network namespace; without a protocol for `NETLINK_ROUTE`,
    /// whose number is 0.
    ///
    /// # Errors
    /// Those of socket(2): a kernel without it, a sandbox that forbids it.
    pub(crate) fn open(protocol: Option<rustix::net::Protocol>) -> Result<Self, Errno> {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            protocol,
        )?;
        Ok(Channel { socket, buffer: vec![0; BUFFER] })
    }

    /// Sends a request and hands over the frames of the answer until `each` has what it wants.
    ///
    /// # Errors
    /// [`AskError`]; what was handed over before it stands.
    pub(crate) fn ask<T>(
        &mut self,
        request: &[u8],
        mut each: impl FnMut(Frame<'_>) -> ControlFlow<T>,
    ) -> Result<T, AskError> {
        let kernel = netlink::SocketAddrNetlink::new(0, 0);
        rustix::net::sendto(&self.socket, request, SendFlags::empty(), &kernel)?;
        loop {
            let (_, length) =
                match rustix::net::recv(&self.socket, &mut self.buffer[..], RecvFlags::TRUNC) {
                    Err(Errno::INTR) => continue,
                    received => received?,
                };
            if length > self.buffer.len() {
                return Err(AskError::Broken(BrokenAnswer::TooLarge { length }));
            }
            for frame in Frames::new(&self.buffer[..length]) {
                let frame = frame.map_err(|error| AskError::Broken(BrokenAnswer::Frame(error)))?;
                if let ControlFlow::Break(wanted) = each(frame) {
                    return Ok(wanted);
                }
            }
        }
    }
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskError {
    /// The request could not be sent, or nothing be received.
    Refused(Errno),
    /// What came is no answer.
    Broken(BrokenAnswer),
}

impl From<Errno> for AskError {
    fn from(errno: Errno) -> Self {
        AskError::Refused(errno)
    }
}

/// What came from the kernel is not netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BrokenAnswer {
    /// A frame is none.
    Frame(FrameError),
    /// One piece of it is larger than any kernel sends.
    TooLarge {
        /// Its length in bytes.
        length: usize,
    },
}

impl fmt::Display for BrokenAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrokenAnswer::Frame(error) => error.fmt(f),
            BrokenAnswer::TooLarge { length } => {
                write!(f, "the kernel sent {length} bytes at once, more than the {BUFFER} it may")
            }
        }
    }
}

impl std::error::Error for BrokenAnswer {}
