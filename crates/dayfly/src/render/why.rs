//! The answer of `why` in sentences and a few aligned lines.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::SocketAddr;

use dayfly_insight::forecast::Forecast;
use dayfly_insight::why::{
    BindOutcome, BindTrial, DestinationAnswer, DestinationVerdict, HolderKind, PortAnswer,
    PortVerdict,
};
use dayfly_linux::owners::Owner;
use dayfly_ports::Protocol;

use super::style::{self, paint};
use super::text::{action, notes, wrapped};
use super::{Screen, counted, grouped};
use crate::why::{Body, HeldBy, Part, ProbeReport, Report};

/// Owners that are named unless `--top` says otherwise.
const OWNERS: usize = 5;

/// The whole answer. Styled; the stream takes the styles off where they are not wanted.
pub(crate) fn text(report: &Report, top: Option<usize>, screen: Screen) -> String {
    let mut text = String::new();
    let top = top.unwrap_or(OWNERS);
    match &report.body {
        Body::Port { answer, probe } => {
            wrapped(&mut text, &port_verdict(report, answer), "  ", screen);
            port_facts(&mut text, answer, probe, screen);
        }
        Body::Destination { parts, forecast } => {
            for (index, part) in parts.iter().enumerate() {
                wrapped(&mut text, &destination_verdict(part), "  ", screen);
                if index == 0 {
                    destination_facts(&mut text, part, screen);
                }
            }
            if let Some(forecast) = forecast {
                wrapped(&mut text, &churn(forecast), "  ", screen);
            }
        }
    }
    owners(&mut text, &report.holders, top, screen);
    if let Body::Port { answer, .. } = &report.body
        && answer.more > 0
    {
        wrapped(&mut text, &format!("  and {} more", counted(answer.more, "holder")), "  ", screen);
    }
    if !report.remedies.is_empty() {
        text.push('\n');
        let _ = writeln!(text, "{}", paint(style::GOOD, "what helps:"));
        for remedy in &report.remedies {
            action(&mut text, "  ", &remedy.action, "    ", screen);
            wrapped(&mut text, &format!("      {}", remedy.effect), "      ", screen);
        }
    }
    if !report.useless.is_empty() {
        let _ = writeln!(text, "{}", paint(style::DIM, "what does not:"));
        for useless in &report.useless {
            wrapped(&mut text, &format!("  {}: {}", useless.action, useless.why), "      ", screen);
        }
    }
    notes(&mut text, &report.degraded, screen);
    text
}

fn destination_verdict(part: &Part) -> String {
    let row = &part.answer.row;
    let to = SocketAddr::new(row.key.destination, row.key.port.number());
    let (style, word, rest) = match part.answer.verdict() {
        DestinationVerdict::Full => {
            (style::BAD, "full:", "no port is left, connect() fails with EADDRNOTAVAIL".to_owned())
        }
        DestinationVerdict::OnlyReuse => (
            style::BAD,
            "living on TIME_WAIT:",
            format!(
                "no port is free, connect() takes over one of {} that are old enough",
                grouped(row.reusable)
            ),
        ),
        DestinationVerdict::PastCliff => (
            style::WARN,
            "past the cliff:",
            format!(
                "{}, but connect() searches half the range in vain before it finds one",
                counted(row.free, "free port")
            ),
        ),
        DestinationVerdict::NearFull => {
            (style::WARN, "nearly full:", format!("{} left", counted(row.free, "port")))
        }
        DestinationVerdict::Room => (
            style::GOOD,
            "room:",
            format!("{} of {} are free", grouped(row.free), counted(row.usable, "usable port")),
        ),
    };
    format!(
        "{} from {}: {} {rest}",
        paint(style::STRONG, &to.to_string()),
        row.key.source,
        paint(style, word)
    )
}

fn destination_facts(text: &mut String, part: &Part, screen: Screen) {
    let classes = &part.answer.classes;
    let reusable = if classes.reusable > 0 {
        format!(", {} of them can be taken over now", grouped(classes.reusable))
    } else {
        String::new()
    };
    let suspected = if classes.suspected > 0 {
        format!(", {} of them suspected to be bound elsewhere", grouped(classes.suspected))
    } else {
        String::new()
    };
    let lines = [
        (classes.connection, format!("connections to it{}", unfinished(&part.answer))),
        (classes.time_wait, format!("in TIME_WAIT to it{reusable}")),
        (classes.listener, "listened on".to_owned()),
        (classes.bound_inactive, "bound, not connected".to_owned()),
        (classes.bound_elsewhere, "bound first by connections to other destinations".to_owned()),
        (
            classes.free,
            format!("free, {} of them in the fast half{suspected}", grouped(classes.fast_free)),
        ),
    ];
    let _ = writeln!(text, "  {:>6} usable ports", grouped(classes.usable));
    for (count, what) in lines {
        if count > 0 {
            let line = format!("  {:>6} {what}", grouped(count));
            wrapped(text, &line, "         ", screen);
        }
    }
    if classes.reserved > 0 {
        let _ = writeln!(text, "  {:>6} more are reserved", grouped(classes.reserved));
    }
    let first = part.answer.holders.iter().filter_map(|held| held.frees_in_seconds()).min();
    if let Some(seconds) = first
        && part.answer.row.free == 0
    {
        wrapped(text, &format!("the first TIME_WAIT ends in {seconds} s"), "  ", screen);
    }
    for other in &part.answer.others {
        let line = format!(
            "from {} there are {} used and {} free",
            other.key.source,
            grouped(other.used),
            grouped(other.free)
        );
        wrapped(text, &line, "  ", screen);
    }
    if let Some(line) = searched(&part.probe) {
        wrapped(text, &line, "  ", screen);
    }
}

