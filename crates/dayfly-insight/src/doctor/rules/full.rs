//! A destination takes no further connection.

use crate::Destination;
use crate::doctor::{Evidence, Found, NamespaceEvidence, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF001",
    title: "destination full",
    severity: Severity::Critical,
    page: include_str!("../../../findings/DF001.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().flat_map(|namespace| {
        let full = namespace.headroom.destinations.iter().filter(|row| row.free == 0);
        full.map(|row| finding(namespace, row))
    });
    each.collect()
}

fn finding(namespace: &NamespaceEvidence, row: &Destination) -> Found {
    let settings = &namespace.headroom.settings;
    let found = Found::within(
        namespace,
        format!(
            "{}: {} of {} ports used ({} in TIME_WAIT), {} blocked, none free: connect() fails \
             with EADDRNOTAVAIL",
            row.key, row.used, row.usable, row.time_wait, row.blocked
        ),
    );
    let found = match row.reusable {
        0 => found,
        ports => found.and(format!("{ports} of those in TIME_WAIT can be taken over now")),
    };
    let found = if row.time_wait * 2 >= row.used && row.time_wait > 0 {
        found.remedy(
            "keep connections open and use them again (keep-alive, a connection pool)",
            format!(
                "{} ports are held by connections that are over; each holds its port for {} s",
                row.time_wait, settings.time_wait_seconds
            ),
        )
    } else {
        found
    };
    found
        .remedy(
            namespace.shell.dayfly(&format!("why {}", row.key.remote())),
            "names who holds the ports, and what helps here",
        )
        .remedy(
            "connect from one more source address, or to one more address of the destination",
            format!("{} ports each", row.usable),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{destination, namespace, on};

    #[test]
    fn names_only_full_destinations() {
        let rows = vec![destination(100, 60, 40, 0), destination(100, 99, 0, 0)];
        let found = check(&on(namespace(rows)));
        assert_eq!(found.len(), 1);
        assert!(found[0].evidence[0].contains("60 of 100 ports used"), "{found:?}");
    }
}
