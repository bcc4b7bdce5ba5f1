//! Connections that were bound before they were connected keep ports from all destinations.

use crate::blame::fixes_for;
use crate::doctor::{Blamed, Evidence, Found, NamespaceEvidence, Rule, Severity};

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
    evidence.namespaces.iter().filter_map(of_namespace).collect()
}

fn of_namespace(namespace: &NamespaceEvidence) -> Option<Found> {
    let culprits: Vec<&Blamed> =
        namespace.blamed.iter().filter(|blamed| blamed.accusation.habit.binds_first()).collect();
    let mut said = Vec::new();
    if let Some(ports) = namespace.bound_first.filter(|ports| *ports >= WORTH_SAYING) {
        said.push(format!(
            "{ports} ports are held by connections that bound them before they were connected: no \
             other destination can be reached from them"
        ));
    }
    let rows = namespace.headroom.destinations.iter();
    if let Some(worst) = rows.max_by_key(|row| row.suspected)
        && worst.suspected >= WORTH_SAYING
    {
        said.push(format!(
            "{} ports are held by connections that look bound before they were connected; {} may \
             have {} ports left instead of {}",
            worst.suspected, worst.key, worst.free_min, worst.free
        ));
    }
    said.extend(culprits.iter().map(|culprit| sentence(culprit)));
    let mut said = said.into_iter();
    let mut found = Found::within(namespace, said.next()?);
    for sentence in said {
        found = found.and(sentence);
    }
    let mut products = Vec::new();
    for fix in culprits.iter().flat_map(|culprit| fixes_for(&culprit.executable)) {
        if !products.contains(&fix.product) {
            products.push(fix.product);
            found = found.remedy(
                format!("{}: {}", fix.product, fix.advice),
                "the port is chosen at connect() then, and other destinations share it",
            );
        }
    }
    if culprits.is_empty() {
        found = found.remedy(
            "set IP_BIND_ADDRESS_NO_PORT before bind() in the programs that bind a source address",
            "the kernel then chooses the port at connect(), and other destinations may share it",
        );
    }
    if namespace.bound_first.is_none() {
        found = found.remedy(
            namespace.shell.dayfly("doctor --only DF004 --probe"),
            "asks the kernel which ports are really held back",
        );
    }
    Some(found)
}

fn sentence(culprit: &Blamed) -> String {
    let accusation = &culprit.accusation;
    let sure = if culprit.confirmed {
        "the kernel confirms it".to_owned()
    } else {
        // Rounded down: nothing is certain that only looks so.
        format!("{} % sure, by the ports alone", (accusation.confidence * 100.0).floor().min(99.0))
    };
    format!(
        "{} {}: {} of {} ports are of the parity that connect() takes last; {sure}",
        culprit.name(),
        accusation.habit.sentence(),
        accusation.other_parity,
        accusation.connections,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blame::Habit;
    use crate::doctor::rules::fixture::{blamed, destination, namespace, on};

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
        assert_eq!(found[0].remedies.len(), 2);
    }

    #[test]
    fn the_culprit_is_named_with_the_advice_for_its_language() {
        let mut seen = namespace(Vec::new());
        seen.blamed = vec![blamed(Habit::BindsFirst), blamed(Habit::PinsPorts)];
        let found = check(&on(seen.clone()));
        assert_eq!(
            found[0].evidence,
            ["python3 crawler.py (pid 71) binds before it connects, without \
              IP_BIND_ADDRESS_NO_PORT: 200 of 200 ports are of the parity that connect() takes \
              last; 99 % sure, by the ports alone"]
        );
        assert!(found[0].remedies[0].action.as_str().starts_with("Python: before bind()"));
        seen.bound_first = Some(200);
        seen.blamed[0].confirmed = true;
        let found = check(&on(seen));
        assert!(found[0].evidence[0].starts_with("200 ports are held"));
        assert!(found[0].evidence[1].ends_with("the kernel confirms it"));
        assert_eq!(found[0].remedies.len(), 1);
    }
}
