//! The ports of all hosts: who holds which, and what each pick may choose from.

use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};

use dayfly_alloc::strategy::{Request, Strategy};
use dayfly_alloc::{Key, Xoshiro};
use dayfly_ports::{Port, PortRange, Protocol};

use super::pickers::{self, CALLS};
use super::ports::{Bits, Span, Taken, View};
use super::tally::Count;
use super::timers::{Held, Line};
use crate::scenario::{Algorithm, HostGroup, Nanos, Reuse, Scenario, Scope, Task, Via};

/// What a port has to be unique within: a tuple without its local port, an address or a host.
#[derive(Clone, Debug)]
pub(super) struct Domain {
    /// Ports that a connection cannot get.
    taken: Taken,
    /// Ports in TIME_WAIT that may be taken over, which are not in `taken`.
    lingering: u32,
    pub(super) count: Count,
}

impl Domain {
    fn empty() -> Domain {
        Domain { taken: Taken::EMPTY, lingering: 0, count: Count::default() }
    }

    /// Ports held, TIME_WAIT included.
    #[inline]
    pub(super) fn held(&self) -> u32 {
        self.taken.len() + self.lingering
    }
}

/// Equal hosts.
struct Group {
    span: Span,
    range: PortRange,
    fixed: Bits,
    usable: u32,
    algorithm: Algorithm,
    scope: Scope,
    /// Whether a bound port is kept from the automatic connections of the whole host (Linux).
    bound_blocks: bool,
    /// Whether anybody of the group calls bind(), so that addresses need books.
    keeps_books: bool,
    addresses: u32,
    first_space: u32,
    first_host: u32,
    /// Where its domains begin, by protocol.
    domains: [u32; 3],
    time_wait: Nanos,
    max_time_wait: u32,
    reuse: Reuse,
    waiting: Line,
    delayed: Line,
}

/// One host.
#[derive(Default)]
struct Host {
    strategies: [Option<Box<dyn Strategy>>; CALLS],
    /// Ports that are bound, with how many sockets, by number.
    bound: Option<Box<Bound>>,
    time_wait: u32,
    next_address: u32,
}

/// How many sockets of a host were bound to each port.
struct Bound {
    sockets: Box<[u16]>,
    bits: Bits,
}

impl Bound {
    fn new(span: Span) -> Bound {
        Bound { sockets: vec![0; 1 << 16].into(), bits: Bits::empty(span) }
    }

    fn add(&mut self, span: Span, port: u16) {
        self.sockets[usize::from(port)] += 1;
        self.bits.insert(span, port);
    }

    fn remove(&mut self, span: Span, port: u16) {
        let sockets = &mut self.sockets[usize::from(port)];
        *sockets -= 1;
        if *sockets == 0 {
            self.bits.remove(span, port);
        }
    }
}

/// How many sockets have each port of an address.
struct Book {
    sockets: Box<[u16]>,
    taken: Taken,
}

impl Book {
    fn new() -> Book {
        Book { sockets: vec![0; 1 << 16].into(), taken: Taken::EMPTY }
    }

    fn add(&mut self, span: Span, port: u16) {
        let sockets = &mut self.sockets[usize::from(port)];
        if *sockets == 0 {
            self.taken.insert(span, port);
        }
        *sockets += 1;
    }

    fn remove(&mut self, span: Span, port: u16) {
        let sockets = &mut self.sockets[usize::from(port)];
        *sockets -= 1;
        if *sockets == 0 {
            self.taken.remove(span, port);
        }
    }
}

/// Which port was handed out, and what it took.
pub(super) struct Pick {
    pub(super) port: u16,
    pub(super) probes: u32,
    pub(super) reused: bool,
}

/// All ports of all hosts.
pub(super) struct World {
    groups: Vec<Group>,
    hosts: Vec<Host>,
    pub(super) domains: Vec<Domain>,
    lingering: Vec<Taken>,
    books: Vec<Option<Box<Book>>>,
    targets: u32,
    /// The place of a target's address and port among all, for keys.
    loopback: Vec<bool>,
    pub(super) waiting: u64,
}

