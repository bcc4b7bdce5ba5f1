//! What a list of sockets tells of a system whose way to choose ports is not modelled here.
//!
//! Two things hold for every system. A connection takes a port for its own destination, TIME_WAIT
//! included. And a port of the range that no socket holds can be handed out for any destination: so
//! many more connections there is room for, at least. How many of the ports that connections to
//! *other* destinations hold can be used a second time differs from system to system, and from
//! version to version, so nothing is claimed about them.

use std::collections::HashMap;
use std::net::IpAddr;

use dayfly_ports::{Port, PortSet, Protocol};

use crate::{Counts, DestinationKey, Socket, State};

/// A range that a system hands out ports from, without the ports that it keeps back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supply {
    /// For this protocol.
    pub protocol: Protocol,
    /// For IPv6 (or else IPv4); none for both.
    pub ipv6: Option<bool>,
    /// The ports.
    pub usable: Box<PortSet>,
}

/// How much of a range is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupplyUsage {
    /// For this protocol.
    pub protocol: Protocol,
    /// For IPv6 (or else IPv4); none for both.
    pub ipv6: Option<bool>,
    /// Ports that can be handed out.
    pub usable: u32,
    /// Those that some socket holds, in whatever state, to whatever destination.
    pub held: u32,
}

impl SupplyUsage {
    /// Ports that nobody holds: so many more connections have room at least, to any destination.
    #[must_use]
    pub const fn free_min(&self) -> u32 {
        self.usable - self.held
    }
}

/// What connections to one destination hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationUsage {
    /// From where to where.
    pub key: DestinationKey,
    /// Usable ports that connections to it hold, TIME_WAIT included.
    pub used: u32,
    /// Those of `used` that are in TIME_WAIT.
    pub time_wait: u32,
    /// The size of the range that they come from.
    pub usable: u32,
    /// Ports of the range that nobody holds.
    pub free_min: u32,
}

/// Everything that the list tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The sockets.
    pub counts: Counts,
    /// The ranges, in the order in which they were given.
    pub supplies: Vec<SupplyUsage>,
    /// Every destination with a connection from a usable port, that of most ports first.
    pub destinations: Vec<DestinationUsage>,
}

impl Usage {
    /// Counts the sockets of a list against the ranges.
    ///
    /// A connection on the port of a listener was accepted, not opened, and is no destination's; its
    /// port is held all the same.
    #[must_use]
    pub fn of(sockets: &[Socket], supplies: &[Supply]) -> Self {
        let mut listening: HashMap<Protocol, Box<PortSet>> = HashMap::new();
        let mut held: HashMap<Protocol, Box<PortSet>> = HashMap::new();
        let mut counts = Counts::default();
        for socket in sockets {
            let protocol = socket.tuple.protocol;
            count(&mut counts, socket);
            let insert = |sets: &mut HashMap<Protocol, Box<PortSet>>| {
                let set = sets.entry(protocol).or_insert_with(|| Box::new(PortSet::EMPTY));
                set.insert(socket.tuple.local_port);
            };
            insert(&mut held);
            if socket.state == State::Listen {
                insert(&mut listening);
            }
        }
        let usage = |supply: &Supply| {
            let held =
                held.get(&supply.protocol).map_or(0, |held| (&*supply.usable & &**held).len());
            let Supply { protocol, ipv6, ref usable } = *supply;
            SupplyUsage { protocol, ipv6, usable: usable.len(), held }
        };
        let usages: Vec<SupplyUsage> = supplies.iter().map(usage).collect();
        let is_accepted = |protocol: Protocol, port: Port| {
            listening.get(&protocol).is_some_and(|ports| ports.contains(port))
        };
        let mut destinations: HashMap<DestinationKey, (usize, u32, u32)> = HashMap::new();
        for socket in sockets {
            let tuple = socket.tuple.canonical();
            let is_open = tuple.remote_port != Port::MIN
                && !matches!(socket.state, State::Listen | State::BoundInactive | State::Close);
            if !is_open || tuple.protocol == Protocol::Udp {
                continue;
            }
            let of_family = |supply: &Supply| {
                supply.protocol == tuple.protocol
                    && supply.ipv6.is_none_or(|ipv6| ipv6 == tuple.remote_address.is_ipv6())
            };
            let Some(place) = supplies.iter().position(of_family) else { continue };
            if !supplies[place].usable.contains(tuple.local_port)
                || is_accepted(tuple.protocol, tuple.local_port)
            {
                continue;
            }
            let row = destinations.entry(key(tuple.local_address, &tuple)).or_insert((place, 0, 0));
            row.1 += 1;
            row.2 += u32::from(socket.state == State::TimeWait);
        }
        let mut destinations: Vec<DestinationUsage> = destinations
            .into_iter()
            .map(|(key, (place, used, time_wait))| DestinationUsage {
                key,
                used,
                time_wait,
                usable: usages[place].usable,
                free_min: usages[place].free_min(),
            })
            .collect();
        destinations.sort_by_key(|row| (std::cmp::Reverse(row.used), row.key));
        Usage { counts, supplies: usages, destinations }
    }
}

