//! A simulation's outcome for people.

use std::fmt::Write;

use dayfly_lab::picture::{map_text, occupancy_text, reuse_text};
use dayfly_lab::scenario::{SECOND, SHIPPED, Scenario, Task};
use dayfly_lab::simulate::{Moment, Outcome};

use super::style::{self, paint};
use super::{Screen, counted, grouped};

/// The scenarios that are shipped.
pub(crate) fn list() -> String {
    let width = SHIPPED.iter().map(|shipped| shipped.name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for shipped in SHIPPED {
        let _ = writeln!(text, "{:width$}  {}", shipped.name, shipped.title());
    }
    text + "`dayfly simulate NAME` runs one, `dayfly simulate NAME --print` prints it.\n"
}

/// What happened, and how it looked over time; with `plot`, how soon ports came back and which.
pub(crate) fn text(scenario: &Scenario, outcome: &Outcome, screen: Screen, plot: bool) -> String {
    let mut text = String::new();
    if !scenario.title.is_empty() {
        let _ = writeln!(text, "{}", paint(style::STRONG, &scenario.title));
    }
    for host in &scenario.hosts {
        let many =
            if host.count > 1 { format!("{} x ", grouped(host.count)) } else { String::new() };
        let _ = writeln!(
            text,
            "{many}{} {}: {} to hand out, TIME_WAIT {}",
            host.system,
            host.range,
            counted(host.usable(), "port"),
            span(host.time_wait)
        );
    }
    if let Some(nat) = &scenario.nat {
        let addresses = if nat.addresses == 1 {
            "1 address".to_owned()
        } else {
            format!("{} addresses", grouped(nat.addresses))
        };
        let _ = writeln!(text, "NAT: {addresses}, {}, kept for {}", nat.range, span(nat.hold));
    }
    text.push('\n');
    for (head, words, bad) in facts(scenario, outcome) {
        let words = if bad { paint(style::BAD, &words) } else { words };
        push_wrapped(&mut text, &format!("  {head:<15}  "), &words, screen.columns);
    }
    text.push('\n');
    if scenario.workloads.len() > 1 || has_more_to_say(scenario) {
        text += &shares(scenario, outcome);
        text.push('\n');
    }
    text += &occupancy_text(outcome, screen.columns);
    if plot {
        text.push('\n');
        text += &reuse_text(outcome, screen.columns);
        text.push('\n');
        text += &map_text(scenario, outcome, screen.columns);
    }
    text
}

fn facts(scenario: &Scenario, outcome: &Outcome) -> Vec<(&'static str, String, bool)> {
    let attempts = outcome.opened + outcome.failed;
    let mut facts = vec![(
        "opened",
        format!(
            "{} of {} in {}",
            grouped(outcome.opened),
            counted(attempts, "connection"),
            span(outcome.simulated)
        ),
        false,
    )];
    facts.push(match &outcome.first_slow {
        Some(moment) => {
            let words = format!("{}, {} in all", at(moment), grouped(outcome.slow));
            ("first slow", words, false)
        }
        None => ("first slow", "none: no search was long".to_owned(), false),
    });
    facts.push(match &outcome.first_failure {
        Some(failure) => {
            let moment = at(&failure.moment);
            ("first failure", format!("{moment}: {} says {}", failure.call, failure.error), true)
        }
        None => ("first failure", "none".to_owned(), false),
    });
    let window = &outcome.window;
    let most =
        format!("{} in {} to one destination", grouped(window.most_opened), span(window.length));
    let forever = match window.sustainable {
        rate if rate.is_finite() && rate > 0.0 => format!("; {} a second can go on", decimal(rate)),
        _ => String::new(),
    };
    facts.push(("most opened", most + &forever, false));
    facts.push(("port reuse", reuse(outcome), false));
    if outcome.reused > 0 {
        facts.push(("TIME_WAIT", format!("{} taken over", grouped(outcome.reused)), false));
    }
    if outcome.cut_short > 0 {
        facts.push(("TIME_WAIT", format!("{} cut short", grouped(outcome.cut_short)), false));
    }
    if outcome.collisions > 0 {
        let words = format!(
            "{} of the same tuple met TIME_WAIT at the server",
            counted(outcome.collisions, "connection")
        );
        facts.push(("collisions", words, false));
    }
    if scenario.nat.is_some() {
        facts.push(("dropped by NAT", grouped(outcome.dropped), outcome.dropped > 0));
    }
    facts
}

fn reuse(outcome: &Outcome) -> String {
    let reuse = &outcome.reuse;
    if reuse.count() == 0 {
        return "no port was used twice".to_owned();
    }
    format!(
        "after {} at the earliest, {} on average",
        counted(reuse.least(), "connection"),
        grouped(reuse.mean().round() as u64)
    )
}

fn at(moment: &Moment) -> String {
    format!(
        "connection {} after {}, with {} held",
        grouped(moment.number),
        span(moment.at),
        counted(moment.held, "port")
    )
}

fn has_more_to_say(scenario: &Scenario) -> bool {
    scenario.workloads.iter().any(|work| !matches!(work.task, Task::Connection))
}

/// A table of the workloads.
fn shares(scenario: &Scenario, outcome: &Outcome) -> String {
    let mut rows = vec![["WORKLOAD", "OPENED", "FAILED", "SLOW", "DONE"].map(str::to_owned)];
    for (share, work) in outcome.workloads.iter().zip(&scenario.workloads) {
        let done = match work.task {
            Task::Ftp { .. } => counted(share.done, "file"),
            Task::KeepAlive { .. } => counted(share.done, "request"),
            Task::Predict { guesses, .. } => format!(
                "{} % guessed with {} ({} % by chance)",
                decimal(100.0 * share.hit as f64 / share.guessed.max(1) as f64),
                if guesses == 1 { "1 guess".to_owned() } else { format!("{guesses} guesses") },
                decimal(100.0 * share.by_chance)
            ),
            Task::Connection => "-".to_owned(),
        };
        let [opened, failed, slow] = [share.opened, share.failed, share.slow].map(grouped);
        rows.push([share.name.clone(), opened, failed, slow, done]);
    }
    let mut widths = [0; 4];
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = format!("{:1$}", row[0], widths[0]);
        for (cell, width) in row[1..4].iter().zip(&widths[1..]) {
            let _ = write!(line, "  {cell:>width$}");
        }
        let line = format!("{line}  {}", row[4]);
        text += &if index == 0 { paint(style::DIM, &line) } else { line };
        text.push('\n');
    }
    text
}

