//! What a load needs, for people.

use dayfly_insight::nat::failure_probability;
use dayfly_insight::sizing::{Knob, Translator, dynamic_block};

use super::style::{self, paint};
use super::text::{notes, wrapped};
use super::{Screen, counted, grouped, seconds};
use crate::size::{Report, Source, Span};

/// The whole report.
pub(crate) fn text(report: &Report, screen: Screen) -> String {
    let mut text = String::new();
    let mut line = |label: &str, words: &str| {
        let label = paint(style::DIM, &format!("{label}:"));
        wrapped(&mut text, &format!("{label} {words}"), "  ", screen);
    };
    if let Some(found) = &report.measured {
        let words = format!(
            "{} in {}: {} a second to {}, the busiest of {} opened ({} watched)",
            found.namespace,
            seconds(found.seconds),
            number(found.rate),
            found.destination,
            counted(found.active as u64, "destination"),
            found.watched
        );
        line("measured", &words);
    }
    line("load", &load(report));
    line("ports", &ports(report));
    if let Some(words) = need(report) {
        line("needs", &words);
    }
    line("carries", &carries(report));
    if let Some((fits, words)) = fits(report) {
        let verdict =
            if fits { paint(style::GOOD, "it fits") } else { paint(style::BAD, "it does not fit") };
        line("verdict", &format!("{verdict}{words}"));
    }
    for words in remarks(report) {
        line("note", &words);
    }
    let knobs: Vec<String> =
        report.plan.knobs.iter().map(|knob| knob_words(knob, report)).collect();
    if !knobs.is_empty() {
        let head =
            if knobs.len() == 1 { "it fits with" } else { "each of these alone makes it fit" };
        text.push_str(&paint(style::STRONG, &format!("{head}:")));
        text.push('\n');
        for words in knobs {
            wrapped(&mut text, &format!("- {words}"), "  ", screen);
        }
    }
    notes(&mut text, &report.degraded, screen);
    text
}

fn load(report: &Report) -> String {
    let load = &report.load;
    let held = format!(
        "a port is held for {} and then {} ({})",
        seconds(load.duration),
        seconds(load.hold),
        report.hold_from
    );
    if load.rate == 0.0 {
        return held;
    }
    let to = if report.supply.per_destination {
        format!("to {}", counted(load.destinations, "destination"))
    } else {
        "to anywhere".to_owned()
    };
    let by = match (report.supply.shares, report.source) {
        (1, _) => String::new(),
        (shares, source) => format!(" by {} {}", grouped(shares), sharers(source)),
    };
    format!("{} {to}{by}; {held}", each_second(load.rate))
}

fn ports(report: &Report) -> String {
    let supply = &report.supply;
    let title = report.source.title();
    let of = match (report.ports, report.source) {
        (Some(Span::Range(range)), _) => format!("{title}, {range}"),
        (None, Source::System(system)) => format!("{title}, {}", system.default_range()),
        _ => title.to_owned(),
    };
    let all = format!("{} x {} ({of})", addresses(supply.addresses.into()), grouped(supply.ports));
    let each = if supply.per_destination { "for each destination" } else { "for all destinations" };
    let capacity = grouped(report.plan.capacity);
    if supply.shares == 1 {
        return format!("{capacity} {each}: {all}");
    }
    let one = sharer(report.source);
    if let Some(block) = report.block {
        let of_one = supply.ports / block;
        return format!(
            "a block of {} for each {one}: {} blocks on {all}",
            grouped(block),
            grouped(u64::from(of_one) * u64::from(supply.addresses))
        );
    }
    format!("{capacity} for each {one} {each}: {all} among {}", grouped(supply.shares))
}

fn need(report: &Report) -> Option<String> {
    let demand = report.plan.demand?;
    let fill = |ports: f64| percent(ports / report.plan.capacity.max(1) as f64);
    let quantile = 100.0 * report.goal.quantile;
    Some(format!(
        "{} ports on average ({}), {} in all but {} of the moments ({}){}",
        number(demand.mean),
        fill(demand.mean),
        grouped(demand.peak),
        percent_exact(100.0 - quantile),
        fill(demand.peak as f64),
        each_of(report)
    ))
}

fn each_of(report: &Report) -> String {
    let mut words = Vec::new();
    if report.supply.shares > 1 {
        words.push(sharer(report.source));
    }
    if report.supply.per_destination && report.load.destinations > 1 {
        words.push("destination");
    }
    if words.is_empty() { String::new() } else { format!(", for each {}", words.join(" and ")) }
}

fn carries(report: &Report) -> String {
    if report.plan.carries.is_infinite() {
        return "any rate, since nothing holds a port".to_owned();
    }
    format!("{} with {} in use", each_second(report.plan.carries), percent(report.goal.utilisation))
}

/// Whether it fits and, if not, what happens.
fn fits(report: &Report) -> Option<(bool, String)> {
    let plan = &report.plan;
    plan.demand?;
    if plan.fits {
        return Some((true, String::new()));
    }
    let mut words = String::new();
    if let Some(at) = plan.seconds_to_full {
        words.push_str(&format!(": full after {}", seconds(at)));
    }
    if plan.blocked > 1e-6 {
        let joint = if words.is_empty() { ": " } else { ", then " };
        words.push_str(&format!("{joint}{} of the openings fail", percent(plan.blocked)));
    }
    if let (Some(block), Some(needed)) = (report.block, plan.addresses)
        && needed > u64::from(report.supply.addresses)
    {
        let blocks = u64::from(report.supply.ports / block) * u64::from(report.supply.addresses);
        words = format!(
            ": {} are too few for {} subscribers",
            counted(blocks, "block"),
            grouped(report.supply.shares)
        );
    }
    if words.is_empty() {
        let demand = plan.demand?;
        words = if demand.mean > plan.capacity as f64 * report.goal.utilisation {
            format!(": more than {} in use", percent(report.goal.utilisation))
        } else {
            ": too little is spare for the busy moments".to_owned()
        };
    }
    Some((false, words))
}

