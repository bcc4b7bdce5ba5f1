//! Why a port or a destination cannot be had: who stands where, and what helps.
//!
//! [`DestinationStudy`] keeps, beside the totals that [`Fold`](crate::Fold) makes, one holder for
//! every usable port towards one destination. [`PortStudy`] keeps whoever holds one port. Both
//! take sockets as they stream by and end in an answer with a verdict and remedies. Owners are not
//! known here: a holder carries the socket's inode, and the caller looks up whom it belongs to.

mod destination;
mod port;
mod remedy;
mod shell;

pub use destination::{Classes, DestinationAnswer, DestinationStudy, DestinationVerdict};
pub use port::{BindOutcome, BindTrial, PortAnswer, PortStudy, PortVerdict};
pub use remedy::{Action, Remedy, Useless};
pub(crate) use remedy::{whole_range_call, whole_range_run};
pub use shell::{Command, Shell};

use crate::{Socket, State};

/// A socket that holds a port, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holder {
    /// In which way it holds the port.
    pub kind: HolderKind,
    /// The socket.
    pub socket: Socket,
}

impl Holder {
    /// The whole seconds until the port is free by itself, rounded up; only TIME_WAIT has an end
    /// that is known.
    #[must_use]
    pub fn frees_in_seconds(&self) -> Option<u32> {
        (self.socket.state == State::TimeWait).then(|| self.socket.timer_ms.div_ceil(1000))
    }
}

/// In which way a socket holds its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum HolderKind {
    /// It waits for connections.
    Listener,
    /// It is bound and does nothing else; for UDP also: it receives from anybody.
    Bound,
    /// A connection, closing ones included.
    Connection,
    /// A connection that is over; the kernel keeps its tuple for a minute.
    TimeWait,
    /// A connection to another destination whose port was bound before connecting.
    Elsewhere,
}

impl HolderKind {
    /// The name in reports and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            HolderKind::Listener => "listener",
            HolderKind::Bound => "bound_inactive",
            HolderKind::Connection => "connection",
            HolderKind::TimeWait => "time_wait",
            HolderKind::Elsewhere => "bound_elsewhere",
        }
    }

    /// How a socket in this state holds its port.
    #[must_use]
    pub const fn of(state: State) -> Self {
        match state {
            State::Listen => HolderKind::Listener,
            State::BoundInactive | State::Close => HolderKind::Bound,
            State::TimeWait => HolderKind::TimeWait,
            _ => HolderKind::Connection,
        }
    }
}
