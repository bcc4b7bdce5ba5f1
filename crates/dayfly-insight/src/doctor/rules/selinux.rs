//! SELinux labels another range as ephemeral.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::{PortRange, Protocol};

pub(super) const RULE: Rule = Rule {
    code: "DF018",
    title: "SELinux labels another range",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF018.md"),
    check,
};

/// `ephemeral_port_t` of the reference policy (`corenetwork.te`): fixed when the policy is built.
const LABELLED: PortRange = PortRange::LINUX_DEFAULT;

fn check(evidence: &Evidence) -> Vec<Found> {
    finding(evidence).into_iter().collect()
}

fn finding(evidence: &Evidence) -> Option<Found> {
    let enforced = evidence.selinux_enforced?;
    let host = evidence.namespaces.iter().find(|namespace| namespace.is_host)?;
    let range = host.headroom.settings.range(Protocol::Tcp)?;
    (range != LABELLED).then(|| {
        Found::on_host(format!(
            "the range is {range}; the reference policy labels {LABELLED} as ephemeral_port_t, \
             and SELinux is {}",
            if enforced { "enforced" } else { "permissive" }
        ))
        .remedy(
            host.shell.command("ausearch -m AVC | grep name_bind"),
            "shows whether a confined service was refused a port; `semanage port -l` lists the \
             labels",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{on, with_range};

    #[test]
    fn silent_without_selinux_and_at_the_default() {
        let found = |range, selinux_enforced| {
            check(&Evidence { selinux_enforced, ..on(with_range(range)) }).len()
        };
        assert_eq!(found("1024-65535", None), 0);
        assert_eq!(found("32768-60999", Some(true)), 0);
        assert_eq!(found("1024-65535", Some(true)), 1);
    }
}
