//! The settings of another host, and what its sockets hold, as tables.

use std::fmt::Write;

use dayfly_insight::{DestinationUsage, Usage};
use dayfly_systems::Found;

use super::style::{self, paint};
use super::table::{destination, hidden, sockets, source};
use super::text::{notes, visible, wrapped};
use super::{Screen, counted, grouped};
use crate::captured::Report;

/// Destinations that are shown unless more are asked for.
const ROWS: usize = 10;

/// One line for each range that was told, and for each destination.
pub(crate) fn text(report: &Report, top: Option<usize>, screen: Screen) -> String {
    let mut text = String::new();
    match &report.host {
        None => {
            let _ = writeln!(text, "{}", paint(style::STRONG, report.system.title));
        }
        Some(host) => {
            let head = format!("{}: {}", paint(style::STRONG, &host.url), host.version);
            wrapped(&mut text, &head, "  ", screen);
        }
    }
    if let Some(usage) = &report.usage {
        wrapped(&mut text, &sockets(usage.counts), "  ", screen);
    }
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
    if let Some(rpc) = &report.current.rpc {
        let line = format!("MS-RPC: {}, by the registry, apart from the ranges above", rpc.ports);
        wrapped(&mut text, &line, "  ", screen);
    }
    if let Some(found) = &report.usage {
        usage(&mut text, found, top.unwrap_or(ROWS), screen);
    }
    notes(&mut text, &report.degraded, screen);
    text
}

/// What connections hold, and what nobody does.
fn usage(text: &mut String, usage: &Usage, top: usize, screen: Screen) {
    for one in usage.supplies.iter().filter(|one| one.held > 0) {
        let family = match one.ipv6 {
            None => "",
            Some(false) => " over ipv4",
            Some(true) => " over ipv6",
        };
        let line = format!(
            "{}{family}: {} of {} in use; every destination has room for at least {} more",
            one.protocol,
            grouped(one.held),
            counted(one.usable, "port"),
            grouped(one.free_min()),
        );
        wrapped(text, &line, "  ", screen);
    }
    let rows = &usage.destinations[..top.min(usage.destinations.len())];
    if rows.is_empty() {
        return;
    }
    let widest = |head: &str, number: fn(&DestinationUsage) -> u32| {
        let cells = rows.iter().map(|row| grouped(number(row)).len());
        cells.max().unwrap_or(0).max(head.len())
    };
    let used = widest("USED", |row| row.used);
    let time_wait = widest("TIME_WAIT", |row| row.time_wait);
    let head = format!("{:>used$}  {:>time_wait$}  DESTINATION", "USED", "TIME_WAIT");
    let _ = writeln!(text, "\n{}", paint(style::DIM, &head));
    for row in rows {
        let (name, source) = (destination(&row.key), source(&row.key));
        let numbers =
            format!("{:>used$}  {:>time_wait$}  ", grouped(row.used), grouped(row.time_wait));
        let source = paint(style::DIM, &source);
        if numbers.len() + name.len() + 1 + visible(&source) <= screen.columns {
            let _ = writeln!(text, "{numbers}{name} {source}");
        } else {
            let _ = writeln!(text, "{numbers}{name}");
            let indent = numbers.len().min(screen.columns.saturating_sub(visible(&source)));
            let _ = writeln!(text, "{:indent$}{source}", "");
        }
    }
    let all = usage.destinations.len();
    hidden(text, ["destination", "destinations"], all, rows.len(), screen);
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
