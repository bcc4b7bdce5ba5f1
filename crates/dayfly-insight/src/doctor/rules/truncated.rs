//! The kernel lost the end of a long list of reserved ports.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::PortSet;

use crate::doctor::sysctl_files::last;

pub(super) const RULE: Rule = Rule {
    code: "DF013",
    title: "reserved list truncated",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF013.md"),
    check,
};

const KEY: &str = "net.ipv4.ip_local_reserved_ports";
/// One write(2) to the sysctl takes at most a page; `sysctl -p` writes once and does not look.
const PAGE: usize = 4096;

fn check(evidence: &Evidence) -> Vec<Found> {
    finding(evidence).into_iter().collect()
}

fn finding(evidence: &Evidence) -> Option<Found> {
    let host = evidence.namespaces.iter().find(|namespace| namespace.is_host)?;
    let assignment = last(&evidence.sysctl_files, KEY)?;
    let place = format!("{}:{}", assignment.file, assignment.line);
    let Ok(filed) = assignment.value.parse::<PortSet>() else {
        return Some(
            Found::on_host(format!(
                "{place} sets a list of reserved ports that the kernel refuses"
            ))
            .remedy(
                format!("correct line {} of {}", assignment.line, assignment.file),
                "ports and spans separated by commas: 8080,9000-9010",
            ),
        );
    };
    let lost = &filed - &host.headroom.settings.reserved;
    if lost.is_empty() {
        return None;
    }
    let size = assignment.value.len();
    let found = Found::on_host(format!(
        "{place} reserves {} ports, {} of them are not reserved in the kernel",
        filed.len(),
        lost.len()
    ));
    Some(if size >= PAGE {
        found
            .and(format!(
                "the list has {size} bytes; one write takes {PAGE}, and `sysctl -p` writes once"
            ))
            .remedy(
                host.shell.command("systemctl restart systemd-sysctl"),
                "systemd-sysctl writes on until the list is whole; at boot it does so by itself",
            )
            .remedy(
                "name spans instead of single ports in the file",
                "a list of less than a page is set whole",
            )
    } else {
        found.remedy(
            host.shell.command(&format!("sysctl -p {}", assignment.file)),
            format!("{} more reserved ports, as after the next boot", lost.len()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};
    use crate::doctor::sysctl_files::assignments;

    fn found(list: &str, kernel: &str) -> Vec<Found> {
        let mut one = namespace(vec![]);
        *one.headroom.settings.reserved = kernel.parse().unwrap();
        let mut evidence = on(one);
        evidence.sysctl_files = assignments("f", &format!("{KEY} = {list}\n"));
        check(&evidence)
    }

    #[test]
    fn what_the_kernel_lacks_is_counted() {
        assert!(found("1-3", "1-5").is_empty());
        assert!(found("1-3,7", "1-3")[0].evidence[0].contains("reserves 4 ports, 1 of them"));
        assert!(found("3-1", "")[0].evidence[0].contains("the kernel refuses"));
        let long: Vec<String> = (0..1000).map(|port| (2 * port + 1000).to_string()).collect();
        let found = found(&long.join(","), "1000,1002");
        assert!(found[0].evidence[1].contains("one write takes 4096"), "{found:?}");
    }
}
