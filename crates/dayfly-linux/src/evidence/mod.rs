//! What the doctor's rules look at, gathered from the live host.
//!
//! [`of_namespace`] answers for the calling thread's network namespace, [`sysctl_files`],
//! [`configured_ports`] and [`selinux_enforced`] for the host. Whatever cannot be read is left
//! empty: a rule that needs it stays silent.

mod blame;
mod conntrack;
mod files;
mod ftp;
mod open;
mod processes;
mod rpc;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::Duration;

use dayfly_insight::doctor::{Listening, NamespaceEvidence};
use dayfly_insight::ftp::server::{Passive, ServerConfig};
use dayfly_insight::rpc::low_ports;
use dayfly_insight::why::Shell;
use dayfly_insight::{Fold, Socket, State};
use dayfly_ports::{Protocol, Tuple};

pub use files::{configured_ports, selinux_enforced, sysctl_files};
pub use ftp::{FtpServer, ftp_servers, ftp_servers_in_files, passive_ports};
pub use rpc::rpc_programs;

use crate::observe::{Degradation, ObserveError, hash_seed, held_back, sweep};
use crate::settings;
use crate::{counters, owners};

/// How to look at a namespace.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What it is called in the report.
    pub name: String,
    /// How commands are run in it.
    pub shell: Shell,
    /// Whether it is the host's own.
    pub is_host: bool,
    /// Ask the kernel about every port that the sockets do not settle (CAP_NET_ADMIN).
    pub probe: bool,
    /// For how long to count the connections that are opened; not at all if zero.
    pub sample: Duration,
}

/// Longer than the kernel's timers are late: a TIME_WAIT that is over at both of two looks this
/// far apart does not end. A timer of 60 s may be late by 5.12 s where the kernel ticks 100 times a
/// second, 2.05 s where 250 times (the wheel of `kernel/time/timer.c` has such steps there).
const STUCK: Duration = Duration::from_secs(6);
/// Late timers make up to a twelfth of all TIME_WAIT look overdue. Only if more do, a second look
/// is worth its time.
const OVERDUE_SHARE: u64 = 10;

/// Everything about the calling thread's network namespace, and what could not be seen of it.
///
/// # Errors
/// As [`observe`](crate::observe::observe).
pub fn of_namespace(look: &Look) -> Result<(NamespaceEvidence, Vec<Degradation>), ObserveError> {
    let settings = settings::read().map_err(ObserveError::Settings)?;
    let failed_before = conntrack::failed();
    let opens_per_second = counters::opens_per_second(look.sample);
    let seed = hash_seed();
    let mut servers: Vec<_> = ftp_servers().into_iter().map(|server| server.config).collect();
    if look.is_host {
        let known = |config: &ServerConfig| servers.iter().any(|one| one.file == config.file);
        let files = ftp_servers_in_files(Path::new("/"));
        servers.extend(files.into_iter().filter(|one| !known(one)).collect::<Vec<_>>());
    }
    let mut watched = Box::new(&settings.usable(Protocol::Tcp) | &low_ports());
    watched.insert(rpc::RPCBIND.into());
    for config in &servers {
        if let Passive::Limited(ports) = &config.passive {
            *watched |= ports;
        }
    }
    let start = || Seen {
        fold: Fold::new(settings.clone(), seed),
        watched: watched.clone(),
        listeners: Vec::new(),
        overdue: Vec::new(),
        connections: blame::Connections::new(&settings),
    };
    let (mut seen, mut degraded) = sweep(&settings, start, Seen::add)?;
    let mut bound_first = None;
    if look.probe {
        match held_back(&seen.fold.unsettled()) {
            Ok(bound) => {
                seen.fold.settle(&bound);
                bound_first = Some(bound.len());
            }
            Err(error) => degraded.push(Degradation::NotProbed { error }),
        }
    }
    let headroom = seen.fold.finish();
    let overdue = seen.overdue.len() as u64;
    let few = overdue * OVERDUE_SHARE <= headroom.counts.time_wait;
    let stuck_time_wait = if few {
        Vec::new()
    } else {
        thread::sleep(STUCK);
        let (again, _) = sweep(&settings, Vec::new, add_overdue)?;
        let again: BTreeSet<Tuple> = again.iter().map(|socket: &Socket| socket.tuple).collect();
        seen.overdue.into_iter().filter(|socket| again.contains(&socket.tuple)).collect()
    };
    let is_rpcbind = |socket: &Socket| socket.tuple.local_port.number() == rpc::RPCBIND;
    let has_rpcbind = seen.listeners.iter().any(is_rpcbind);
    let programs = if has_rpcbind { rpc_programs().unwrap_or_default() } else { Vec::new() };
    let opened = open::opened(&settings, &servers, &programs, &look.shell);
    let (listeners, unowned) = named(&seen.listeners);
    degraded.extend(unowned);
    let evidence = NamespaceEvidence {
        name: look.name.clone(),
        shell: look.shell.clone(),
        is_host: look.is_host,
        headroom,
        listeners,
        stuck_time_wait,
        time_wait_overflow: counters::time_wait_overflow(),
        conntrack: conntrack::read(failed_before),
        blamed: seen.connections.blamed(),
        bound_first,
        opens_per_second,
        tftp_servers: rpc::tftp_servers(),
        rpc: rpc::usage(programs),
        open_to_all: opened.to_all.filter(|_| !servers.is_empty()),
        firewall: opened.diagnosis,
        ftp_servers: servers,
    };
    Ok((evidence, degraded))
}

/// What one sweep keeps.
struct Seen {
    fold: Fold,
    /// Listeners that a rule asks for: inside the range, that of an FTP server, or RPC's.
    listeners: Vec<Socket>,
    overdue: Vec<Socket>,
    watched: Box<dayfly_ports::PortSet>,
    connections: blame::Connections,
}

impl Seen {
    fn add(&mut self, socket: &Socket) {
        self.fold.add(socket);
        self.connections.add(socket);
        if socket.state == State::Listen && self.watched.contains(socket.tuple.local_port) {
            self.listeners.push(*socket);
        }
        add_overdue(&mut self.overdue, socket);
    }
}

fn add_overdue(overdue: &mut Vec<Socket>, socket: &Socket) {
    if socket.state == State::TimeWait && socket.timer_ms == 0 {
        overdue.push(*socket);
    }
}

/// The listeners with their owners, one pass over `/proc` for all of them; and what that could not
/// see.
fn named(listeners: &[Socket]) -> (Vec<Listening>, Option<Degradation>) {
    let inodes = || listeners.iter().map(|socket| socket.inode);
    let owners = owners::find(inodes());
    let mut named: Vec<Listening> = listeners
        .iter()
        .map(|socket| Listening {
            protocol: socket.tuple.protocol,
            address: SocketAddr::new(socket.tuple.local_address, socket.tuple.local_port.number()),
            owner: owners.of(socket.inode).map(ToString::to_string),
        })
        .collect();
    named.sort_by_key(|listening| (listening.address.port(), listening.address.ip()));
    named.dedup();
    (named, owners.unowned(inodes()))
}
