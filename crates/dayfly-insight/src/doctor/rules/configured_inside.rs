//! A service is configured to listen inside the ephemeral range.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::PortSet;

use super::reserve;

pub(super) const RULE: Rule = Rule {
    code: "DF006",
    title: "service configured inside the ephemeral range",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF006.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let Some(host) = evidence.namespaces.iter().find(|namespace| namespace.is_host) else {
        return Vec::new();
    };
    let settings = &host.headroom.settings;
    let mut found: Option<Found> = None;
    let mut all = PortSet::EMPTY;
    for configured in &evidence.configured {
        let usable = settings.usable(configured.protocol);
        let ports = &usable & &configured.ports.into();
        if ports.is_empty() {
            continue;
        }
        all |= &ports;
        let seen = format!(
            "{} ({}) is configured for {} {ports}, where the kernel puts outgoing connections",
            configured.service, configured.file, configured.protocol
        );
        found = Some(match found {
            None => Found::within(host, seen),
            Some(found) => found.and(seen),
        });
    }
    found.map(|found| reserve(found, host, &all)).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use dayfly_ports::Protocol;

    use super::*;
    use crate::doctor::ConfiguredPort;
    use crate::doctor::rules::fixture::{namespace, on};

    #[test]
    fn only_what_the_range_covers_is_named() {
        let configured = |ports: &str| ConfiguredPort {
            protocol: Protocol::Tcp,
            ports: ports.parse().unwrap(),
            service: "web".to_owned(),
            file: "web.socket".to_owned(),
        };
        let mut evidence = on(namespace(vec![]));
        evidence.configured = vec![configured("8080")];
        assert!(check(&evidence).is_empty());
        evidence.configured.push(configured("30000-33000"));
        let found = check(&evidence);
        assert!(found[0].evidence[0].contains("configured for tcp 32768-33000"), "{found:?}");
        assert!(found[0].remedies[0].action.as_str().ends_with("reserve 32768-33000"), "{found:?}");
        evidence.namespaces[0].is_host = false;
        assert!(check(&evidence).is_empty());
    }
}
