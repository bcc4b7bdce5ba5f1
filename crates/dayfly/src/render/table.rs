//! The report as a table that fits the screen, 40 columns and up.

use std::fmt::Write;

use dayfly_insight::{Counts, Destination, DestinationKey, TimeWaitReuse, UdpSource};
use dayfly_ports::Protocol;

use super::bar::bar;
use super::style::{self, paint};
use super::text::{notes, wrapped};
use super::{Screen, counted, grouped};
use crate::quote::posix;
use crate::show::{Filter, NamespaceReport, Report, Request};

/// Lines of a namespace's block that are not rows.
const OVERHEAD: usize = 10;
/// However small the screen, so many rows are shown.
const FEWEST_ROWS: usize = 5;
/// Rows of UDP addresses; they are rarely the problem.
const UDP_ROWS: usize = 3;
/// Characters of a bar where there is room, and where there is less.
const LONG_BAR: usize = 22;
const SHORT_BAR: usize = 12;

/// The whole report. Styled; the stream takes the styles off where they are not wanted.
pub(crate) fn table(report: &Report, request: &Request, screen: Screen) -> String {
    let blocks = report.namespaces.len().max(1);
    let fitting = (screen.lines / blocks).saturating_sub(OVERHEAD).max(FEWEST_ROWS);
    let rows = request.top.unwrap_or(fitting);
    let mut text = String::new();
    for (index, namespace) in report.namespaces.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        block(&mut text, namespace, request, rows, screen);
    }
    if !report.degraded.is_empty() {
        text.push('\n');
        notes(&mut text, &report.degraded, screen);
    }
    text
}

fn block(
    text: &mut String,
    report: &NamespaceReport,
    request: &Request,
    rows: usize,
    screen: Screen,
) {
    let headroom = &report.headroom;
    wrapped(text, &headline(report), "  ", screen);
    wrapped(text, &sockets(headroom.counts), "  ", screen);

    let destinations = &headroom.destinations;
    if destinations.is_empty() {
        if let Some(line) = no_destination(&request.filter, headroom.open) {
            wrapped(text, &paint(style::GOOD, &line), "  ", screen);
        }
    } else {
        text.push('\n');
        let shown = &destinations[..rows.min(destinations.len())];
        Columns::fit(shown, screen).print(text, shown, screen);
        hidden(text, ["destination", "destinations"], destinations.len(), rows, screen);
    }
    if !headroom.udp_sources.is_empty() {
        text.push('\n');
        let rows = rows.min(UDP_ROWS);
        udp(text, &headroom.udp_sources[..rows.min(headroom.udp_sources.len())]);
        hidden(text, ["UDP address", "UDP addresses"], headroom.udp_sources.len(), rows, screen);
    }
    if let Some(worst) = destinations.first().and_then(verdict) {
        text.push('\n');
        wrapped(text, &worst, "  ", screen);
        if let Some(command) = ask(report) {
            // A command to paste: never broken by us.
            let _ = writeln!(text, "  {} {command}", paint(style::GOOD, "try:"));
        }
    }
    notes(text, &report.degraded, screen);
}

/// What it means that there is no row. `open`: the ports of a new TCP connection.
fn no_destination(filter: &Filter, open: u32) -> Option<String> {
    let free = counted(open, "free port");
    if filter.shows_protocol(Protocol::Tcp) {
        return Some(match &filter.destination {
            Some(wanted) => format!("no connections to {wanted}: a new one has {free}"),
            None => format!("no outgoing connections: every destination has {free}"),
        });
    }
    // UDP has no destinations.
    filter.shows_protocol(Protocol::Sctp).then(|| "no outgoing sctp connections".to_owned())
}

/// `host: range 32768-60999, 28,232 ports usable`.
fn headline(report: &NamespaceReport) -> String {
    let settings = &report.headroom.settings;
    let mut line = paint(style::STRONG, &report.name);
    if let Some(range) = settings.range(Protocol::Tcp) {
        let _ =
            write!(line, ": range {range}, {} usable", counted(report.headroom.usable(), "port"));
    }
    let reserved = settings.reserved.len();
    if reserved > 0 {
        let list = settings.reserved.to_string();
        let list = if list.len() <= 60 { list } else { counted(reserved, "port") };
        let _ = write!(line, ", reserved {list}");
    }
    line.push_str(match settings.tw_reuse {
        TimeWaitReuse::Off => ", TIME_WAIT never reused",
        TimeWaitReuse::Everywhere => ", TIME_WAIT reused",
        TimeWaitReuse::Loopback => "",
    });
    line
}

