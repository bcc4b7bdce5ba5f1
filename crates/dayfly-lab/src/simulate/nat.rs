//! A NAT between the hosts and the destinations: a second port for each connection.

use std::cell::Cell;
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use dayfly_alloc::strategy::{Request, Strategy};
use dayfly_alloc::{Availability, Key, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

use super::pickers;
use super::ports::{Bits, Span, Taken, View};
use super::timers::{Held, Line};
use crate::scenario::{Nanos, Nat, Scope};

/// One of the hosts' connections: source, destination, the host's port.
type Inside = (u32, u32, u16);

/// The mappings.
pub(super) struct Translator {
    span: Span,
    range: PortRange,
    scope: Scope,
    keeps_port: bool,
    addresses: u32,
    targets: u32,
    hold: Nanos,
    nothing: Bits,
    taken: Vec<Taken>,
    /// One for all, or one for each host that has a block.
    strategies: Vec<(PortRange, Box<dyn Strategy>)>,
    blocks: bool,
    line: Line,
    /// Mappings that nobody uses any more, so that the same connection can have its own again.
    idle: HashMap<Inside, u16, foldhash::fast::FixedState>,
    owners: HashMap<(u32, u16), Inside, foldhash::fast::FixedState>,
    /// Mappings in use or kept.
    pub(super) mapped: u64,
}

impl Translator {
    pub(super) fn new(nat: &Nat, hosts: u32, targets: u32) -> Translator {
        let count = match nat.scope {
            Scope::Tuple => nat.addresses * targets,
            Scope::Address | Scope::Host => nat.addresses,
        };
        let call = pickers::call(Protocol::Tcp, crate::scenario::Via::Connect);
        let strategy = |range| (range, pickers::strategy(nat.algorithm, call, range));
        let strategies = match nat.block {
            None => vec![strategy(nat.range)],
            Some(block) => (0..hosts).map(|host| strategy(own_block(nat, host, block))).collect(),
        };
        let span = Span::of(nat.range);
        Translator {
            span,
            range: nat.range,
            scope: nat.scope,
            keeps_port: nat.keeps_port,
            addresses: nat.addresses,
            targets,
            hold: nat.hold,
            nothing: Bits::empty(span),
            taken: vec![Taken::EMPTY; count as usize],
            strategies,
            blocks: nat.block.is_some(),
            line: Line::default(),
            idle: HashMap::default(),
            owners: HashMap::default(),
            mapped: 0,
        }
    }

    /// The public address of a host.
    pub(super) const fn address(&self, host: u32) -> u32 {
        host % self.addresses
    }

    fn domain(&self, host: u32, to: u32) -> u32 {
        match self.scope {
            Scope::Tuple => self.address(host) * self.targets + to,
            Scope::Address | Scope::Host => self.address(host),
        }
    }

    /// The public port of a connection, none if there is none.
    pub(super) fn open(
        &mut self,
        host: u32,
        inside: Inside,
        now: Nanos,
        random: &mut Xoshiro,
    ) -> Option<u16> {
        let (space, to, port) = inside;
        let domain = self.domain(host, to);
        if let Some(outside) = self.idle.remove(&inside) {
            // The same tuple again: what is left of the old mapping goes on (a SYN reopens it).
            self.line.revoke(domain, outside);
            self.owners.remove(&(domain, outside));
            return Some(outside);
        }
        let view = View {
            span: self.span,
            taken: Some(&self.taken[domain as usize]),
            fixed: &self.nothing,
            more: None,
            free: None,
            probes: Cell::new(0),
        };
        let place = if self.blocks { host as usize } else { 0 };
        let (range, strategy) = &mut self.strategies[place];
        let own = Port::new(port);
        let kept = self.keeps_port && range.contains(own) && view.is_free(own);
        let outside = if kept {
            port
        } else {
            let remote = IpAddr::V4(Ipv4Addr::from_bits(0xC612_0000_u32.wrapping_add(to)));
            let local = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + space));
            let key = Key::new(Protocol::Tcp, local, remote, Port::new(443));
            strategy.pick(&Request { key: &key, now, free: &view }, random)?.number()
        };
        self.taken[domain as usize].insert(self.span, outside);
        self.mapped += 1;
        Some(outside)
    }

    /// The connection is over; the mapping is kept for a while.
    pub(super) fn close(&mut self, host: u32, inside: Inside, outside: u16, now: Nanos) {
        let domain = self.domain(host, inside.1);
        if self.hold == 0 {
            self.taken[domain as usize].remove(self.span, outside);
            self.mapped -= 1;
            return;
        }
        let until = now.saturating_add(self.hold);
        self.line.add(Held { until, domain, space: host, port: outside, bound: false });
        self.idle.insert(inside, outside);
        self.owners.insert((domain, outside), inside);
    }

    /// Ends every mapping that was kept long enough.
    pub(super) fn expire(&mut self, now: Nanos) -> u64 {
        let mut ended = 0;
        while let Some(held) = self.line.ended(now) {
            self.taken[held.domain as usize].remove(self.span, held.port);
            if let Some(inside) = self.owners.remove(&(held.domain, held.port)) {
                self.idle.remove(&inside);
            }
            self.mapped -= 1;
            ended += 1;
        }
        ended
    }

    /// The fullest place, in ports.
    pub(super) fn fullest(&self) -> u32 {
        self.taken.iter().map(Taken::len).max().unwrap_or(0)
    }

    /// Ports of one address.
    pub(super) fn ports(&self) -> u32 {
        self.range.len()
    }
}

/// The block of a host: its address is shared by every so many hosts, each with the next block.
fn own_block(nat: &Nat, host: u32, block: u32) -> PortRange {
    let first = u32::from(nat.range.low().number()) + host / nat.addresses * block;
    let last = first + block - 1;
    let range = u16::try_from(first).ok().zip(u16::try_from(last).ok());
    range.and_then(|(low, high)| PortRange::new(low, high).ok()).unwrap_or(nat.range)
}
