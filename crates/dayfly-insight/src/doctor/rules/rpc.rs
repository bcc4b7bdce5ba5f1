//! RPC services on automatic ports, and services whose low ports RPC's clients may take.

use dayfly_ports::{PortSet, Protocol};

use super::reserve;
use crate::doctor::{Evidence, Found, NamespaceEvidence, Rule, Severity};
use crate::firewall::model::Family;
use crate::rpc::{Program, low_ports};

pub(super) const UNPINNED: Rule = Rule {
    code: "DF046",
    title: "RPC service on an automatic port",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF046.md"),
    check: unpinned,
};

pub(super) const LOW: Rule = Rule {
    code: "DF047",
    title: "RPC clients may take a service's low port",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF047.md"),
    check: low,
};

fn unpinned(evidence: &Evidence) -> Vec<Found> {
    evidence.namespaces.iter().filter_map(unpinned_in).collect()
}

fn unpinned_in(namespace: &NamespaceEvidence) -> Option<Found> {
    let settings = &namespace.headroom.settings;
    let inside = |program: &&Program| settings.usable(program.protocol).contains(program.port);
    let inside: Vec<&Program> = namespace.rpc.programs.iter().filter(inside).collect();
    let mut found: Option<Found> = None;
    for program in &inside {
        let owner = owner(namespace, program).map(|owner| format!(", {owner}")).unwrap_or_default();
        let seen = format!(
            "{}{owner} has {} {}, a port that the system hands out",
            program.title(),
            program.netid(),
            program.port
        );
        found = Some(match found {
            None => Found::within(namespace, seen),
            Some(found) => found.and(seen),
        });
    }
    let mut found = found?.and(
        "it may have another after the next start, which no firewall expects; and where it wants \
         the same, an outgoing connection may have taken it",
    );
    let mut pins: Vec<&str> =
        inside.iter().filter_map(|program| Some(program.pin()?.how)).collect();
    pins.dedup();
    for pin in pins {
        found = found.remedy(pin, "it listens on the same port each time, below the range");
    }
    if inside.iter().any(|program| program.pin().is_none()) {
        let ports: PortSet =
            inside.iter().filter(|one| one.pin().is_none()).map(|one| one.port).collect();
        found = reserve(found, namespace, &ports);
    }
    Some(found)
}

/// Who listens on the program's port.
fn owner(namespace: &NamespaceEvidence, program: &Program) -> Option<String> {
    let listens = |one: &&crate::doctor::Listening| {
        one.protocol == program.protocol
            && one.address.port() == program.port.number()
            && (one.address.is_ipv6() || program.family == Family::Ipv4)
    };
    namespace.listeners.iter().find(listens)?.owner.clone()
}

fn low(evidence: &Evidence) -> Vec<Found> {
    evidence.namespaces.iter().filter_map(|namespace| low_in(evidence, namespace)).collect()
}

fn low_in(evidence: &Evidence, namespace: &NamespaceEvidence) -> Option<Found> {
    let rpc = &namespace.rpc;
    if !rpc.takes_low_ports() {
        return None;
    }
    // The kernel's NFS client does not read the list.
    let danger = if rpc.mounts_nfs { low_ports() } else { &low_ports() - &rpc.kept };
    let mut ports = PortSet::EMPTY;
    let mut seen = Vec::new();
    for one in &namespace.listeners {
        let port = one.address.port().into();
        if one.protocol == Protocol::Tcp && danger.contains(port) && ports.insert(port) {
            let owner = one.owner.as_deref().unwrap_or("an unknown process");
            seen.push(format!("{owner} listens on {port}"));
        }
    }
    for one in evidence.configured.iter().filter(|_| namespace.is_host) {
        let inside = &danger & &one.ports.into();
        if !inside.is_empty() && !(&inside - &ports).is_empty() {
            seen.push(format!("{} ({}) is configured for {inside}", one.service, one.file));
            ports |= &inside;
        }
    }
    let mut seen = seen.into_iter();
    let mut found = Found::within(namespace, seen.next()?);
    for text in seen {
        found = found.and(text);
    }
    let who = if rpc.mounts_nfs { "an NFS mount" } else { "an RPC program" };
    found = found.and(format!(
        "{who} takes any free port of 600-1023 that is not listed: if it is there first, the \
         service does not start"
    ));
    let lines: Vec<String> = (&ports - &rpc.kept).iter().map(|port| port.to_string()).collect();
    if !lines.is_empty() {
        found = found.remedy(
            namespace.shell.command(&format!(
                "sh -c 'printf \"{}\\n\" >> /etc/bindresvport.blacklist'",
                lines.join("\\n")
            )),
            "RPC programs keep away from them",
        );
    }
    if rpc.mounts_nfs {
        found = found.remedy(
            namespace.shell.sysctl("sunrpc.min_resvport", "1000"),
            "NFS mounts take 1000-1023 only (24 servers at a time); it does not read the list",
        );
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{listening, namespace, on};
    use crate::rpc::programs;

    #[test]
    fn programs_inside_the_range_are_named_with_their_pin() {
        let mut one = namespace(vec![]);
        one.rpc.programs =
            programs("100024 1 tcp 40001 status\n100003 3 tcp 2049 nfs\n391 1 udp 40002\n");
        one.listeners = vec![listening("0.0.0.0:40001")];
        let found = unpinned(&on(one));
        assert_eq!(found.len(), 1);
        let first = &found[0].evidence[0];
        assert!(first.starts_with("program 391 has udp 40002, a port"), "{found:?}");
        let second = &found[0].evidence[1];
        assert!(second.starts_with("status (100024), nginx (pid 71) has tcp 40001"), "{found:?}");
        assert!(found[0].remedies[0].action.as_str().contains("[statd] port=32765"), "{found:?}");
        assert!(found[0].remedies[1].action.as_str().contains("reserve 40002"), "{found:?}");
    }

    #[test]
    fn low_ports_are_in_danger_only_where_rpc_is_used() {
        let mut one = namespace(vec![]);
        one.listeners =
            vec![listening("0.0.0.0:631"), listening("0.0.0.0:853"), listening("0.0.0.0:80")];
        assert_eq!(low(&on(one.clone())), []);
        one.rpc.programs = programs("100024 1 tcp 32765 status\n");
        one.rpc.kept = crate::rpc::kept_ports("631\n");
        let found = low(&on(one.clone()));
        assert_eq!(found[0].evidence[0], "nginx (pid 71) listens on 853");
        assert!(found[0].remedies[0].action.as_str().contains("printf \"853\\n\""), "{found:?}");
        one.rpc.mounts_nfs = true;
        let found = low(&on(one));
        assert_eq!(found[0].evidence.len(), 3, "{found:?}");
        assert!(found[0].remedies[1].action.as_str().contains("sunrpc.min_resvport"), "{found:?}");
    }
}
