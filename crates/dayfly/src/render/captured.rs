//! The settings of another host as a table.

use std::fmt::Write;

use dayfly_systems::Found;

use super::style::{self, paint};
use super::text::{notes, wrapped};
use super::{Screen, grouped};
use crate::captured::Report;

/// One line for each range that was told.
pub(crate) fn text(report: &Report, screen: Screen) -> String {
    let mut text = format!("{}\n", paint(style::STRONG, report.system.title));
    let rows: Vec<[String; 4]> = report.current.ranges.iter().map(row).collect();
    let width = |column: usize, head: &str| {
        rows.iter().map(|row| row[column].len()).chain([head.len()]).max().unwrap_or_default()
    };
    let (first, second) = (width(0, "RANGE FOR"), width(1, "SET"));
    if !rows.is_empty() {
        let head = format!("{:first$}  {:second$}   PORTS  DEFAULT", "RANGE FOR", "SET");
        let _ = writeln!(text, "{}", paint(style::DIM, &head));
    }
    for [scope, set, ports, default] in &rows {
        let _ = writeln!(text, "{scope:first$}  {set:second$}  {ports:>6}  {default}");
    }
    for found in &report.current.ranges {
        if let (Some(low), Some(high)) = (found.low, found.high)
            && low > high
        {
            let crossed = format!(
                "{} {}: the low end lies above the high end",
                paint(style::WARN, "crossed:"),
                found.slot.scope()
            );
            wrapped(&mut text, &crossed, "  ", screen);
        }
    }
    for reserved in &report.current.reserved {
        let names: Vec<_> = reserved.protocols.iter().map(|protocol| protocol.name()).collect();
        let ports =
            if reserved.ports.is_empty() { "none".to_owned() } else { reserved.ports.to_string() };
        wrapped(&mut text, &format!("reserved for {}: {ports}", names.join(", ")), "  ", screen);
    }
    notes(&mut text, &report.degraded, screen);
    text
}

fn row(found: &Found) -> [String; 4] {
    let end = |end: Option<u16>| end.map_or("?".to_owned(), |port| port.to_string());
    let mut set = format!("{}-{}", end(found.low), end(found.high));
    let boot = (found.boot.0.or(found.low), found.boot.1.or(found.high));
    if found.boot != (None, None) && boot != (found.low, found.high) {
        let _ = write!(set, " (after a boot {}-{})", end(boot.0), end(boot.1));
    }
    let ports = found.range().map_or(String::new(), |range| grouped(range.len()));
    [found.slot.scope(), set, ports, found.slot.default_range().to_string()]
}
