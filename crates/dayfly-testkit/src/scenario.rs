//! A situation as data, and the stage that makes it happen in a namespace of its own.
//!
//! The stage remembers what no snapshot of the kernel shows, above all which ports were bound
//! explicitly. So it can say how much room there must be, and ask the kernel how much there is.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};

use crate::{Drained, Namespace, Server, Socket, SocketOptions, drain, drain::is_exhaustion};

/// The clients of [`Action::Accept`] come from ports from here on: keep ranges away from them.
pub const ACCEPTED_CLIENTS_FROM: u16 = 10_000;

/// Settings, and what happens under them, in order. TIME_WAIT is never reused.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// `net.ipv4.ip_local_port_range`, both ends included.
    pub range: (u16, u16),
    /// `net.ipv4.ip_local_reserved_ports`.
    pub reserved: BTreeSet<u16>,
    /// What happens. An action that the kernel refuses for want of a port is left out.
    pub actions: Vec<Action>,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Action {
    /// Connect so many times; a TCP server is there, at a port outside the range.
    Connect {
        /// The client's options; those of UDP make it UDP.
        options: SocketOptions,
        /// Where to; v4-mapped for an IPv6 socket that speaks IPv4.
        to: SocketAddr,
        /// How often.
        count: u16,
        /// What becomes of the connections.
        ending: Ending,
    },
    /// Bind and do no more.
    Hold {
        /// The socket's options.
        options: SocketOptions,
        /// The address and port.
        local: SocketAddr,
    },
    /// Listen.
    Listen {
        /// The socket's options.
        options: SocketOptions,
        /// The address and port.
        local: SocketAddr,
    },
    /// Listen, and accept one connection that comes from a port outside the range.
    Accept {
        /// The listener's address and port.
        local: SocketAddr,
        /// Whether the listener stays open.
        listening: bool,
        /// Whether the connection is closed, from this side first.
        over: bool,
    },
}

/// How connections end, seen from the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Not at all.
    Open,
    /// The client closes, then the server: TIME_WAIT.
    TimeWait,
    /// Only the server closes: CLOSE_WAIT.
    CloseWait,
    /// Only the client closes: FIN_WAIT2, and nobody owns it.
    FinWait,
}

/// What the connections of one destination hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Used {
    /// Usable ports.
    pub ports: usize,
    /// How many of them are in TIME_WAIT.
    pub time_wait: usize,
    /// How many of them somebody has begun to listen on since, which `SO_REUSEADDR` allows. To
    /// who was not there, these look like accepted connections.
    pub on_listener: usize,
}

/// A scenario that has happened; ends with the value.
#[derive(Debug)]
pub struct Stage {
    range: (u16, u16),
    reserved: BTreeSet<u16>,
    kept: Vec<Socket>,
    servers: BTreeMap<SocketAddr, Server>,
    used: BTreeMap<(IpAddr, SocketAddr), BTreeSet<u16>>,
    bound: BTreeSet<u16>,
    listening: BTreeSet<u16>,
    datagram_sources: BTreeSet<IpAddr>,
    time_wait: BTreeMap<(IpAddr, SocketAddr), BTreeSet<u16>>,
    accepted_clients: u16,
    // Last, so that the sockets are closed before the namespace goes.
    namespace: Namespace,
}

impl Stage {
    /// Makes it happen.
    ///
    /// # Panics
    /// When something fails for any other reason than the want of a port.
    #[must_use]
    pub fn play(scenario: &Scenario) -> Stage {
        let namespace = Namespace::new();
        let (low, high) = scenario.range;
        namespace.sysctl("net.ipv4.ip_local_port_range", &format!("{low} {high}"));
        namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
        let reserved: Vec<_> = scenario.reserved.iter().map(u16::to_string).collect();
        namespace.sysctl("net.ipv4.ip_local_reserved_ports", &reserved.join(","));
        let mut stage = Stage {
            range: scenario.range,
            reserved: scenario.reserved.clone(),
            kept: Vec::new(),
            servers: BTreeMap::new(),
            used: BTreeMap::new(),
            bound: BTreeSet::new(),
            listening: BTreeSet::new(),
            datagram_sources: BTreeSet::new(),
            time_wait: BTreeMap::new(),
            accepted_clients: 0,
            namespace,
        };
        for action in &scenario.actions {
            if let Err(error) = stage.act(action)
                && !is_exhaustion(&error)
            {
                panic!("{action:?}: {error}");
            }
        }
        stage
    }

    /// Where it happened.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// Every source address, destination address and port that has a TCP connection (or had one
    /// that is in TIME_WAIT), in the form of IPv4 where mapped.
    pub fn destinations(&self) -> impl Iterator<Item = (IpAddr, SocketAddr)> {
        self.used.keys().copied()
    }

    /// Every local address with a UDP socket on a usable port.
    pub fn datagram_sources(&self) -> impl Iterator<Item = IpAddr> {
        self.datagram_sources.iter().copied()
    }

    /// Every port that connect() may choose.
    pub fn usable(&self) -> impl Iterator<Item = u16> + Clone {
        (self.range.0..=self.range.1).filter(|port| !self.reserved.contains(port))
    }

