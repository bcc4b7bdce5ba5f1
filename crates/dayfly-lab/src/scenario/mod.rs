//! What is to be simulated: hosts, destinations, workloads, and a NAT in between.
//!
//! A scenario is read from TOML ([`Scenario::parse`]); `docs/scenario.md` has every key. What is
//! read is resolved: names have become indices, defaults are filled in, and no range is empty.

mod behaviour;
mod draws;
mod error;
mod presets;
mod quantity;
mod resolve;
mod shipped;
mod written;

#[cfg(test)]
mod tests;

use dayfly_alloc::strategy::{LinuxVersion, NetBsdAlgorithm};
use dayfly_ports::{PortRange, PortSet, Protocol};

pub use error::ScenarioError;
pub use presets::{Preset, PresetKind, preset};

pub use quantity::{Distribution, Nanos, SECOND, Seconds};
pub use shipped::{SHIPPED, Shipped};

pub(crate) use draws::{exponential, nearest};

/// What is to be simulated.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// What it is called.
    pub title: String,
    /// What it is about.
    pub about: String,
    /// Where the random numbers start.
    pub seed: u64,
    /// How long it takes.
    pub duration: Nanos,
    /// How many points its curves have.
    pub samples: u32,
    /// Whether it ends with the first connection that fails.
    pub stop_at_failure: bool,
    /// Groups of equal hosts.
    pub hosts: Vec<HostGroup>,
    /// Groups of equal destinations.
    pub destinations: Vec<DestinationGroup>,
    /// What the hosts do.
    pub workloads: Vec<Workload>,
    /// What stands between hosts and destinations.
    pub nat: Option<Nat>,
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// [`ScenarioError`], with line and column.
    pub fn parse(text: &str) -> Result<Scenario, ScenarioError> {
        let written = toml::from_str(text).map_err(|error| ScenarioError::of_toml(text, &error))?;
        resolve::resolve(text, &written)
    }
}

/// Equal hosts.
#[derive(Clone, Debug)]
pub struct HostGroup {
    /// Its name.
    pub name: String,
    /// Its operating system or stack, by the name it was found by.
    pub system: String,
    /// How it chooses ports, and what it forbids.
    pub behaviour: Behaviour,
    /// How many there are.
    pub count: u32,
    /// How many source addresses each has, used in turn.
    pub addresses: u32,
    /// What ports are handed out from.
    pub range: PortRange,
    /// Never handed out.
    pub reserved: PortSet,
    /// Ports that listeners hold.
    pub listeners: PortSet,
    /// How long TIME_WAIT lasts.
    pub time_wait: Nanos,
    /// At most so many TIME_WAITs; more are cut short.
    pub max_time_wait: Option<u32>,
    /// When a port in TIME_WAIT may be connected from again, to the same destination.
    pub reuse: Reuse,
}

impl HostGroup {
    /// How many ports connections can be handed: the range without what is reserved or listened on.
    #[must_use]
    pub fn usable(&self) -> u32 {
        let taken = &self.reserved | &self.listeners;
        (&PortSet::from(self.range) - &taken).len()
    }
}

/// When TIME_WAIT gives way (`net.ipv4.tcp_tw_reuse`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// Never.
    Never,
    /// After so long, towards loopback addresses only.
    Loopback(Nanos),
    /// After so long.
    Everywhere(Nanos),
}

/// How a system hands out ports. `simulate/behaviour.rs` has the table of systems.
#[derive(Clone, Debug, PartialEq)]
pub struct Behaviour {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// Within what a port of TCP is unique.
    pub tcp: Scope,
    /// What connect() says when there is no port.
    pub connect_error: &'static str,
    /// What bind() says.
    pub bind_error: &'static str,
    /// What UDP's connect() or sendto() says.
    pub udp_error: &'static str,
}