/// Connections that somebody has to do something about.
fn unfinished(answer: &DestinationAnswer) -> String {
    let mut text = String::new();
    for (count, what) in [
        (answer.unanswered, "not answered yet (SYN_SENT)"),
        (answer.close_wait, "closed by the peer and not by this host (CLOSE_WAIT)"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {} of them {what}", grouped(count));
        }
    }
    text
}

/// What the kernel's own search said.
fn searched(probe: &ProbeReport) -> Option<String> {
    if !probe.ran {
        return None;
    }
    let found = match (probe.found, &probe.error) {
        (Some(port), _) => format!("found port {port}"),
        (None, error) => format!("failed with {}", error.as_deref().unwrap_or("no port")),
    };
    let micros = probe.micros.map(|micros| format!(" in {micros:.0} us")).unwrap_or_default();
    let agrees = match probe.agrees {
        Some(true) => ", as computed",
        Some(false) => ", which is NOT what was computed: please report it",
        None => "",
    };
    Some(format!(
        "the kernel's own search, asked without sending a packet, {found}{micros}{agrees}"
    ))
}

fn churn(forecast: &Forecast) -> String {
    let mut line = format!(
        "over {:.0} s: {:.1} ports taken and {:.1} given back a second",
        forecast.seconds, forecast.opens_per_second, forecast.ends_per_second
    );
    if let Some(hold) = forecast.hold_seconds {
        let _ = write!(line, ", each held for about {}", duration(hold));
    }
    if let Some(steady) = forecast.steady_state {
        let _ = write!(line, "; that leads to {} in use", grouped(steady.round() as u64));
    }
    match (forecast.seconds_to_cliff, forecast.seconds_to_full) {
        (None, None) => line.push_str("; at this rate it stays fast"),
        (cliff, full) => {
            let when = |seconds: Option<f64>| match seconds {
                None => "never".to_owned(),
                Some(seconds) if seconds <= 0.0 => "already".to_owned(),
                Some(seconds) => format!("in {}", duration(seconds)),
            };
            let _ = write!(line, "; at this rate slow {}, full {}", when(cliff), when(full));
        }
    }
    line
}

/// `4 s`, `3 min`, `2 h`.
fn duration(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 120.0 => format!("{seconds:.0} s"),
        seconds if seconds < 7200.0 => format!("{:.0} min", seconds / 60.0),
        seconds => format!("{:.0} h", seconds / 3600.0),
    }
}

fn port_verdict(report: &Report, answer: &PortAnswer) -> String {
    let port = paint(style::STRONG, &format!("port {}", answer.port));
    let holders = report.holders.len() as u64 + answer.more;
    let bad = |word: &str| paint(style::BAD, word);
    let warn = |word: &str| paint(style::WARN, word);
    let range = "the range of automatic ports";
    let lost = if answer.handed_out.is_empty() {
        String::new()
    } else {
        format!("; it lies in {range}, so this can happen again")
    };
    let free = match answer.trials.first() {
        Some(trial) if holders > 0 => {
            paint(style::GOOD, &format!("free at {}, though not everywhere", trial.address))
        }
        _ => paint(style::GOOD, "free"),
    };
    match answer.verdict() {
        PortVerdict::Held(HolderKind::Listener) => {
            let accepted = match answer.accepted {
                0 => String::new(),
                accepted => format!(", with {}", counted(accepted, "accepted connection")),
            };
            let lost = if answer.handed_out.is_empty() {
                String::new()
            } else {
                format!(
                    "; it lies in {range} and is not reserved: while the service is down, an outgoing connection can take it"
                )
            };
            format!("{port}: {} by a listener{accepted}{lost}", bad("held"))
        }
        PortVerdict::Held(HolderKind::Bound) => {
            format!(
                "{port}: {} by a socket that is bound to it and not connected{lost}",
                bad("held")
            )
        }
        PortVerdict::Held(HolderKind::TimeWait) => {
            let when = answer.frees_in_seconds().unwrap_or(0);
            format!(
                "{port}: {} by {} in TIME_WAIT, until {when} s from now{lost}",
                bad("held"),
                counted(holders, "connection")
            )
        }
        PortVerdict::Held(HolderKind::Connection | HolderKind::Elsewhere) => format!(
            "{port}: {} by {} of this host{lost}",
            bad("held"),
            counted(holders, "outgoing connection")
        ),
        PortVerdict::Forbidden => {
            format!(
                "{port}: nobody holds it, but {} to this user: it is below the unprivileged floor",
                bad("forbidden")
            )
        }
        PortVerdict::Sticky => format!(
            "{port}: no socket holds it, and yet the kernel {} to bind it: its bucket outlived the sockets",
            bad("refuses")
        ),
        PortVerdict::FreeUntilTaken => format!(
            "{port}: {free}, {} an outgoing connection takes it: it lies in {range} and is not reserved",
            warn("until")
        ),
        PortVerdict::Free => {
            let why = if answer.reserved { ", and reserved" } else { "" };
            format!("{port}: {free}{why}")
        }
    }
}

