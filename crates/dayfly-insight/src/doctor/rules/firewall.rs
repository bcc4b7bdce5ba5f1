//! What the firewall opens is not what is used, or somebody sits inside it.

use crate::doctor::{Evidence, Found, NamespaceEvidence, Rule, Severity};
use crate::firewall::check::{Comparison, Exposed, Relation};
use crate::firewall::remedies::Advised;

pub(super) const OTHER: Rule = Rule {
    code: "DF050",
    title: "firewall opens other ports than are used",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF050.md"),
    check: |evidence| compared(evidence, &[Relation::Narrower, Relation::Elsewhere]),
};

pub(super) const MORE: Rule = Rule {
    code: "DF051",
    title: "firewall opens ports that nobody uses",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF051.md"),
    check: |evidence| compared(evidence, &[Relation::Wider]),
};

pub(super) const EXPOSED: Rule = Rule {
    code: "DF052",
    title: "service is reachable among ports opened for transfers",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF052.md"),
    check: |evidence| {
        let each = |namespace: &NamespaceEvidence| -> Vec<Found> {
            namespace.firewall.exposed.iter().map(|one| exposed(namespace, one)).collect()
        };
        evidence.namespaces.iter().flat_map(each).collect()
    },
};

pub(super) const UNREACHABLE: Rule = Rule {
    code: "DF053",
    title: "RPC clients are told of ports that the firewall keeps shut",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF053.md"),
    check: |evidence| evidence.namespaces.iter().filter_map(unreachable).collect(),
};

fn unreachable(namespace: &NamespaceEvidence) -> Option<Found> {
    let advised = namespace.firewall.unreachable.as_ref()?;
    let mut seen = advised.found.iter().map(|service| {
        let flow = &service.flow;
        let family = flow.family.map(|family| format!(" {}", family.name())).unwrap_or_default();
        let owner = service.owner.as_ref().map(|owner| format!(", {owner}")).unwrap_or_default();
        let (title, protocol, port) = (service.title(), flow.protocol, &flow.wanted);
        format!("{title}{owner} has {protocol} {port}{family}: {}", flow.why)
    });
    let first = Found::within(namespace, seen.next()?);
    let found = seen.fold(first, Found::and);
    let found = found.and("clients that ask rpcbind, which they reach, wait for them in vain");
    Some(with_remedies(found, advised))
}

fn compared(evidence: &Evidence, relations: &[Relation]) -> Vec<Found> {
    let mut found = Vec::new();
    for namespace in &evidence.namespaces {
        let compared = &namespace.firewall.compared;
        let wrong = compared.iter().filter(|one| relations.contains(&one.found.relation));
        found.extend(wrong.map(|one| comparison(namespace, one)));
    }
    found
}

fn comparison(namespace: &NamespaceEvidence, advised: &Advised<Comparison>) -> Found {
    let Comparison { protocol, opened, missing, needless, .. } = &advised.found;
    let rule = advised.rule.as_deref().unwrap_or("the firewall");
    let mut found = Found::within(namespace, format!("{rule} opens the {protocol} ports {opened}"));
    if !missing.is_empty() {
        found = found.and(format!(
            "automatic ports come from {missing} as well, and what comes to those is dropped: \
             active FTP and whatever else is called back fails with them"
        ));
    }
    if !needless.is_empty() {
        found = found
            .and(format!("{} of the open ports, {needless}, are handed to nobody", needless.len()));
    }
    with_remedies(found, advised)
}

fn exposed(namespace: &NamespaceEvidence, advised: &Advised<Exposed>) -> Found {
    let Exposed { listener, span, .. } = &advised.found;
    let owner = listener.owner.as_deref().unwrap_or("an unknown process");
    let (protocol, address) = (listener.protocol, listener.address);
    let found = Found::within(namespace, format!("{owner} listens on {protocol} {address}"));
    let rule = advised.rule.as_deref().unwrap_or("the firewall");
    let found = found.and(format!("{rule} opens {span} around it"));
    with_remedies(found, advised)
}

fn with_remedies<T>(found: Found, advised: &Advised<T>) -> Found {
    advised
        .remedies
        .iter()
        .fold(found, |found, remedy| found.remedy(remedy.action.clone(), remedy.effect.clone()))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use dayfly_ports::{PortSet, Protocol};

    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};
    use crate::firewall::check::{Listener, check};
    use crate::firewall::flows::Host;
    use crate::firewall::model::Family;
    use crate::firewall::readers::read;
    use crate::firewall::remedies::diagnose;
    use crate::why::Shell;

    /// A host with this range behind a firewall with this port open.
    fn evidence(range: &str, open: &str, listeners: &[Listener]) -> Evidence {
        let used: PortSet = range.parse().unwrap();
        let host = Host {
            families: vec![Family::Ipv4],
            interface: None,
            addresses: Vec::new(),
            peer: None,
            tcp: Box::new(used.clone()),
            udp: Box::new(used),
            passive: None,
            rpc: None,
        };
        let rules =
            format!("*filter\n:INPUT DROP\n-A INPUT -p tcp --dport {open} -j ACCEPT\nCOMMIT\n");
        let (_, ruleset) = read(&rules).unwrap();
        let check = check(&ruleset, &host, &[], listeners);
        let mut one = namespace(vec![]);
        one.firewall = diagnose(&ruleset, &host, &check, &[], &Shell::default());
        on(one)
    }

    fn found(rule: &Rule, evidence: &Evidence) -> usize {
        (rule.check)(evidence).len()
    }

    #[test]
    fn each_relation_has_its_rule() {
        for (range, open, other, more) in [
            ("32768-60999", "32768:60999", 0, 0),
            ("32768-60999", "32768:40000", 1, 0),
            ("32768-60999", "1024:65535", 0, 1),
            ("20000-20100", "32768:60999", 1, 0),
            ("32768-60999", "443", 0, 0),
        ] {
            let evidence = evidence(range, open, &[]);
            assert_eq!(
                (found(&OTHER, &evidence), found(&MORE, &evidence)),
                (other, more),
                "{open}"
            );
        }
    }

    #[test]
    fn services_inside_are_found_and_transfers_are_not() {
        let listener = |address: &str, transient| Listener {
            protocol: Protocol::Tcp,
            address: address.parse::<SocketAddr>().unwrap(),
            owner: Some("nginx (pid 71)".to_owned()),
            transient,
        };
        let all = [
            listener("0.0.0.0:40000", false),
            listener("0.0.0.0:40001", true),
            listener("127.0.0.1:40002", false),
            listener("0.0.0.0:80", false),
        ];
        let evidence = evidence("32768-60999", "32768:60999", &all);
        let found = (EXPOSED.check)(&evidence);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].evidence[0], "nginx (pid 71) listens on tcp 0.0.0.0:40000");
        assert!(
            found[0].remedies[0].action.as_str().contains("--dport 40000 -j DROP"),
            "{found:?}"
        );
    }
}
