//! One network namespace, folded into a report as its sockets arrive.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use dayfly_insight::{DestinationKey, Fold, Headroom, Settings, Socket};
use dayfly_ports::{PortSet, Protocol};

use crate::dump::{DumpError, Dumper};
use crate::probe::{Probe, ProbeError};
use crate::settings::{self, SettingsError};
use crate::sock_diag::StateMask;
use crate::{counters, namespace, route};

/// What to look for, beyond what is there.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// Destinations that get a row even without a connection, each with its protocol (TCP or
    /// SCTP). The source address is the one that the kernel's routes give.
    pub destinations: Vec<(Protocol, SocketAddr)>,
}

/// How to look.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Rows that are wanted whatever is there.
    pub wishes: Wishes,
    /// Whether to ask the kernel about every port that the sockets do not settle
    /// (CAP_NET_ADMIN).
    pub probe: bool,
}

/// What was seen in a namespace.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// What is left.
    pub headroom: Headroom,
    /// What could not be seen.
    pub degraded: Vec<Degradation>,
}

/// Something that could not be seen, why, and what would help.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Degradation {
    /// The kernel's tables changed under every dump.
    Interrupted,
    /// The sockets of a protocol could not be listed.
    Unlisted {
        /// The protocol.
        protocol: Protocol,
        /// What the kernel said.
        error: DumpError,
    },
    /// MPTCP connections could not be counted; their subflows are listed as TCP sockets.
    UncountedMptcp {
        /// What the kernel said.
        error: DumpError,
    },
    /// Sockets in a state or family that dayfly does not know.
    Unknown {
        /// How many.
        sockets: u64,
    },
    /// Sockets that some process holds, and nobody can say which.
    Unowned {
        /// How many.
        sockets: usize,
        /// Processes that may not be looked into. If there are none, no process of this `/proc`
        /// holds the sockets.
        hidden: u32,
    },
    /// The kernel could not be asked about single ports.
    NotProbed {
        /// What stood in the way.
        error: ProbeError,
    },
    /// No source address is known for a wished destination.
    NoRoute {
        /// The destination.
        destination: SocketAddr,
        /// What the kernel said.
        error: String,
    },
}

/// Reads the settings and the sockets of the calling thread's network namespace.
///
/// # Errors
/// [`ObserveError`] when the settings or TCP's sockets cannot be read at all. Whatever else fails
/// becomes a [`Degradation`].
pub fn observe(options: &Options) -> Result<Observation, ObserveError> {
    let settings = settings::read().map_err(ObserveError::Settings)?;
    let seed = hash_seed();
    let (mut fold, mut degraded) =
        sweep(&settings, || Fold::new(settings.clone(), seed), Fold::add)?;
    if counters::saw_mptcp() {
        match Dumper::open().and_then(|mut dumper| dumper.mptcp_connections()) {
            Ok(connections) => fold.add_mptcp(connections),
            Err(error) => degraded.push(Degradation::UncountedMptcp { error }),
        }
    }
    for &(protocol, destination) in &options.wishes.destinations {
        match route::source_of(destination) {
            Ok(source) => fold.include(key_of(protocol, source, destination)),
            Err(error) => {
                degraded.push(Degradation::NoRoute { destination, error: error.to_string() });
            }
        }
    }
    if options.probe {
        match held_back(&fold.unsettled()) {
            Ok(bound) => fold.settle(&bound),
            Err(error) => degraded.push(Degradation::NotProbed { error }),
        }
    }
    Ok(Observation { headroom: fold.finish(), degraded })
}

/// Hands every socket of the calling thread's network namespace to `add`, in the kernel's order:
/// listeners, bound sockets, connections. Where the kernel says that its tables changed meanwhile,
/// all of it is done again, with a new `start`.
///
/// # Errors
/// [`ObserveError::Dump`] when TCP's sockets cannot be read. Whatever else fails becomes a
/// [`Degradation`].
pub fn sweep<S>(
    settings: &Settings,
    mut start: impl FnMut() -> S,
    mut add: impl FnMut(&mut S, &Socket),
) -> Result<(S, Vec<Degradation>), ObserveError> {
    let mut dumper = Dumper::open().map_err(ObserveError::Dump)?;
    let mut tries = 0;
    loop {
        tries += 1;
        let mut state = start();
        let mut degraded = Vec::new();
        let interrupted = dump_into(&mut dumper, settings, &mut state, &mut add, &mut degraded)?;
        if interrupted && tries < DUMPS {
            continue;
        }
        if interrupted {
            degraded.push(Degradation::Interrupted);
        }
        return Ok((state, degraded));
    }
}

/// Those of `ports` that the kernel gives to no automatic connect. A bucket belongs to the port,
/// not to an address or a family, so one question each is enough.
///
/// # Errors
/// As [`Probe::new`] and [`Probe::buckets`].
pub fn held_back(ports: &PortSet) -> Result<PortSet, ProbeError> {
    Probe::new()?.buckets(ports)
}

/// How often a dump is tried that the kernel says it disturbed.
const DUMPS: u32 = 3;

/// Dumps every protocol; whether the kernel said that it was disturbed.
fn dump_into<S>(
    dumper: &mut Dumper,
    settings: &Settings,
    state: &mut S,
    add: &mut impl FnMut(&mut S, &Socket),
    degraded: &mut Vec<Degradation>,
) -> Result<bool, ObserveError> {
    let mut interrupted = false;
    let mut unknown = 0;
    for setting in &settings.ranges {
        let protocol = setting.protocol;
        match dumper.sockets(protocol, StateMask::ALL, |message| add(state, &message.socket)) {
            Ok(outcome) => {
                interrupted |= outcome.interrupted;
                unknown += outcome.unknown;
            }
            Err(error) if protocol == Protocol::Tcp => return Err(ObserveError::Dump(error)),
            Err(error) => degraded.push(Degradation::Unlisted { protocol, error }),
        }
    }
    if unknown > 0 {
        degraded.push(Degradation::Unknown { sockets: unknown });
    }
    Ok(interrupted)
}

fn key_of(protocol: Protocol, source: IpAddr, destination: SocketAddr) -> DestinationKey {
    DestinationKey {
        protocol,
        source,
        destination: destination.ip().to_canonical(),
        port: destination.port().into(),
    }
}

/// A seed for hash tables that a remote peer cannot guess.
pub fn hash_seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(0)
}

/// Why nothing can be said about a namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ObserveError {
    /// The range cannot be read.
    Settings(SettingsError),
    /// The sockets cannot be listed.
    Dump(DumpError),
    /// The namespace cannot be entered.
    Namespace(namespace::NamespaceError),
}

impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ObserveError::Settings(error) => error.fmt(f),
            ObserveError::Dump(error) => error.fmt(f),
            ObserveError::Namespace(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ObserveError {}