/// `sockets: 14 tcp (3 TIME_WAIT, 2 listening), 5 udp`.
pub(super) fn sockets(counts: Counts) -> String {
    let parts = [
        (counts.time_wait, "TIME_WAIT"),
        (counts.listeners, "listening"),
        (counts.bound_inactive, "bound but inactive"),
    ];
    let parts = parts.into_iter().filter(|&(number, _)| number > 0);
    let parts: Vec<_> = parts.map(|(number, what)| format!("{} {what}", grouped(number))).collect();
    let mut line = format!("sockets: {} tcp", grouped(counts.tcp));
    if !parts.is_empty() {
        let _ = write!(line, " ({})", parts.join(", "));
    }
    let _ = write!(line, ", {} udp", grouped(counts.udp));
    if counts.mptcp > 0 {
        let _ = write!(line, ", {} mptcp", grouped(counts.mptcp));
    }
    if counts.sctp > 0 {
        let _ = write!(line, ", {} sctp", grouped(counts.sctp));
    }
    line
}

/// The columns of the destinations: numbers as wide as they need, then the names, last because
/// they may be long.
struct Columns {
    bar: usize,
    free: usize,
    used: usize,
    /// Left out where the screen is narrow.
    time_wait: Option<usize>,
    /// Whether the source address stands on the same line.
    one_line: bool,
}

impl Columns {
    fn fit(rows: &[Destination], screen: Screen) -> Self {
        let widest = |head: &str, number: fn(&Destination) -> u32| {
            let cells = rows.iter().map(|row| grouped(number(row)).len());
            cells.max().unwrap_or(0).max(head.len())
        };
        let free = widest("FREE", |row| row.free);
        let used = widest("USED", |row| row.used);
        let time_wait = widest("TIME_WAIT", |row| row.time_wait);
        let name = rows.iter().map(|row| destination(&row.key).len()).max().unwrap_or(0);
        let source = rows.iter().map(|row| source(&row.key).len()).max().unwrap_or(0);

        // State, bar, percentage, the numbers and the gaps between.
        let before = |bar: usize, time_wait: Option<usize>| {
            4 + 1 + bar + 1 + 4 + 2 + free + 2 + used + 2 + time_wait.map_or(0, |width| width + 2)
        };
        let layout = |(bar, time_wait, one_line)| Columns { bar, free, used, time_wait, one_line };
        // What is given up first, as the screen gets narrower: a long bar, one line for each row,
        // the column of TIME_WAIT.
        let layouts = [
            (LONG_BAR, Some(time_wait), true),
            (SHORT_BAR, Some(time_wait), true),
            (LONG_BAR, Some(time_wait), false),
            (SHORT_BAR, Some(time_wait), false),
        ];
        let fits = |&(bar, time_wait, one_line): &(usize, Option<usize>, bool)| {
            let source = if one_line { source + 1 } else { 0 };
            before(bar, time_wait) + name + source <= screen.columns
        };
        layout(layouts.into_iter().find(fits).unwrap_or((SHORT_BAR, None, false)))
    }

    fn print(&self, text: &mut String, rows: &[Destination], screen: Screen) {
        let mut head = format!(
            "{:4} {:bar$} {:>4}  {:>free$}  {:>used$}  ",
            "",
            "FILL",
            "",
            "FREE",
            "USED",
            bar = self.bar,
            free = self.free,
            used = self.used
        );
        if let Some(width) = self.time_wait {
            let _ = write!(head, "{:>width$}  ", "TIME_WAIT");
        }
        let indent = head.len();
        head.push_str("DESTINATION");
        let _ = writeln!(text, "{}", paint(style::DIM, &head));
        for row in rows {
            let (word, colour) = state(row);
            let _ = write!(
                text,
                "{} {} {:>4}  {:>free$}  {:>used$}  ",
                paint(colour, &format!("{word:4}")),
                paint(colour, &bar(row, self.bar)),
                percent(row.fill()),
                grouped(row.free),
                grouped(row.used),
                free = self.free,
                used = self.used
            );
            if let Some(width) = self.time_wait {
                let _ = write!(text, "{:>width$}  ", grouped(row.time_wait));
            }
            let (name, mut source) = (destination(&row.key), source(&row.key));
            if self.time_wait.is_none() && row.time_wait > 0 {
                let _ = write!(source, ", {} TIME_WAIT", grouped(row.time_wait));
            }
            if self.one_line {
                let _ = writeln!(text, "{name} {}", paint(style::DIM, &source));
            } else {
                let _ = writeln!(text, "{name}");
                let indent = indent.min(screen.columns.saturating_sub(source.len()));
                let _ = writeln!(text, "{:indent$}{}", "", paint(style::DIM, &source));
            }
        }
    }
}