/// Which algorithm picks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Algorithm {
    /// Linux' own for each kind of call.
    Linux(LinuxVersion),
    /// FreeBSD's, DragonFly's.
    FreeBsd,
    /// OpenBSD's.
    OpenBsd,
    /// NetBSD's, by its names.
    NetBsd(NetBsdAlgorithm),
    /// illumos' and Solaris'.
    Illumos,
    /// A counter from the low end.
    Sequential,
    /// A counter from a random place.
    SequentialFromRandom,
    /// XNU: TCP from a counter, UDP from a random start.
    Xnu,
    /// What is documented of Windows.
    Windows,
    /// RFC 6056 algorithms 1 to 5.
    Rfc6056(u8),
    /// Every free port as likely as the others.
    Uniform,
    /// Netfilter's, for a NAT.
    Netfilter,
    /// VPP's ten draws, for a NAT.
    Vpp,
}

/// Within what a port is unique.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The tuple: each destination has all ports.
    Tuple,
    /// The local address: a port serves one connection, wherever it leads.
    Address,
    /// The host, whatever the address.
    Host,
}

/// Equal destinations.
#[derive(Clone, Debug)]
pub struct DestinationGroup {
    /// Its name.
    pub name: String,
    /// The port connected to.
    pub port: u16,
    /// How many addresses there are.
    pub count: u32,
    /// How long the server keeps TIME_WAIT, where it closes first.
    pub time_wait: Nanos,
    /// Whether it is on the host itself, which matters to TIME_WAIT reuse.
    pub loopback: bool,
}

/// What hosts do.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name.
    pub name: String,
    /// Index into the scenario's hosts.
    pub host: usize,
    /// Index into the scenario's destinations.
    pub destination: usize,
    /// The transport.
    pub protocol: Protocol,
    /// When something begins.
    pub pace: Pace,
    /// At most so many beginnings, over all hosts.
    pub count: Option<u64>,
    /// From when on.
    pub start: Nanos,
    /// Until when.
    pub stop: Nanos,
    /// How long a connection, request or file takes.
    pub duration: Distribution,
    /// Who closes first.
    pub closes: Closes,
    /// How the port is asked for.
    pub via: Via,
    /// What it is that begins.
    pub task: Task,
}

/// When connections, requests or sessions begin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Pace {
    /// Independently of each other, so many a second on each host.
    Poisson(f64),
    /// At equal distances, so many a second on each host.
    Constant(f64),
    /// So many a second on each host on average, so many at once.
    Bursts(f64, u32),
    /// Each host has so many going on at a time, each followed by the next after a pause.
    Parallel(u32, Nanos),
}

/// Who closes first, and so keeps TIME_WAIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closes {
    /// The client.
    Client,
    /// The server.
    Server,
    /// Either, with a reset: nobody keeps TIME_WAIT.
    Reset,
}

/// How a port is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// connect() alone, or after bind() with `IP_BIND_ADDRESS_NO_PORT`.
    Connect,
    /// connect() with `IP_LOCAL_PORT_RANGE`.
    OwnRange,
    /// bind() to port 0 first.
    Bind,
    /// The same with `SO_REUSEADDR`.
    BindReuseAddress,
}

/// What begins.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Task {
    /// A connection (or a UDP query, an SCTP association).
    Connection,
    /// A request over a connection that is kept.
    KeepAlive {
        /// How long a connection may be idle.
        idle: Nanos,
        /// After so many requests it is closed.
        requests: u32,
    },
    /// An FTP session.
    Ftp {
        /// Whether the server connects back.
        active: bool,
        /// Files of a session.
        files: u32,
        /// How many ports the server offers for passive mode.
        passive_ports: u32,
        /// Whether a session ends with QUIT, on which the server closes first.
        quit: bool,
    },
    /// A connection of somebody who then guesses the victim's next port.
    Predict {
        /// Index into the scenario's workloads.
        victim: usize,
        /// Guesses for each of the victim's connections.
        guesses: u32,
    },
}

/// A NAT between all hosts and all destinations.
#[derive(Clone, Debug)]
pub struct Nat {
    /// How it picks.
    pub algorithm: Algorithm,
    /// How many public addresses, host by host in turn.
    pub addresses: u32,
    /// What it picks from.
    pub range: PortRange,
    /// Ports of each host, if each has a block of its own.
    pub block: Option<u32>,
    /// Whether it keeps the host's own port where that is free.
    pub keeps_port: bool,
    /// Within what a port is unique: the tuple or the public address.
    pub scope: Scope,
    /// How long a mapping is kept after the connection.
    pub hold: Nanos,
}
