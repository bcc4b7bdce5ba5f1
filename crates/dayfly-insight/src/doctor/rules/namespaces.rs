//! Network namespaces have another range than the host.

use crate::doctor::{Evidence, Found, Rule, Severity};
use std::collections::BTreeMap;

use dayfly_ports::{PortRange, Protocol};

pub(super) const RULE: Rule = Rule {
    code: "DF017",
    title: "namespaces with another range",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF017.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    finding(evidence).into_iter().collect()
}

fn finding(evidence: &Evidence) -> Option<Found> {
    let range_of = |headroom: &crate::Headroom| headroom.settings.range(Protocol::Tcp);
    let host = evidence.namespaces.iter().find(|namespace| namespace.is_host)?;
    let hosts = range_of(&host.headroom)?;
    let mut others: BTreeMap<PortRange, Vec<&str>> = BTreeMap::new();
    for namespace in &evidence.namespaces {
        let Some(range) = range_of(&namespace.headroom).filter(|&range| range != hosts) else {
            continue;
        };
        others.entry(range).or_default().push(&namespace.name);
    }
    let mut found: Option<Found> = None;
    for (range, names) in others {
        let shown = names.iter().take(super::SHOWN).copied().collect::<Vec<_>>().join(", ");
        let seen = format!("{range} in {} namespaces ({shown}), {hosts} on the host", names.len());
        found = Some(match found {
            None => Found::on_host(seen),
            Some(found) => found.and(seen),
        });
    }
    found.map(|found| {
        found.remedy(
            "set net.ipv4.ip_local_port_range where the container is defined (docker run --sysctl, \
             the pod's securityContext.sysctls)",
            "a new namespace starts at the kernel's default, whatever the host has",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, with_range};

    #[test]
    fn ranges_are_grouped() {
        let other = || crate::doctor::NamespaceEvidence {
            is_host: false,
            name: "pod".to_owned(),
            ..with_range("1024-65535")
        };
        let of = |namespaces| check(&Evidence { namespaces, ..Evidence::default() });
        assert!(of(vec![namespace(vec![])]).is_empty());
        assert!(of(vec![other()]).is_empty(), "nothing to compare with");
        let found = of(vec![namespace(vec![]), other(), other()]);
        assert!(found[0].evidence[0].starts_with("1024-65535 in 2 namespaces (pod, pod)"));
    }
}
