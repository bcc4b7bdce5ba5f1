//! Programs that choose their source ports themselves, in part or altogether.

use crate::blame::Habit;
use crate::doctor::{Blamed, Evidence, Found, NamespaceEvidence, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF019",
    title: "program with source ports of its own",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF019.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().flat_map(|namespace| {
        namespace.blamed.iter().filter_map(|blamed| of_program(namespace, blamed))
    });
    each.collect()
}

fn of_program(namespace: &NamespaceEvidence, blamed: &Blamed) -> Option<Found> {
    let accusation = &blamed.accusation;
    let who = blamed.name();
    let what = accusation.habit.sentence();
    match accusation.habit {
        Habit::BindsFirst | Habit::BindsFirstReusing => None,
        Habit::OwnRange(span) => Some(
            Found::within(
                namespace,
                format!("{who} {what}; {} connections show it", accusation.connections),
            )
            .remedy(
                "widen the range that the program sets with IP_LOCAL_PORT_RANGE, or leave it out",
                format!(
                    "its destinations are full after {} connections, long before anybody else's",
                    span.len()
                ),
            ),
        ),
        Habit::PinsPorts => Some(
            Found::within(
                namespace,
                format!(
                    "{who} {what}: {} connections from {} ports, such as {}",
                    accusation.connections,
                    accusation.ports.len(),
                    accusation.ports.iter().next()?
                ),
            )
            .remedy(
                "let the kernel choose: bind to port 0 with IP_BIND_ADDRESS_NO_PORT, or do not bind",
                "a second connection to the same destination no longer fails, and a fixed port no \
                 longer waits for its own TIME_WAIT",
            ),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{blamed, namespace, on};

    #[test]
    fn own_ranges_and_pinned_ports_are_worth_knowing() {
        let mut seen = namespace(Vec::new());
        let span = "40000-40999".parse().unwrap();
        seen.blamed = vec![
            blamed(Habit::BindsFirst),
            blamed(Habit::OwnRange(span)),
            blamed(Habit::PinsPorts),
        ];
        let found = check(&on(seen));
        assert_eq!(found.len(), 2);
        assert!(found[0].evidence[0].contains("a port range of its own, seen: 40000-40999"));
        assert!(found[0].remedies[0].effect.contains("after 1000 connections"));
        assert!(found[1].evidence[0].contains("200 connections from 1 ports, such as 40001"));
    }
}
