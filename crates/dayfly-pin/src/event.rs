//! What the supervisor tells: which connection got which port, and which could not have one.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use dayfly_ports::{Port, Protocol};

/// One connection of the pinned program, at the moment before it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What became of it.
    pub outcome: Outcome,
    /// TCP (MPTCP included) or UDP.
    pub protocol: Protocol,
    /// The thread that connects, in the pid namespace of the supervisor.
    pub thread: u32,
    /// The thread's name (`/proc/PID/comm`); empty if it could not be read.
    pub program: String,
    /// Where to, as far as it could be seen. IPv4-mapped addresses are given as IPv4. Through
    /// seccomp it is read from the program's memory, which can lie.
    pub destination: Option<SocketAddr>,
    /// The source address that the socket was bound to; none if the kernel chooses.
    pub source: Option<IpAddr>,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It got this port.
    Pinned(Port),
    /// The program had bound the socket to this port itself: it was left alone.
    LeftAlone(Port),
    /// It got no port of those wanted; `refused` tells whether it was let go all the same.
    Missed {
        /// Why.
        cause: Cause,
        /// The port that was tried, or the last one; none if it did not come to that.
        port: Option<Port>,
        /// Whether the call failed for it ([`Pin::strict`](crate::Pin::strict)).
        refused: bool,
    },
    /// So many events could not be told because nobody read them.
    Lost(u32),
}

/// Why a connection could not have one of the ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Other sockets hold every one (`EADDRINUSE`).
    InUse,
    /// Every one that could be shared has a live connection to the same destination.
    SameDestination,
    /// The connection that it had to the same destination is in TIME_WAIT for so many seconds, and
    /// TCP timestamps are off.
    TimeWait {
        /// Until it is free by itself.
        seconds: u32,
    },
    /// It would connect to itself: the destination is this host and this very port.
    Itself,
    /// The port is below the floor and the program lacks `CAP_NET_BIND_SERVICE` (`EACCES`).
    Privilege,
    /// The wanted source address is not this host's (`EADDRNOTAVAIL`).
    NotHere,
    /// The wanted source address is of another family than the connection.
    Family,
    /// The program may not be looked into: it is setuid, or may be run and not read (`EPERM`).
    Unreadable,
    /// Any other error, by number.
    Other(i32),
}

impl Cause {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Cause::InUse => "in_use",
            Cause::SameDestination => "same_destination",
            Cause::TimeWait { .. } => "time_wait",
            Cause::Itself => "itself",
            Cause::Privilege => "privilege",
            Cause::NotHere => "not_here",
            Cause::Family => "family",
            Cause::Unreadable => "unreadable",
            Cause::Other(_) => "other",
        }
    }

    /// The error that a refused call fails with, by number.
    #[must_use]
    pub const fn errno(self) -> i32 {
        match self {
            Cause::InUse | Cause::SameDestination | Cause::TimeWait { .. } | Cause::Itself => {
                libc::EADDRINUSE
            }
            Cause::Privilege => libc::EACCES,
            Cause::NotHere | Cause::Family => libc::EADDRNOTAVAIL,
            Cause::Unreadable => libc::EPERM,
            Cause::Other(number) => number,
        }
    }

    const fn to_number(self) -> (u8, u32) {
        match self {
            Cause::InUse => (0, 0),
            Cause::SameDestination => (1, 0),
            Cause::TimeWait { seconds } => (2, seconds),
            Cause::Itself => (3, 0),
            Cause::Privilege => (4, 0),
            Cause::NotHere => (5, 0),
            Cause::Family => (6, 0),
            Cause::Unreadable => (7, 0),
            Cause::Other(number) => (8, number as u32),
        }
    }

    const fn from_number(number: u8, detail: u32) -> Option<Cause> {
        Some(match number {
            0 => Cause::InUse,
            1 => Cause::SameDestination,
            2 => Cause::TimeWait { seconds: detail },
            3 => Cause::Itself,
            4 => Cause::Privilege,
            5 => Cause::NotHere,
            6 => Cause::Family,
            7 => Cause::Unreadable,
            8 => Cause::Other(detail as i32),
            _ => return None,
        })
    }
}

/// The length of a record, on the pipe from the supervisor. Far below `PIPE_BUF`: a record is
/// written whole or not at all.
pub(crate) const RECORD: usize = 72;

pub(crate) const PINNED: u8 = 1;
const LEFT_ALONE: u8 = 2;
pub(crate) const MISSED: u8 = 3;
pub(crate) const REFUSED: u8 = 4;
const LOST: u8 = 5;

impl Event {
    /// An event about no connection.
    pub(crate) fn lost(events: u32) -> Event {
        Event {
            outcome: Outcome::Lost(events),
            protocol: Protocol::Tcp,
            thread: 0,
            program: String::new(),
            destination: None,
            source: None,
        }
    }

