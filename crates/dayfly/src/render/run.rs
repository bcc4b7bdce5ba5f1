//! What `dayfly run` prints: a sentence for each connection that missed, a table at the end.

use std::fmt::Write;

use dayfly_pin::{Cause, Event, Outcome, Via};
use dayfly_ports::Port;

use super::counted;
use super::style::{self, paint};
use crate::run::ledger::{Started, Totals};

/// The name of a way in reports and JSON.
pub(crate) const fn via(via: Via) -> &'static str {
    match via {
        Via::Auto => "auto",
        Via::Seccomp => "seccomp",
        Via::Bpf => "bpf",
    }
}

/// The sentence about a connection that could not have one of the ports.
pub(crate) fn missed(event: &Event, cause: Cause, port: Option<Port>, refused: bool) -> String {
    let port = port.map_or_else(|| "port".to_owned(), |port| format!("source port {port}"));
    let error = std::io::Error::from_raw_os_error(cause.errno());
    let end = if refused {
        format!("connect() got {error}")
    } else {
        "it goes out from another port".to_owned()
    };
    let to = event.destination.map(|there| format!(" to {there}")).unwrap_or_default();
    format!("dayfly: {port}{to}: {}; {end}", cause.name())
}

/// The table at the end.
pub(crate) fn report(started: &Started, events: &[Event], totals: Totals) -> String {
    let mut text = String::new();
    for (typed, addresses) in &started.names {
        let _ = writeln!(text, "dayfly: {typed} is {}", addresses.join(", "));
    }
    if !events.is_empty() {
        let head = format!("{:>6}  {:<5}  {:<7}  {:<28}  program", "port", "", "", "destination");
        let _ = writeln!(text, "{}", paint(style::DIM, &head));
    }
    for event in events {
        let (port, what) = match event.outcome {
            Outcome::Pinned(port) => (port.to_string(), ""),
            Outcome::LeftAlone(port) => (port.to_string(), "own"),
            Outcome::Missed { refused: true, .. } => ("-".to_owned(), "refused"),
            Outcome::Missed { .. } => ("other".to_owned(), "missed"),
            Outcome::Lost(_) => continue,
        };
        let to = event.destination.map_or_else(|| "?".to_owned(), |there| there.to_string());
        let protocol = event.protocol.to_string();
        let program = &event.program;
        let thread = event.thread;
        let _ =
            writeln!(text, "{port:>6}  {protocol:<5}  {what:<7}  {to:<28}  {program} ({thread})");
    }
    let shown = events.len() as u64;
    let all = totals.pinned + totals.left_alone + totals.missed + totals.refused;
    if all > shown {
        let _ = writeln!(text, "  ...  and {} more", super::grouped(all - shown));
    }
    let _ =
        write!(text, "dayfly: {} pinned via {}", counted(totals.pinned, "connection"), started.via);
    for (number, what) in [
        (totals.left_alone, "that bound a port of their own"),
        (totals.missed, "from other ports"),
        (totals.refused, "refused"),
        (totals.lost, "not told"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {} {what}", super::grouped(number));
        }
    }
    text.push('\n');
    text
}
