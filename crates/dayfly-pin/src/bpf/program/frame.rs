//! What the programs find and where they keep it: the kernel's structures and helpers, registers and
//! the stack.

use super::R;
use super::table;

// `struct bpf_sock_addr` and `struct bpf_sock` (`include/uapi/linux/bpf.h`).
pub(super) const USER_IP4: i16 = 4;
pub(super) const USER_IP6: i16 = 8;
pub(super) const USER_PORT: i16 = 24;
pub(super) const PROTOCOL: i16 = 36;
pub(super) const SOCKET: i16 = 64;
pub(super) const SOURCE_IP4: i16 = 24;
pub(super) const SOURCE_IP6: i16 = 28;
pub(super) const SOURCE_PORT: i16 = 44;

/// `state` of `struct bpf_sock`, and the one of a listener (`include/net/tcp_states.h`).
pub(super) const SOCK_STATE: i16 = 72;
pub(super) const TCP_LISTEN: u32 = 10;

// Helpers, by number.
pub(super) const GET_CURRENT_PID_TGID: i32 = 14;
pub(super) const GET_CURRENT_COMM: i32 = 16;
pub(super) const SETSOCKOPT: i32 = 49;
pub(super) const BIND: i32 = 64;
pub(super) const SK_LOOKUP_TCP: i32 = 84;
pub(super) const SK_RELEASE: i32 = 86;
pub(super) const RINGBUF_RESERVE: i32 = 131;
pub(super) const RINGBUF_SUBMIT: i32 = 132;
pub(super) const SET_RETVAL: i32 = 187;

// The stack. The verifier keeps no values of what does not begin at a multiple of eight.
pub(super) const NUMBER: i16 = -4;
pub(super) const CAUSE: i16 = -5;
pub(super) const HERE: i16 = -6;
pub(super) const DETAIL: i16 = -12;
/// A `sockaddr_in` or `sockaddr_in6`.
pub(super) const PLACE: i16 = -48;
pub(super) const PLACE_PORT: i16 = PLACE + 2;
/// A `struct bpf_sock_tuple` for each family.
pub(super) const TUPLE6: i16 = -88;
pub(super) const TUPLE4: i16 = -104;

pub(super) const CONTEXT: R = R(6);
/// What is looked at: the socket, a place in a list, an event.
pub(super) const AT: R = R(7);
/// The value of the table's map.
pub(super) const TABLE: R = R(8);
/// Attempts left.
pub(super) const LEFT: R = R(9);

/// A kind of connection.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    /// How many words an address has.
    pub(super) count: i16,
    /// Where the destination's address is in the context.
    pub(super) destination: i16,
    /// Where the tuple is on the stack.
    pub(super) tuple: i16,
    /// The addresses of this host.
    pub(super) list: table::List,
}

pub(super) const PLAIN4: Kind =
    Kind { count: 1, destination: USER_IP4, tuple: TUPLE4, list: table::V4 };
pub(super) const PLAIN6: Kind =
    Kind { count: 4, destination: USER_IP6, tuple: TUPLE6, list: table::V6 };
/// From an IPv6 socket to an IPv4 destination.
pub(super) const MAPPED: Kind = Kind { destination: USER_IP6 + 12, ..PLAIN4 };
