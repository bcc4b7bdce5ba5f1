//! The range is too small for the rate at which connections are opened.

use crate::doctor::{Evidence, Found, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF009",
    title: "range too small for the measured churn",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF009.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().filter_map(|namespace| {
        let opens = namespace.opens_per_second?;
        let settings = &namespace.headroom.settings;
        let hold = f64::from(settings.time_wait_seconds);
        let needed = opens * hold;
        let open = namespace.headroom.open;
        (needed > f64::from(open / 2)).then(|| {
            Found::within(
                namespace,
                format!(
                    "{opens:.0} connections are opened a second; each holds its port for {hold:.0} s \
                     after it ends, so they need {needed:.0} ports, and connect() turns slow at {}",
                    open / 2
                ),
            )
            .and("this holds if they all go to one destination and this host closes first")
            .remedy(
                "keep connections open and use them again, or let the other side close first",
                "the side that closes first keeps TIME_WAIT",
            )
            .remedy(
                "spread the load over more source addresses",
                format!("one for every {:.0} connections a second", f64::from(open / 2) / hold),
            )
        })
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::rules::fixture::{namespace, on};

    #[test]
    fn the_cliff_is_the_limit() {
        let busy = |opens| {
            let mut one = namespace(vec![]);
            one.opens_per_second = Some(opens);
            check(&on(one))
        };
        assert!(busy(230.0).is_empty());
        let found = busy(300.0);
        assert!(found[0].evidence[0].contains("they need 18000 ports"), "{found:?}");
        assert!(check(&on(namespace(vec![]))).is_empty());
    }
}
