//! Connections that were bound before they were connected keep ports from all destinations.

use crate::blame::{Accusation, fixes_for};
use crate::doctor::{Evidence, Found, NamespaceEvidence, Rule, Severity};

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
    evidence.namespaces.iter().filter_map(finding).collect()
}

fn finding(namespace: &NamespaceEvidence) -> Option<Found> {
    let found = match namespace.held_back {
        Some(ports) if ports >= WORTH_SAYING => Found::within(
            namespace,
            format!(
                "the kernel keeps {ports} ports from every other destination, for connections that \
                 were bound before they were connected"
            ),
        ),
        Some(_) => return None,
        None => suspicion(namespace)?,
    };
    let found = namespace.accusations.iter().fold(found, accuse);
    Some(if namespace.accusations.is_empty() {
        found.remedy(
            "set IP_BIND_ADDRESS_NO_PORT before bind() in the programs that bind a source address",
            "the kernel then chooses the port at connect(), and other destinations may share it",
        )
    } else {
        found
    })
}

fn suspicion(namespace: &NamespaceEvidence) -> Option<Found> {
    let worst = namespace.headroom.destinations.iter().max_by_key(|row| row.suspected)?;
    (worst.suspected >= WORTH_SAYING).then(|| {
        Found::within(
            namespace,
            format!(
                "{} ports are held by connections that look bound before they were connected; {} \
                 may have {} ports left instead of {}",
                worst.suspected, worst.key, worst.free_min, worst.free
            ),
        )
        .remedy(
            namespace.shell.command("dayfly show --probe"),
            "asks the kernel which of them are really held back",
        )
    })
}

fn accuse(found: Found, accusation: &Accusation) -> Found {
    let found = found.and(format!(
        "{} {}: {} of the ports of its {} connections are of the parity that connect() takes last \
         (confidence {:.1} %)",
        accusation.program,
        accusation.habit.sentence(),
        accusation.other_parity,
        accusation.connections,
        accusation.confidence * 100.0,
    ));
    fixes_for(&accusation.program).into_iter().fold(found, |found, fix| {
        found.remedy(
            format!("{}: {}", fix.product, fix.advice),
            "the port is then chosen at connect(), and other destinations may share it",
        )
    })
}

#[cfg(test)]
mod tests {
    use dayfly_ports::PortSet;

    use super::*;
    use crate::blame::Habit;
    use crate::doctor::rules::fixture::{destination, namespace, on};

    fn suspected(suspected: u32) -> NamespaceEvidence {
        namespace(vec![crate::Destination {
            suspected,
            free_min: 60 - suspected,
            ..destination(100, 40, 0, 10)
        }])
    }

    #[test]
    fn a_few_fixed_ports_are_no_finding() {
        assert_eq!(check(&on(suspected(9))).len(), 0);
        let found = check(&on(suspected(30)));
        assert!(found[0].evidence[0].contains("30 ports left instead of 60"), "{found:?}");
    }

    #[test]
    fn the_kernels_word_counts_more_than_the_suspicion() {
        let settled = |ports| NamespaceEvidence { held_back: Some(ports), ..suspected(30) };
        assert_eq!(check(&on(settled(9))).len(), 0);
        let found = check(&on(settled(10)));
        assert!(found[0].evidence[0].starts_with("the kernel keeps 10 ports"), "{found:?}");
    }

    #[test]
    fn the_program_is_named_with_its_fix() {
        let accusation = Accusation {
            program: "nginx".to_owned(),
            habit: Habit::BindsFirst,
            confidence: 0.999,
            connections: 30,
            other_parity: 30,
            ports: PortSet::EMPTY,
        };
        let accusations = vec![accusation];
        let found = check(&on(NamespaceEvidence { accusations, ..suspected(30) }));
        assert!(found[0].evidence[1].starts_with("nginx binds before it connects"), "{found:?}");
        assert!(found[0].remedies[1].action.starts_with("nginx: "), "{found:?}");
    }
}
