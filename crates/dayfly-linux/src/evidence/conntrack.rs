//! Connection tracking, as the doctor's rules want it.

use dayfly_insight::doctor::Conntrack;

use crate::conntrack::{Statistics, nat, rules, statistics};

/// Entries that could not be made and packets dropped, since the namespace was made.
pub(super) fn failed() -> u64 {
    statistics().map_or(0, |seen| failed_of(&seen))
}

const fn failed_of(seen: &Statistics) -> u64 {
    seen.insert_failed + seen.dropped
}

/// None where nothing is tracked: no module, or no rule that needs it. `failed_before` is what
/// [`failed`] said when the namespace began to be watched.
pub(super) fn read(failed_before: u64) -> Option<Conntrack> {
    let seen = statistics()?;
    let translations = match seen.count {
        0 => Vec::new(),
        _ => nat(&rules().0).unwrap_or_default(),
    };
    Some(Conntrack {
        count: seen.count,
        max: seen.max,
        insert_failed: seen.insert_failed,
        dropped: seen.dropped + seen.early_drop,
        failed_while_watched: failed_of(&seen).saturating_sub(failed_before),
        translations,
    })
}
