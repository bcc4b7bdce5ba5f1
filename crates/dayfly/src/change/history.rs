//! `dayfly history`: what was changed, and how it stands. Changes nothing.

use super::args::HistoryArgs;
use super::clock;
use super::journal::{Record, Rest, State};
use super::perform::{interruption, settled};
use super::scene::Scene;
use super::store::Store;
use crate::error::Failure;
use crate::render;

/// One change.
pub(crate) struct Entry {
    pub(crate) record: Record,
    /// A word or two: `applied`, `undone`, `interrupted`, `waiting`.
    pub(crate) state: &'static str,
    /// What there is to say about it and to do; empty if it is at rest.
    pub(crate) note: String,
}

pub(crate) fn run(args: &HistoryArgs) -> Result<(), Failure> {
    let store = Store::new(args.state.folder.as_deref())?;
    let is_busy = store.is_busy();
    let entries: Vec<Entry> =
        store.records()?.into_iter().map(|record| entry(record, is_busy)).collect();
    if args.output.json {
        return render::print_json(&render::history::Document::new(&entries));
    }
    let folder = store.folder().display().to_string();
    let text = render::history::text(&entries, &folder, render::Screen::of_terminal());
    render::print_text(&text, args.output.color)
}

fn entry(record: Record, is_busy: bool) -> Entry {
    let id = record.begun.id;
    let (state, note) = match record.state() {
        State::Rests(Rest::Applied) => ("applied", String::new()),
        State::Rests(Rest::Undone) => ("undone", String::new()),
        State::Interrupted { .. } if is_busy => {
            ("in progress", "Another dayfly is at work on it.".to_owned())
        }
        State::Interrupted { .. } if record.begun.place.is_remote() => {
            ("interrupted", format!("`dayfly undo {id}` asks the host how it stands, and returns."))
        }
        State::Rests(Rest::Waiting { until }) if record.begun.place.is_remote() => (
            "waiting",
            format!(
                "Until {}; what came then has to be asked from the host: `dayfly keep {id}` or \
                 `dayfly undo {id}`.",
                clock::written(until)
            ),
        ),
        state => match (Scene::again(&record.begun.place), state) {
            (Err(failure), _) => ("unknown", failure.to_string()),
            (Ok(scene), State::Rests(Rest::Waiting { until })) => waiting(&scene, &record, until),
            (Ok(scene), _) => {
                let said = match settled(&scene, &record) {
                    Ok(Some(Rest::Undone)) => {
                        "The host is in the old state; the next change writes that down.".to_owned()
                    }
                    Ok(Some(_)) => {
                        "The host is in the new state; the next change writes that down.".to_owned()
                    }
                    Ok(None) | Err(_) => {
                        let said = interruption(&scene, &record);
                        if record.is_being_kept() {
                            format!(
                                "{said}. `dayfly keep {id}` goes on, `dayfly undo {id}` returns."
                            )
                        } else {
                            format!("{said}. `dayfly undo {id}` returns to what was there before.")
                        }
                    }
                };
                ("interrupted", said)
            }
        },
    };
    Entry { record, state, note }
}

fn waiting(scene: &Scene, record: &Record, until: u64) -> (&'static str, String) {
    let id = record.begun.id;
    let time = clock::written(until);
    let said = if let Some(why) = record.not_returned() {
        format!(
            "It was not taken back at {time}: {why}. `dayfly keep {id}` or `dayfly undo {id} --force`."
        )
    } else if until >= clock::now() {
        let guardian = record.guardian().unwrap_or("nobody");
        format!("Until {time}, watched over by {guardian}. `dayfly keep {id}` makes it stay.")
    } else if matches!(settled(scene, record), Ok(Some(_))) {
        format!("Its time was over at {time}, and the host is in the old state.")
    } else {
        format!(
            "Its time was over at {time}, and nobody took it back: the guardian was ended. \
             `dayfly keep {id}` or `dayfly undo {id}`."
        )
    };
    ("waiting", said)
}