    pub(crate) fn to_record(&self) -> [u8; RECORD] {
        let (kind, cause, detail, port) = match self.outcome {
            Outcome::Pinned(port) => (PINNED, 0, 0, Some(port)),
            Outcome::LeftAlone(port) => (LEFT_ALONE, 0, 0, Some(port)),
            Outcome::Missed { cause, port, refused } => {
                let (number, detail) = cause.to_number();
                (if refused { REFUSED } else { MISSED }, number, detail, port)
            }
            Outcome::Lost(events) => (LOST, 0, events, None),
        };
        let mut record = [0; RECORD];
        record[0] = kind;
        record[1] = cause;
        record[2] = u8::from(self.protocol == Protocol::Udp);
        record[4..8].copy_from_slice(&detail.to_ne_bytes());
        record[8..12].copy_from_slice(&self.thread.to_ne_bytes());
        record[12..14].copy_from_slice(&port.map_or(0, Port::number).to_ne_bytes());
        if let Some(destination) = self.destination {
            record[3] |= 1;
            record[14..16].copy_from_slice(&destination.port().to_ne_bytes());
            record[16..32].copy_from_slice(&octets(destination.ip()));
        }
        if let Some(source) = self.source {
            record[3] |= 2;
            record[32..48].copy_from_slice(&octets(source));
        }
        let name = self.program.as_bytes();
        let length = name.len().min(RECORD - 49);
        record[48] = length as u8;
        record[49..49 + length].copy_from_slice(&name[..length]);
        record
    }

    pub(crate) fn from_record(record: &[u8; RECORD]) -> Option<Event> {
        let four = |at: usize| {
            u32::from_ne_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]])
        };
        let two = |at: usize| u16::from_ne_bytes([record[at], record[at + 1]]);
        let address = |at: usize| {
            let mut octets = [0; 16];
            octets.copy_from_slice(&record[at..at + 16]);
            IpAddr::V6(Ipv6Addr::from(octets)).to_canonical()
        };
        let port = Port::new(two(12));
        let missed = |refused| {
            let cause = Cause::from_number(record[1], four(4))?;
            let port = (port != Port::MIN).then_some(port);
            Some(Outcome::Missed { cause, port, refused })
        };
        let name = record[49..].get(..usize::from(record[48]))?;
        Some(Event {
            outcome: match record[0] {
                PINNED => Outcome::Pinned(port),
                LEFT_ALONE => Outcome::LeftAlone(port),
                MISSED => missed(false)?,
                REFUSED => missed(true)?,
                LOST => Outcome::Lost(four(4)),
                _ => return None,
            },
            protocol: if record[2] == 1 { Protocol::Udp } else { Protocol::Tcp },
            thread: four(8),
            // The kernel fills a name up with zeros.
            program: String::from_utf8_lossy(name).trim_end_matches('\0').to_owned(),
            destination: (record[3] & 1 != 0).then(|| SocketAddr::new(address(16), two(14))),
            source: (record[3] & 2 != 0).then(|| address(32)),
        })
    }
}

fn octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn outcomes() -> impl Strategy<Value = Outcome> {
        let cause = prop_oneof![
            Just(Cause::InUse),
            Just(Cause::SameDestination),
            any::<u32>().prop_map(|seconds| Cause::TimeWait { seconds }),
            Just(Cause::Itself),
            Just(Cause::Privilege),
            Just(Cause::NotHere),
            Just(Cause::Family),
            Just(Cause::Unreadable),
            (1_i32..4000).prop_map(Cause::Other),
        ];
        let port = (1_u16..).prop_map(Port::new);
        prop_oneof![
            port.clone().prop_map(Outcome::Pinned),
            port.clone().prop_map(Outcome::LeftAlone),
            any::<u32>().prop_map(Outcome::Lost),
            (cause, prop::option::of(port), any::<bool>())
                .prop_map(|(cause, port, refused)| Outcome::Missed { cause, port, refused }),
        ]
    }

    proptest! {
        #[test]
        fn a_record_is_read_back(
            outcome in outcomes(),
            udp in any::<bool>(),
            thread in any::<u32>(),
            program in "[ -~]{0,15}",
            destination in prop::option::of((any::<IpAddr>(), any::<u16>())),
            source in prop::option::of(any::<IpAddr>()),
        ) {
            let event = Event {
                outcome,
                protocol: if udp { Protocol::Udp } else { Protocol::Tcp },
                thread,
                program,
                destination: destination.map(|(ip, port)| SocketAddr::new(ip.to_canonical(), port)),
                source: source.map(|address| address.to_canonical()),
            };
            prop_assert_eq!(Event::from_record(&event.to_record()), Some(event));
        }

        #[test]
        fn any_record_is_read_or_refused(record in prop::collection::vec(any::<u8>(), RECORD)) {
            Event::from_record(&record.try_into().unwrap());
        }
    }
}