/// How many places connections lead to: the destinations, and the ports that FTP servers offer or
/// connect from.
pub(crate) fn targets(scenario: &Scenario) -> u64 {
    let plain: u64 = scenario.destinations.iter().map(|to| u64::from(to.count)).sum();
    let more = scenario.workloads.iter().map(|work| match work.task {
        Task::Ftp { active, passive_ports, .. } => {
            let ports = if active { 1 } else { u64::from(passive_ports) };
            u64::from(scenario.destinations[work.destination].count) * ports
        }
        _ => 0,
    });
    plain + more.sum::<u64>()
}

impl World {
    pub(super) fn new(scenario: &Scenario, loopback: Vec<bool>) -> World {
        let targets = targets(scenario) as u32;
        let mut world = World {
            groups: Vec::new(),
            hosts: Vec::new(),
            domains: Vec::new(),
            lingering: Vec::new(),
            books: Vec::new(),
            targets,
            loopback,
            waiting: 0,
        };
        for (index, group) in scenario.hosts.iter().enumerate() {
            world.add(scenario, index, group);
        }
        if world.groups.iter().any(|group| group.reuse != Reuse::Never) {
            world.lingering = vec![Taken::EMPTY; world.domains.len()];
        }
        world
    }

    fn add(&mut self, scenario: &Scenario, index: usize, group: &HostGroup) {
        let span = Span::of(group.range);
        let on_group = || scenario.workloads.iter().filter(move |work| work.host == index);
        let binds = on_group().any(|work| {
            matches!(work.via, Via::Bind | Via::BindReuseAddress)
                || matches!(work.task, Task::Ftp { active: true, .. })
        });
        let spaces = group.count * group.addresses;
        let mut domains = [self.domains.len() as u32; 3];
        for protocol in Protocol::ALL {
            domains[protocol as usize] = self.domains.len() as u32;
            if !on_group().any(|work| work.protocol == protocol) {
                continue;
            }
            let count = match scope_of(protocol, group.behaviour.tcp) {
                Scope::Tuple => spaces * self.targets,
                Scope::Address => spaces,
                Scope::Host => group.count,
            };
            self.domains.resize(self.domains.len() + count as usize, Domain::empty());
        }
        let first_space = self.books.len() as u32;
        let first_host = self.hosts.len() as u32;
        let keeps_books = binds && group.behaviour.tcp == Scope::Tuple;
        self.books.resize_with(self.books.len() + spaces as usize, || None);
        self.hosts.resize_with(self.hosts.len() + group.count as usize, Host::default);
        let linux = matches!(group.behaviour.algorithm, Algorithm::Linux(_));
        self.groups.push(Group {
            span,
            range: group.range,
            fixed: Bits::of(span, &(&group.reserved | &group.listeners)),
            usable: group.usable(),
            algorithm: group.behaviour.algorithm,
            scope: group.behaviour.tcp,
            bound_blocks: keeps_books && linux,
            keeps_books,
            addresses: group.addresses,
            first_space,
            first_host,
            domains,
            time_wait: group.time_wait,
            max_time_wait: group.max_time_wait.unwrap_or(u32::MAX),
            reuse: group.reuse,
            waiting: Line::default(),
            delayed: Line::default(),
        });
    }

    /// The next source address of a host of a group, as its place among all.
    #[inline]
    pub(super) fn space(&mut self, group: usize, host: u32) -> u32 {
        let (first_space, first_host, addresses) = {
            let group = &self.groups[group];
            (group.first_space, group.first_host, group.addresses)
        };
        if addresses == 1 {
            return first_space + host;
        }
        let state = &mut self.hosts[(first_host + host) as usize];
        let address = state.next_address;
        state.next_address = (address + 1) % addresses;
        first_space + host * addresses + address
    }

    /// The host that an address belongs to, counted over all groups.
    pub(super) fn host(&self, group: usize, space: u32) -> u32 {
        self.groups[group].first_host + self.host_of_group(group, space)
    }

