//! What FTP servers are configured with does not fit the host: one rule for each kind of issue.

use crate::doctor::{Evidence, Found, Rule, Severity};
use crate::ftp::server::review::{IssueKind, Surroundings, issues};

pub(super) const IGNORED: Rule = Rule {
    code: "DF040",
    title: "FTP server passes over its passive range",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF040.md"),
    check: |evidence| found(evidence, IssueKind::Ignored),
};

pub(super) const UNLIMITED: Rule = Rule {
    code: "DF041",
    title: "passive FTP ports are not limited",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF041.md"),
    check: |evidence| found(evidence, IssueKind::Unlimited),
};

pub(super) const TOO_SMALL: Rule = Rule {
    code: "DF042",
    title: "fewer passive FTP ports than clients",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF042.md"),
    check: |evidence| found(evidence, IssueKind::TooSmall),
};

pub(super) const SHARED: Rule = Rule {
    code: "DF043",
    title: "passive FTP ports are shared with others",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF043.md"),
    check: |evidence| found(evidence, IssueKind::Shared),
};

pub(super) const FIREWALL: Rule = Rule {
    code: "DF044",
    title: "firewall and passive FTP range differ",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF044.md"),
    check: |evidence| found(evidence, IssueKind::Firewall),
};

fn found(evidence: &Evidence, kind: IssueKind) -> Vec<Found> {
    let mut found = Vec::new();
    for namespace in &evidence.namespaces {
        let around = Surroundings {
            settings: &namespace.headroom.settings,
            shell: &namespace.shell,
            listeners: &namespace.listeners,
            open: namespace.open_to_all.as_deref(),
            clients: None,
        };
        for config in &namespace.ftp_servers {
            let of_kind = issues(config, &around).into_iter().filter(|issue| issue.kind == kind);
            found.extend(of_kind.map(|issue| Found {
                namespace: Some(namespace.name.clone()),
                evidence: issue.evidence,
                remedies: issue.remedies,
            }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};
    use crate::ftp::server::{Product, read_as};

    #[test]
    fn every_server_is_judged_by_its_own_rule() {
        let mut one = namespace(vec![]);
        let text = "pasv_min_port=50000\npasv_max_port=50009\n";
        one.ftp_servers = vec![
            read_as(Product::Vsftpd, "/etc/vsftpd.conf", text),
            read_as(Product::ProFtpd, "/etc/proftpd.conf", "PassivePorts 1 2\n"),
        ];
        one.open_to_all = Some(Box::new("21".parse().unwrap()));
        let evidence = on(one);
        for (rule, count) in
            [(IGNORED, 1), (UNLIMITED, 1), (TOO_SMALL, 1), (SHARED, 1), (FIREWALL, 2)]
        {
            let found = (rule.check)(&evidence);
            assert_eq!(found.len(), count, "{}: {found:?}", rule.code);
        }
    }
}
