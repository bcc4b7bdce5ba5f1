//! What was changed, for people and (schema version 1) for programs.

use std::fmt::Write;

use serde::Serialize;

use super::Screen;
use super::style::{self, paint};
use super::text::{visible, wrapped};
use crate::SCHEMA_VERSION;
use crate::change::Record;
use crate::change::clock;
use crate::change::history::Entry;

/// A line for each change, the oldest first, and what there is to say about it.
pub(crate) fn text(entries: &[Entry], folder: &str, screen: Screen) -> String {
    let mut text = String::new();
    if entries.is_empty() {
        wrapped(
            &mut text,
            &format!("dayfly has changed nothing, as far as {folder} knows."),
            "  ",
            screen,
        );
        return text;
    }
    let width = entries.iter().map(|entry| entry.state.len()).max().unwrap_or_default();
    let head = format!("{:>4}  {:20}  {:width$}  CHANGE", "ID", "WHEN", "STATE");
    let _ = writeln!(text, "{}", paint(style::DIM, &head));
    for entry in entries {
        let begun = &entry.record.begun;
        let style = match entry.state {
            "applied" => style::GOOD,
            "undone" => style::DIM,
            _ => style::WARN,
        };
        let state = paint(style, &format!("{:width$}", entry.state));
        let before = format!("{:>4}  {}  {state}  ", begun.id, clock::written(begun.at));
        let indent = " ".repeat(visible(&before));
        let line = format!("{before}{}{}", shortened(&begun.title), place(&entry.record));
        wrapped(&mut text, &line, &indent, screen);
        if !entry.note.is_empty() {
            wrapped(&mut text, &format!("      {}", entry.note), "      ", screen);
        }
    }
    text
}

fn place(record: &Record) -> String {
    let place = &record.begun.place;
    match &place.namespace {
        None => format!(", {}", place.host),
        Some(namespace) if namespace.is_host => String::new(),
        Some(namespace) => format!(", network namespace {}", namespace.name),
    }
}

/// A list of ports can be as long as a book.
fn shortened(title: &str) -> String {
    const MOST: usize = 60;
    let start: String = title.chars().take(MOST).collect();
    if start.len() < title.len() { format!("{start}...") } else { start }
}

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    changes: Vec<ChangeObject<'a>>,
}

#[derive(Serialize)]
struct ChangeObject<'a> {
    id: u32,
    change: &'a str,
    at: u64,
    user: &'a str,
    host: &'a str,
    namespace: Option<&'a str>,
    state: &'static str,
    note: &'a str,
    steps: Vec<StepObject<'a>>,
}

#[derive(Serialize)]
struct StepObject<'a> {
    when: &'static str,
    subject: &'a str,
}

impl<'a> Document<'a> {
    pub(crate) fn new(entries: &'a [Entry]) -> Self {
        let changes = entries.iter().map(|entry| {
            let begun = &entry.record.begun;
            ChangeObject {
                id: begun.id,
                change: &begun.title,
                at: begun.at,
                user: &begun.user,
                host: &begun.place.host,
                namespace: begun.place.namespace.as_ref().map(|found| found.name.as_str()),
                state: entry.state,
                note: &entry.note,
                steps: begun
                    .steps
                    .iter()
                    .map(|step| StepObject { when: step.when.name(), subject: step.deed.subject() })
                    .collect(),
            }
        });
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            changes: changes.collect(),
        }
    }
}
