//! Asks the kernel for its sockets and streams them to the caller.
//!
//! A dump is pulled 32 KiB at a time (the kernel never sends more in one piece) and nothing is kept. sock_diag needs no privilege; what a socket belongs to is
//! decided by the network namespace in which the [`Dumper`] was opened.

use std::fmt;
use std::ops::ControlFlow;

use dayfly_insight::State;
use dayfly_ports::Protocol;
use rustix::io::Errno;
use rustix::net::netlink;

use crate::netlink::{AskError, BrokenAnswer, Channel, Frame};
use crate::sock_diag::{Family, MessageError, Request, SocketMessage, StateMask, Table, is_socket};

/// A connection to the kernel's sock_diag, in the network namespace it was opened in.
#[derive(Debug)]
pub struct Dumper {
    channel: Channel,
}

/// How a dump went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DumpOutcome {
    /// The kernel said that its tables changed under the dump: it may have missed sockets.
    pub interrupted: bool,
    /// Sockets of a family or state that dayfly does not know, passed over.
    pub unknown: u64,
}

impl Dumper {
    /// Opens sock_diag in the calling thread's network namespace.
    ///
    /// # Errors
    /// [`DumpError::Refused`] when the kernel was built without netlink or sock_diag, or a
    /// sandbox forbids it.
    pub fn open() -> Result<Self, DumpError> {
        Ok(Dumper { channel: Channel::open(Some(netlink::SOCK_DIAG))? })
    }

    /// Calls `each` for every socket of `protocol` in `states`, of both families. For TCP the
    /// kernel walks its tables once and sends listeners first, then bound sockets, then
    /// connections.
    ///
    /// # Errors
    /// [`DumpError`]; sockets that were handed over before it stand.
    pub fn sockets(
        &mut self,
        protocol: Protocol,
        states: StateMask,
        mut each: impl FnMut(&SocketMessage<'_>),
    ) -> Result<DumpOutcome, DumpError> {
        let request = |family| Request { table: Table::Of(protocol), family, states };
        if let Some(frame) = request(Family::Both).encode() {
            match self.run(&frame, protocol, &mut each) {
                // The one-pass request is a compatibility layer that a kernel may leave out.
                Err(DumpError::Refused(Errno::NOENT | Errno::INVAL | Errno::OPNOTSUPP)) => {}
                outcome => return outcome,
            }
        }
        let mut total = DumpOutcome::default();
        for family in [Family::V4, Family::V6] {
            let Some(frame) = request(family).encode() else { continue };
            let part = self.run(&frame, protocol, &mut each)?;
            total.interrupted |= part.interrupted;
            total.unknown += part.unknown;
        }
        Ok(total)
    }

    /// How many MPTCP connections there are, of both families. Listeners are not counted.
    ///
    /// # Errors
    /// [`DumpError`]; [`DumpError::Refused`] when the kernel cannot list them.
    pub fn mptcp_connections(&mut self) -> Result<u64, DumpError> {
        let mut connections = 0;
        for family in [Family::V4, Family::V6] {
            let request = Request { table: Table::Mptcp, family, states: StateMask::ALL };
            let Some(frame) = request.encode() else { continue };
            self.run(&frame, Protocol::Tcp, &mut |message| {
                let state = message.socket.state;
                let counts = !matches!(state, State::Listen | State::BoundInactive);
                connections += u64::from(counts);
            })?;
        }
        Ok(connections)
    }

    /// One request and all of its answer.
    fn run(
        &mut self,
        request: &[u8],
        protocol: Protocol,
        each: &mut impl FnMut(&SocketMessage<'_>),
    ) -> Result<DumpOutcome, DumpError> {
        let mut outcome = DumpOutcome::default();
        let mut heard = false;
        self.channel.ask(request, |frame| {
            let ended = match frame {
                Frame::Message { kind, payload, interrupted } if is_socket(kind) => {
                    heard = true;
                    outcome.interrupted |= interrupted;
                    match SocketMessage::parse(protocol, payload) {
                        Ok(message) => each(&message),
                        Err(error @ MessageError::Truncated { .. }) => {
                            return ControlFlow::Break(Err(DumpError::Message(error)));
                        }
                        Err(_) => outcome.unknown += 1,
                    }
                    return ControlFlow::Continue(());
                }
                Frame::Message { .. } => return ControlFlow::Continue(()),
                Frame::Done { interrupted, errno: 0 } => {
                    outcome.interrupted |= interrupted;
                    Ok(outcome)
                }
                Frame::Done { errno, .. } | Frame::Error(errno) => {
                    let errno = Errno::from_raw_os_error(errno);
                    Err(if heard { DumpError::Ended(errno) } else { errno.into() })
                }
            };
            ControlFlow::Break(ended)
        })?
    }
}

/// Why sockets could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DumpError {
    /// The kernel refused the request.
    Refused(Errno),
    /// The kernel ended the dump before its end.
    Ended(Errno),
    /// The answer is not netlink.
    Broken(BrokenAnswer),
    /// A socket of the answer is too short.
    Message(MessageError),
}

impl From<Errno> for DumpError {
    fn from(errno: Errno) -> Self {
        DumpError::Refused(errno)
    }
}

impl From<AskError> for DumpError {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Refused(errno) => DumpError::Refused(errno),
            AskError::Broken(error) => DumpError::Broken(error),
        }
    }
}

impl fmt::Display for DumpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DumpError::Refused(errno) => {
                write!(f, "the kernel does not list its sockets through sock_diag: {errno}")
            }
            DumpError::Ended(errno) => {
                write!(f, "the kernel broke its list of sockets off: {errno}")
            }
            DumpError::Broken(error) => error.fmt(f),
            DumpError::Message(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for DumpError {}
