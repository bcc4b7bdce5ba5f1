//! The ports that the firewall of the calling thread's network namespace lets anybody connect to.

use dayfly_insight::Settings;
use dayfly_insight::firewall::check::check;
use dayfly_insight::firewall::flows::Host;
use dayfly_insight::firewall::model::Family;
use dayfly_insight::firewall::packet::Direction;
use dayfly_ports::{PortRange, PortSet, Protocol};

use crate::firewall;

/// TCP ports that clients get in to, through some interface at least; none if the rules cannot be
/// read.
pub(super) fn to_all(settings: &Settings) -> Option<Box<PortSet>> {
    let rules = firewall::rules().ok()?;
    let host = Host {
        families: Family::ALL.to_vec(),
        interface: None,
        addresses: Vec::new(),
        peer: None,
        tcp: Box::new(settings.usable(Protocol::Tcp)),
        udp: Box::new(settings.usable(Protocol::Udp)),
        passive: None,
    };
    let clients = PortSet::from(PortRange::new(1024, u16::MAX).ok()?);
    let mut open = Box::new(PortSet::EMPTY);
    for one in check(&rules, &host, &[], &[]).open {
        let inwards = one.direction == Direction::In && one.protocol == Protocol::Tcp;
        if inwards && (&clients - &one.source_ports).is_empty() {
            *open |= &one.ports;
        }
    }
    Some(open)
}
