//! How many more connections each destination can take: sockets in, totals out.
//!
//! # The rules, Linux
//! `connect()` without a bound port looks for a port in `__inet_hash_connect`
//! (`net/ipv4/inet_hashtables.c`). It refuses a port
//! - that is outside the range or reserved: not *usable*;
//! - whose bind bucket somebody bound explicitly, whatever the address: *blocked* for every
//!   destination (buckets are per namespace and port, not per address);
//! - whose tuple to this very destination exists: *used*. TIME_WAIT counts, unless it is old
//!   enough to be taken over: *reusable*.
//!
//! What is left is *free*. The ports of the parity of the range's low end are tried first; when
//! none of them is free ([`Destination::fast_free`] is 0) every `connect()` walks half the range
//! before it finds one. That is the cliff.
//!
//! A range with an odd number of ports has one more twist: each call looks at all ports but one
//! (`remaining &= ~1U`), the low or the high end. [`Destination::free_min`] leaves that port out.
//! With three ports it is always the high end, which is therefore blocked.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use crate::datagram::DatagramFold;
use crate::port_bag::PortBag;
use crate::suspicion::Suspects;
use crate::{Settings, Socket, State, UdpSource};

/// What connections compete for a port under: one row of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DestinationKey {
    /// The transport: TCP or SCTP. UDP has no limit per destination, see [`UdpSource`].
    pub protocol: Protocol,
    /// The address on this host.
    pub source: IpAddr,
    /// The peer's address.
    pub destination: IpAddr,
    /// The peer's port.
    pub port: Port,
}

impl DestinationKey {
    /// The row that TCP connections from `source` to `destination` count under.
    #[must_use]
    pub fn tcp(source: IpAddr, destination: SocketAddr) -> Self {
        DestinationKey {
            protocol: Protocol::Tcp,
            source: source.to_canonical(),
            destination: destination.ip().to_canonical(),
            port: destination.port().into(),
        }
    }

    /// The peer's address and port.
    #[must_use]
    pub fn remote(&self) -> SocketAddr {
        SocketAddr::new(self.destination, self.port.number())
    }
}

impl fmt::Display for DestinationKey {
    /// `tcp 192.0.2.1 -> 198.51.100.7:443`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} -> {}", self.protocol, self.source, self.remote())
    }
}

/// What one source address has left towards one destination. All counts are ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// From where to where.
    pub key: DestinationKey,
    /// The range without the reserved ports.
    pub usable: u32,
    /// Usable ports whose tuple to this destination exists, TIME_WAIT included.
    pub used: u32,
    /// Those of `used` that are in TIME_WAIT.
    pub time_wait: u32,
    /// Those of `time_wait` that the kernel would take over now.
    pub reusable: u32,
    /// Further usable ports that no automatic connect can take: listeners and bound sockets.
    pub blocked: u32,
    /// Further ports that may be blocked too, held by connections to other destinations that
    /// look bound by hand. 0 once a probe has asked the kernel.
    pub suspected: u32,
    /// What is left: `usable - used - blocked`.
    pub free: u32,
    /// What is left at least: `free` without the suspected ports.
    pub free_min: u32,
    /// The free ports of the parity that `connect()` tries first. 0: past the cliff.
    pub fast_free: u32,
}

impl Destination {
    /// The share of the usable ports that is not free, 0 to 1. 1 when nothing is usable.
    #[must_use]
    pub fn fill(&self) -> f64 {
        fill(self.usable, self.free)
    }

    /// Whether every further `connect()` has to search the slow way.
    #[must_use]
    pub fn past_cliff(&self) -> bool {
        self.key.protocol == Protocol::Tcp && self.fast_free == 0
    }
}

/// How many sockets a namespace has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// TCP sockets of every state; those below are part of it.
    pub tcp: u64,
    /// TCP in TIME_WAIT.
    pub time_wait: u64,
    /// TCP bound to a port, neither connected nor listening.
    pub bound_inactive: u64,
    /// TCP listeners.
    pub listeners: u64,
    /// MPTCP connections. Each is made of TCP sockets, its subflows, that hold a port each and
    /// are counted above.
    pub mptcp: u64,
    /// UDP sockets.
    pub udp: u64,
    /// SCTP sockets and associations.
    pub sctp: u64,
}

/// What one namespace has left.
#[derive(Clone, Debug, PartialEq)]
pub struct Headroom {
    /// The settings it was judged by.
    pub settings: Settings,
    /// Its sockets.
    pub counts: Counts,
    /// What a TCP destination without a connection has left: the usable ports that nobody is
    /// seen to block.
    pub open: u32,
    /// The usable ports that no TCP socket has at all, in whatever state: what `bind()` to port 0 on
    /// all addresses finds, before a program listens for an answer (active FTP).
    pub unused: u32,
    /// Every destination with a connection from a usable port, fullest first.
    pub destinations: Vec<Destination>,
    /// Every local address with a UDP socket, fullest first.
    pub udp_sources: Vec<UdpSource>,
}

