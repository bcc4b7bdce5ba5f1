//! What the firewall of the calling thread's network namespace opens, and what is wrong with it.

use dayfly_insight::Settings;
use dayfly_insight::firewall::check::{Check, check};
use dayfly_insight::firewall::flows::Host;
use dayfly_insight::firewall::model::Family;
use dayfly_insight::firewall::packet::Direction;
use dayfly_insight::firewall::remedies::{Diagnosis, diagnose};
use dayfly_insight::firewall::rpc;
use dayfly_insight::ftp::server::{Passive, ServerConfig};
use dayfly_insight::rpc::Program;
use dayfly_insight::why::Shell;
use dayfly_ports::{PortRange, PortSet, Protocol};

use crate::firewall;

/// What the doctor's rules ask for.
#[derive(Default)]
pub(super) struct Opened {
    pub(super) diagnosis: Diagnosis,
    /// TCP ports that clients get in to, through some interface at least; none if the rules cannot
    /// be read.
    pub(super) to_all: Option<Box<PortSet>>,
}

/// Reads the rules and asks them. `programs` are those that rpcbind knows.
pub(super) fn opened(
    settings: &Settings,
    servers: &[ServerConfig],
    programs: &[Program],
    shell: &Shell,
) -> Opened {
    let Ok(rules) = firewall::rules() else { return Opened::default() };
    let mut passive = PortSet::EMPTY;
    for server in servers {
        if let Passive::Limited(ports) = &server.passive {
            passive |= ports;
        }
    }
    let host = Host {
        families: Family::ALL.to_vec(),
        interface: None,
        addresses: Vec::new(),
        peer: None,
        tcp: Box::new(settings.usable(Protocol::Tcp)),
        udp: Box::new(settings.usable(Protocol::Udp)),
        passive: (!passive.is_empty()).then(|| Box::new(passive)),
        rpc: None,
    };
    let mut checked = check(&rules, &host, &[], &[]);
    let to_all = to_all(&checked);
    let mut services = Vec::new();
    // Who listens costs a look at every socket: only where somebody could sit inside, or is told of.
    if (checked.has_spans || !programs.is_empty())
        && let Ok((listeners, _)) = firewall::listeners(settings)
    {
        checked = check(&rules, &host, &[], &listeners);
        services = rpc::services(&rules, &host, programs, &listeners);
    }
    Opened { diagnosis: diagnose(&rules, &host, &checked, &services, shell), to_all }
}

fn to_all(checked: &Check) -> Option<Box<PortSet>> {
    let clients = PortSet::from(PortRange::new(1024, u16::MAX).ok()?);
    let mut open = Box::new(PortSet::EMPTY);
    for one in &checked.open {
        let inwards = one.direction == Direction::In && one.protocol == Protocol::Tcp;
        if inwards && one.arrives.is_none() && (&clients - &one.source_ports).is_empty() {
            *open |= &one.ports;
        }
    }
    Some(open)
}
