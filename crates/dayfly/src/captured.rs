//! What another host's own commands printed, from a file or standard input.

use std::io::{Read, stdin};

use dayfly_systems::{Current, ReadError, System, decoded};

use crate::args::OutputArgs;
use crate::error::Failure;
use crate::place::Note;
use crate::render;

/// The settings that a captured output tells.
pub(crate) struct Report {
    pub(crate) system: &'static System,
    pub(crate) current: Current,
    pub(crate) degraded: Vec<Note>,
}

/// Reads and prints.
pub(crate) fn show(
    system: &'static System,
    place: &str,
    output: OutputArgs,
) -> Result<(), Failure> {
    let current = read(system, place)?;
    let degraded = untold(system, &current);
    let report = Report { system, current, degraded };
    if output.json {
        return render::print_json(&render::captured_json::Document::new(&report));
    }
    let text = render::captured::text(&report, render::Screen::of_terminal());
    render::print_text(&text, output.color)
}

/// The settings that the text does not hold, although the system has them.
fn untold(system: &'static System, current: &Current) -> Vec<Note> {
    let is_told =
        |slot| current.found(slot).is_some_and(|found| found.low.is_some() && found.high.is_some());
    let ranges = system.slots.iter().filter(|slot| slot.writable && !slot.on_request);
    let missing: Vec<String> =
        ranges.filter(|slot| !is_told(slot)).map(|slot| format!("({})", slot.scope())).collect();
    let mut notes = Vec::new();
    let why = "the text does not tell";
    if !missing.is_empty() {
        let what = format!("the range for {}", missing.join(", "));
        notes.push(Note { what, why: why.to_owned(), fix: system.read_command() });
    }
    if let Some(reserving) = system.reserving
        && current.reserved.is_empty()
    {
        let what = format!("reserved ports ({reserving})");
        notes.push(Note { what, why: why.to_owned(), fix: system.read_command() });
    }
    notes
}

/// What the system's own commands printed, in a file or on standard input.
pub(crate) fn read(system: &'static System, place: &str) -> Result<Current, Failure> {
    let mut bytes = Vec::new();
    let done = match place {
        "-" => stdin().lock().read_to_end(&mut bytes),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    let name = if place == "-" { "standard input" } else { place };
    done.map_err(|error| {
        Failure::new(format_args!("{name} cannot be read: {error}"))
            .hint(format!("put the output of `{}` there", system.read_command()))
    })?;
    system.read(&decoded(&bytes)).map_err(|error| {
        let hint = match &error {
            ReadError::Nothing { .. } => {
                format!("the output of `{}` is expected", system.read_command())
            }
            ReadError::Value { .. } => "correct the line, or leave it out".to_owned(),
        };
        Failure::new(format_args!("{name}: {error}")).hint(hint)
    })
}
