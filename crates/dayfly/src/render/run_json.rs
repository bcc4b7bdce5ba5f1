//! The lines of `dayfly run --report --json`.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use dayfly_pin::{Event, Outcome};
use serde::Serialize;

use crate::SCHEMA_VERSION;
use crate::run::ledger::{Started, Totals};

#[derive(Serialize)]
pub(crate) struct StartedLine<'a> {
    schema_version: u32,
    event: &'static str,
    via: &'static str,
    pid: u32,
    destinations: Vec<NameLine<'a>>,
}

#[derive(Serialize)]
struct NameLine<'a> {
    name: &'a str,
    addresses: &'a [String],
}

#[derive(Serialize)]
pub(crate) struct ConnectionLine<'a> {
    event: &'static str,
    protocol: String,
    port: Option<u16>,
    source: Option<String>,
    destination: Option<String>,
    thread: u32,
    program: &'a str,
    cause: Option<&'static str>,
    refused: bool,
    lost: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct EndedLine {
    event: &'static str,
    code: Option<i32>,
    signal: Option<i32>,
    pinned: u64,
    left_alone: u64,
    missed: u64,
    refused: u64,
    lost: u64,
}

pub(crate) fn started(started: &Started) -> StartedLine<'_> {
    StartedLine {
        schema_version: SCHEMA_VERSION,
        event: "started",
        via: started.via,
        pid: started.pid,
        destinations: started
            .names
            .iter()
            .map(|(name, addresses)| NameLine { name, addresses })
            .collect(),
    }
}

pub(crate) fn connection(event: &Event) -> ConnectionLine<'_> {
    let (name, port, cause, refused, lost) = match event.outcome {
        Outcome::Pinned(port) => ("pinned", Some(port), None, false, None),
        Outcome::LeftAlone(port) => ("left_alone", Some(port), None, false, None),
        Outcome::Missed { cause, port, refused } => {
            ("missed", port, Some(cause.name()), refused, None)
        }
        Outcome::Lost(events) => ("lost", None, None, false, Some(events)),
    };
    ConnectionLine {
        event: name,
        protocol: event.protocol.to_string(),
        port: port.map(Into::into),
        source: event.source.map(|source| source.to_string()),
        destination: event.destination.map(|there| there.to_string()),
        thread: event.thread,
        program: &event.program,
        cause,
        refused,
        lost,
    }
}

pub(crate) fn ended(status: ExitStatus, totals: Totals) -> EndedLine {
    EndedLine {
        event: "ended",
        code: status.code(),
        signal: status.signal(),
        pinned: totals.pinned,
        left_alone: totals.left_alone,
        missed: totals.missed,
        refused: totals.refused,
        lost: totals.lost,
    }
}
