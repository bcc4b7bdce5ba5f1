//! What `why` found: the one thing that both renderers read.

use dayfly_insight::forecast::Forecast;
use dayfly_insight::why::{DestinationAnswer, Holder, PortAnswer, Remedy, Useless};
use dayfly_linux::owners::{self, Owner};
use dayfly_linux::probe::ProbeError;
use dayfly_ports::Port;

use crate::place::{Note, note};

/// The answer to one question.
pub(crate) struct Report {
    /// What was asked about, as it was typed.
    pub(crate) subject: String,
    /// The network namespace it holds for.
    pub(crate) namespace: String,
    pub(crate) body: Body,
    /// Who holds the port, or the ports towards the worst part of the destination.
    pub(crate) holders: Vec<HeldBy>,
    pub(crate) remedies: Vec<Remedy>,
    pub(crate) useless: Vec<Useless>,
    pub(crate) degraded: Vec<Note>,
}

pub(crate) enum Body {
    Port {
        answer: Box<PortAnswer>,
        probe: ProbeReport,
    },
    Destination {
        /// One for each address of the destination, the worst first. Never empty.
        parts: Vec<Part>,
        forecast: Option<Forecast>,
    },
}

/// One source and one address of the destination.
pub(crate) struct Part {
    pub(crate) answer: DestinationAnswer,
    pub(crate) probe: ProbeReport,
}

/// A holder and its owner.
pub(crate) struct HeldBy {
    pub(crate) holder: Holder,
    pub(crate) owner: Option<Owner>,
}

/// What the kernel's own search said.
#[derive(Clone, Default)]
pub(crate) struct ProbeReport {
    /// Whether the kernel was asked.
    pub(crate) ran: bool,
    /// The error of `connect()`, or what stood in the way of asking.
    pub(crate) error: Option<String>,
    /// The port that `connect()` would get.
    pub(crate) found: Option<Port>,
    /// Ports that the sockets leave open: held only by connections to other destinations, which
    /// may have bound them first.
    pub(crate) doubtful: u32,
    /// How many of those the kernel was asked about.
    pub(crate) asked: u32,
    /// How long the kernel took.
    pub(crate) micros: Option<f64>,
    /// Whether the model says the same; none where it says nothing.
    pub(crate) agrees: Option<bool>,
}

impl ProbeReport {
    pub(crate) fn not_run(error: &ProbeError) -> Self {
        ProbeReport { error: Some(error.to_string()), ..ProbeReport::default() }
    }
}

/// Looks up who owns the holders' sockets, and what could not be looked up.
pub(crate) fn with_owners(holders: &[Holder]) -> (Vec<HeldBy>, Vec<Note>) {
    let found = owners::find(holders.iter().map(|holder| holder.socket.inode));
    let named: Vec<HeldBy> = holders
        .iter()
        .map(|&holder| HeldBy { holder, owner: found.of(holder.socket.inode).cloned() })
        .collect();
    let unowned = found.unowned(holders.iter().map(|holder| holder.socket.inode));
    (named, unowned.iter().map(note).collect())
}