fn key(source: IpAddr, tuple: &dayfly_ports::Tuple) -> DestinationKey {
    DestinationKey {
        protocol: tuple.protocol,
        source,
        destination: tuple.remote_address,
        port: tuple.remote_port,
    }
}

fn count(counts: &mut Counts, socket: &Socket) {
    match socket.tuple.protocol {
        Protocol::Udp => counts.udp += 1,
        Protocol::Sctp => counts.sctp += 1,
        Protocol::Tcp => {
            counts.tcp += 1;
            match socket.state {
                State::TimeWait => counts.time_wait += 1,
                State::Listen => counts.listeners += 1,
                State::BoundInactive => counts.bound_inactive += 1,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use dayfly_ports::Tuple;
    use proptest::prelude::*;

    use super::*;

    fn socket(local: &str, remote: &str, state: State) -> Socket {
        let (local, remote): (std::net::SocketAddr, std::net::SocketAddr) =
            (local.parse().unwrap(), remote.parse().unwrap());
        let tuple = Tuple {
            protocol: Protocol::Tcp,
            local_address: local.ip(),
            local_port: local.port().into(),
            remote_address: remote.ip(),
            remote_port: remote.port().into(),
        };
        Socket::new(tuple, state)
    }

    fn supply(ports: &str, ipv6: Option<bool>) -> Supply {
        Supply { protocol: Protocol::Tcp, ipv6, usable: Box::new(ports.parse().unwrap()) }
    }

    #[test]
    fn counts_what_is_held_and_by_whom() {
        let sockets = [
            socket("0.0.0.0:50001", "0.0.0.0:0", State::Listen),
            // Accepted.
            socket("10.0.0.1:50001", "10.0.0.9:40000", State::Established),
            socket("10.0.0.1:50002", "10.0.0.9:443", State::Established),
            socket("10.0.0.1:50003", "10.0.0.9:443", State::TimeWait),
            // The same port once more, to somebody else.
            socket("10.0.0.1:50003", "10.0.0.8:443", State::Established),
            // Not from the range.
            socket("10.0.0.1:1023", "10.0.0.8:111", State::Established),
            socket("[::1]:50004", "[::2]:80", State::Established),
        ];
        let usage =
            Usage::of(&sockets, &[supply("50000-50009", Some(false)), supply("50004", Some(true))]);
        let supplies: Vec<_> =
            usage.supplies.iter().map(|one| (one.usable, one.held, one.free_min())).collect();
        assert_eq!(supplies, [(10, 4, 6), (1, 1, 0)]);
        let rows: Vec<_> = usage
            .destinations
            .iter()
            .map(|row| (row.key.to_string(), row.used, row.time_wait, row.free_min))
            .collect();
        assert_eq!(
            rows,
            [
                ("tcp 10.0.0.1 -> 10.0.0.9:443".to_owned(), 2, 1, 6),
                ("tcp 10.0.0.1 -> 10.0.0.8:443".to_owned(), 1, 0, 6),
                ("tcp ::1 -> [::2]:80".to_owned(), 1, 0, 0),
            ]
        );
        assert_eq!((usage.counts.tcp, usage.counts.time_wait, usage.counts.listeners), (7, 1, 1));
    }

    proptest! {
        /// Against the definition: the ports of the range that stand in no socket.
        #[test]
        fn free_ports_are_those_nobody_holds(ports in prop::collection::vec(1u16..40, 0..60)) {
            let sockets: Vec<Socket> = ports
                .iter()
                .map(|port| socket(&format!("10.0.0.1:{port}"), "10.0.0.9:443", State::Established))
                .collect();
            let usage = Usage::of(&sockets, &[supply("10-29", None)]);
            let free = (10..30u16).filter(|port| !ports.contains(port)).count();
            prop_assert_eq!(usage.supplies[0].free_min() as usize, free);
            let used: u32 = usage.destinations.iter().map(|row| row.used).sum();
            prop_assert_eq!(used as usize, ports.iter().filter(|port| (10..30).contains(*port)).count());
        }
    }
}
