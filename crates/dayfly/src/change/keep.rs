//! `dayfly keep`: a change that waits stays, after the next boot as well.

use super::args::KeepArgs;
use super::draft::Draft;
use super::engine;
use super::guardian;
use super::journal::{Rest, State};
use super::perform::{Outcome, Performed, failed, may_change, tell};
use super::scene::Scene;
use super::store::{Store, no_such_change};
use crate::error::Failure;

pub(crate) fn run(args: &KeepArgs) -> Result<(), Failure> {
    let store = Store::new(args.state.folder.as_deref())?;
    let records = store.records()?;
    let waits = |state: State| matches!(state, State::Rests(Rest::Waiting { .. }));
    let record = match args.id {
        Some(id) => records.iter().find(|record| record.begun.id == id),
        None => records.iter().rev().find(|record| waits(record.state()) || record.is_being_kept()),
    };
    let record = match (record, args.id) {
        (Some(record), _) => record,
        (None, Some(id)) => return Err(no_such_change(id)),
        (None, None) => {
            return Err(Failure::new("no change waits to be kept")
                .hint("`dayfly history` says how the changes stand"));
        }
    };
    let id = record.begun.id;
    // A keep that was interrupted goes on.
    if !waits(record.state()) && !record.is_being_kept() {
        return Err(Failure::new(format_args!("change {id} does not wait to be kept"))
            .hint("`dayfly history` says how it stands"));
    }
    let scene = Scene::again(&record.begun.place)?;
    may_change(&scene)?;
    let lock = store.lock()?;
    let mut journal = store.open(id, &lock)?;
    if journal.record != *record {
        return Err(
            Failure::new(format_args!("change {id} was taken back just now")).hint("do it again")
        );
    }
    // Whoever is away over there cannot be told: first he has to be stopped.
    if let Some(folder) = record.guardian().filter(|guardian| guardian.starts_with('/')) {
        guardian::dismiss(&*scene.host, folder)?;
    }
    engine::keep(&scene, &mut journal).map_err(|stopped| failed(&scene, &journal, &stopped))?;
    let performed = Performed {
        title: format!("keep {id} ({})", record.begun.title),
        place: record.begun.place.clone(),
        draft: Draft::default(),
        id: Some(id),
        outcome: Outcome::Applied,
    };
    drop(lock);
    tell(&performed, args.output)
}
