//! The zero-packet oracle: ask the kernel's own port search, without sending anything.
//!
//! A TCP socket in repair mode runs the search of `connect()` and then stops: it is established on
//! the spot and no SYN leaves (`tcp_connect` in `net/ipv4/tcp_output.c`). Closed while still in
//! repair mode it goes without a FIN, a RST or a TIME_WAIT. Between the two, for microseconds, the
//! port is held to that one destination. `IP_LOCAL_PORT_RANGE` narrowed to one port turns "is there
//! a port" into "is it this one".
//!
//! Every question is asked in the network namespace of the calling thread, and answered for a plain
//! `connect()` that picks its own port: not for a socket that binds a port first.
//!
//! Two things are not left as they were. The counter `TcpEstabResets` grows by one for every port
//! found (`tcp_set_state`: from established straight to closed). And where the kernel would reuse a
//! TIME_WAIT entry (`net.ipv4.tcp_tw_reuse`), a probe that lands on it uses it up, as a connection
//! would: ask about other ports, or not at all, where that entry still matters.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::{Duration, Instant};

use dayfly_ports::{ParseRangeError, Port, PortRange, PortSet};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType};

use crate::sockopt;

/// More threads than this would only fight for the same hash buckets.
const MOST_THREADS: usize = 8;
/// Fewer questions than this are answered before a thread has started.
const FEWEST_PER_THREAD: usize = 256;
const RANGE_SYSCTL: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// The right to ask, proven once.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    range: PortRange,
}

impl Probe {
    /// Proves in the calling thread's network namespace that the questions can be asked.
    ///
    /// # Errors
    /// [`ProbeErrorKind::Privilege`] without `CAP_NET_ADMIN`, [`ProbeErrorKind::Kernel`] before
    /// Linux 6.3, [`ProbeErrorKind::Range`] when the namespace's range cannot be read.
    pub fn new() -> Result<Self, ProbeError> {
        let range = std::fs::read_to_string(RANGE_SYSCTL)
            .map_err(|error| ProbeErrorKind::Range(error.to_string()))?
            .parse()
            .map_err(|error: ParseRangeError| ProbeErrorKind::Range(error.to_string()))?;
        let probe = Probe { range };
        let socket = repair_socket(AddressFamily::INET)?;
        narrow(&socket, range)?;
        Ok(probe)
    }

    /// The namespace's range of automatic ports, as it was when the probe was made.
    #[must_use]
    pub const fn range(&self) -> PortRange {
        self.range
    }

    /// Whether a plain `connect()` to `destination` could use this very port.
    ///
    /// `source` is the local address; without one the route chooses it, as it does for a program
    /// that does not bind.
    ///
    /// # Errors
    /// When the question has no answer: no route, a source that is not this host's, a refusal by
    /// the kernel that has nothing to do with ports.
    pub fn port(
        &self,
        source: Option<IpAddr>,
        destination: SocketAddr,
        port: Port,
    ) -> Result<PortVerdict, ProbeError> {
        // The kernel ignores a range outside its own, and would answer for any port.
        if !self.range.contains(port) {
            return Ok(PortVerdict::OutsideRange);
        }
        let (socket, _) = match ask(source, destination, Some(PortRange::single(port)))? {
            Answer::Connected(socket, elapsed) => (socket, elapsed),
            Answer::NoPort(_) => return Ok(PortVerdict::Taken),
        };
        // A range changed since the probe was made shows here.
        if local_port(&socket)? == port {
            Ok(PortVerdict::Free)
        } else {
            Ok(PortVerdict::OutsideRange)
        }
    }

    /// Whether the port is lost to every automatic `connect()` of this family, whatever the
    /// destination: someone listens on it, or bound it before connecting, or it is reserved.
    ///
    /// Asked with the loopback address and port 0, a tuple that no connection has.
    ///
    /// # Errors
    /// As [`Probe::port`]; [`ProbeErrorKind::NoRoute`] when the namespace's loopback is down.
    pub fn bucket(&self, family: Family, port: Port) -> Result<PortVerdict, ProbeError> {
        let loopback: IpAddr = match family {
            Family::V4 => Ipv4Addr::LOCALHOST.into(),
            Family::V6 => Ipv6Addr::LOCALHOST.into(),
        };
        self.port(None, SocketAddr::new(loopback, 0), port)
    }

