//! Address translation: how many more connections an outer address can take to each destination.
//!
//! Many hosts share an outer address; what tells their connections apart is the outer port. The
//! kernel needs a tuple that no other tracked connection has (`nf_nat_used_tuple` in
//! `net/netfilter/nf_nat_core.c`), so one port serves every destination once, and what runs out is
//! ports *for each destination*, as it is for a host's own connections. The range is not
//! `ip_local_port_range`: it is the rule's, or else 1024-65535 for source ports above 1023.
//!
//! Flows are folded as they come ([`NatFold`]); rules ([`rules`]) tell how many ports there are.

mod chance;
pub mod rules;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use dayfly_ports::{Port, PortRange, PortSet, Protocol};

pub use chance::failure_probability;
pub use rules::NatRule;

use crate::port_bag::PortBag;

/// What netfilter picks from when the rule names no ports, for source ports from 1024 on
/// (`nf_nat_l4proto_unique_tuple`). Lower ones get 1-511 or 600-1023 and are rare.
pub const UNRESTRICTED: &str = "1024-65535";

/// A tracked connection, as far as translation goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flow {
    /// The protocol.
    pub protocol: Protocol,
    /// Where its first packet came from.
    pub source: SocketAddr,
    /// Where answers come from: the destination, after all translation.
    pub answer_source: SocketAddr,
    /// Where answers go: the source as the destination sees it.
    pub answer_destination: SocketAddr,
    /// Whether it is over and in TIME_WAIT: its port may be taken over.
    pub time_wait: bool,
}

impl Flow {
    /// Whether the destination sees another source than the one that sent.
    #[must_use]
    pub fn is_source_translated(&self) -> bool {
        self.source != self.answer_destination
    }
}

/// What competes for ports: an outer address and a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NatKey {
    /// The protocol.
    pub protocol: Protocol,
    /// The address that the destination sees.
    pub address: IpAddr,
    /// The destination.
    pub destination: SocketAddr,
}

/// The outer addresses: what a first look at all flows finds.
#[derive(Clone, Debug, Default)]
pub struct OuterAddresses {
    addresses: BTreeSet<IpAddr>,
}

impl OuterAddresses {
    /// Looks at a flow.
    pub fn add(&mut self, flow: &Flow) {
        if flow.is_source_translated() {
            self.addresses.insert(flow.answer_destination.ip());
        }
    }

    /// Whether nothing is translated, so that a second look is not worth it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

/// Totals of flows, two bytes a port or 8 KiB a destination; no flow is kept.
#[derive(Clone, Debug)]
pub struct NatFold {
    outer: OuterAddresses,
    rows: BTreeMap<NatKey, Use>,
}

#[derive(Clone, Debug)]
struct Use {
    ports: PortBag,
    translated: u32,
    time_wait: u32,
}

impl NatFold {
    /// A fold of the flows from these addresses.
    #[must_use]
    pub const fn new(outer: OuterAddresses) -> Self {
        NatFold { outer, rows: BTreeMap::new() }
    }

    /// Adds a flow. Those of the outer address itself take ports as well, translated or not.
    pub fn add(&mut self, flow: &Flow) {
        let address = flow.answer_destination.ip();
        if !self.outer.addresses.contains(&address) {
            return;
        }
        let key = NatKey { protocol: flow.protocol, address, destination: flow.answer_source };
        let row = self.rows.entry(key).or_insert_with(|| Use {
            ports: PortBag::new(),
            translated: 0,
            time_wait: 0,
        });
        if row.ports.insert(Port::new(flow.answer_destination.port())) {
            row.translated += u32::from(flow.is_source_translated());
            row.time_wait += u32::from(flow.time_wait);
        }
    }

    /// The rows with a translated connection, fullest first.
    #[must_use]
    pub fn finish(self, rules: &[NatRule]) -> Vec<NatRow> {
        let used = self.rows.into_iter().filter(|(_, used)| used.translated > 0);
        let mut rows: Vec<NatRow> = used.map(|(key, used)| row(key, &used, rules)).collect();
        rows.sort_by(|one, other| {
            other
                .fill()
                .total_cmp(&one.fill())
                .then(other.used.cmp(&one.used))
                .then(one.key.cmp(&other.key))
        });
        rows
    }
}

/// What is left of an outer address for one destination. Counts are ports.
#[derive(Clone, Debug, PartialEq)]
pub struct NatRow {
    /// What competes.
    pub key: NatKey,
    /// The ports that the rule gives.
    pub ports: PortRange,
    /// The rule as its tool writes it; none if no rule was seen that fits.
    pub rule: Option<String>,
    /// Those of `ports` that a tracked connection has.
    pub used: u32,
    /// Those of all its connections that are over and in TIME_WAIT.
    pub time_wait: u32,
}

impl NatRow {
    /// How many ports there are.
    #[must_use]
    pub const fn room(&self) -> u32 {
        self.ports.len()
    }

