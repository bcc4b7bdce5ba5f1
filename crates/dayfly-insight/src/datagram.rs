//! UDP: how many ports each local address has left, whatever the destination.
//!
//! `udp_lib_get_port` (`net/ipv4/udp.c`) hands out a port only if no socket that receives on the
//! same address has it; the peer plays no part. `connect()` and `sendto()` on an unbound socket
//! choose their port *before* they know the source address, so they compete at the wildcard
//! address, with every socket of their family. `bind(ADDRESS, 0)` competes with the sockets of
//! that address and of the wildcard.
//!
//! A `::` socket accepts IPv4 unless told otherwise and so competes with both families. The other
//! way round, an IPv6 socket that got its address from `connect()` stays open to IPv4 in the
//! kernel's eyes (`ipv4_rcv_saddr_equal`) and is in the way of `0.0.0.0`; one that was *bound* to
//! an address is not. Once connected both look alike; they are taken for the former, which is by
//! far the more common.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dayfly_ports::PortSet;

use crate::Socket;
use crate::headroom::fill;
use crate::port_bag::PortBag;

/// What one local address has left for UDP. All counts are ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UdpSource {
    /// The local address. Unspecified (`0.0.0.0`, `::`): what a socket gets that lets the system
    /// choose both address and port.
    pub source: IpAddr,
    /// The range without the reserved ports.
    pub usable: u32,
    /// Usable ports that a socket on this address cannot be handed.
    pub used: u32,
    /// What is left.
    pub free: u32,
}

impl UdpSource {
    /// The share of the usable ports that is not free, 0 to 1. 1 when nothing is usable.
    #[must_use]
    pub fn fill(&self) -> f64 {
        fill(self.usable, self.free)
    }
}

/// UDP sockets, by the address that they receive on.
#[derive(Debug)]
pub(crate) struct DatagramFold {
    usable: Box<PortSet>,
    by_address: BTreeMap<IpAddr, PortBag>,
    /// Ports of `::` sockets that refuse IPv4; those that accept it count under both wildcards.
    v6_only: PortBag,
    /// Ports of `::` sockets that accept IPv4 as well.
    dual: PortBag,
    /// Ports of sockets with an IPv6 address that are in the way of `0.0.0.0` all the same.
    half_open: PortBag,
}

const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

impl DatagramFold {
    pub(crate) fn new(usable: PortSet) -> Self {
        DatagramFold {
            usable: Box::new(usable),
            by_address: BTreeMap::new(),
            v6_only: PortBag::new(),
            dual: PortBag::new(),
            half_open: PortBag::new(),
        }
    }

    pub(crate) fn add(&mut self, socket: &Socket) {
        let tuple = socket.tuple.canonical();
        if !self.usable.contains(tuple.local_port) {
            return;
        }
        if tuple.local_address.is_ipv6() && !socket.v6_only {
            self.half_open.insert(tuple.local_port);
        }
        let bag = match tuple.local_address {
            ANY_V6 if socket.v6_only => &mut self.v6_only,
            ANY_V6 => &mut self.dual,
            address => self.by_address.entry(address).or_insert(PortBag::new()),
        };
        bag.insert(tuple.local_port);
    }

    /// One row for each address that has a socket and for the wildcard of each family that has.
    pub(crate) fn finish(self) -> Vec<UdpSource> {
        let mut any_v4 = PortSet::EMPTY;
        let mut any_v6 = PortSet::EMPTY;
        self.dual.add_to(&mut any_v4);
        self.v6_only.add_to(&mut any_v6);
        let wild_v6 = &any_v4 | &any_v6;
        let mut wild_v4 = any_v4.clone();
        self.half_open.add_to(&mut any_v4);
        for (address, bag) in &self.by_address {
            match address {
                IpAddr::V4(address) => {
                    bag.add_to(&mut any_v4);
                    if address.is_unspecified() {
                        bag.add_to(&mut wild_v4);
                    }
                }
                IpAddr::V6(_) => bag.add_to(&mut any_v6),
            }
        }
        any_v6 |= &any_v4;

        let usable = self.usable.len();
        let row = |source, used: u32| UdpSource { source, usable, used, free: usable - used };
        let mut rows = Vec::new();
        let specific = self.by_address.iter().filter(|(address, _)| !address.is_unspecified());
        for (&address, bag) in specific {
            let mut ports = if address.is_ipv4() { wild_v4.clone() } else { wild_v6.clone() };
            bag.add_to(&mut ports);
            rows.push(row(address, ports.len()));
        }
        let has_v6 = self.by_address.keys().any(IpAddr::is_ipv6) || !wild_v6.is_empty();
        if !any_v4.is_empty() {
            rows.push(row(ANY_V4, any_v4.len()));
        }
        if has_v6 {
            rows.push(row(ANY_V6, any_v6.len()));
        }
        rows.sort_by(|a, b| b.fill().total_cmp(&a.fill()).then(a.source.cmp(&b.source)));
        rows
    }
}
