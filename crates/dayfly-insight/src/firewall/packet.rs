//! The packet that a ruleset is asked about: everything but its ports.

use std::net::IpAddr;

use dayfly_ports::Protocol;

use super::model::{Family, State};

/// A kind of packet. What is `None` is not known, and a rule that asks for it may match or not.
///
/// Packets go between this host and another one; loopback is not asked about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Packet {
    /// Which way.
    pub direction: Direction,
    /// Its address family.
    pub family: Family,
    /// Its protocol.
    pub protocol: Protocol,
    /// What connection tracking says, once it has looked.
    pub state: State,
    /// Whether it goes against its connection's first packet.
    pub reply: bool,
    /// TCP's flags; 0 for other protocols.
    pub flags: u8,
    /// The helper of the connection that caused this one; none if there is none.
    pub helper: Option<Box<str>>,
    /// The interface outside.
    pub interface: Option<String>,
    /// This host's address.
    pub local: Option<IpAddr>,
    /// The other host's address.
    pub peer: Option<IpAddr>,
    /// The packet's mark; it starts as 0.
    pub mark: Option<u32>,
    /// What NAT makes of the port at this host's end, which is the destination's of what comes in
    /// and the source's of the answers.
    pub translation: Translation,
}

/// What became of a connection's destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Translation {
    /// Nobody has said anything about it.
    #[default]
    None,
    /// A rule decided that it has the port that it had.
    Same,
    /// It has this port, whatever it had.
    To(u16),
}

/// SYN, as TCP's first packet has it.
pub const SYN: u8 = 0x02;
/// ACK.
pub const ACK: u8 = 0x10;

/// Which way a packet goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Direction {
    /// To this host.
    In,
    /// From this host.
    Out,
}

impl Direction {
    /// `in` or `out`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }
}

impl Packet {
    /// A connection's first packet, from or to anybody.
    #[must_use]
    pub const fn first(direction: Direction, family: Family, protocol: Protocol) -> Self {
        Packet {
            direction,
            family,
            protocol,
            state: State::New,
            reply: false,
            flags: if matches!(protocol, Protocol::Tcp) { SYN } else { 0 },
            helper: None,
            interface: None,
            local: None,
            peer: None,
            mark: Some(0),
            translation: Translation::None,
        }
    }

    /// The first packet back.
    #[must_use]
    pub fn answer(&self) -> Self {
        Packet {
            direction: match self.direction {
                Direction::In => Direction::Out,
                Direction::Out => Direction::In,
            },
            state: State::Established,
            reply: true,
            flags: if self.protocol == Protocol::Tcp { SYN | ACK } else { 0 },
            mark: Some(0),
            ..self.clone()
        }
    }

    /// The packets that follow in the direction of the first.
    #[must_use]
    pub fn later(&self) -> Self {
        Packet {
            state: State::Established,
            flags: if self.protocol == Protocol::Tcp { ACK } else { 0 },
            ..self.clone()
        }
    }

    /// The address that it comes from.
    pub(super) const fn source(&self) -> Option<IpAddr> {
        match self.direction {
            Direction::In => self.peer,
            Direction::Out => self.local,
        }
    }

    /// The address that it goes to.
    pub(super) const fn destination(&self) -> Option<IpAddr> {
        match self.direction {
            Direction::In => self.local,
            Direction::Out => self.peer,
        }
    }
}
