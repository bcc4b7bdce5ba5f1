//! How a report looks: JSON for programs, a table for people.

pub(crate) mod bar;
pub(crate) mod captured;
pub(crate) mod captured_json;
pub(crate) mod change;
pub(crate) mod change_json;
pub(crate) mod doctor;
pub(crate) mod doctor_json;
pub(crate) mod firewall;
pub(crate) mod firewall_json;
pub(crate) mod ftp;
pub(crate) mod ftp_json;
pub(crate) mod history;
pub(crate) mod identify;
pub(crate) mod identify_json;
pub(crate) mod json;
pub(crate) mod nat;
pub(crate) mod nat_json;
pub(crate) mod plan;
pub(crate) mod plan_json;
pub(crate) mod run;
pub(crate) mod run_json;
pub(crate) mod simulate;
pub(crate) mod simulate_json;
pub(crate) mod size;
pub(crate) mod size_json;
pub(crate) mod style;
pub(crate) mod systems;
pub(crate) mod systems_json;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod why;
pub(crate) mod why_json;

use std::env;
use std::io::{self, Write};

pub(crate) use dayfly_insight::grouped;
use serde::Serialize;

use crate::args::ColorChoice;
use crate::error::Failure;

/// The room that a table has, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Screen {
    pub(crate) columns: usize,
    pub(crate) lines: usize,
}

impl Screen {
    /// What a pipe gets, and a terminal that does not tell.
    const DEFAULT: Screen = Screen { columns: 80, lines: 24 };
    /// Narrower than this nothing useful fits; let the terminal wrap.
    const NARROWEST: usize = 40;

    /// The size of the terminal on standard output. `COLUMNS` and `LINES` speak for a pipe.
    pub(crate) fn of_terminal() -> Screen {
        let number = |name| env::var(name).ok().and_then(|text| text.parse::<usize>().ok());
        let terminal = terminal_size::terminal_size_of(std::io::stdout());
        let screen = match terminal {
            Some((columns, lines)) => Screen { columns: columns.0.into(), lines: lines.0.into() },
            None => Screen {
                columns: number("COLUMNS").unwrap_or(Screen::DEFAULT.columns),
                lines: number("LINES").unwrap_or(Screen::DEFAULT.lines),
            },
        };
        Screen { columns: screen.columns.max(Screen::NARROWEST), ..screen }
    }
}

/// Prints a document over many lines, for people to read and programs to parse.
pub(crate) fn print_json(document: &impl Serialize) -> Result<(), Failure> {
    write_line(serde_json::to_string_pretty(document))
}

/// Prints a document on one line.
pub(crate) fn print_json_line(document: &impl Serialize) -> Result<(), Failure> {
    write_line(serde_json::to_string(document))
}

fn write_line(json: serde_json::Result<String>) -> Result<(), Failure> {
    let mut json = json.map_err(io::Error::from)?;
    json.push('\n');
    let mut out = io::stdout().lock();
    out.write_all(json.as_bytes())?;
    Ok(out.flush()?)
}

/// Prints styled text; the styles are taken off where they are not wanted.
pub(crate) fn print_text(text: &str, color: ColorChoice) -> Result<(), Failure> {
    let mut out = anstream::AutoStream::new(io::stdout().lock(), color.of_stream());
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

/// The sentence that ends a failed command.
pub(crate) fn failure(failure: &Failure) -> String {
    let error = style::paint(style::BAD, "error:");
    match failure {
        Failure::Said { message, hint: Some(hint) } => {
            format!("{error} {message}\n{} {hint}", style::paint(style::GOOD, "hint:"))
        }
        failure => format!("{error} {failure}"),
    }
}

/// `1 port`, `2 ports`.
pub(crate) fn counted(number: impl Into<u64>, thing: &str) -> String {
    let number = number.into();
    format!("{} {thing}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// A span of time in the unit that fits: `0.2 s`, `60 s`, `4 min`, `3 h`.
pub(crate) fn seconds(seconds: f64) -> String {
    let (number, unit) = match seconds {
        seconds if seconds < 120.0 => (seconds, "s"),
        seconds if seconds < 7200.0 => (seconds / 60.0, "min"),
        seconds => (seconds / 3600.0, "h"),
    };
    let decimals = if number < 10.0 { 2 } else { 1 };
    let text = format!("{number:.decimals$}");
    format!("{} {unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_has_the_unit_that_fits() {
        for (number, text) in
            [(0.0, "0 s"), (0.25, "0.25 s"), (60.0, "60 s"), (240.0, "4 min"), (9000.0, "2.5 h")]
        {
            assert_eq!(seconds(number), text);
        }
    }

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(1u64, "port"), "1 port");
        assert_eq!(counted(0u64, "port"), "0 ports");
    }
}
