//! What another host's own commands printed: from a file, from standard input, or as it answers.

use std::io::{Read, stdin};

use dayfly_insight::Usage;
use dayfly_systems::{Current, ReadError, System, decoded, sockets};

use crate::args::OutputArgs;
use crate::error::Failure;
use crate::host::survey;
use crate::place::Note;
use crate::render;

/// The settings that an output tells, and the sockets.
pub(crate) struct Report {
    pub(crate) system: &'static System,
    pub(crate) current: Current,
    pub(crate) degraded: Vec<Note>,
    /// The host that answered; none for a file.
    pub(crate) host: Option<HostName>,
    /// None if no list of sockets was there.
    pub(crate) usage: Option<Usage>,
}

/// A host, as its user and as it itself calls it.
pub(crate) struct HostName {
    pub(crate) url: String,
    pub(crate) version: String,
}

/// Reads and prints.
pub(crate) fn show(
    system: &'static System,
    place: &str,
    output: OutputArgs,
) -> Result<(), Failure> {
    let text = text_of(system, place)?;
    let current = settings(system, place, &text)?;
    let mut degraded = untold(system, &current, "the text does not tell");
    // The same text may hold a list of sockets as well.
    let listing = sockets::listed(&text);
    let usage = listing.is_list.then(|| {
        let sockets = survey::unfolded(&listing, &mut degraded);
        Usage::of(&sockets, &survey::supplies(system, &current))
    });
    let report = Report { system, current, degraded, host: None, usage };
    if output.json {
        return render::print_json(&render::captured_json::Document::new(&report, None));
    }
    let text = render::captured::text(&report, None, render::Screen::of_terminal());
    render::print_text(&text, output.color)
}

/// The settings that were not told, although the system has them.
pub(crate) fn untold(system: &'static System, current: &Current, why: &str) -> Vec<Note> {
    let is_told =
        |slot| current.found(slot).is_some_and(|found| found.low.is_some() && found.high.is_some());
    let ranges = system.slots.iter().filter(|slot| slot.writable && !slot.on_request);
    let missing: Vec<String> =
        ranges.filter(|slot| !is_told(slot)).map(|slot| format!("({})", slot.scope())).collect();
    let mut notes = Vec::new();
    if !missing.is_empty() {
        let what = format!("the range for {}", missing.join(", "));
        notes.push(Note { what, why: why.to_owned(), fix: system.read_command() });
    }
    if let Some(setting) = system.reserving.setting()
        && current.reserved.is_empty()
    {
        let what = format!("reserved ports ({setting})");
        notes.push(Note { what, why: why.to_owned(), fix: system.read_command() });
    }
    notes
}

/// What is set, as the system's own commands printed it, in a file or on standard input.
pub(crate) fn read(system: &'static System, place: &str) -> Result<Current, Failure> {
    settings(system, place, &text_of(system, place)?)
}

fn name_of(place: &str) -> &str {
    if place == "-" { "standard input" } else { place }
}

fn text_of(system: &'static System, place: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    let done = match place {
        "-" => stdin().lock().read_to_end(&mut bytes),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    done.map_err(|error| {
        Failure::new(format_args!("{} cannot be read: {error}", name_of(place)))
            .hint(format!("put the output of `{}` there", system.read_command()))
    })?;
    Ok(decoded(&bytes))
}

fn settings(system: &'static System, place: &str, text: &str) -> Result<Current, Failure> {
    system.read(text).map_err(|error| {
        let hint = match &error {
            ReadError::Nothing { .. } => {
                format!("the output of `{}` is expected", system.read_command())
            }
            ReadError::Value { .. } => "correct the line, or leave it out".to_owned(),
        };
        Failure::new(format_args!("{}: {error}", name_of(place))).hint(hint)
    })
}
