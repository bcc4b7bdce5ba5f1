//! Both ends of the range have the same parity.

use crate::doctor::{Evidence, Found, Rule, Severity};
use dayfly_ports::{PortRange, Protocol};

pub(super) const RULE: Rule = Rule {
    code: "DF008",
    title: "both ends of the range have the same parity",
    severity: Severity::Info,
    page: include_str!("../../../findings/DF008.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().filter_map(|namespace| {
        let range = namespace.headroom.settings.range(Protocol::Tcp)?;
        (range.len() > 1 && range.len() % 2 == 1).then(|| {
            let better = other_parity(range);
            Found::within(
                namespace,
                format!(
                    "the range {range} has {} ports, an odd number: each search of the kernel \
                     looks at all but one of them",
                    range.len()
                ),
            )
            .remedy(
                namespace.shell.dayfly(&format!("set {better}")),
                "every port can be found; the kernel's warning in the log goes away",
            )
        })
    });
    each.collect()
}

/// The range with its high end one further, or one less at the very end.
fn other_parity(range: PortRange) -> PortRange {
    let (low, high) = (range.low().number(), range.high().number());
    let high = high.checked_add(1).unwrap_or(high - 1);
    PortRange::new(low, high).unwrap_or(range)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on, with_range};

    #[test]
    fn odd_ranges_are_evened() {
        assert!(check(&on(namespace(vec![]))).is_empty());
        assert!(check(&on(with_range("40000-40000"))).is_empty());
        let action =
            |range| check(&on(with_range(range)))[0].remedies[0].action.as_str().to_owned();
        assert!(action("32768-61000").ends_with("set 32768-61001"));
        assert!(action("1025-65535").ends_with("set 1025-65534"));
    }
}
