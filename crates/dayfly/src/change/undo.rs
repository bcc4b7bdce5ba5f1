//! `dayfly undo`: a change is taken back, to the byte.
//!
//! What somebody else has changed since is not overwritten unless it is forced. Lists of reserved
//! ports are merged: what the change put in goes out, what it took out comes back, and everything
//! else stays.

use super::args::UndoArgs;
use super::deed::{Content, Deed, Sight};
use super::draft::{Difference, Draft, Hazard};
use super::engine;
use super::guardian;
use super::journal::{Record, Rest, State};
use super::perform::{Mode, Outcome, Performed, asked, failed, may_change, mode, same, tell};
use super::scene::Scene;
use super::store::{Store, no_such_change};
use crate::error::Failure;
use crate::render;

pub(crate) fn run(args: &UndoArgs) -> Result<(), Failure> {
    let store = Store::new(args.state.folder.as_deref())?;
    let records = store.records()?;
    let record = chosen(&records, args.id)?;
    let scene = Scene::again(&record.begun.place)?;
    let mut performed = Performed {
        title: format!("undo {} ({})", record.begun.id, record.begun.title),
        place: record.begun.place.clone(),
        draft: draft(&scene, record, &records)?,
        id: Some(record.begun.id),
        outcome: Outcome::Unchanged,
    };
    let output = args.output;
    if !output.json {
        let text = render::change::draft(&performed, render::Screen::of_terminal());
        render::print_text(&text, output.color)?;
    }
    if !performed.draft.hazards.is_empty() && !args.force {
        performed.outcome = Outcome::Refused;
        tell(&performed, output)?;
        return Err(Failure::new("it was changed since, and nothing was taken back")
            .hint("--force puts back what was there before, all the same"));
    }
    let mode = mode(args.consent, output);
    if mode == Mode::DryRun {
        performed.outcome = Outcome::DryRun;
        return tell(&performed, output);
    }
    may_change(&scene)?;
    if mode == Mode::Ask && !asked("Take it back?")? {
        performed.outcome = Outcome::Declined;
        return tell(&performed, output);
    }
    let lock = store.lock()?;
    let mut journal = store.open(record.begun.id, &lock)?;
    if journal.record != *record {
        return Err(Failure::new(format_args!(
            "change {} has gone on meanwhile; nothing was taken back",
            record.begun.id
        ))
        .hint("`dayfly history` says how it stands"));
    }
    let guardian = record.guardian().filter(|_| {
        matches!(record.state(), State::Rests(Rest::Waiting { .. }) | State::Interrupted { .. })
    });
    if let Some(folder) = guardian.filter(|guardian| guardian.starts_with('/')) {
        guardian::dismiss(&*scene.host, folder)?;
    }
    engine::take_back(&scene, &mut journal)
        .map_err(|stopped| failed(&scene, &journal, &stopped))?;
    performed.outcome = Outcome::Undone;
    drop(lock);
    tell(&performed, output)
}

/// The change of this number; without one the last that is not undone.
fn chosen(records: &[Record], id: Option<u32>) -> Result<&Record, Failure> {
    let is_undone = |record: &Record| record.state() == State::Rests(Rest::Undone);
    let Some(id) = id else {
        return records.iter().rev().find(|record| !is_undone(record)).ok_or_else(|| {
            Failure::new("there is no change to take back")
                .hint("`dayfly history` lists what was done, --state names another folder")
        });
    };
    let found = records.iter().find(|record| record.begun.id == id);
    let found = found.ok_or_else(|| no_such_change(id))?;
    if is_undone(found) {
        return Err(Failure::new(format_args!("change {id} is undone already"))
            .hint("`dayfly history` says how the others stand"));
    }
    Ok(found)
}

/// What would be taken back.
fn draft(scene: &Scene, record: &Record, records: &[Record]) -> Result<Draft, Failure> {
    let mut draft = Draft::default();
    for (step, sight) in engine::review(scene, record)? {
        let deed = &record.begun.steps[step].deed;
        let (from, to) = ends(deed);
        if sight == Sight::Old {
            continue;
        }
        draft.differences.push(Difference {
            setting: deed.subject().to_owned(),
            when: "",
            from,
            to,
        });
        let merges = matches!(deed, Deed::Reserve { .. }) || record.cut(step).is_some();
        if let Sight::Other(what) = sight
            && !merges
        {
            draft.hazards.push(conflict(deed, &what, record, records));
        }
    }
    Ok(draft)
}

/// Somebody was there since.
fn conflict(deed: &Deed, what: &str, record: &Record, records: &[Record]) -> Hazard {
    let later = records.iter().rev().find(|later| {
        later.begun.id > record.begun.id
            && same(&later.begun.place, &record.begun.place)
            && later.state() != State::Rests(Rest::Undone)
            && later.begun.steps.iter().any(|step| step.deed.subject() == deed.subject())
    });
    match later {
        Some(later) => Hazard {
            text: format!(
                "{} {what}: change {} ({}) came after",
                deed.subject(),
                later.begun.id,
                later.begun.title
            ),
            hint: format!("take that back first: dayfly undo {}", later.begun.id),
        },
        None => Hazard {
            text: format!("{} {what}: it was not dayfly that changed it", deed.subject()),
            hint: "see who did it; what was there before is in the line above".to_owned(),
        },
    }
}

/// What the deed made of it, and what was there before.
fn ends(deed: &Deed) -> (String, String) {
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    match deed {
        Deed::Setting { before, after, .. } => (words(after), words(before)),
        Deed::Reserve { add, remove, .. } => (add.clone(), remove.clone()),
        Deed::File { before, after, .. } => {
            let size = |content: &Option<Content>, which: &str| match content {
                None => "no such file".to_owned(),
                Some(content) => format!("the {} bytes {which}", content.bytes().len()),
            };
            (size(after, "of now"), size(before, "of before"))
        }
        Deed::Command { undo, .. } => {
            let said: Vec<_> = undo.iter().map(ToString::to_string).collect();
            ("done".to_owned(), said.join("; "))
        }
    }
}
