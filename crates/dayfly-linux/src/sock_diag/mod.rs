//! The wire format of sock_diag(7): requests out, sockets in. Bytes only, no system call.
//!
//! Frames of [`netlink`](crate::netlink) carry `struct inet_diag_msg`
//! (`include/uapi/linux/inet_diag.h`) and a list of attributes. Everything is host byte order except
//! addresses and ports, which are network byte order. [`SocketMessage::parse`] reads one socket, and
//! trusts no length that it has not checked.

mod message;
mod request;

pub use message::{MessageError, SocketMessage};
pub use request::{Family, Request, StateMask, Table};

/// `TCPDIAG_GETSOCK` and `SOCK_DIAG_BY_FAMILY` (`include/uapi/linux/inet_diag.h`, `sock_diag.h`): the
/// types of requests, and of the messages that answer them.
const TCPDIAG_GETSOCK: u16 = 18;
const SOCK_DIAG_BY_FAMILY: u16 = 20;

/// Whether a netlink message of this type is a socket.
#[must_use]
pub const fn is_socket(kind: u16) -> bool {
    matches!(kind, TCPDIAG_GETSOCK | SOCK_DIAG_BY_FAMILY)
}
