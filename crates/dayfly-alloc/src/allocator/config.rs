//! The settings of an allocator.

use dayfly_ports::PortRange;

use super::Tick;

/// The settings of an allocator.
///
/// ```
/// use dayfly_alloc::{Config, Reuse};
/// use dayfly_ports::PortRange;
///
/// // Ticks are seconds here: ports rest for a minute, as Linux' TIME_WAIT does.
/// let config = Config { hold: 60, reuse: Reuse::OldestFirst, ..Config::new(PortRange::DYNAMIC) };
/// assert_eq!(config.connections, 0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Ports are handed out from here. Port 0 is never handed out, even if it belongs to the range.
    pub range: PortRange,
    /// For how many ticks a released port is held back.
    pub hold: Tick,
    /// What may be done with ports that are held back.
    pub reuse: Reuse,
    /// How many connections to make room for at once, so that the table need not grow: growing a
    /// table of a million connections takes milliseconds.
    pub connections: usize,
}

impl Config {
    /// This range, nothing held back, no room made in advance.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        Config { range, hold: 0, reuse: Reuse::AfterHold, connections: 0 }
    }
}

/// When a port that is held back may be handed out again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reuse {
    /// Only after the hold.
    #[default]
    AfterHold,
    /// After the hold; earlier when nothing else is free, the one held longest first.
    OldestFirst,
    /// After the hold, or as soon as the destination has been given this many other ports since:
    /// a minimum reuse distance, with the hold as its upper bound in time. Counted from when the
    /// destination got a bitmap of its own, past 24 connections or when it ran out of free ports.
    AfterDistance(u32),
}