    /// How many usable ports the connections from there to there hold.
    #[must_use]
    pub fn used(&self, source: IpAddr, destination: SocketAddr) -> Used {
        let place = (source, destination);
        let among = |all: &BTreeMap<_, BTreeSet<u16>>| {
            all.get(&place)
                .map_or(0, |ports| self.usable().filter(|port| ports.contains(port)).count())
        };
        let on_listener = self
            .usable()
            .filter(|port| {
                self.listening.contains(port)
                    && self.used.get(&place).is_some_and(|used| used.contains(port))
            })
            .count();
        Used { ports: among(&self.used), time_wait: among(&self.time_wait), on_listener }
    }

    /// How many more automatic connections there must be room for, knowing everything: all of the
    /// range, and that part of it which has the parity of the low end.
    #[must_use]
    pub fn expected(&self, source: IpAddr, destination: SocketAddr) -> (usize, usize) {
        let used = self.used.get(&(source, destination));
        let free = self.usable().filter(|port| {
            !self.bound.contains(port) && !used.is_some_and(|used| used.contains(port))
        });
        (free.clone().count(), free.filter(|port| port % 2 == self.range.0 % 2).count())
    }

    /// How many more automatic connections the kernel grants, and how many of them before it turns
    /// to the other parity. Leaves everything as it was.
    #[must_use]
    pub fn granted(&self, source: IpAddr, destination: SocketAddr) -> (usize, usize) {
        let plain = SocketOptions::tcp();
        let from_source = plain.bind(SocketAddr::new(source, 0)).address_no_port();
        let drained: Drained = self.namespace.run(|| {
            // Where the route leads to the source by itself, nothing at all need be set.
            let routed = SocketOptions::udp()
                .connect(destination)
                .is_ok_and(|probe| probe.local().ip() == source);
            drain(if routed { &plain } else { &from_source }, destination)
        });
        (drained.ports().len(), drained.before_other_parity(self.range.0))
    }

    fn act(&mut self, action: &Action) -> io::Result<()> {
        match *action {
            Action::Connect { options, to, count, ending } => {
                for _ in 0..count {
                    self.connect(options, to, ending)?;
                }
            }
            Action::Hold { options, local } => {
                let socket = self.namespace.run(|| options.hold(local))?;
                self.keep(options, socket);
            }
            Action::Listen { options, local } => {
                let socket = self.namespace.run(|| options.listen(local))?;
                self.listening.insert(socket.port());
                self.keep(options, socket);
            }
            Action::Accept { local, listening, over } => self.accept(local, listening, over)?,
        }
        Ok(())
    }

    fn connect(
        &mut self,
        options: SocketOptions,
        to: SocketAddr,
        ending: Ending,
    ) -> io::Result<()> {
        let place = SocketAddr::new(to.ip().to_canonical(), to.port());
        if !options.is_tcp() {
            let socket = self.namespace.run(|| options.connect(to))?;
            self.keep(options, socket);
            return Ok(());
        }
        if !self.servers.contains_key(&place) {
            let server = self.namespace.run(|| Server::open(&SocketOptions::tcp(), place))?;
            self.servers.insert(place, server);
        }
        let client = self.namespace.run(|| options.connect(to))?;
        let (source, port) = (client.local().ip().to_canonical(), client.port());
        self.used.entry((source, place)).or_default().insert(port);
        // With SO_REUSEADDR a port that is bound is taken over from TIME_WAIT.
        self.time_wait.entry((source, place)).or_default().remove(&port);
        if options.binds_port() {
            self.bound.insert(port);
        }
        if ending == Ending::Open {
            self.kept.push(client);
            return Ok(());
        }
        let server = self.servers[&place].accept(&client)?;
        match ending {
            Ending::Open => {}
            Ending::TimeWait => {
                client.finish_before(&server);
                server.finish();
                self.time_wait.entry((source, place)).or_default().insert(port);
            }
            Ending::CloseWait => {
                server.finish_before(&client);
                self.kept.push(client);
            }
            Ending::FinWait => {
                client.finish_before(&server);
                self.kept.push(server);
            }
        }
        Ok(())
    }

    fn accept(&mut self, local: SocketAddr, listening: bool, over: bool) -> io::Result<()> {
        let server = self.namespace.run(|| Server::open(&SocketOptions::tcp(), local))?;
        self.bound.insert(local.port());
        let from = SocketAddr::new(local.ip(), ACCEPTED_CLIENTS_FROM + self.accepted_clients);
        self.accepted_clients += 1;
        let options = SocketOptions::tcp().bind(from);
        let (client, accepted) = self.namespace.run(|| server.connected_pair(&options))?;
        if over {
            accepted.finish_before(&client);
            client.finish();
        } else {
            self.kept.extend([client, accepted]);
        }
        if listening {
            self.servers.insert(local, server);
        }
        Ok(())
    }

    fn keep(&mut self, options: SocketOptions, socket: Socket) {
        let local = socket.local();
        if options.is_tcp() {
            self.bound.insert(local.port());
        } else if self.usable().any(|port| port == local.port()) {
            self.datagram_sources.insert(local.ip().to_canonical());
        }
        self.kept.push(socket);
    }
}
