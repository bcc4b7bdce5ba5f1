//! What translation leaves of the outer addresses, as a table that fits the screen.

use std::fmt::Write;

use dayfly_insight::nat::NatRow;

use super::style::{self, paint};
use super::text::{notes, wrapped};
use super::{Screen, counted, grouped};
use crate::show::{NatNamespace, NatReport};

/// Lines of a namespace's block that are not rows.
const OVERHEAD: usize = 8;
/// However small the screen, so many rows are shown.
const FEWEST_ROWS: usize = 5;
/// From here on a new connection may find no port soon.
const NEAR: f64 = 0.8;

/// The whole report. Styled; the stream takes the styles off where they are not wanted.
pub(crate) fn table(report: &NatReport, top: Option<usize>, screen: Screen) -> String {
    let blocks = report.namespaces.len().max(1);
    // A row may take two lines.
    let fitting = (screen.lines / blocks).saturating_sub(OVERHEAD).max(FEWEST_ROWS);
    let rows = top.unwrap_or(fitting);
    let mut text = String::new();
    for (index, namespace) in report.namespaces.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        block(&mut text, namespace, rows, screen);
    }
    notes(&mut text, &report.degraded, screen);
    text
}

fn block(text: &mut String, namespace: &NatNamespace, most: usize, screen: Screen) {
    wrapped(text, &headline(namespace), "  ", screen);
    for rule in &namespace.rules {
        wrapped(text, &format!("  {}", paint(style::DIM, &rule.text)), "    ", screen);
    }
    let shown = &namespace.rows[..most.min(namespace.rows.len())];
    if shown.is_empty() {
        let none = match namespace.degraded.is_empty() {
            true => "no connection passes through with another source address",
            false => "no translated connection was seen",
        };
        wrapped(text, none, "  ", screen);
    } else {
        text.push('\n');
        rows(text, shown, screen);
        let hidden = namespace.rows.len() - shown.len();
        if hidden > 0 {
            let line = format!("and {} more; --top shows them", counted(hidden as u64, "row"));
            wrapped(text, &paint(style::DIM, &line), "  ", screen);
        }
        if let Some(worst) = shown.first().and_then(verdict) {
            text.push('\n');
            wrapped(text, &worst, "  ", screen);
        }
    }
    notes(text, &namespace.degraded, screen);
}

/// `gate: 21 of 262,144 connections tracked; insert_failed 1, drop 1`.
fn headline(namespace: &NatNamespace) -> String {
    let name = paint(style::STRONG, &namespace.name);
    let Some(seen) = namespace.statistics else {
        return format!("{name}: no connection tracking");
    };
    let mut line =
        format!("{name}: {} of {} connections tracked", grouped(seen.count), grouped(seen.max));
    let counts = [
        (seen.insert_failed, "insert_failed"),
        (seen.dropped, "drop"),
        (seen.early_drop, "early_drop"),
    ];
    for (number, name) in counts.into_iter().filter(|(number, _)| *number > 0) {
        let _ = write!(line, ", {name} {}", grouped(number));
    }
    line
}

fn rows(text: &mut String, rows: &[NatRow], screen: Screen) {
    let widest = |head: &str, number: fn(&NatRow) -> u32| {
        let cells = rows.iter().map(|row| grouped(number(row)).len());
        cells.max().unwrap_or(0).max(head.len())
    };
    let free = widest("FREE", NatRow::free);
    let used = widest("USED", |row| row.used);
    let indent = 4 + 2 + 4 + 2 + free + 2 + used + 2;
    let head = format!(
        "{:4}  {:>4}  {:>free$}  {:>used$}  OUTER ADDRESS -> DESTINATION, PORTS",
        "", "FILL", "FREE", "USED"
    );
    let _ = writeln!(text, "{}", paint(style::DIM, &head));
    for row in rows {
        let (word, colour) = state(row);
        let cells = format!(
            "{}  {:>4}  {:>free$}  {:>used$}  ",
            paint(colour, &format!("{word:4}")),
            format!("{:.0}%", (row.fill() * 100.0).floor()),
            grouped(row.free()),
            grouped(row.used)
        );
        let key = &row.key;
        let ends = format!("{} {} -> {}", key.protocol, key.address, key.destination);
        let mut after = format!("{}", row.ports);
        if row.time_wait > 0 {
            let _ = write!(after, ", {} TIME_WAIT", grouped(row.time_wait));
        }
        let one_line = indent + ends.len() + 2 + after.len() <= screen.columns;
        let gap = if one_line { "  ".to_owned() } else { format!("\n{:indent$}", "") };
        let _ = writeln!(text, "{cells}{ends}{gap}{}", paint(style::DIM, &after));
    }
}

fn state(row: &NatRow) -> (&'static str, anstyle::Style) {
    if row.free() == 0 {
        ("FULL", style::BAD)
    } else if row.fill() >= NEAR {
        ("HIGH", style::WARN)
    } else {
        ("ok", style::GOOD)
    }
}

/// What the fullest row means, if it means trouble.
fn verdict(row: &NatRow) -> Option<String> {
    let key = &row.key;
    let name = format!("{} as {}", key.destination, key.address);
    let rule = row.rule.as_ref().map(|rule| format!(" The ports come from: {rule}"));
    let rule = rule.unwrap_or_default();
    if row.free() == 0 {
        let reuse = match row.time_wait {
            0 => String::new(),
            ports => {
                format!(", unless it can take over one of {} in TIME_WAIT", counted(ports, "port"))
            }
        };
        return Some(format!(
            "{} no further connection reaches {name}{reuse}: its packets are dropped without a \
             word, and the client times out.{rule}",
            paint(style::BAD, "full:")
        ));
    }
    if row.fill() < NEAR {
        return None;
    }
    let chance = row.failure_probability() * 100.0;
    Some(format!(
        "{} {} left to {name}; {chance:.2} % of new connections that need another port than their \
         own find none.{rule}",
        paint(style::WARN, "high:"),
        counted(row.free(), "port")
    ))
}
