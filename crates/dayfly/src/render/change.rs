//! A change for people: what is set and what it becomes, what stands against it, and what became of
//! it.

use std::fmt::Write;

use dayfly_linux::sysctl::RESERVED;
use dayfly_ports::PortSet;

use super::style::{self, paint};
use super::text::wrapped;
use super::{Screen, counted};
use crate::change::clock;
use crate::change::draft::{Difference, listed};
use crate::change::{Outcome, Performed, Place};

/// What would be done.
pub(crate) fn draft(performed: &Performed, screen: Screen) -> String {
    let mut text = String::new();
    let head = format!("{} {}", paint(style::STRONG, &performed.title), place(&performed.place));
    wrapped(&mut text, head.trim_end(), "  ", screen);
    let mut last = "";
    for difference in &performed.draft.differences {
        if difference.setting != last {
            let _ = writeln!(text, "  {}", difference.setting);
            last = &difference.setting;
        }
        let when = match difference.when {
            "" => String::new(),
            when => format!("{:8} ", format!("{when}:")),
        };
        wrapped(&mut text, &format!("    {when}{}", change(difference)), "      ", screen);
    }
    if performed.draft.steps.is_empty() && performed.draft.hazards.is_empty() {
        return text;
    }
    for note in &performed.draft.remarks {
        let label = match note.severity {
            "advice" => paint(style::DIM, "note:"),
            severity => paint(style::WARN, &format!("{severity}:")),
        };
        wrapped(&mut text, &format!("{label} {}", note.text), "  ", screen);
    }
    for hazard in &performed.draft.hazards {
        let label = paint(style::BAD, "against it:");
        wrapped(&mut text, &format!("{label} {}.", hazard.text), "  ", screen);
        let label = paint(style::GOOD, "instead:");
        wrapped(&mut text, &format!("  {label} {}", hazard.hint), "    ", screen);
    }
    text
}

/// What became of it.
pub(crate) fn outcome(performed: &Performed, screen: Screen) -> String {
    let mut text = String::new();
    let id = performed.id.unwrap_or_default();
    let line = match &performed.outcome {
        Outcome::Unchanged => "There is nothing to do: it is so already.".to_owned(),
        Outcome::DryRun => "Nothing was changed. --yes does it.".to_owned(),
        Outcome::Declined => "Nothing was changed.".to_owned(),
        Outcome::Refused => return text,
        Outcome::Applied if performed.draft.steps.is_empty() => {
            format!("{} Change {id} stays.", paint(style::GOOD, "kept:"))
        }
        Outcome::Applied => {
            format!("{} `dayfly undo {id}` takes it back.", paint(style::GOOD, "done:"))
        }
        Outcome::Waiting { until, guardian } => format!(
            "{} until {}; then {guardian} takes it back. `dayfly keep {id}` makes it stay.",
            paint(style::GOOD, "done:"),
            clock::written(*until)
        ),
        Outcome::Undone => format!("{} All is as it was before.", paint(style::GOOD, "undone:")),
    };
    wrapped(&mut text, &line, "  ", screen);
    text
}

/// Something that was noticed on the way, for standard error.
pub(crate) fn aside(said: &str) {
    use std::io::Write;
    // If standard error is closed, nobody misses it.
    let _ = writeln!(anstream::stderr(), "{} {said}", paint(style::DIM, "note:"));
}

/// `on this host`, `in the network namespace web`.
fn place(place: &Place) -> String {
    match &place.namespace {
        None => format!("on {}", place.host),
        Some(namespace) if namespace.is_host => format!("on {}", place.host),
        Some(namespace) => format!("in the network namespace {}", namespace.name),
    }
}

fn change(difference: &Difference) -> String {
    let Difference { setting, when, from, to } = difference;
    let sets = from.parse::<PortSet>().ok().zip(to.parse::<PortSet>().ok());
    match sets {
        Some((added, removed)) if setting == RESERVED && when.is_empty() => {
            both(&PortSet::EMPTY, &removed, &added)
        }
        Some((from, to)) if setting == RESERVED => {
            both(&(&from & &to), &(&to - &from), &(&from - &to))
        }
        _ if !difference.changes() => format!("{to}, as it is"),
        _ => format!("{from} -> {to}"),
    }
}

/// `+ 50000-50010 (11 ports), - 8080 (1 port), 9000 stays`.
fn both(kept: &PortSet, added: &PortSet, removed: &PortSet) -> String {
    let mut parts = Vec::new();
    for (sign, ports) in [("+", added), ("-", removed)] {
        if !ports.is_empty() {
            parts.push(format!("{sign} {} ({})", listed(ports), counted(ports.len(), "port")));
        }
    }
    if parts.is_empty() {
        return format!("{}, as it is", listed(kept));
    }
    if !kept.is_empty() {
        parts.push(format!("besides {}", listed(kept)));
    }
    parts.join(", ")
}