/// A time with the unit that fits, in at most three digits or so.
fn span(nanos: u64) -> String {
    let units = [
        (86_400 * SECOND, "d"),
        (3600 * SECOND, "h"),
        (60 * SECOND, "min"),
        (SECOND, "s"),
        (SECOND / 1000, "ms"),
        (SECOND / 1_000_000, "us"),
    ];
    // 90 s rather than 1.5 min, 240 s rather than 4 min.
    let fits = |unit: &&(u64, &str)| nanos >= unit.0 * if unit.0 > SECOND { 5 } else { 1 };
    match units.iter().find(fits) {
        Some((length, unit)) => format!("{} {unit}", decimal(nanos as f64 / *length as f64)),
        None => format!("{nanos} ns"),
    }
}

/// At most one digit behind the point, two below 1.
fn decimal(value: f64) -> String {
    if value >= 1000.0 {
        return grouped(value.round() as u64);
    }
    let text = if value < 1.0 { format!("{value:.2}") } else { format!("{value:.1}") };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

/// A head and words behind it, which go on below their beginning.
fn push_wrapped(text: &mut String, head: &str, words: &str, columns: usize) {
    let indent = head.chars().count();
    let room = columns.saturating_sub(indent).max(20);
    let mut line = head.to_owned();
    let mut used = 0;
    for word in words.split(' ') {
        let length = visible(word);
        if used > 0 && used + 1 + length > room {
            *text += line.trim_end();
            text.push('\n');
            line = " ".repeat(indent);
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        line += word;
        used += length;
    }
    *text += line.trim_end();
    text.push('\n');
}

/// The characters of a word that a terminal shows.
fn visible(word: &str) -> usize {
    let mut count = 0;
    let mut escaped = false;
    for character in word.chars() {
        match character {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => count += 1,
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_fits() {
        for (nanos, text) in [
            (40 * SECOND, "40 s"),
            (240 * SECOND, "240 s"),
            (600 * SECOND, "10 min"),
            (SECOND / 4, "250 ms"),
            (86_400 * SECOND, "24 h"),
            (0, "0 ns"),
        ] {
            assert_eq!(span(nanos), text);
        }
        assert_eq!(
            (decimal(66.666), decimal(0.0312), decimal(28_232.4)),
            ("66.7".to_owned(), "0.03".to_owned(), "28,232".to_owned())
        );
    }
}
