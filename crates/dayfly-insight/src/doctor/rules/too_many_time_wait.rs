//! The kernel cuts TIME_WAIT short because there are too many.

use crate::doctor::{Evidence, Found, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF014",
    title: "too many TIME_WAIT",
    severity: Severity::Warning,
    page: include_str!("../../../findings/DF014.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().filter_map(|namespace| {
        let max = namespace.headroom.settings.max_time_wait?;
        let now = namespace.headroom.counts.time_wait;
        let overflow = namespace.time_wait_overflow.unwrap_or(0);
        let full = now >= u64::from(max);
        (full || overflow > 0).then(|| {
            Found::within(
                namespace,
                format!(
                    "{now} sockets are in TIME_WAIT, net.ipv4.tcp_max_tw_buckets is {max}; \
                     {overflow} were cut short since boot (TCPTimeWaitOverflow)"
                ),
            )
            .remedy(
                namespace.shell.sysctl(
                    "net.ipv4.tcp_max_tw_buckets",
                    &now.max(u64::from(max)).saturating_mul(2).to_string(),
                ),
                "TIME_WAIT lasts its 60 s again; about 0.3 kB of kernel memory each",
            )
            .remedy(
                "keep connections open, or let the other side close first",
                "fewer TIME_WAIT on this host",
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
    fn the_limit_or_an_overflow_is_enough() {
        let state = |now, max, overflow| {
            let mut one = namespace(vec![]);
            one.headroom.counts.time_wait = now;
            one.headroom.settings.max_time_wait = Some(max);
            one.time_wait_overflow = overflow;
            check(&on(one)).len()
        };
        assert_eq!(state(10, 100, Some(0)), 0);
        assert_eq!(state(100, 100, None), 1);
        assert_eq!(state(10, 100, Some(3)), 1);
    }
}
