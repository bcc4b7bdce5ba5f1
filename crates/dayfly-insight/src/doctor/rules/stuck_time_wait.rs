//! TIME_WAIT that do not end.

use crate::doctor::{Evidence, Found, Rule, Severity};

pub(super) const RULE: Rule = Rule {
    code: "DF015",
    title: "TIME_WAIT that does not end",
    severity: Severity::Critical,
    page: include_str!("../../../findings/DF015.md"),
    check,
};

fn check(evidence: &Evidence) -> Vec<Found> {
    let each = evidence.namespaces.iter().filter_map(|namespace| {
        let stuck = &namespace.stuck_time_wait;
        let first = stuck.first()?;
        Some(
            Found::within(
                namespace,
                format!(
                    "{} sockets are still in TIME_WAIT although their {} s are over, such as {}",
                    stuck.len(),
                    namespace.headroom.settings.time_wait_seconds,
                    first.tuple
                ),
            )
            .remedy(
                "restart the host, or move the work to another network namespace",
                "the timers of this kernel do not run: nothing else ends these sockets",
            ),
        )
    });
    each.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::State;
    use crate::doctor::rules::fixture::{destination, namespace, on, socket_of};

    #[test]
    fn names_one_of_them() {
        let mut one = namespace(vec![]);
        assert!(check(&on(one.clone())).is_empty());
        one.stuck_time_wait = vec![socket_of(&destination(1, 1, 0, 0), State::TimeWait)];
        let found = check(&on(one));
        assert!(found[0].evidence[0].starts_with("1 sockets are still"), "{found:?}");
    }
}