    /// Those of `ports` that are lost to every automatic `connect()`: [`Probe::bucket`] for many,
    /// several at a time, with one socket for each thread.
    ///
    /// # Errors
    /// As [`Probe::bucket`].
    pub fn buckets(&self, ports: &PortSet) -> Result<PortSet, ProbeError> {
        let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
        let ports: Vec<Port> = ports.iter().collect();
        let share = ports.len().div_ceil(threads).max(FEWEST_PER_THREAD);
        let mut lost = PortSet::EMPTY;
        thread::scope(|scope| {
            // A thread starts in the network namespace of the one that makes it.
            let shares: Vec<_> = ports
                .chunks(share)
                .map(|share| scope.spawn(move || self.buckets_of(share)))
                .collect();
            for share in shares {
                match share.join() {
                    Ok(found) => lost.extend(found?),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            Ok(lost)
        })
    }

    fn buckets_of(&self, ports: &[Port]) -> Result<Vec<Port>, ProbeError> {
        let nowhere = SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 0);
        let mut lost = Vec::new();
        let mut socket = repair_socket(AddressFamily::INET)?;
        for &port in ports {
            if !self.range.contains(port) {
                lost.push(port);
                continue;
            }
            narrow(&socket, PortRange::single(port))?;
            match rustix::net::connect(&socket, &nowhere) {
                Ok(()) if rustix::net::connect_unspec(&socket).is_ok() => {}
                // A socket that does not let go of its port would spoil the next answer.
                Ok(()) => socket = repair_socket(AddressFamily::INET)?,
                Err(Errno::ADDRNOTAVAIL) => lost.push(port),
                Err(Errno::NETUNREACH | Errno::HOSTUNREACH) => {
                    return Err(ProbeErrorKind::NoRoute(nowhere.ip()).into());
                }
                Err(errno) => return Err(refused("connect")(errno)),
            }
        }
        Ok(lost)
    }

    /// Runs the whole search, as a plain `connect()` to `destination` would now, and says what it
    /// cost.
    ///
    /// # Errors
    /// As [`Probe::port`].
    pub fn any(
        &self,
        source: Option<IpAddr>,
        destination: SocketAddr,
    ) -> Result<Search, ProbeError> {
        self.search(source, destination, None)
    }

    /// Like [`Probe::any`] for a socket that set `IP_LOCAL_PORT_RANGE` to `range`: the kernel then
    /// walks every port in turn, without preferring a parity.
    ///
    /// # Errors
    /// As [`Probe::port`].
    pub fn any_in(
        &self,
        source: Option<IpAddr>,
        destination: SocketAddr,
        range: PortRange,
    ) -> Result<Search, ProbeError> {
        self.search(source, destination, Some(range))
    }

    fn search(
        &self,
        source: Option<IpAddr>,
        destination: SocketAddr,
        range: Option<PortRange>,
    ) -> Result<Search, ProbeError> {
        Ok(match ask(source, destination, range)? {
            Answer::Connected(socket, elapsed) => {
                Search { port: Some(local_port(&socket)?), elapsed }
            }
            Answer::NoPort(elapsed) => Search { port: None, elapsed },
        })
    }
}

/// The address family of a bucket question. The bucket itself is one per port for both (even a
/// listener with `IPV6_V6ONLY` takes it from IPv4); a namespace may lack one family's loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// What the kernel says of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortVerdict {
    /// `connect()` would take it.
    Free,
    /// `connect()` passes over it: the tuple exists, the bucket is bound, or the port is reserved.
    Taken,
    /// It is no automatic port: it lies outside `net.ipv4.ip_local_port_range`.
    OutsideRange,
}

/// What one whole search found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Search {
    /// The port that a connection would have got; nothing when `connect()` fails with
    /// `EADDRNOTAVAIL`.
    pub port: Option<Port>,
    /// How long the kernel took, route look-up and socket set-up within `connect()` included.
    pub elapsed: Duration,
}

/// A question that the kernel would not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeError {
    kind: ProbeErrorKind,
}

impl ProbeError {
    /// What stood in the way.
    #[must_use]
    pub const fn kind(&self) -> &ProbeErrorKind {
        &self.kind
    }

    /// What the reader can do about it, if anything.
    #[must_use]
    pub const fn hint(&self) -> Option<&'static str> {
        match self.kind {
            ProbeErrorKind::Privilege => Some(
                "run the same command with sudo, or allow it for good with \
                 `sudo setcap cap_net_admin+ep \"$(command -v dayfly)\"`",
            ),
            ProbeErrorKind::Kernel => Some("without the probe the model answers alone"),
            ProbeErrorKind::NoRoute(_) => {
                Some("`ip route get ADDRESS` says which route is missing")
            }
            ProbeErrorKind::SourceNotLocal(_) => Some("`ip address` lists this host's addresses"),
            ProbeErrorKind::Range(_) | ProbeErrorKind::Other { .. } => None,
        }
    }
}

