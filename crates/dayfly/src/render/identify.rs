//! Who made these ports, for people: a paragraph for each host.

use std::fmt::Write;

use dayfly_lab::identify::{Host, Nat, NatSign, Verdict};

use super::style::{self, paint};
use super::text::{notes, wrapped};
use super::{Screen, counted, grouped};
use crate::identify::Report;

/// The whole report.
pub(crate) fn text(report: &Report, screen: Screen) -> String {
    let mut text = String::new();
    for (host, verdict) in &report.hosts {
        if !text.is_empty() {
            text.push('\n');
        }
        paragraph(&mut text, host, verdict, screen);
    }
    let mut rest = Vec::new();
    if report.omitted > 0 {
        rest.push(format!("{} not shown (--top)", hosts(report.omitted)));
    }
    if report.too_few > 0 {
        rest.push(format!("{} opened too few connections to tell", hosts(report.too_few)));
    }
    if !rest.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        wrapped(&mut text, &rest.join("; "), "  ", screen);
    }
    notes(&mut text, &report.degraded, screen);
    text
}

fn hosts(number: usize) -> String {
    counted(number as u64, "host")
}

fn paragraph(text: &mut String, host: &Host, verdict: &Verdict, screen: Screen) {
    let destinations = counted(host.destinations() as u64, "destination");
    let head = format!(
        "{} {}: {} to {destinations}",
        paint(style::STRONG, &host.address.to_string()),
        host.protocol,
        counted(host.openings, "connection")
    );
    wrapped(text, &head, "  ", screen);
    let mut line = |label: &str, words: &str| {
        let label = paint(style::DIM, &format!("{label}:"));
        wrapped(text, &format!("  {label} {words}"), "    ", screen);
    };
    line("strategy", &strategy(verdict));
    if !verdict.evidence.is_empty() {
        line("because", &verdict.evidence.join("; "));
    }
    line("range", &range(verdict));
    if !verdict.excluded.is_empty() {
        let ports = counted(verdict.excluded.len(), "port");
        line("never used", &format!("{} ({ports})", verdict.excluded));
    }
    if !verdict.candidates.is_empty() {
        let candidates: Vec<String> = verdict
            .candidates
            .iter()
            .map(|candidate| {
                let since = if candidate.since.is_empty() {
                    String::new()
                } else {
                    format!(" {}", candidate.since)
                };
                format!("{}{since} ({})", candidate.name, percent(candidate.probability))
            })
            .collect();
        line("system", &candidates.join(", "));
    }
    line("nat", &nat(&verdict.nat));
    if let Some(guesses) = verdict.guesses {
        let words = if guesses.after_last < guesses.blind {
            format!(
                "{} after the last one was seen, {} blindly",
                guessed(guesses.after_last),
                number(guesses.blind)
            )
        } else {
            guessed(guesses.blind)
        };
        line("next port", &words);
    }
    line("to settle", &settle(verdict));
}

fn strategy(verdict: &Verdict) -> String {
    let Some(first) = verdict.group.first() else {
        let mut words = "unknown".to_owned();
        if let Some((class, share)) = verdict.classes.first() {
            let _ = write!(words, "; the nearest is: {} ({})", class.title(), percent(*share));
        }
        return words;
    };
    let share = percent(verdict.probability);
    let Some(why) = verdict.merged_because else {
        let others: Vec<String> = verdict
            .classes
            .iter()
            .filter(|(class, share)| class != first && *share >= 0.01)
            .map(|(class, share)| format!("{} ({})", class.title(), percent(*share)))
            .collect();
        let or =
            if others.is_empty() { String::new() } else { format!("; or {}", others.join(", ")) };
        return format!("{} ({share}): {}{or}", first.title(), first.members());
    };
    let titles: Vec<&str> = verdict.group.iter().map(|class| class.title()).collect();
    format!("one of these ({share}), since {why}: {}", titles.join("; "))
}

fn range(verdict: &Verdict) -> String {
    let (seen, widest) = (verdict.ends.seen, verdict.ends.widest);
    let end =
        |from: u16, to: u16| if from == to { from.to_string() } else { format!("{from}-{to}") };
    let low = end(widest.low().number(), seen.low().number());
    let high = end(seen.high().number(), widest.high().number());
    let ends = format!("seen {seen}; low end {low}, high end {high}");
    match verdict.ranges.first() {
        Some((range, share)) if *share >= 0.5 => format!("{range} ({}); {ends}", percent(*share)),
        _ => ends,
    }
}

fn nat(nat: &Nat) -> String {
    let sign = |sign: &NatSign| match sign {
        NatSign::Stacks(count) => {
            format!("connections of {count} different stacks come from this address")
        }
        NatSign::Counters => {
            "several counters run side by side to the same destinations".to_owned()
        }
        NatSign::Range => "the range is that of masquerade random".to_owned(),
        NatSign::Hops(hops) => {
            format!("{} between it and the capture", counted(u64::from(*hops), "hop"))
        }
    };
    let list = |signs: &[NatSign]| signs.iter().map(sign).collect::<Vec<_>>().join("; ");
    match nat {
        Nat::Likely(signs) => format!("likely: {}", list(signs)),
        Nat::Possible(signs) => format!("possible: {}", list(signs)),
        Nat::NoSign => "no sign of it".to_owned(),
        Nat::Unknown => "not to be told from this".to_owned(),
    }
}

fn settle(verdict: &Verdict) -> String {
    match verdict.more {
        Some(0) if verdict.group.is_empty() => "nothing that is known here".to_owned(),
        Some(0) => "nothing more is needed for 99 %".to_owned(),
        Some(more) => format!("about {} more", counted(more, "connection")),
        None if verdict.merged_because.is_some() => {
            "connections to several destinations, each more than once".to_owned()
        }
        None => "more of the same will not do".to_owned(),
    }
}

fn guessed(guesses: f64) -> String {
    if guesses <= 1.0 { "1 guess".to_owned() } else { format!("{} guesses", number(guesses)) }
}

fn number(number: f64) -> String {
    if number < 10.0 { format!("{number:.1}") } else { grouped(number.round() as u64) }
}

/// `98 %`, and no more certainty than there is.
fn percent(share: f64) -> String {
    match share {
        share if share > 0.999 => "> 99.9 %".to_owned(),
        share if share >= 0.99 => format!("{:.1} %", (share * 1000.0).floor() / 10.0),
        share if share >= 0.01 => format!("{:.0} %", share * 100.0),
        _ => "< 1 %".to_owned(),
    }
}