    /// The host that an address belongs to, counted within its group.
    #[inline]
    pub(super) fn host_of_group(&self, group: usize, space: u32) -> u32 {
        let group = &self.groups[group];
        (space - group.first_space) / group.addresses
    }

    #[inline]
    pub(super) fn domain(&self, group: usize, protocol: Protocol, space: u32, to: u32) -> u32 {
        let group = &self.groups[group];
        let base = group.domains[protocol as usize];
        let place = space - group.first_space;
        match scope_of(protocol, group.scope) {
            Scope::Tuple => base + place * self.targets + to,
            Scope::Address => base + place,
            Scope::Host => base + place / group.addresses,
        }
    }

    /// The ports held where a bind() would have to find one.
    pub(super) fn held_at(&self, group: usize, space: u32, domain: u32, via: Via) -> u32 {
        match &self.books[space as usize] {
            Some(book) if binds(via) && self.groups[group].keeps_books => book.taken.len(),
            _ => self.domains[domain as usize].held(),
        }
    }

    /// Picks a port and takes it. The number of probes of a failed search is the error.
    #[expect(clippy::too_many_arguments, reason = "a socket call has as many")]
    #[inline]
    pub(super) fn open(
        &mut self,
        group_index: usize,
        protocol: Protocol,
        via: Via,
        space: u32,
        to: u32,
        now: Nanos,
        random: &mut Xoshiro,
    ) -> Result<Pick, u32> {
        let domain = self.domain(group_index, protocol, space, to);
        let group = &mut self.groups[group_index];
        let host = &mut self.hosts
            [(group.first_host + (space - group.first_space) / group.addresses) as usize];
        let books = group.keeps_books && protocol == Protocol::Tcp;
        let binds = books && binds(via);
        let taken = if binds {
            self.books[space as usize].as_ref().map(|book| &book.taken)
        } else {
            Some(&self.domains[domain as usize].taken)
        };
        let blocking = host.bound.as_ref().filter(|_| books && !binds).map(|bound| &bound.bits);
        let held = taken.map_or(0, Taken::len);
        let free = (!books).then(|| (group.range, group.usable.saturating_sub(held)));
        let view = View {
            span: group.span,
            taken,
            fixed: &group.fixed,
            more: blocking,
            free,
            probes: Cell::new(0),
        };
        let call = pickers::call(protocol, via);
        let strategy = host.strategies[call]
            .get_or_insert_with(|| pickers::strategy(group.algorithm, call, group.range));
        let key = key(protocol, space, to, self.loopback[to as usize]);
        let picked = strategy.pick(&Request { key: &key, now, free: &view }, random);
        let probes = view.probes.get();
        let Some(port) = picked.map(Port::number) else { return Err(probes) };
        let place = domain as usize;
        let reused =
            self.domains[place].lingering > 0 && self.lingering[place].contains(group.span, port);
        if reused {
            self.lingering[place].remove(group.span, port);
            group.waiting.revoke(domain, port);
            self.domains[place].lingering -= 1;
            host.time_wait -= 1;
            self.waiting -= 1;
        }
        self.domains[place].taken.insert(group.span, port);
        if books {
            if !reused {
                let book = self.books[space as usize].get_or_insert_with(|| Box::new(Book::new()));
                book.add(group.span, port);
            }
            if binds && group.bound_blocks {
                let bound = host.bound.get_or_insert_with(|| Box::new(Bound::new(group.span)));
                bound.add(group.span, port);
            }
        }
        Ok(Pick { port, probes, reused })
    }

