//! The BSDs: one sysctl for each end, and `/etc/sysctl.conf`.

use crate::edit::Lines;
use crate::plan::Job;
use crate::{Action, Check, Current, Edit, ReadError, Step, System, When};

/// What `sysctl` printed: `name: value`, `name=value`, `name = value`, `name: old -> new`.
pub(super) fn read(system: &'static System, text: &str) -> Result<Current, ReadError> {
    let values = crate::read::named(system, text)?;
    let current = Current::of_values(system, |name| values.get(name).copied());
    if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
}

/// The writes at run time. `set` is the command before `name=value`.
pub(super) fn runtime(job: &Job<'_>, set: &str) -> Vec<Step> {
    if !job.when.now() {
        return Vec::new();
    }
    let write = |name: &'static str, value| format!("{set} {name}={value}");
    let show = |name: &'static str| format!("sysctl -n {name}");
    job.changes
        .iter()
        .flat_map(|change| super::one_by_one(change, When::Runtime, write, show))
        .collect()
}

/// The lines of `/etc/sysctl.conf`.
pub(super) fn conf(job: &Job<'_>) -> Option<Step> {
    if !job.when.at_boot() || job.changes.is_empty() {
        return None;
    }
    let pairs: Vec<_> = job.changes.iter().flat_map(super::for_boot).collect();
    let expect: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let edit = Edit {
        path: "/etc/sysctl.conf",
        backup: "/etc/sysctl.conf.before-dayfly",
        lines: Lines::Assignments(pairs),
        known: None,
    };
    Some(Step {
        when: When::Boot,
        action: Action::Edit(edit.clone()),
        check: Check::new("cat /etc/sysctl.conf", expect.join(" ")),
        undo: vec![Action::Restore(edit)],
    })
}

/// Both.
pub(super) fn steps(job: &Job<'_>, set: &str) -> Vec<Step> {
    let mut steps = runtime(job, set);
    steps.extend(conf(job));
    steps
}
