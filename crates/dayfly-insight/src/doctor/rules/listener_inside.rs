//! A service listens inside the ephemeral range, and the port is not reserved.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::{PortSet, Protocol};

use super::reserve;

pub(super) const RULE: Rule = Rule {
    code: "DF005",
    title: "service listens inside the ephemeral range",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF005.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let mut found = Vec::new();
    for namespace in &evidence.namespaces {
        let settings = &namespace.headroom.settings;
        let usable = settings.usable(Protocol::Tcp);
        let inside = |listening: &&crate::doctor::Listening| {
            listening.protocol == Protocol::Tcp && usable.contains(listening.address.port().into())
        };
        let inside: Vec<_> = namespace.listeners.iter().filter(inside).collect();
        let Some(first) = inside.first() else { continue };
        let say = |listening: &crate::doctor::Listening| {
            let owner = listening.owner.as_deref().unwrap_or("an unknown process");
            format!("{owner} listens on {}", listening.address)
        };
        let ports: PortSet = inside.iter().map(|one| one.address.port().into()).collect();
        let mut one = Found::within(namespace, say(first));
        for listening in inside.iter().skip(1).take(super::SHOWN - 1) {
            one = one.and(say(listening));
        }
        if inside.len() > super::SHOWN {
            one = one.and(format!("and {} more", inside.len() - super::SHOWN));
        }
        let one = one.and(
            "when such a service restarts, an outgoing connection may have its port: the bind \
             fails with EADDRINUSE",
        );
        found.push(reserve(one, namespace, &ports));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{listening, namespace, on};

    #[test]
    fn reserved_ports_and_ports_outside_are_fine() {
        let mut one = namespace(vec![]);
        one.headroom.settings.reserved.insert(40_000.into());
        one.listeners = vec![listening("0.0.0.0:80"), listening("0.0.0.0:40000")];
        assert!(check(&on(one.clone())).is_empty());
        one.listeners.push(listening("[::]:50000"));
        let found = check(&on(one));
        assert_eq!(found.len(), 1);
        assert!(found[0].evidence[0].contains("listens on [::]:50000"), "{found:?}");
        // The verb keeps what others have reserved.
        assert_eq!(found[0].remedies[0].action.as_str(), "dayfly reserve 50000");
    }
}
