//! A TFTP server answers from ports that nobody limited, or that others are given as well.

use dayfly_ports::{PortSet, Protocol};

use super::reserve;
use crate::doctor::{Evidence, Found, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF045",
    title: "TFTP answers from automatic ports",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF045.md"),
    check,
};

/// Below every system's range, wide enough for a hundred transfers at a time.
const ADVISED: &str = "30200-30299";

fn check(evidence: &Evidence) -> Vec<Found> {
    let mut all = Vec::new();
    for namespace in &evidence.namespaces {
        let usable = namespace.headroom.settings.usable(Protocol::Udp);
        for server in &namespace.tftp_servers {
            let program = &server.program;
            match server.ports {
                None => {
                    let found = Found::within(
                        namespace,
                        format!("{program} answers from any port of the system's range, {usable}"),
                    )
                    .and("a firewall before a client lets the answer in with a helper only");
                    all.extend(ADVISED.parse().ok().map(|range| {
                        found.remedy(
                            server.setting(range),
                            format!("clients' firewalls need to let in udp from {range} only"),
                        )
                    }));
                }
                Some(range) => {
                    let shared = &usable & &PortSet::from(range);
                    if !shared.is_empty() {
                        let found = Found::within(
                            namespace,
                            format!(
                                "{program} answers from {range}, which other programs are given as \
                                 well: when all are taken, a transfer does not begin"
                            ),
                        );
                        all.push(reserve(found, namespace, &shared));
                    }
                }
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};
    use crate::tftp::TftpServer;

    #[test]
    fn only_a_range_of_its_own_is_fine() {
        let found = |ports: Option<&str>| {
            let mut one = namespace(vec![]);
            let ports = ports.map(|text| text.parse().unwrap());
            one.tftp_servers = vec![TftpServer { program: "in.tftpd".to_owned(), ports }];
            check(&on(one))
        };
        assert_eq!(found(Some("30200-30299")), []);
        assert!(found(None)[0].remedies[0].action.as_str().ends_with("--port-range 30200:30299"));
        assert!(
            found(Some("40000-40009"))[0].remedies[0]
                .action
                .as_str()
                .contains("reserve 40000-40009")
        );
    }
}