impl Headroom {
    /// How many ports TCP connections can be handed at all.
    #[must_use]
    pub fn usable(&self) -> u32 {
        self.settings.usable(Protocol::Tcp).len()
    }
}

/// Folds sockets into totals as they arrive.
///
/// Feed listeners and bound sockets before connections (the kernel dumps them so): a connection
/// on a listener's port was accepted, not opened, and is not counted.
#[derive(Debug)]
pub struct Fold {
    settings: Settings,
    counts: Counts,
    tcp: Connections,
    sctp: Connections,
    udp: DatagramFold,
}

impl Fold {
    /// A fold without sockets. `seed` shuffles its hash table, so that nobody who can choose
    /// addresses can make it slow; it has no influence on the result.
    #[must_use]
    pub fn new(settings: Settings, seed: u64) -> Self {
        let connections = |protocol| {
            let range = settings.range(protocol);
            Connections::new(protocol, range, settings.usable(protocol), seed)
        };
        Fold {
            counts: Counts::default(),
            tcp: connections(Protocol::Tcp),
            sctp: connections(Protocol::Sctp),
            udp: DatagramFold::new(settings.usable(Protocol::Udp)),
            settings,
        }
    }

    /// Takes one socket in.
    pub fn add(&mut self, socket: &Socket) {
        match socket.tuple.protocol {
            Protocol::Tcp => {
                self.counts.tcp += 1;
                match socket.state {
                    State::TimeWait => self.counts.time_wait += 1,
                    State::Listen => self.counts.listeners += 1,
                    State::BoundInactive => self.counts.bound_inactive += 1,
                    _ => {}
                }
                self.tcp.add(socket, &self.settings);
            }
            Protocol::Sctp => {
                self.counts.sctp += 1;
                self.sctp.add(socket, &self.settings);
            }
            Protocol::Udp => {
                self.counts.udp += 1;
                self.udp.add(socket);
            }
        }
    }

    /// Takes in how many MPTCP connections there are; their subflows are added as TCP sockets.
    pub fn add_mptcp(&mut self, connections: u64) {
        self.counts.mptcp += connections;
    }

    /// Asks for a row of this destination even if no connection to it exists.
    pub fn include(&mut self, key: DestinationKey) {
        match key.protocol {
            Protocol::Tcp => self.tcp.include(key),
            Protocol::Sctp => self.sctp.include(key),
            Protocol::Udp => {}
        }
    }

    /// The TCP ports whose bind bucket the sockets alone do not settle: held by connections,
    /// claimed by nobody visible. What a probe has to ask the kernel about.
    #[must_use]
    pub fn unsettled(&self) -> PortSet {
        &*self.tcp.held - &*self.tcp.claimed
    }

    /// Takes the kernel's answer in: `bound` are those of [`Fold::unsettled`] that no automatic
    /// connect can take. Nothing is suspected afterwards.
    pub fn settle(&mut self, bound: &PortSet) {
        *self.tcp.claimed |= bound;
        self.tcp.settled = true;
    }

    /// The report.
    #[must_use]
    pub fn finish(self) -> Headroom {
        let open = self.tcp.open();
        let unused = self.tcp.unused(open.clone()).len();
        let open = open.len();
        let mut destinations = self.tcp.finish();
        destinations.extend(self.sctp.finish());
        destinations.sort_by(|a, b| {
            let fuller = b.fill().total_cmp(&a.fill());
            fuller.then(b.used.cmp(&a.used)).then(a.key.cmp(&b.key))
        });
        Headroom {
            settings: self.settings,
            counts: self.counts,
            open,
            unused,
            destinations,
            udp_sources: self.udp.finish(),
        }
    }
}

/// The share of `usable` that is not `free`; 1 when there is nothing to have.
pub(crate) fn fill(usable: u32, free: u32) -> f64 {
    if usable == 0 { 1.0 } else { f64::from(usable - free) / f64::from(usable) }
}

pub(crate) type Table = HashMap<DestinationKey, Use, foldhash::fast::FixedState>;

/// The ports in use towards one destination.
#[derive(Debug)]
pub(crate) struct Use {
    pub(crate) ports: PortBag,
    pub(crate) used: u32,
    time_wait: u32,
    reusable: u32,
}

impl Use {
    const fn new() -> Self {
        Use { ports: PortBag::new(), used: 0, time_wait: 0, reusable: 0 }
    }
}