fn port_facts(text: &mut String, answer: &PortAnswer, probe: &ProbeReport, screen: Screen) {
    let said = |trial: &BindTrial| match trial.plain {
        BindOutcome::Granted => "granted".to_owned(),
        BindOutcome::InUse => "EADDRINUSE".to_owned(),
        BindOutcome::Forbidden => "EACCES".to_owned(),
        BindOutcome::NotHere => "EADDRNOTAVAIL, it is not an address of this host".to_owned(),
        BindOutcome::Other(number) => std::io::Error::from_raw_os_error(number).to_string(),
    };
    for trial in &answer.trials {
        let place = SocketAddr::new(trial.address, answer.port.number());
        let reuse = match (trial.plain, trial.reuse_address) {
            (BindOutcome::InUse, Some(BindOutcome::Granted)) => ", granted with SO_REUSEADDR",
            (BindOutcome::InUse, Some(_)) => ", with SO_REUSEADDR as well",
            _ => "",
        };
        let line = format!("bind() to {} {place}: {}{reuse}", trial.protocol, said(trial));
        wrapped(text, &line, "  ", screen);
    }
    if answer.holders.iter().any(|held| held.socket.tuple.protocol == Protocol::Tcp)
        && let ProbeReport { ran: true, found, .. } = probe
    {
        let line = match found {
            Some(_) => "the kernel still gives it to connections to other destinations",
            None => "the kernel gives it to no automatic connection, whatever the destination",
        };
        wrapped(text, line, "  ", screen);
    }
}

/// Who holds most, those without an owner last.
fn owners(text: &mut String, holders: &[HeldBy], top: usize, screen: Screen) {
    let mut groups: BTreeMap<(Option<u32>, HolderKind), (u64, &HeldBy)> = BTreeMap::new();
    for held in holders {
        let key = (held.owner.as_ref().map(|owner| owner.pid), held.holder.kind);
        groups.entry(key).or_insert((0, held)).0 += 1;
    }
    let mut groups: Vec<_> = groups.into_iter().collect();
    groups.sort_by_key(|((pid, kind), (count, _))| (std::cmp::Reverse(*count), *kind, *pid));
    if groups.is_empty() {
        return;
    }
    let _ = writeln!(text, "{}", paint(style::DIM, "held by:"));
    for ((_, kind), (count, first)) in groups.iter().take(top) {
        let who = match &first.owner {
            Some(owner) => named(owner),
            None if first.holder.socket.inode == 0 => "no process".to_owned(),
            None => "a process that could not be seen".to_owned(),
        };
        let what = match count {
            1 => tuple(first),
            count => format!("{} ({})", counted(*count, "port"), kind_in_words(*kind)),
        };
        wrapped(text, &format!("  {what}: {who}"), "      ", screen);
    }
    if groups.len() > top {
        let _ = writeln!(text, "  and {} more; --top shows more", groups.len() - top);
    }
}

fn tuple(held: &HeldBy) -> String {
    let tuple = held.holder.socket.tuple.canonical();
    let state = held.holder.socket.state.name();
    match held.holder.kind {
        HolderKind::Listener | HolderKind::Bound => {
            let local = SocketAddr::new(tuple.local_address, tuple.local_port.number());
            format!("{} {local} {state}", tuple.protocol)
        }
        HolderKind::Connection | HolderKind::TimeWait | HolderKind::Elsewhere => {
            format!("{tuple} {state}")
        }
    }
}

const fn kind_in_words(kind: HolderKind) -> &'static str {
    match kind {
        HolderKind::Listener => "listening",
        HolderKind::Bound => "bound",
        HolderKind::Connection => "connected",
        HolderKind::TimeWait => "TIME_WAIT",
        HolderKind::Elsewhere => "bound first, connected elsewhere",
    }
}

/// Longer command lines are cut: the program is named in front.
const COMMAND: usize = 60;

fn named(owner: &Owner) -> String {
    let mut command: String = owner.command.chars().take(COMMAND).collect();
    if command.len() < owner.command.len() {
        command.push_str("...");
    }
    let mut who = format!("pid {} {command}, user {}", owner.pid, owner.user);
    if let Some(unit) = &owner.unit {
        let _ = write!(who, ", unit {unit}");
    }
    if let Some(container) = &owner.container {
        let short: String = container.chars().take(12).collect();
        let _ = write!(who, ", container {short}");
    }
    who
}
