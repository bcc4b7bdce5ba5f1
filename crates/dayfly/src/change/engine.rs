//! Goes through the steps of a change, forwards or backwards, and writes down where it is.
//!
//! Before each step its intent is on the disk, after it that it is done: whoever reads the journal
//! knows which one step may be half done, and everything else for sure. After each step the host is
//! read back. A step that fails makes everything since the last resting place go the other way, so
//! that the host is in the old state or in the new one.

use std::fmt;
use std::io;

use super::deed::{Deed, Sight};
use super::journal::{Event, Journal, Record, Rest, State, Way, When};
use super::scene::Scene;
use crate::host::HostError;

/// Why it did not get to its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// A step failed, and everything is as it was before.
    Returned { step: usize, why: String, is_permission: bool },
    /// A step failed, and so did one on the way back.
    Stuck { step: usize, why: String, at: usize, back: String },
    /// The journal cannot be written. What was done since the last resting place was taken back as
    /// far as that works without one.
    Unwritten { step: usize, error: io::Error },
}

/// Does the steps that count now: all but those for the next boot where a change waits to be kept.
pub(crate) fn apply(scene: &Scene, journal: &mut Journal, goal: Rest) -> Result<(), Stopped> {
    let waits = matches!(goal, Rest::Waiting { .. });
    let steps = &journal.record.begun.steps;
    let due = |step: &usize| !waits || steps[*step].when != When::Boot;
    let order: Vec<usize> = (0..steps.len()).filter(due).collect();
    walk(scene, journal, &order, Way::Apply, goal, Some(Rest::Undone))
}

/// Keeps a change that waits: does the steps for the next boot.
pub(crate) fn keep(scene: &Scene, journal: &mut Journal) -> Result<(), Stopped> {
    let fallback = match journal.record.state() {
        State::Rests(rest) => Some(rest),
        State::Interrupted { .. } => None,
    };
    note(journal, Event::Keeping)?;
    let steps = &journal.record.begun.steps;
    let order: Vec<usize> =
        (0..steps.len()).filter(|&step| steps[step].when == When::Boot).collect();
    walk(scene, journal, &order, Way::Apply, Rest::Applied, fallback)
}

/// Takes every step back that was ever begun, the last one first.
pub(crate) fn take_back(scene: &Scene, journal: &mut Journal) -> Result<(), Stopped> {
    let record = &journal.record;
    let fallback = match record.state() {
        State::Rests(rest) => Some(rest),
        State::Interrupted { .. } => None,
    };
    let order: Vec<usize> =
        (0..record.begun.steps.len()).rev().filter(|&step| record.touched(step)).collect();
    walk(scene, journal, &order, Way::Undo, Rest::Undone, fallback)
}

/// Writes down that an interrupted change came to rest by itself.
pub(crate) fn settle(journal: &mut Journal, state: Rest) -> Result<(), Stopped> {
    note(journal, Event::Rests { state })
}

/// What the host says about each step that was ever begun; the others are as they were.
pub(crate) fn review(scene: &Scene, record: &Record) -> Result<Vec<(usize, Sight)>, HostError> {
    let steps = &record.begun.steps;
    let touched: Vec<usize> = (0..steps.len()).filter(|&step| record.touched(step)).collect();
    // What a later step sets again shows the later one only.
    let is_last = |step: &usize| {
        match &steps[*step].deed {
        Deed::Command { check, .. } => !touched.iter().any(|later| {
            later > step
                && matches!(&steps[*later].deed, Deed::Command { check: again, .. } if again == check)
        }),
        _ => true,
    }
    };
    let last = touched.iter().copied().filter(is_last);
    last.map(|step| Ok((step, seen(scene, &steps[step].deed)?))).collect()
}

/// Settings of a namespace that is gone are gone.
fn seen(scene: &Scene, deed: &Deed) -> Result<Sight, HostError> {
    if scene.gone && is_of_namespace(deed) { Ok(Sight::Old) } else { deed.look(scene) }
}

const fn is_of_namespace(deed: &Deed) -> bool {
    matches!(deed, Deed::Setting { .. } | Deed::Reserve { .. })
}

