//! What is wanted of a program's connections.

use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use dayfly_ports::{Port, PortSet};

use crate::error::Error;
use crate::launch;
use crate::pinned::Pinned;

/// What is wanted of a program's connections, to start programs with.
///
/// Made by [`Pin::ports`], [`Pin::address`] or [`Pin::whole_range`]; refined by the other methods.
/// Port 0 is never given out.
#[derive(Clone, Debug)]
pub struct Pin {
    pub(crate) wish: Wish,
    pub(crate) address: Option<IpAddr>,
    pub(crate) destinations: Vec<Destination>,
    pub(crate) udp: bool,
    pub(crate) offer: bool,
    pub(crate) strict: bool,
    pub(crate) report: bool,
    pub(crate) via: Via,
}

/// Which source ports are wanted.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// These.
    Ports(Box<PortSet>),
    /// Whichever the kernel chooses.
    AnyPort,
    /// Whichever the kernel chooses among all at once.
    WholeRange,
}

/// How connections are pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Via {
    /// The best way that works here and can do what is wanted: BPF, else seccomp.
    #[default]
    Auto,
    /// Seccomp user notification (Linux 5.6): for everybody, TCP and UDP, 64 and 32 bits. About
    /// 15 microseconds for each connection.
    Seccomp,
    /// A BPF program on a cgroup (Linux 6.9): for root, with cgroup2. Less than a microsecond for
    /// each connection; covers setuid programs and io_uring too, and no datagrams without `connect()`.
    Bpf,
}

/// Where a connection goes: an address and perhaps a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Destination {
    pub(crate) address: IpAddr,
    pub(crate) port: Option<Port>,
}

impl Pin {
    /// Connections go out from one of these ports.
    #[must_use]
    pub fn ports(ports: impl Into<PortSet>) -> Self {
        Pin::new(Wish::Ports(Box::new(ports.into())))
    }

    /// Connections go out from this address of the host, and from a port that the kernel chooses.
    #[must_use]
    pub fn address(address: IpAddr) -> Self {
        Pin::new(Wish::AnyPort).from_address(address)
    }

    /// Every TCP socket gets `IP_LOCAL_PORT_RANGE` over the whole range of automatic ports. The
    /// ports stay the kernel's choice, but it no longer goes through one parity in vain before it
    /// looks at the other: past half full, `connect()` is 10 to 30 times as fast. Linux 6.3.
    #[must_use]
    pub fn whole_range() -> Self {
        Pin::new(Wish::WholeRange)
    }

    fn new(wish: Wish) -> Self {
        Pin {
            wish,
            address: None,
            destinations: Vec::new(),
            udp: false,
            offer: false,
            strict: false,
            report: false,
            via: Via::Auto,
        }
    }

    /// The source address as well. Connections of the other family cannot have it.
    #[must_use]
    pub fn from_address(self, address: IpAddr) -> Self {
        Pin { address: Some(address.to_canonical()), ..self }
    }

    /// Only connections to this address, and this port if one is given; may be called again for
    /// more. Without it all connections are pinned.
    #[must_use]
    pub fn destination(mut self, address: IpAddr, port: Option<Port>) -> Self {
        self.destinations.push(Destination { address: address.to_canonical(), port });
        self
    }

    /// UDP too. A resolver then loses the randomness of its source ports, one of its protections
    /// against forged answers (RFC 5452 section 9.2).
    #[must_use]
    pub const fn udp(mut self, udp: bool) -> Self {
        self.udp = udp;
        self
    }

    /// Sockets that the program binds to any port (`bind()` with port 0, `listen()` without
    /// `bind()`), TCP and UDP, get one of the ports as well.
    #[must_use]
    pub const fn offer(mut self, offer: bool) -> Self {
        self.offer = offer;
        self
    }

    /// A connection that can have none of the ports fails instead of going out from another one.
    #[must_use]
    pub const fn strict(mut self, strict: bool) -> Self {
        self.strict = strict;
        self
    }

    /// Tell about every connection ([`Pinned::try_next`]), not only of those that missed.
    #[must_use]
    pub const fn report(mut self, report: bool) -> Self {
        self.report = report;
        self
    }

    /// How.
    #[must_use]
    pub const fn via(mut self, via: Via) -> Self {
        self.via = via;
        self
    }

    /// Starts the program: returns when it runs, or when it could not be run.
    ///
    /// Standard input, output and error are those of the caller or what the command was given; hand
    /// over an end of [`std::io::pipe`] where [`Stdio::piped`](std::process::Stdio::piped) would be
    /// used with [`Command::spawn`]. The program is a child of a supervisor, a small process that
    /// is made by `fork()` of the caller and lives as long as anything that the program started.
    ///
    /// # Errors
    /// [`Error`] says what stood in the way. Nothing runs then.
    pub fn spawn(&self, command: &mut Command) -> Result<Pinned, Error> {
        if let Wish::Ports(ports) = &self.wish
            && ports.iter().all(|port| port == Port::MIN)
        {
            return Err(Error::NoPort);
        }
        launch::spawn(self, command)
    }
}

impl Destination {
    /// Whether a connection to `there` is one to this.
    pub(crate) fn is(self, there: SocketAddr) -> bool {
        self.address == there.ip() && self.port.is_none_or(|port| port.number() == there.port())
    }
}
