//! One row of what the kernel knows.

use dayfly_ports::Tuple;

/// A socket, reduced to what decides about ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// Addresses, ports and protocol, as the system reports them: IPv4-mapped addresses are left
    /// as they are.
    pub tuple: Tuple,
    /// Where in its life it is.
    pub state: State,
    /// For [`State::TimeWait`]: milliseconds until it ends. Otherwise 0.
    pub timer_ms: u32,
    /// Whether an IPv6 socket refuses IPv4 (`IPV6_V6ONLY`). Decides whom a wildcard bind is in
    /// the way of.
    pub v6_only: bool,
    /// The inode that `/proc/PID/fd` names; 0 when no process holds the socket (TIME_WAIT, and
    /// orphans that are still closing).
    pub inode: u32,
    /// The user who made it.
    pub uid: u32,
}

impl Socket {
    /// A socket of which nothing but tuple and state is known.
    #[must_use]
    pub const fn new(tuple: Tuple, state: State) -> Self {
        Socket { tuple, state, timer_ms: 0, v6_only: false, inode: 0, uid: 0 }
    }
}

/// A socket's state, under the names of RFC 9293 section 3.3.2 and the kernel
/// (`include/net/tcp_states.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum State {
    /// Both sides talk. UDP: connected.
    Established,
    /// SYN sent, no answer yet: the port is held already.
    SynSent,
    /// SYN received on a listener.
    SynReceived,
    /// We closed first and wait for the acknowledgement.
    FinWait1,
    /// We closed first and wait for the peer to close.
    FinWait2,
    /// Closed on both sides; the tuple is kept so that late segments do no harm.
    TimeWait,
    /// Not connected. UDP: bound, or in use without a fixed peer.
    Close,
    /// The peer closed first and the program has not.
    CloseWait,
    /// The peer closed first, we after it.
    LastAck,
    /// Waits for connections.
    Listen,
    /// Both sides closed at once.
    Closing,
    /// TCP: bound to a port and neither connected nor listening. In no table but sock_diag's.
    BoundInactive,
}

impl State {
    /// The name that netstat prints; for [`State::Close`] that of `ss`, since the socket is not closed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            State::Established => "ESTABLISHED",
            State::SynSent => "SYN_SENT",
            State::SynReceived => "SYN_RECV",
            State::FinWait1 => "FIN_WAIT1",
            State::FinWait2 => "FIN_WAIT2",
            State::TimeWait => "TIME_WAIT",
            State::Close => "UNCONN",
            State::CloseWait => "CLOSE_WAIT",
            State::LastAck => "LAST_ACK",
            State::Listen => "LISTEN",
            State::Closing => "CLOSING",
            State::BoundInactive => "BOUND_INACTIVE",
        }
    }
}