/// What stood in the way of a probe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeErrorKind {
    /// No `CAP_NET_ADMIN` over the network namespace.
    Privilege,
    /// The kernel has no `IP_LOCAL_PORT_RANGE` or no `TCP_REPAIR`.
    Kernel,
    /// `net.ipv4.ip_local_port_range` could not be read; the cause.
    Range(String),
    /// No route leads to this address.
    NoRoute(IpAddr),
    /// This source address is not one of the namespace.
    SourceNotLocal(IpAddr),
    /// Another refusal, with the call that met it.
    Other {
        /// The system call.
        call: &'static str,
        /// Its error.
        errno: Errno,
    },
}

impl From<ProbeErrorKind> for ProbeError {
    fn from(kind: ProbeErrorKind) -> Self {
        ProbeError { kind }
    }
}

impl fmt::Display for ProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ProbeErrorKind::Privilege => f.write_str(
                "asking the kernel's own port search needs CAP_NET_ADMIN in this network namespace",
            ),
            ProbeErrorKind::Kernel => f.write_str(
                "this kernel cannot be asked about one port: it has no IP_LOCAL_PORT_RANGE \
                 (Linux 6.3) or no TCP_REPAIR",
            ),
            ProbeErrorKind::Range(cause) => write!(f, "{RANGE_SYSCTL} could not be read: {cause}"),
            ProbeErrorKind::NoRoute(address) => write!(f, "no route leads to {address}"),
            ProbeErrorKind::SourceNotLocal(address) => {
                write!(f, "{address} is not an address of this host, or not of the same family")
            }
            ProbeErrorKind::Other { call, errno } => {
                write!(f, "the kernel refused the port probe: {call}: {errno}")
            }
        }
    }
}

impl std::error::Error for ProbeError {}

/// `connect()` in repair mode: a socket that holds its port until it is dropped, or no port.
enum Answer {
    Connected(OwnedFd, Duration),
    NoPort(Duration),
}

fn ask(
    source: Option<IpAddr>,
    destination: SocketAddr,
    range: Option<PortRange>,
) -> Result<Answer, ProbeError> {
    let family = match destination {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let socket = repair_socket(family)?;
    if let Some(range) = range {
        narrow(&socket, range)?;
    }
    if let Some(source) = source {
        sockopt::set_ip_bind_address_no_port(&socket).map_err(refused("setsockopt"))?;
        bind(&socket, source, destination)?;
    }
    let start = Instant::now();
    let result = rustix::net::connect(&socket, &destination);
    let elapsed = start.elapsed();
    match result {
        Ok(()) => Ok(Answer::Connected(socket, elapsed)),
        Err(Errno::ADDRNOTAVAIL) => Ok(Answer::NoPort(elapsed)),
        Err(Errno::NETUNREACH | Errno::HOSTUNREACH) => {
            Err(ProbeErrorKind::NoRoute(destination.ip()).into())
        }
        Err(errno) => Err(refused("connect")(errno)),
    }
}

fn repair_socket(family: AddressFamily) -> Result<OwnedFd, ProbeError> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)
        .map_err(refused("socket"))?;
    // Never connect without this: the option is what keeps packets from leaving.
    sockopt::set_tcp_repair(&socket).map_err(|errno| match errno {
        Errno::PERM => ProbeErrorKind::Privilege.into(),
        Errno::NOPROTOOPT => ProbeErrorKind::Kernel.into(),
        errno => refused("setsockopt")(errno),
    })?;
    Ok(socket)
}

fn narrow(socket: &OwnedFd, range: PortRange) -> Result<(), ProbeError> {
    sockopt::set_ip_local_port_range(socket, range).map_err(|errno| match errno {
        Errno::NOPROTOOPT => ProbeErrorKind::Kernel.into(),
        errno => refused("setsockopt")(errno),
    })
}

fn bind(socket: &OwnedFd, source: IpAddr, destination: SocketAddr) -> Result<(), ProbeError> {
    let mut local = SocketAddr::new(source, 0);
    // A link-local source means the link of its destination.
    if let (SocketAddr::V6(local), SocketAddr::V6(destination)) = (&mut local, destination) {
        local.set_scope_id(destination.scope_id());
    }
    rustix::net::bind(socket, &local).map_err(|errno| match errno {
        Errno::ADDRNOTAVAIL | Errno::AFNOSUPPORT | Errno::INVAL => {
            ProbeErrorKind::SourceNotLocal(source).into()
        }
        errno => refused("bind")(errno),
    })
}

fn local_port(socket: &OwnedFd) -> Result<Port, ProbeError> {
    let address = rustix::net::getsockname(socket).map_err(refused("getsockname"))?;
    let address = SocketAddr::try_from(address).map_err(refused("getsockname"))?;
    Ok(Port::new(address.port()))
}

fn refused(call: &'static str) -> impl Fn(Errno) -> ProbeError {
    move |errno| ProbeErrorKind::Other { call, errno }.into()
}
