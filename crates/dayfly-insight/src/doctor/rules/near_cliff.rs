//! A destination will soon have used up the ports that connect() tries first.

use crate::doctor::{Evidence, Found, Rule, Severity};
use crate::why::whole_range_run;

pub(super) const RULE: Rule = Rule {
    code: "DF003",
    title: "destination near the cliff",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF003.md"),
    check,
};

/// The share of the first-parity ports that has to be left: a tenth.
const LEFT: u32 = 10;

fn check(evidence: &Evidence) -> Vec<Found> {
    let mut found = Vec::new();
    for namespace in &evidence.namespaces {
        let near = |row: &&crate::Destination| {
            row.fast_free > 0 && row.used > 0 && row.fast_free * LEFT <= row.usable / 2
        };
        for row in namespace.headroom.destinations.iter().filter(near) {
            let seen = format!(
                "{}: {} more connections until connect() turns slow, {} until it fails",
                row.key, row.fast_free, row.free
            );
            let time_wait =
                format!("{} of {} used ports are in TIME_WAIT", row.time_wait, row.used);
            found.push(
                Found::within(namespace, seen)
                    .and(time_wait)
                    .remedy(
                        "keep connections open and use them again (keep-alive, a connection pool)",
                        "fewer ports for the same work",
                    )
                    .remedy(
                        "connect from one more source address",
                        format!("{} ports more, half of them before the cliff", row.usable),
                    )
                    .remedy(
                        whole_range_run(),
                        "takes the cliff away from a program that cannot be changed: start CMD so",
                    ),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{destination, namespace, on};

    #[test]
    fn warns_before_the_cliff_and_not_after() {
        let rows = vec![
            destination(100, 46, 0, 4),
            destination(100, 30, 0, 20),
            destination(100, 55, 0, 0),
        ];
        let found = check(&on(namespace(rows)));
        assert_eq!(found.len(), 1);
        assert!(found[0].evidence[0].contains("4 more connections"), "{found:?}");
    }
}
