//! The wire format of sock_diag(7): requests out, sockets in. Bytes only, no system call.
//!
//! Netlink frames (`netlink(7)`) carry `struct inet_diag_msg` (`include/uapi/linux/inet_diag.h`)
//! and a list of attributes. Everything is host byte order except addresses and ports, which are
//! network byte order. [`Frames`] splits a received buffer, [`SocketMessage::parse`] reads one
//! socket; neither trusts a length that it has not checked.

mod attributes;
mod frame;
mod message;
mod request;

pub use attributes::{Attribute, Attributes};
pub use frame::{Frame, FrameError, Frames};
pub use message::{MessageError, SocketMessage};
pub use request::{Family, Request, StateMask, Table};

/// Netlink message types and flags (`include/uapi/linux/netlink.h`, `sock_diag.h`).
pub(crate) mod wire {
    pub(crate) const NLMSG_ERROR: u16 = 2;
    pub(crate) const NLMSG_DONE: u16 = 3;
    pub(crate) const TCPDIAG_GETSOCK: u16 = 18;
    pub(crate) const SOCK_DIAG_BY_FAMILY: u16 = 20;
    pub(crate) const NLM_F_REQUEST: u16 = 0x1;
    pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
    pub(crate) const NLM_F_DUMP: u16 = 0x300;
    pub(crate) const NLMSG_HDRLEN: usize = 16;
    pub(crate) const AF_INET: u8 = 2;
    pub(crate) const AF_INET6: u8 = 10;

    /// Netlink pads frames and attributes to four bytes.
    pub(crate) const fn align(length: usize) -> usize {
        (length + 3) & !3
    }

    /// The `N` bytes at `offset`, if they are there.
    pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
        bytes.get(offset..)?.first_chunk().copied()
    }
}
