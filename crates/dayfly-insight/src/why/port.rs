//! One port of this host: who holds it, what `bind()` would say, and whether it will be lost again.

use std::net::IpAddr;

use dayfly_ports::{Port, Protocol};

use super::remedy::{self, Remedy, Useless};
use super::shell::Shell;
use super::{Holder, HolderKind};
use crate::headroom::Listener;
use crate::{Settings, Socket};

/// So many holders of one port are kept; a busy port can have one for every peer.
const MOST_HOLDERS: usize = 1000;

/// Takes sockets in and keeps those that hold one port.
///
/// Feed them in the kernel's order, listeners first: connections that a listener accepted are
/// counted, not kept.
#[derive(Debug)]
pub struct PortStudy {
    settings: Settings,
    port: Port,
    protocols: Vec<Protocol>,
    holders: Vec<Holder>,
    more: u64,
    accepted: u64,
    listeners: Vec<(Protocol, Listener)>,
}

impl PortStudy {
    /// A study of `port` under these protocols.
    #[must_use]
    pub const fn new(settings: Settings, port: Port, protocols: Vec<Protocol>) -> Self {
        PortStudy {
            settings,
            port,
            protocols,
            holders: Vec::new(),
            more: 0,
            accepted: 0,
            listeners: Vec::new(),
        }
    }

    /// Takes one socket in.
    pub fn add(&mut self, socket: &Socket) {
        let tuple = socket.tuple.canonical();
        if tuple.local_port != self.port || !self.protocols.contains(&tuple.protocol) {
            return;
        }
        let kind = HolderKind::of(socket.state);
        if kind == HolderKind::Listener {
            let listener = Listener { address: tuple.local_address, v6_only: socket.v6_only };
            self.listeners.push((tuple.protocol, listener));
        }
        let accepted = matches!(kind, HolderKind::Connection | HolderKind::TimeWait)
            && self.listeners.iter().any(|(protocol, listener)| {
                *protocol == tuple.protocol && listener.hears(tuple.local_address)
            });
        if accepted {
            self.accepted += 1;
        } else if self.holders.len() < MOST_HOLDERS {
            self.holders.push(Holder { kind, socket: *socket });
        } else {
            self.more += 1;
        }
    }

    /// The answer, with what the kernel said to trial binds.
    #[must_use]
    pub fn finish(mut self, trials: Vec<BindTrial>) -> PortAnswer {
        self.holders.sort_by_key(|holder| holder.kind);
        let handed_out = self
            .protocols
            .iter()
            .copied()
            .filter(|protocol| self.settings.usable(*protocol).contains(self.port));
        PortAnswer {
            port: self.port,
            handed_out: handed_out.collect(),
            in_range: self.protocols.iter().any(|protocol| {
                self.settings.range(*protocol).is_some_and(|range| range.contains(self.port))
            }),
            reserved: self.settings.reserved.contains(self.port),
            below_floor: u32::from(self.port.number()) < self.settings.unprivileged_floor,
            holders: self.holders,
            more: self.more,
            accepted: self.accepted,
            trials,
            settings: self.settings,
        }
    }
}

/// What the kernel said when a socket was bound to the port for a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BindTrial {
    /// The protocol.
    pub protocol: Protocol,
    /// The address that was tried; unspecified for a server on all addresses.
    pub address: IpAddr,
    /// A socket with nothing set.
    pub plain: BindOutcome,
    /// A socket with `SO_REUSEADDR`. Not tried for UDP, where it would take datagrams from others.
    pub reuse_address: Option<BindOutcome>,
}

/// What `bind()` said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindOutcome {
    /// It succeeded.
    Granted,
    /// `EADDRINUSE`.
    InUse,
    /// `EACCES`: the port is below the floor, and this process lacks `CAP_NET_BIND_SERVICE`.
    Forbidden,
    /// `EADDRNOTAVAIL`: the address is not this host's.
    NotHere,
    /// Any other error, by number.
    Other(i32),
}

impl BindOutcome {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            BindOutcome::Granted => "granted",
            BindOutcome::InUse => "EADDRINUSE",
            BindOutcome::Forbidden => "EACCES",
            BindOutcome::NotHere => "EADDRNOTAVAIL",
            BindOutcome::Other(_) => "other",
        }
    }
}

/// What became of a [`PortStudy`].
#[derive(Clone, Debug, PartialEq)]
pub struct PortAnswer {
    /// The port.
    pub port: Port,
    /// The protocols whose automatic sockets can be given this port.
    pub handed_out: Vec<Protocol>,
    /// Whether it lies inside a range of automatic ports, reserved or not.
    pub in_range: bool,
    /// Whether it is in `net.ipv4.ip_local_reserved_ports`.
    pub reserved: bool,
    /// Whether it is below `net.ipv4.ip_unprivileged_port_start`.
    pub below_floor: bool,
    /// Who holds it: listeners first, then bound sockets, connections, TIME_WAIT.
    pub holders: Vec<Holder>,
    /// Holders beyond those.
    pub more: u64,
    /// Connections that came in through a listener on the port.
    pub accepted: u64,
    /// What `bind()` said.
    pub trials: Vec<BindTrial>,
    settings: Settings,
}

impl PortAnswer {
    /// What it comes to.
    #[must_use]
    pub fn verdict(&self) -> PortVerdict {
        let refused = |outcome| self.trials.iter().any(|trial| trial.plain == outcome);
        match self.holders.first() {
            Some(holder) if !self.is_granted() => PortVerdict::Held(holder.kind),
            Some(_) if self.handed_out.is_empty() => PortVerdict::Free,
            Some(_) => PortVerdict::FreeUntilTaken,
            None if refused(BindOutcome::Forbidden) => PortVerdict::Forbidden,
            None if refused(BindOutcome::InUse) => PortVerdict::Sticky,
            None if !self.handed_out.is_empty() => PortVerdict::FreeUntilTaken,
            None => PortVerdict::Free,
        }
    }

