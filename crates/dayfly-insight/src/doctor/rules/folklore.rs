//! Files set sysctls that people recommend against port exhaustion and that do not help.

use crate::doctor::{Evidence, Found, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF011",
    title: "settings that do not help",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF011.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.sysctl_files.iter().filter_map(|assignment| {
        let (why, remedy) = match assignment.key.as_str() {
            "net.ipv4.tcp_tw_recycle" => (
                "Linux 4.12 removed it; before, it broke connections of clients behind NAT",
                "nothing: the line has no effect",
            ),
            "net.ipv4.tcp_fin_timeout" => (
                "it shortens FIN_WAIT2. TIME_WAIT lasts 60 s, whatever it says",
                "no port: only orphans in FIN_WAIT2 are shortened",
            ),
            "net.ipv4.tcp_max_tw_buckets" => (
                "a limit on TIME_WAIT cuts some of them short, at random: late segments may reach \
                 a new connection",
                "TIME_WAIT does its work again",
            ),
            _ => return None,
        };
        let line = format!("{} = {}", assignment.key, assignment.value);
        Some(
            Found::on_host(format!("{}:{}: {line}: {why}", assignment.file, assignment.line))
                .remedy(format!("remove line {} of {}", assignment.line, assignment.file), remedy),
        )
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::sysctl_files::assignments;

    #[test]
    fn names_file_and_line() {
        let text = "net.ipv4.ip_forward = 1\nnet.ipv4.tcp_tw_recycle = 1\n";
        let sysctl_files = assignments("/etc/sysctl.d/a.conf", text);
        let found = check(&Evidence { sysctl_files, ..Evidence::default() });
        assert_eq!(found.len(), 1);
        assert!(found[0].evidence[0].starts_with("/etc/sysctl.d/a.conf:2: "), "{found:?}");
    }
}
