//! The ephemeral range reaches down to the ports of well-known services.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::{Port, Protocol};

pub(super) const RULE: Rule = Rule {
    code: "DF007",
    title: "range reaches below 1024",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF007.md"),
    check,
};

/// RFC 6335 section 6: system ports end here.
const SYSTEM_PORTS_END: Port = Port::new(1024);

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().filter_map(|namespace| {
        let settings = &namespace.headroom.settings;
        let range = settings.range(Protocol::Tcp)?;
        (range.low() < SYSTEM_PORTS_END).then(|| {
            Found::within(
                namespace,
                format!(
                    "the range is {range}, and net.ipv4.ip_unprivileged_port_start is {}: outgoing \
                     connections take the ports of services such as 22, 80 and 443",
                    settings.unprivileged_floor
                ),
            )
            .remedy(
                namespace.shell.dayfly(&format!("set 1024-{}", range.high().max(Port::new(1025)))),
                "system ports stay with the services; under 1,024 ports fewer",
            )
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on, with_range};

    #[test]
    fn the_default_is_fine() {
        assert!(check(&on(namespace(vec![]))).is_empty());
        let found = check(&on(with_range("512-65535")));
        let action = found[0].remedies[0].action.as_str();
        assert!(action.contains("dayfly set 1024-65535"), "{found:?}");
    }
}