/// The connections of one protocol.
#[derive(Debug)]
struct Connections {
    protocol: Protocol,
    range: Option<PortRange>,
    usable: Box<PortSet>,
    /// Usable ports with a listener or a bound socket.
    claimed: Box<PortSet>,
    /// Usable ports with a connection that was not accepted.
    held: Box<PortSet>,
    /// Every port with a listener, usable or not.
    listening: Box<PortSet>,
    listeners: HashMap<Port, Vec<Listener>, foldhash::fast::FixedState>,
    table: Table,
    settled: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Listener {
    pub(crate) address: IpAddr,
    pub(crate) v6_only: bool,
}

impl Connections {
    fn new(protocol: Protocol, range: Option<PortRange>, usable: PortSet, seed: u64) -> Self {
        let hasher = foldhash::fast::FixedState::with_seed(seed);
        let mut claimed: Box<PortSet> = Box::default();
        if let Some(range) = range.filter(|range| protocol == Protocol::Tcp && range.len() == 3) {
            claimed.extend(Some(range.high()).filter(|&high| usable.contains(high)));
        }
        Connections {
            protocol,
            range,
            usable: Box::new(usable),
            claimed,
            held: Box::default(),
            listening: Box::default(),
            listeners: HashMap::with_hasher(hasher.clone()),
            table: HashMap::with_hasher(hasher),
            settled: false,
        }
    }

    fn add(&mut self, socket: &Socket, settings: &Settings) {
        let tuple = socket.tuple.canonical();
        let port = tuple.local_port;
        let usable = self.usable.contains(port);
        match socket.state {
            State::Listen => {
                self.listening.insert(port);
                let listener = Listener { address: tuple.local_address, v6_only: socket.v6_only };
                self.listeners.entry(port).or_default().push(listener);
                if usable {
                    self.claimed.insert(port);
                }
            }
            State::BoundInactive | State::Close => {
                if usable {
                    self.claimed.insert(port);
                }
            }
            _ if !usable || self.was_accepted(tuple.local_address, port) => {}
            _ => {
                self.held.insert(port);
                if self.protocol == Protocol::Sctp {
                    // sctp_get_port_local hands out a port only if nobody at all has it.
                    self.claimed.insert(port);
                }
                let key = DestinationKey {
                    protocol: self.protocol,
                    source: tuple.local_address,
                    destination: tuple.remote_address,
                    port: tuple.remote_port,
                };
                let found = self.table.entry(key).or_insert_with(Use::new);
                if found.ports.insert(port) {
                    found.used += 1;
                    found.time_wait += u32::from(socket.state == State::TimeWait);
                    found.reusable += u32::from(settings.reuses(socket));
                }
            }
        }
    }

    fn include(&mut self, key: DestinationKey) {
        self.table.entry(key).or_insert_with(Use::new);
    }

    fn was_accepted(&self, local_address: IpAddr, port: Port) -> bool {
        self.listening.contains(port)
            && self
                .listeners
                .get(&port)
                .is_some_and(|all| all.iter().any(|listener| listener.hears(local_address)))
    }

    /// The usable ports that nobody is seen to have claimed.
    fn open(&self) -> PortSet {
        &*self.usable - &*self.claimed
    }

    /// Those of the open ports that no connection has.
    fn unused(&self, open: PortSet) -> PortSet {
        let mut taken = Box::new(PortSet::EMPTY);
        self.table.values().for_each(|found| found.ports.add_to(&mut taken));
        &open - &taken
    }

    fn finish(self) -> Vec<Destination> {
        let Some(range) = self.range else { return Vec::new() };
        let open = self.open();
        let fast = open.of_parity(range.low());
        let suspects = if self.settled || self.protocol != Protocol::Tcp {
            PortSet::EMPTY
        } else {
            Suspects::new(range, &open).of(&self.table)
        };
        let lone_ends = lone_ends(range, &open);
        let usable = self.usable.len();
        let row = |(key, found): (&DestinationKey, &Use)| {
            let used_open = found.ports.intersection_len(&open);
            let free = open.len() - used_open;
            let suspected = suspects.len() - found.ports.intersection_len(&suspects);
            let end_missed = lone_ends.len() > found.ports.intersection_len(&lone_ends);
            let fast_free = match self.protocol {
                Protocol::Tcp => fast.len() - found.ports.intersection_len(&fast),
                Protocol::Udp | Protocol::Sctp => free,
            };
            Destination {
                key: *key,
                usable,
                used: found.used,
                time_wait: found.time_wait,
                reusable: found.reusable,
                blocked: usable - found.used - free,
                suspected,
                free,
                free_min: free.saturating_sub(suspected + u32::from(end_missed)),
                fast_free,
            }
        };
        self.table.iter().map(row).collect()
    }
}

impl Listener {
    /// Whether a connection that arrives for `address` reaches this listener.
    pub(crate) fn hears(self, address: IpAddr) -> bool {
        if !self.address.is_unspecified() {
            return self.address == address;
        }
        match self.address {
            IpAddr::V4(_) => address.is_ipv4(),
            IpAddr::V6(_) => address.is_ipv6() || !self.v6_only,
        }
    }
}

/// The ends of a range with an odd number of ports, as far as they are open: each call of
/// `__inet_hash_connect` passes over one of them. Empty for other ranges.
fn lone_ends(range: PortRange, open: &PortSet) -> PortSet {
    let odd = range.len() % 2 == 1 && range.len() > 3;
    let ends = [range.low(), range.high()];
    ends.into_iter().filter(|&end| odd && open.contains(end)).collect()
}