/// A word and a colour for how a destination stands.
fn state(row: &Destination) -> (&'static str, anstyle::Style) {
    if row.free == 0 {
        ("FULL", style::BAD)
    } else if row.past_cliff() {
        ("SLOW", style::WARN)
    } else {
        ("ok", style::GOOD)
    }
}

/// What the fullest destination means, if it means trouble or needs an explanation.
fn verdict(row: &Destination) -> Option<String> {
    let name = format!("{} {}", destination(&row.key), source(&row.key));
    let mut line = if row.free == 0 {
        let reuse = match row.reusable {
            0 => String::new(),
            ports => {
                format!(", unless it takes over one of {} in TIME_WAIT", counted(ports, "port"))
            }
        };
        format!("{} {name} takes no further connection{reuse}.", paint(style::BAD, "full:"))
    } else if row.past_cliff() {
        format!(
            "{} {name} has {} left, all of the parity that connect() tries last: each call now \
             searches half the range first, many times slower.",
            paint(style::WARN, "slow:"),
            counted(row.free, "port"),
        )
    } else {
        String::new()
    };
    if row.suspected > 0 {
        if !line.is_empty() {
            line.push(' ');
        }
        let _ = write!(
            line,
            "{} to {name} may be held back by connections elsewhere that were bound by hand; \
             at least {} free. --probe asks the kernel.",
            counted(row.suspected, "further port"),
            if row.free_min == 1 {
                "1 is".to_owned()
            } else {
                format!("{} are", grouped(row.free_min))
            },
        );
    }
    (!line.is_empty()).then_some(line)
}

/// The command that says who holds the ports of a fullest destination in trouble, and what helps.
fn ask(report: &NamespaceReport) -> Option<String> {
    let row = report.headroom.destinations.first()?;
    // `why` answers for TCP only.
    let trouble = row.past_cliff() && row.key.protocol == Protocol::Tcp && !report.is_remote;
    let place = report.netns.as_ref().map(|netns| format!(" --netns {}", posix(netns)));
    let place = place.unwrap_or_default();
    trouble.then(|| format!("dayfly why {}{place}", row.key.remote()))
}

fn udp(text: &mut String, rows: &[UdpSource]) {
    let widest = |head: &str, number: fn(&UdpSource) -> u32| {
        let cells = rows.iter().map(|row| grouped(number(row)).len());
        cells.max().unwrap_or(0).max(head.len())
    };
    let (free, used) = (widest("FREE", |row| row.free), widest("USED", |row| row.used));
    let head = format!("{:5}{:>4}  {:>free$}  {:>used$}  UDP ADDRESS", "", "FILL", "FREE", "USED");
    let _ = writeln!(text, "{}", paint(style::DIM, &head));
    for row in rows {
        let (word, colour) = if row.free == 0 { ("FULL", style::BAD) } else { ("ok", style::GOOD) };
        let any = if row.source.is_unspecified() { " (any)" } else { "" };
        let _ = writeln!(
            text,
            "{} {:>4}  {:>free$}  {:>used$}  {}{any}",
            paint(colour, &format!("{word:4}")),
            percent(row.fill()),
            grouped(row.free),
            grouped(row.used),
            row.source,
        );
    }
}

/// Says how many rows the screen has no room for. `thing` is singular and plural.
pub(super) fn hidden(
    text: &mut String,
    thing: [&str; 2],
    all: usize,
    shown: usize,
    screen: Screen,
) {
    let more = all.saturating_sub(shown);
    if more > 0 {
        let thing = if more == 1 { thing[0] } else { thing[1] };
        let line = format!("{} more {thing}; --top {all} shows them", grouped(more as u64));
        wrapped(text, &paint(style::DIM, &line), "  ", screen);
    }
}

pub(super) fn destination(key: &DestinationKey) -> String {
    let address = std::net::SocketAddr::new(key.destination, key.port.number());
    match key.protocol {
        Protocol::Tcp => address.to_string(),
        other => format!("{other} {address}"),
    }
}

pub(super) fn source(key: &DestinationKey) -> String {
    format!("from {}", key.source)
}

/// 0 % only if it is nothing, 100 % only if it is all.
fn percent(fill: f64) -> String {
    let exact = fill * 100.0;
    let rounded = exact.round() as u32;
    let shown = if fill > 0.0 && fill < 1.0 { rounded.clamp(1, 99) } else { rounded };
    format!("{shown}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages_do_not_round_to_the_ends() {
        for (fill, text) in
            [(0.0, "0%"), (0.0001, "1%"), (0.5, "50%"), (0.9999, "99%"), (1.0, "100%")]
        {
            assert_eq!(percent(fill), text);
        }
    }
}