    /// Whether every trial bind was granted: whoever holds the port is not in the way there.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        !self.trials.is_empty()
            && self.trials.iter().all(|trial| trial.plain == BindOutcome::Granted)
    }

    /// The whole seconds until the last holder goes by itself; none as long as one stays.
    #[must_use]
    pub fn frees_in_seconds(&self) -> Option<u32> {
        let ends: Option<Vec<u32>> = self.holders.iter().map(Holder::frees_in_seconds).collect();
        if self.more > 0 { None } else { ends?.into_iter().max() }
    }

    /// What helps.
    #[must_use]
    pub fn remedies(&self, shell: &Shell) -> Vec<Remedy> {
        remedy::of_port(self, &self.settings, shell)
    }

    /// What people try and what does not help here.
    #[must_use]
    pub fn useless(&self) -> Vec<Useless> {
        remedy::useless_for_port(self)
    }
}

/// What the state of a port comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortVerdict {
    /// Somebody holds it; the strongest way of those there are.
    Held(HolderKind),
    /// Nobody holds it, but it is below the floor and this process may not bind it.
    Forbidden,
    /// No socket holds it and yet the kernel refuses: a bind bucket that outlived its sockets, or
    /// a socket that another subsystem keeps.
    Sticky,
    /// Nobody holds it, and an outgoing connection can be given it at any moment.
    FreeUntilTaken,
    /// Nobody holds it, and no automatic socket will.
    Free,
}

impl PortVerdict {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            PortVerdict::Held(kind) => kind.name(),
            PortVerdict::Forbidden => "below_floor",
            PortVerdict::Sticky => "sticky_bucket",
            PortVerdict::FreeUntilTaken => "free_until_taken",
            PortVerdict::Free => "free",
        }
    }
}

#[cfg(test)]
mod tests {
    use dayfly_ports::Tuple;

    use super::*;
    use crate::State;

    fn socket(state: State, local: &str, timer_ms: u32) -> Socket {
        let local: std::net::SocketAddr = local.parse().unwrap();
        let tuple = Tuple {
            protocol: Protocol::Tcp,
            local_address: local.ip(),
            local_port: local.port().into(),
            remote_address: [10, 0, 0, 9].into(),
            remote_port: Port::new(443),
        };
        Socket { timer_ms, ..Socket::new(tuple, state) }
    }

    fn study(port: u16, sockets: &[Socket], trials: Vec<BindTrial>) -> PortAnswer {
        let settings = Settings::linux_defaults();
        let mut study = PortStudy::new(settings, Port::new(port), vec![Protocol::Tcp]);
        sockets.iter().for_each(|socket| study.add(socket));
        study.finish(trials)
    }

    #[test]
    fn accepted_connections_are_the_listeners() {
        let answer = study(
            8080,
            &[
                socket(State::Listen, "0.0.0.0:8080", 0),
                socket(State::Established, "10.0.0.1:8080", 0),
                socket(State::TimeWait, "10.0.0.1:8080", 9),
                socket(State::Established, "10.0.0.1:8081", 0),
            ],
            Vec::new(),
        );
        assert_eq!((answer.holders.len(), answer.accepted), (1, 2));
        assert_eq!(answer.verdict(), PortVerdict::Held(HolderKind::Listener));
        assert_eq!(answer.frees_in_seconds(), None);
    }

    #[test]
    fn the_last_time_wait_says_when() {
        let answer = study(
            40000,
            &[
                socket(State::TimeWait, "10.0.0.1:40000", 1500),
                socket(State::TimeWait, "10.0.0.2:40000", 30_000),
            ],
            Vec::new(),
        );
        assert_eq!(answer.frees_in_seconds(), Some(30));
        assert_eq!(answer.verdict(), PortVerdict::Held(HolderKind::TimeWait));
    }

    #[test]
    fn a_holder_at_another_address_is_not_in_the_way() {
        let trial = |plain| BindTrial {
            protocol: Protocol::Tcp,
            address: [10, 0, 0, 1].into(),
            plain,
            reuse_address: Some(plain),
        };
        let verdict = |port: u16, plain| {
            let listener = socket(State::Listen, &format!("10.0.0.2:{port}"), 0);
            study(port, &[listener], vec![trial(plain)]).verdict()
        };
        let held = PortVerdict::Held(HolderKind::Listener);
        assert_eq!(verdict(8080, BindOutcome::InUse), held);
        assert_eq!(verdict(8080, BindOutcome::Granted), PortVerdict::Free);
        assert_eq!(verdict(40000, BindOutcome::Granted), PortVerdict::FreeUntilTaken);
    }

    #[test]
    fn nobody_holds_it() {
        let trial = |plain| BindTrial {
            protocol: Protocol::Tcp,
            address: [0; 4].into(),
            plain,
            reuse_address: Some(plain),
        };
        let verdict = |port, plain| study(port, &[], vec![trial(plain)]).verdict();
        assert_eq!(verdict(8080, BindOutcome::Granted), PortVerdict::Free);
        assert_eq!(verdict(40000, BindOutcome::Granted), PortVerdict::FreeUntilTaken);
        assert_eq!(verdict(80, BindOutcome::Forbidden), PortVerdict::Forbidden);
        assert_eq!(verdict(8080, BindOutcome::InUse), PortVerdict::Sticky);
    }
}
