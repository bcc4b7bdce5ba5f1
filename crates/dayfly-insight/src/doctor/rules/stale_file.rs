//! A file sets another range than the kernel has.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::{PortRange, Protocol};

use crate::doctor::sysctl_files::last;

pub(super) const RULE: Rule = Rule {
    code: "DF012",
    title: "file and kernel disagree about the range",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF012.md"),
    check,
};

const KEY: &str = "net.ipv4.ip_local_port_range";

fn check(evidence: &Evidence) -> Vec<Found> {
    finding(evidence).into_iter().collect()
}

fn finding(evidence: &Evidence) -> Option<Found> {
    let host = evidence.namespaces.iter().find(|namespace| namespace.is_host)?;
    let range = host.headroom.settings.range(Protocol::Tcp)?;
    let assignment = last(&evidence.sysctl_files, KEY)?;
    let place = format!("{}:{}", assignment.file, assignment.line);
    let Ok(filed) = assignment.value.parse::<PortRange>() else {
        return Some(
            Found::on_host(format!(
                "{place} sets the range to {:?}, which the kernel refuses",
                assignment.value
            ))
            .remedy(
                format!("write `{KEY} = {} {}` there", range.low(), range.high()),
                "the range of now also after the next boot",
            ),
        );
    };
    (filed != range).then(|| {
        Found::on_host(format!("the kernel has {range}, {place} says {filed}"))
            .remedy(
                host.shell.dayfly(&format!("set {filed} --runtime")),
                "the range of the file now, as after the next boot",
            )
            .remedy(
                format!("write `{KEY} = {} {}` to {}", range.low(), range.high(), assignment.file),
                "the range of now also after the next boot",
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};
    use crate::doctor::sysctl_files::assignments;

    fn found(line: &str) -> Vec<Found> {
        let mut evidence = on(namespace(vec![]));
        evidence.sysctl_files = assignments("f", line);
        check(&evidence)
    }

    #[test]
    fn the_last_line_counts() {
        assert!(found("").is_empty());
        assert!(found(&format!("{KEY} = 1024 65535\n{KEY} = 32768\t60999\n")).is_empty());
        let other = found(&format!("{KEY} = 32768 60999\n{KEY} = 1024 65535\n"));
        assert_eq!(other[0].evidence[0], "the kernel has 32768-60999, f:2 says 1024-65535");
        let wrong = found(&format!("{KEY} = 60999 32768\n"));
        assert!(wrong[0].evidence[0].contains("which the kernel refuses"), "{wrong:?}");
    }
}