    /// The client closed first: TIME_WAIT. True if it was cut short.
    #[expect(clippy::too_many_arguments, reason = "a connection and what is known of it")]
    #[inline]
    pub(super) fn wait(
        &mut self,
        group: usize,
        domain: u32,
        space: u32,
        to: u32,
        port: u16,
        bound: bool,
        now: Nanos,
    ) -> bool {
        let place = group;
        let group = &mut self.groups[place];
        let host = &mut self.hosts
            [(group.first_host + (space - group.first_space) / group.addresses) as usize];
        if group.time_wait == 0 || host.time_wait >= group.max_time_wait {
            let cut_short = group.time_wait > 0;
            self.release(place, Protocol::Tcp, domain, space, port, bound);
            return cut_short;
        }
        host.time_wait += 1;
        self.waiting += 1;
        let held = |until| Held { until, domain, space, port, bound };
        group.waiting.add(held(now.saturating_add(group.time_wait)));
        let delay = match group.reuse {
            Reuse::Everywhere(delay) => Some(delay),
            Reuse::Loopback(delay) if self.loopback[to as usize] => Some(delay),
            _ => None,
        };
        // A bound port stays closed to connect() however old its TIME_WAIT is.
        if let Some(delay) = delay.filter(|delay| *delay < group.time_wait && !bound) {
            group.delayed.add(held(now + delay));
        }
        false
    }

    /// The port is free again.
    #[inline]
    pub(super) fn release(
        &mut self,
        group: usize,
        protocol: Protocol,
        domain: u32,
        space: u32,
        port: u16,
        bound: bool,
    ) {
        let group = &self.groups[group];
        self.domains[domain as usize].taken.remove(group.span, port);
        if group.keeps_books && protocol == Protocol::Tcp {
            unbook(group, &mut self.books, &mut self.hosts, space, port, bound);
        }
    }

    /// Ends every TIME_WAIT that is over by now; how many.
    #[inline]
    pub(super) fn expire(&mut self, now: Nanos) -> u64 {
        let mut ended = 0;
        for group in &mut self.groups {
            while let Some(held) = group.delayed.ended(now) {
                let domain = &mut self.domains[held.domain as usize];
                domain.taken.remove(group.span, held.port);
                domain.lingering += 1;
                self.lingering[held.domain as usize].insert(group.span, held.port);
            }
            while let Some(held) = group.waiting.ended(now) {
                ended += 1;
                let domain = &mut self.domains[held.domain as usize];
                let place = held.domain as usize;
                if domain.lingering > 0 && self.lingering[place].contains(group.span, held.port) {
                    self.lingering[place].remove(group.span, held.port);
                    domain.lingering -= 1;
                } else {
                    domain.taken.remove(group.span, held.port);
                }
                let host = (held.space - group.first_space) / group.addresses + group.first_host;
                self.hosts[host as usize].time_wait -= 1;
                self.waiting -= 1;
                if group.keeps_books {
                    unbook(
                        group,
                        &mut self.books,
                        &mut self.hosts,
                        held.space,
                        held.port,
                        held.bound,
                    );
                }
            }
        }
        ended
    }
}

fn unbook(
    group: &Group,
    books: &mut [Option<Box<Book>>],
    hosts: &mut [Host],
    space: u32,
    port: u16,
    bound: bool,
) {
    if let Some(book) = &mut books[space as usize] {
        book.remove(group.span, port);
    }
    let host = (space - group.first_space) / group.addresses + group.first_host;
    if bound
        && group.bound_blocks
        && let Some(bound) = &mut hosts[host as usize].bound
    {
        bound.remove(group.span, port);
    }
}

const fn binds(via: Via) -> bool {
    matches!(via, Via::Bind | Via::BindReuseAddress)
}

/// Within what a port of this protocol is unique: UDP's is by address everywhere, SCTP's by host.
pub(super) const fn scope_of(protocol: Protocol, tcp: Scope) -> Scope {
    match protocol {
        Protocol::Tcp => tcp,
        Protocol::Udp => Scope::Address,
        Protocol::Sctp => Scope::Host,
    }
}

/// Addresses and port of a connection: one for each source address and each place it leads to.
pub(super) fn key(protocol: Protocol, space: u32, to: u32, loopback: bool) -> Key {
    let remote = if loopback { 0x7F01_0000 } else { 0xC612_0000_u32 };
    let local = IpAddr::V4(Ipv4Addr::from_bits(0x0A00_0000 + space));
    let remote = IpAddr::V4(Ipv4Addr::from_bits(remote.wrapping_add(to)));
    Key::new(protocol, local, remote, Port::new(443))
}