fn remarks(report: &Report) -> Vec<String> {
    let mut words = Vec::new();
    let (plan, supply) = (&report.plan, &report.supply);
    let mean = plan.demand.map_or(0.0, |demand| demand.mean);
    if plan.demand.is_some()
        && plan.addresses.is_some_and(|needed| plan.fits && needed > 0)
        && let Some(needed) = plan.addresses
    {
        words.push(format!(
            "{} needed",
            counted(needed, "address").replace("addresss", "addresses")
        ));
    } else if plan.demand.is_some()
        && let Some(most) = supply.most_addresses
    {
        words.push(format!(
            "more than the {most} addresses that one gateway can have: spread the load over several"
        ));
    }
    let half = f64::from(supply.ports / 2);
    if report.source.has_cliff() && mean <= plan.capacity as f64 && supply.addresses > 0 {
        let of_one = mean / f64::from(supply.addresses);
        if of_one > half {
            words.push(format!(
                "past the cliff: beyond {} ports of an address connect() searches half the range in \
                 vain each time",
                grouped(half as u64)
            ));
        }
    }
    match report.source {
        Source::Behind(Translator::Netfilter) if plan.demand.is_some() => {
            let room = u32::try_from(plan.capacity).unwrap_or(u32::MAX);
            let used = (mean.round() as u64).min(plan.capacity) as u32;
            let chance = failure_probability(room, used);
            // Of up to 128 ports all are tried.
            if supply.addresses == 1 && chance > 1e-9 && u64::from(used) < plan.capacity {
                words.push(format!(
                    "a connection whose own port is taken finds none with a chance of {}: netfilter \
                     tries 248",
                    percent(chance)
                ));
            }
        }
        Source::Behind(translator @ (Translator::AzureLb | Translator::GcpNat)) => {
            if let Some(default) = translator.default_share(supply.addresses, supply.shares) {
                words.push(format!(
                    "by default each instance gets {}; set what it needs",
                    counted(default, "port")
                ));
            }
            if let (Translator::GcpNat, Some(needed)) = (translator, plan.needed) {
                words.push(format!(
                    "with dynamic allocation: at least {} for each",
                    grouped(dynamic_block(needed))
                ));
            }
        }
        Source::Behind(Translator::Cgn) if supply.shares > 1 => {
            let block = report.block.map_or(plan.capacity, u64::from).max(1);
            words.push(format!(
                "{} fit on an address with blocks of {}",
                counted(u64::from(supply.ports) / block, "subscriber"),
                grouped(block)
            ));
        }
        Source::System(system) if system.name == "linux" && mean > 0.0 => words.push(
            "tcp_tw_reuse=1 lets connect() take TIME_WAIT over after a second, where both ends use \
             timestamps"
                .to_owned(),
        ),
        _ => {}
    }
    words
}

fn knob_words(knob: &Knob, report: &Report) -> String {
    match knob {
        Knob::KeepAlive(requests) => {
            format!("{} over each connection instead of one", counted(*requests, "request"))
        }
        Knob::Hold(hold) => {
            format!("a port held for at most {} after the end", seconds(*hold))
        }
        Knob::Addresses(count) => {
            format!("{} source addresses instead of {}", grouped(*count), report.supply.addresses)
        }
        Knob::Destinations(count) => format!(
            "{} destinations instead of {}: more addresses or ports of the service",
            grouped(*count),
            report.load.destinations
        ),
        Knob::Ports(count) if report.block.is_some() => {
            format!("a block of {} ports for each subscriber", grouped(*count))
        }
        Knob::Ports(count) => format!(
            "{} ports on each address instead of {}",
            grouped(*count),
            grouped(report.supply.ports)
        ),
        Knob::Rate(rate) => format!("at most {}", each_second(*rate)),
    }
}

fn addresses(count: u64) -> String {
    format!("{} address{}", grouped(count), if count == 1 { "" } else { "es" })
}

const fn sharer(source: Source) -> &'static str {
    match source {
        Source::Behind(Translator::Cgn) => "subscriber",
        _ => "instance",
    }
}

const fn sharers(source: Source) -> &'static str {
    match source {
        Source::Behind(Translator::Cgn) => "subscribers",
        _ => "instances",
    }
}

fn each_second(rate: f64) -> String {
    format!("{} connection{} a second", number(rate), if rate == 1.0 { "" } else { "s" })
}

/// Three digits, or all before the point.
fn number(number: f64) -> String {
    match number {
        number if number >= 100.0 => grouped(number.round() as u64),
        number if number >= 10.0 => trimmed(format!("{number:.1}")),
        number => trimmed(format!("{number:.2}")),
    }
}

fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent >= 1000.0 => format!("{} times", number(share)),
        percent if percent >= 10.0 => format!("{percent:.0} %"),
        percent if percent >= 0.1 => trimmed(format!("{percent:.1}")) + " %",
        0.0 => "0 %".to_owned(),
        percent if percent >= 0.0005 => trimmed(format!("{percent:.3}")) + " %",
        percent => format!("{percent:.1e} %"),
    }
}

fn percent_exact(percent: f64) -> String {
    trimmed(format!("{percent:.3}")) + " %"
}

fn trimmed(text: String) -> String {
    if !text.contains('.') {
        return text;
    }
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
