//! Connections that were bound before they were connected keep ports from all destinations.

use crate::doctor::{Evidence, Found, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF004",
    title: "ports bound before connecting",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF004.md"),
    check,
};

/// Fewer ports than this may be somebody's fixed source ports, on purpose.
const WORTH_SAYING: u32 = 10;

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().filter_map(|namespace| {
        let rows = namespace.headroom.destinations.iter();
        let worst = rows.max_by_key(|row| row.suspected)?;
        (worst.suspected >= WORTH_SAYING).then(|| {
            Found::within(
                namespace,
                format!(
                    "{} ports are held by connections that look bound before they were connected; \
                     {} may have {} ports left instead of {}",
                    worst.suspected, worst.key, worst.free_min, worst.free
                ),
            )
            .remedy(namespace.shell.command("dayfly show --probe"), "asks the kernel which of them are really held back")
            .remedy(
                "set IP_BIND_ADDRESS_NO_PORT before bind() in the programs that bind a source \
                 address",
                "the kernel then chooses the port at connect(), and other destinations may share it",
            )
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{destination, namespace, on};

    #[test]
    fn a_few_fixed_ports_are_no_finding() {
        let suspected = |suspected| crate::Destination {
            suspected,
            free_min: 60 - suspected,
            ..destination(100, 40, 0, 10)
        };
        assert_eq!(check(&on(namespace(vec![suspected(9)]))).len(), 0);
        let found = check(&on(namespace(vec![suspected(30)])));
        assert!(found[0].evidence[0].contains("30 ports left instead of 60"), "{found:?}");
    }
}
