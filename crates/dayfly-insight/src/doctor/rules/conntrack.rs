//! Connection tracking or address translation is near its limit.

use crate::doctor::Conntrack;
use crate::doctor::{Evidence, Found, NamespaceEvidence, Rule, Severity};
use crate::nat::NatRow;

pub(super) const RULE: Rule = Rule {
    code: "DF016",
    title: "connection tracking near its limit",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF016.md"),
    check,
};

/// From here on a new entry may find no room soon.
const TABLE_FULL: f64 = 0.9;
/// What netfilter chooses from when the rule names no ports: 1024-65535.
const UNRESTRICTED: u32 = 64_512;
/// At this fill of them one connection in 300,000 fails; at 98 % one in 150.
const NAT_FULL: f64 = 0.95;

fn check(evidence: &Evidence) -> Vec<Found> {
    let tracked = evidence.namespaces.iter();
    let tracked = tracked.filter_map(|namespace| Some((namespace, namespace.conntrack.as_ref()?)));
    tracked.flat_map(|(namespace, conntrack)| findings(namespace, conntrack)).collect()
}

fn findings(namespace: &NamespaceEvidence, conntrack: &Conntrack) -> Vec<Found> {
    let mut found = Vec::new();
    let Conntrack { count, max, insert_failed, dropped, .. } = *conntrack;
    if max > 0 && count as f64 >= max as f64 * TABLE_FULL {
        found.push(
            Found::within(
                namespace,
                format!("{count} of {max} entries are in use; a full table drops new connections"),
            )
            .remedy(
                namespace
                    .shell
                    .sysctl("net.netfilter.nf_conntrack_max", &max.saturating_mul(2).to_string()),
                "twice the room; about 0.3 kB of kernel memory for each entry",
            ),
        );
    }
    for row in conntrack.translations.iter().filter(|row| row.fill() >= NAT_FULL) {
        found.push(crowded(namespace, row));
    }
    if conntrack.failed_while_watched > 0 {
        match found.first_mut() {
            Some(first) => *first = first.clone().and(refused(conntrack)),
            None => found.push(failing(namespace, conntrack)),
        }
    }
    if insert_failed > 0 && !found.is_empty() {
        found[0] = found[0].clone().and(format!(
            "{insert_failed} entries could not be made and {dropped} packets were dropped since \
             boot (insert_failed, drop)"
        ));
    }
    found
}

/// An outer address has few ports left for a destination.
fn crowded(namespace: &NamespaceEvidence, row: &NatRow) -> Found {
    let NatRow { key, used, .. } = row;
    let found = Found::within(
        namespace,
        format!(
            "{used} ports of {} are translated towards {} {}: {:.1} % of {}; {:.2} % of new \
             connections find none and are dropped",
            key.address,
            key.protocol,
            key.destination,
            row.fill() * 100.0,
            row.room(),
            row.failure_probability() * 100.0,
        ),
    );
    let found = match &row.rule {
        Some(rule) => found.and(format!("the ports come from the rule: {rule}")),
        None => found,
    };
    let found = match row.ports.len() < UNRESTRICTED {
        true => found.remedy(
            "widen or leave out the ports of that rule",
            format!("up to {UNRESTRICTED} ports for each destination"),
        ),
        false => found,
    };
    found.remedy(
        "translate to one more source address",
        format!("{} ports more for each destination", row.room()),
    )
}

/// Connections fail now although neither table nor address is full: the rule that translates gives
/// fewer ports, or two packets of one connection race.
fn failing(namespace: &NamespaceEvidence, conntrack: &Conntrack) -> Found {
    let mut found = Found::within(namespace, refused(conntrack));
    if let Some(busiest) = conntrack.translations.iter().max_by_key(|one| one.used) {
        found = found.and(format!(
            "the most ports of one address are translated from {} to {} {}: {}",
            busiest.key.address, busiest.key.protocol, busiest.key.destination, busiest.used
        ));
    }
    found
        .remedy(
            "widen or leave out the ports of the masquerade or snat rule (`nft list ruleset`, \
             `iptables-save -t nat`: `to :LOW-HIGH`, `--to-ports`)",
            "each port of that span serves one connection to each destination",
        )
        .remedy(
            "where only UDP fails (name look-ups): resolve through one local cache",
            "two queries from one socket at the same moment race for one entry",
        )
}

fn refused(conntrack: &Conntrack) -> String {
    format!(
        "connection tracking refused {} packets while it was watched: clients see time-outs",
        conntrack.failed_while_watched
    )
}

#[cfg(test)]
mod tests {
    use dayfly_ports::Protocol;

    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};
    use crate::nat::NatKey;

    fn found(conntrack: Conntrack) -> Vec<Found> {
        let mut one = namespace(vec![]);
        one.conntrack = Some(conntrack);
        check(&on(one))
    }

    #[test]
    fn a_table_with_room_is_fine() {
        let table =
            |count| Conntrack { count, max: 1000, insert_failed: 3, ..Conntrack::default() };
        assert!(found(table(899)).is_empty());
        let full = found(table(900));
        assert!(full[0].evidence[1].starts_with("3 entries could not be made"), "{full:?}");
        assert!(full[0].remedies[0].action.as_str().ends_with("nf_conntrack_max=2000"), "{full:?}");
    }

    #[test]
    fn what_fails_while_it_is_watched_is_said() {
        let watched = |failed_while_watched| {
            found(Conntrack {
                max: 1000,
                insert_failed: 9,
                failed_while_watched,
                ..Conntrack::default()
            })
        };
        assert_eq!(watched(0), []);
        assert!(watched(7)[0].evidence[0].contains("refused 7 packets"), "{:?}", watched(7));
    }

    #[test]
    fn the_chance_to_find_no_port_is_said() {
        let nat = |ports: &str, used| Conntrack {
            translations: vec![NatRow {
                key: NatKey {
                    protocol: Protocol::Tcp,
                    address: "192.0.2.1".parse().unwrap(),
                    destination: "198.51.100.7:443".parse().unwrap(),
                },
                ports: ports.parse().unwrap(),
                rule: None,
                used,
                time_wait: 0,
            }],
            ..Conntrack::default()
        };
        assert!(found(nat("1024-65535", 61_000)).is_empty());
        let few = found(nat("40000-40019", 20));
        assert!(few[0].remedies[0].action.as_str().starts_with("widen or leave out"), "{few:?}");
        let full = found(nat("1024-65535", 63_868));
        assert!(full[0].evidence[0].contains("8.31 % of new connections"), "{full:?}");
    }
}
