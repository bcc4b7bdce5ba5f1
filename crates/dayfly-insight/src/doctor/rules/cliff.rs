//! A destination has used up the ports that connect() tries first.

use crate::doctor::{Evidence, Found, Rule, Severity};
use crate::why::{whole_range_call, whole_range_run};
use dayfly_ports::Protocol;

pub(super) const RULE: Rule = Rule {
    code: "DF002",
    title: "destination past the cliff",
    severity: Severity::Critical,
    page: include_str!("../../../findings/DF002.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let mut found = Vec::new();
    for namespace in &evidence.namespaces {
        let Some(range) = namespace.headroom.settings.range(Protocol::Tcp) else { continue };
        let slow = |row: &&crate::Destination| row.past_cliff() && row.free > 0;
        for row in namespace.headroom.destinations.iter().filter(slow) {
            let seen = format!(
                "{}: {} ports free, none of the parity that connect() tries first: each call \
                 looks at {} ports in vain before it comes to the others",
                row.key,
                row.free,
                range.len() / 2
            );
            found.push(
                Found::within(namespace, seen)
                    .remedy(
                        format!(
                            "set IP_LOCAL_PORT_RANGE to the whole range before connect(): {}",
                            whole_range_call(range)
                        ),
                        "the kernel then tries every port in turn and finds a free one in \
                         microseconds (Linux 6.8 and later); it brings no port",
                    )
                    .remedy(
                        whole_range_run(),
                        "the same for a program that cannot be changed: start CMD so",
                    )
                    .remedy(
                        "connect from one more source address, or keep connections open",
                        "fewer connections for each source and destination; below half of the \
                         range the search is short",
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
    fn a_full_destination_is_another_finding() {
        let rows = vec![
            destination(100, 60, 0, 0),
            destination(100, 100, 0, 0),
            destination(100, 40, 0, 10),
        ];
        let found = check(&on(namespace(rows)));
        assert_eq!(found.len(), 1);
        assert!(found[0].evidence[0].contains("40 ports free"), "{found:?}");
    }
}