    /// How many further connections the outer address can have there.
    #[must_use]
    pub const fn free(&self) -> u32 {
        self.room().saturating_sub(self.used)
    }

    /// The share of the ports that is taken, 0 to 1.
    #[must_use]
    pub fn fill(&self) -> f64 {
        f64::from(self.used) / f64::from(self.room())
    }

    /// The chance that a new connection finds no port although some may be free, 0 to 1.
    #[must_use]
    pub fn failure_probability(&self) -> f64 {
        failure_probability(self.room(), self.used)
    }
}

fn row(key: NatKey, used: &Use, rules: &[NatRule]) -> NatRow {
    let mut taken = Box::new(PortSet::EMPTY);
    used.ports.add_to(&mut taken);
    // The first rule that could have given these ports; rules also match on what connections do not
    // show (interfaces, marks), so the rule is named for people to judge.
    let fits = |rule: &&NatRule| rule.could_give(&key, &taken);
    let rule = rules.iter().find(fits);
    let unrestricted = PortRange::new(1024, u16::MAX).unwrap_or(PortRange::ALL);
    let ports = rule.and_then(|rule| rule.ports).unwrap_or(unrestricted);
    NatRow {
        key,
        ports,
        rule: rule.map(|rule| rule.text.clone()),
        used: used.ports.intersection_len(&ports.into()),
        time_wait: used.time_wait,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(inner: &str, outer: &str, destination: &str) -> Flow {
        Flow {
            protocol: Protocol::Tcp,
            source: inner.parse().unwrap(),
            answer_source: destination.parse().unwrap(),
            answer_destination: outer.parse().unwrap(),
            time_wait: false,
        }
    }

    fn rows(flows: &[Flow], rules: &[NatRule]) -> Vec<NatRow> {
        let mut outer = OuterAddresses::default();
        flows.iter().for_each(|flow| outer.add(flow));
        let mut fold = NatFold::new(outer);
        flows.iter().for_each(|flow| fold.add(flow));
        fold.finish(rules)
    }

    #[test]
    fn ports_count_for_each_destination() {
        let flows = [
            flow("10.0.0.2:40000", "192.0.2.1:40000", "198.51.100.7:443"),
            flow("10.0.0.3:40000", "192.0.2.1:2000", "198.51.100.7:443"),
            flow("10.0.0.3:40001", "192.0.2.1:40001", "198.51.100.8:443"),
            // Of the router itself: not translated, but the port is gone.
            flow("192.0.2.1:3000", "192.0.2.1:3000", "198.51.100.7:443"),
            // Comes in: another outer address, nothing translated.
            flow("203.0.113.9:5000", "203.0.113.9:5000", "192.0.2.1:22"),
        ];
        let rows = rows(&flows, &[]);
        let told: Vec<_> = rows.iter().map(|row| (row.used, row.free())).collect();
        assert_eq!(told, [(3, 64_509), (1, 64_511)]);
        assert_eq!(rows[0].key.destination.to_string(), "198.51.100.7:443");
        assert!(rows[0].rule.is_none());
    }

    #[test]
    fn a_rule_gives_the_room() {
        let rules = rules::from_iptables_save(
            "*nat\n-A POSTROUTING -p udp -j MASQUERADE --to-ports 1024-2000\n\
             -A POSTROUTING -j MASQUERADE --to-ports 40000-40019\nCOMMIT\n",
        );
        let flows: Vec<Flow> = (0..20)
            .map(|index| {
                let outer = format!("192.0.2.1:{}", 40_000 + index);
                flow(&format!("10.0.0.2:{}", 50_000 + index), &outer, "198.51.100.7:443")
            })
            .collect();
        let full = &rows(&flows, &rules)[0];
        assert_eq!((full.room(), full.free(), full.failure_probability()), (20, 0, 1.0));
        let rest = &rows(&flows[1..], &rules)[0];
        assert_eq!((rest.free(), rest.failure_probability()), (1, 0.0));
    }
}
