//! Reserved ports inside the range make their neighbours likelier to be chosen.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::{PortRange, PortSet, Protocol};

pub(super) const RULE: Rule = Rule {
    code: "DF010",
    title: "reserved ports skew the choice",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF010.md"),
    check,
};

/// From this many reserved ports in a row the port behind them stands out.
const LONG: u32 = 50;

fn check(evidence: &Evidence) -> Vec<Found> {
    let mut found = Vec::new();
    for namespace in &evidence.namespaces {
        let settings = &namespace.headroom.settings;
        let Some(range) = settings.range(Protocol::Tcp) else { continue };
        let inside = &*settings.reserved & &PortSet::from(range);
        let long = |hole: &PortRange| {
            hole.len() >= LONG && hole.low() > range.low() && hole.high() < range.high()
        };
        for hole in inside.ranges().filter(long) {
            let heir = hole.high().number() + 1;
            found.push(
                Found::within(
                    namespace,
                    format!(
                        "{hole} is reserved: {} ports in a row. Searches that start among them \
                         all end at the next free port, {heir} or {}",
                        hole.len(),
                        heir.saturating_add(1)
                    ),
                )
                .remedy(
                    "keep reserved ports outside of the range, or at one of its ends",
                    "no port is likelier than another; ports are harder to guess and rest longer",
                ),
            );
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};

    #[test]
    fn short_holes_and_ends_do_no_harm() {
        let reserved = |list: &str| {
            let mut one = namespace(vec![]);
            *one.headroom.settings.reserved = list.parse().unwrap();
            check(&on(one)).len()
        };
        assert_eq!(reserved("32768-33000,60000-60999,40000-40048,1-9000"), 0);
        assert_eq!(reserved("40000-40049,50000-51000"), 2);
    }
}