fn walk(
    scene: &Scene,
    journal: &mut Journal,
    order: &[usize],
    way: Way,
    goal: Rest,
    fallback: Option<Rest>,
) -> Result<(), Stopped> {
    for (index, &step) in order.iter().enumerate() {
        let gone = go(scene, journal, step, way);
        if gone.is_err() && fallback.is_some() {
            retreat(scene, &journal.record, &order[..=index], way);
        }
        let Err(why) = gone? else { continue };
        // The other way, from the step that failed to the first of this walk.
        for &done in order[..=index].iter().rev() {
            if let Err(back) = go(scene, journal, done, other(way))? {
                let (why, back) = (why.to_string(), back.to_string());
                return Err(Stopped::Stuck { step, why, at: done, back });
            }
        }
        if let Some(state) = fallback {
            note(journal, Event::Rests { state })?;
        }
        let is_permission = why.is_permission;
        return Err(Stopped::Returned { step, why: why.to_string(), is_permission });
    }
    note(journal, Event::Rests { state: goal })
}

/// Goes back without a journal: it says of each of these steps that it was begun, so the next dayfly
/// sees for itself what became of it.
fn retreat(scene: &Scene, record: &Record, order: &[usize], way: Way) {
    for &step in order.iter().rev() {
        let deed = &record.begun.steps[step].deed;
        let cut = record.cut(step);
        let start = if way == Way::Apply { Sight::Old } else { Sight::New };
        if seen(scene, deed).is_ok_and(|sight| sight == start) {
            continue;
        }
        let _ = match way {
            Way::Apply => deed.undo(scene, cut.as_ref()),
            Way::Undo => deed.apply(scene, cut.as_ref()),
        };
    }
}

/// One step. The outer error is that of the journal, the inner that of the host.
fn go(
    scene: &Scene,
    journal: &mut Journal,
    step: usize,
    way: Way,
) -> Result<Result<(), HostError>, Stopped> {
    let deed = journal.record.begun.steps[step].deed.clone();
    if scene.gone && is_of_namespace(&deed) {
        return Ok(Ok(()));
    }
    let cut = journal.record.cut(step);
    let goal = if way == Way::Apply { Sight::New } else { Sight::Old };
    let attempt = || -> Result<Option<Option<String>>, HostError> {
        let is_so = seen(scene, &deed)? == goal;
        if is_so && cut.as_ref().map_or(Ok(true), |cut| deed.mend(scene, cut))? {
            return Ok(None);
        }
        deed.found(scene).map(Some)
    };
    let found = match attempt() {
        Err(why) => return Ok(Err(why)),
        // Somebody was faster, or it was never done.
        Ok(None) => return Ok(Ok(())),
        Ok(Some(found)) => found,
    };
    write(journal, step, Event::Intent { step, way, found })?;
    let done = match way {
        Way::Apply => deed.apply(scene, cut.as_ref()),
        Way::Undo => deed.undo(scene, cut.as_ref()),
    };
    let done = done.and_then(|()| match seen(scene, &deed)? {
        sight if sight == goal => Ok(()),
        Sight::Other(what) => {
            Err(HostError::new(format_args!("{} {what}, after it was set", deed.subject())))
        }
        _ => Err(HostError::new(format_args!("{} did not change", deed.subject()))),
    });
    let event = match &done {
        Ok(()) => Event::Done { step, way },
        Err(why) => Event::Failed { step, way, why: why.to_string() },
    };
    write(journal, step, event)?;
    Ok(done)
}

const fn other(way: Way) -> Way {
    match way {
        Way::Apply => Way::Undo,
        Way::Undo => Way::Apply,
    }
}

fn write(journal: &mut Journal, step: usize, event: Event) -> Result<(), Stopped> {
    journal.write(event).map_err(|error| Stopped::Unwritten { step, error })
}

/// Writes down something that is no step.
pub(crate) fn note(journal: &mut Journal, event: Event) -> Result<(), Stopped> {
    let step = journal.record.begun.steps.len().saturating_sub(1);
    write(journal, step, event)
}

impl fmt::Display for Stopped {
    /// Steps are counted from 1.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Stopped::Returned { step, why, .. } => write!(f, "step {} failed: {why}", step + 1),
            Stopped::Stuck { step, why, at, back } => write!(
                f,
                "step {} failed: {why}; and taking step {} back failed as well: {back}",
                step + 1,
                at + 1
            ),
            Stopped::Unwritten { step, error } => {
                write!(f, "the journal cannot be written at step {}: {error}", step + 1)
            }
        }
    }
}
