//! A firewall check in sentences.

use std::fmt::Write;

use dayfly_insight::firewall::check::{Comparison, Exposed, Relation};
use dayfly_insight::firewall::flows::{Flow, FlowVerdict};
use dayfly_insight::firewall::rpc::{self, Placed, Service};

use super::style::{self, paint};
use super::text::{action, notes, wrapped};
use super::{Screen, counted};
use crate::firewall::{Checked, Report};

/// Every place, one after another. Styled; the stream takes the styles off where not wanted.
pub(crate) fn text(report: &Report, screen: Screen) -> String {
    let mut text = String::new();
    for (index, checked) in report.places.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        place(&mut text, checked, screen);
    }
    notes(&mut text, &report.degraded, screen);
    text
}

fn place(text: &mut String, checked: &Checked, screen: Screen) {
    let head = format!("{}, range {}", paint(style::STRONG, &checked.name), checked.range);
    wrapped(text, &head, "  ", screen);
    for compared in &checked.check.compared {
        wrapped(text, &comparison(compared), "  ", screen);
    }
    text.push('\n');
    for one in &checked.check.flows {
        flow(text, one, checked.wanted.contains(&one.kind), screen);
    }
    for one in checked.check.outgoing.iter().filter(|one| one.verdict != FlowVerdict::Passes) {
        flow(text, one, true, screen);
    }
    if !checked.rpc.is_empty() {
        text.push('\n');
    }
    for one in &checked.rpc {
        let misleads = rpc::unreachable(&checked.rpc).any(|other| other == one);
        service(text, one, misleads, screen);
    }
    if !checked.check.exposed.is_empty() {
        text.push('\n');
    }
    for one in &checked.check.exposed {
        wrapped(text, &exposed(one), "  ", screen);
    }
    if !checked.remedies.is_empty() {
        text.push('\n');
    }
    for remedy in &checked.remedies {
        let lead = format!("{} ", paint(style::GOOD, "do:"));
        action(text, &lead, &remedy.action, "  ", screen);
        wrapped(text, &format!("    {}", remedy.effect), "    ", screen);
    }
    for remark in &checked.remarks {
        wrapped(text, remark, "  ", screen);
    }
    notes(text, &checked.degraded, screen);
}

fn comparison(compared: &Comparison) -> String {
    let Comparison { protocol, relation, opened, missing, needless, .. } = compared;
    let colour = match relation {
        Relation::Exact | Relation::Closed | Relation::Unfiltered => style::GOOD,
        Relation::Unknown | Relation::Wider => style::WARN,
        Relation::Narrower | Relation::Elsewhere => style::BAD,
    };
    let word = paint(colour, relation.name());
    match relation {
        Relation::Exact => {
            format!("{protocol}: {word}: {opened} is open, and that is what is used")
        }
        Relation::Closed => {
            format!("{protocol}: {word}: no automatic port is open to those who were not asked")
        }
        Relation::Unfiltered => {
            format!("{protocol}: {word}: nothing keeps packets from automatic ports")
        }
        Relation::Unknown => {
            format!("{protocol}: {word}: a rule that cannot be read decides about automatic ports")
        }
        Relation::Narrower => {
            format!("{protocol}: {word}: {opened} is open; {missing} is used and is not")
        }
        Relation::Wider => format!("{protocol}: {word}: {opened} is open; {needless} is not used"),
        Relation::Elsewhere => {
            format!("{protocol}: {word}: {opened} is open; {missing} is used and is not")
        }
    }
}

/// The widest name of a flow.
const NAMES: usize = 19;

fn flow(text: &mut String, flow: &Flow, wanted: bool, screen: Screen) {
    let colour = match flow.verdict {
        FlowVerdict::Passes => style::GOOD,
        _ if !wanted => style::DIM,
        FlowVerdict::Blocked => style::BAD,
        FlowVerdict::Partly | FlowVerdict::Unknown => style::WARN,
    };
    let mut name = flow.kind.name().to_owned();
    if flow.kind.name() == "ephemeral-in" || flow.kind.name() == "outgoing" {
        name = format!("{name} {}", flow.protocol);
    }
    if let Some(family) = flow.family {
        name = format!("{name} {}", family.name());
    }
    let needs = flow.needs.as_ref().map(|needs| format!(" (needs {needs})")).unwrap_or_default();
    let verdict = paint(colour, flow.verdict.name());
    let _ = writeln!(text, "{name:<NAMES$} {verdict}{needs}");
    wrapped(text, &format!("    {}", flow.why), "    ", screen);
}

/// An RPC program: where it is, how it came there, and whether clients get there.
/// `misleads`: clients are told of it and do not get there.
fn service(text: &mut String, service: &Service, misleads: bool, screen: Screen) {
    let flow = &service.flow;
    let colour = match flow.verdict {
        FlowVerdict::Passes => style::GOOD,
        _ if misleads => style::BAD,
        FlowVerdict::Blocked => style::DIM,
        FlowVerdict::Partly | FlowVerdict::Unknown => style::WARN,
    };
    let family = flow.family.map(|family| format!(" {}", family.name())).unwrap_or_default();
    let needs = flow.needs.as_ref().map(|needs| format!(" (needs {needs})")).unwrap_or_default();
    let name = format!("{} {} {}{family}", service.title(), flow.protocol, flow.wanted);
    let _ = writeln!(text, "{name:<NAMES$} {}{needs}", paint(colour, flow.verdict.name()));
    let owner = match &service.owner {
        Some(owner) => format!("{owner}: "),
        None => String::new(),
    };
    let placed = match (service.number.is_none(), service.placed) {
        (false, _) if !service.listening => {
            "nobody listens there, rpcbind tells clients of it all the same"
        }
        (false, Placed::Automatic) => "an automatic port, another one after its next start",
        (false, Placed::Low) => {
            "one of 600-1023, as bindresvport takes them: another one after its next start, unless \
             it was named"
        }
        (_, Placed::Fixed) if !service.is_mapper() && service.number.is_none() => {
            "the ports that the registry lists"
        }
        (true, Placed::Automatic) => "automatic ports: the registry lists no others",
        (_, _) => "a port that stays",
    };
    wrapped(text, &format!("    {owner}{placed}; {}", flow.why), "    ", screen);
}

fn exposed(exposed: &Exposed) -> String {
    let listener = &exposed.listener;
    let owner = listener.owner.as_deref().unwrap_or("an unknown process");
    let open = counted(exposed.span.len(), "port");
    let (label, end) = if listener.transient {
        (paint(style::DIM, "inside:"), ", for a transfer")
    } else {
        (paint(style::WARN, "exposed:"), "")
    };
    format!(
        "{label} {owner} listens on {} {}, inside the {open} {} that are open{end}",
        listener.protocol, listener.address, exposed.span
    )
}
