//! Does what is open equal what is used, and what sits inside it?

use std::net::SocketAddr;

use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use super::flows::{Flow, FlowKind, Host, assess, assess_all};
use super::matching::condition;
use super::model::{Family, RulePlace, Ruleset, Spans};
use super::packet::{Direction, Translation};
use super::region::Region;

/// Ports that a new connection may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Open {
    /// The protocol.
    pub protocol: Protocol,
    /// Which way the first packet goes.
    pub direction: Direction,
    /// For which family; none if it is the same for all that were asked about.
    pub family: Option<Family>,
    /// From these ports,
    pub source_ports: Box<PortSet>,
    /// to these.
    pub ports: Box<PortSet>,
    /// The port where they arrive, if NAT sends them to another one of this host.
    pub arrives: Option<u16>,
    /// Under what condition.
    pub needs: Option<String>,
}

/// How what is open towards this host lies to what is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// The protocol.
    pub protocol: Protocol,
    /// Which way the first packet goes.
    pub direction: Direction,
    /// In one word.
    pub relation: Relation,
    /// The spans that look as if they were opened for automatic ports.
    pub opened: Box<PortSet>,
    /// The rule that opens most of them.
    pub place: Option<RulePlace>,
    /// Used and not open.
    pub missing: Box<PortSet>,
    /// Open and not used.
    pub needless: Box<PortSet>,
}

/// How two sets of ports lie to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Relation {
    /// The same.
    Exact,
    /// Some of what is used is not open.
    Narrower,
    /// More is open than is used.
    Wider,
    /// Some of what is used is not open, and something else is.
    Elsewhere,
    /// No span is open: connection tracking alone lets answers in.
    Closed,
    /// Nothing is filtered.
    Unfiltered,
    /// A rule that cannot be read decides.
    Unknown,
}

impl Relation {
    /// The name in reports and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Relation::Exact => "exact",
            Relation::Narrower => "narrower",
            Relation::Wider => "wider",
            Relation::Elsewhere => "elsewhere",
            Relation::Closed => "closed",
            Relation::Unfiltered => "unfiltered",
            Relation::Unknown => "unknown",
        }
    }

    /// Whether something should be done about it.
    #[must_use]
    pub const fn is_wrong(self) -> bool {
        matches!(self, Relation::Narrower | Relation::Wider | Relation::Elsewhere)
    }
}

/// Somebody who receives from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The protocol.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
    /// Who, such as `nginx (pid 71)`; none if nobody could be found.
    pub owner: Option<String>,
    /// Whether it is open for a transfer only, and not a service.
    pub transient: bool,
}

/// A listener inside a span that is open for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// Who.
    pub listener: Listener,
    /// The span that is open around it.
    pub span: PortRange,
    /// The rule that opens it.
    pub place: Option<RulePlace>,
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Check {
    /// What new connections may use.
    pub open: Vec<Open>,
    /// What works.
    pub flows: Vec<Flow>,
    /// Whether connections can be opened from here at all.
    pub outgoing: Vec<Flow>,
    /// What is open next to what is used.
    pub compared: Vec<Comparison>,
    /// Who sits inside.
    pub exposed: Vec<Exposed>,
    /// Whether there is a span that anybody could sit inside.
    pub has_spans: bool,
}

/// A span of so many ports was not opened for single services.
const SPAN: u32 = 32;
/// All unprivileged ports: a rule for more is not about ports.
const MOST: u32 = 65_536 - 1024;

/// Asks a ruleset everything.
#[must_use]
pub fn check(ruleset: &Ruleset, host: &Host, kinds: &[FlowKind], listeners: &[Listener]) -> Check {
    let mut check = Check {
        open: Vec::new(),
        flows: assess_all(ruleset, host, kinds),
        outgoing: assess(ruleset, host, FlowKind::Outgoing),
        compared: Vec::new(),
        exposed: Vec::new(),
        has_spans: false,
    };
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let inwards = opened(ruleset, host, Direction::In, protocol);
        check.compared.push(compare(host, protocol, &inwards));
        let of_protocol = listeners.iter().filter(|one| one.protocol == protocol);
        check.exposed.extend(of_protocol.filter_map(|one| exposed(one, host, &inwards)));
        let used = used_by(host, protocol);
        let has_span = |one: &Open| {
            one.arrives.is_none() && !spans_of(&one.ports, used, host, &inwards).is_empty()
        };
        check.has_spans |= inwards.open.iter().any(has_span);
        check.open.extend(inwards.open);
        check.open.extend(opened(ruleset, host, Direction::Out, protocol).open);
    }
    check
}

/// What new connections of a protocol may use in one direction.
struct Opened {
    open: Vec<Open>,
    /// Ports about which a rule that cannot be read decides.
    opaque: PortSet,
    /// Ports that a rule lets in which is about ports: not a policy, not trust in an interface.
    by_rule: PortSet,
    /// The same, rule by rule.
    rules: Vec<(RulePlace, Spans)>,
    /// Ports that some pair is kept out of, in any family.
    kept_out: PortSet,
}

fn opened(ruleset: &Ruleset, host: &Host, direction: Direction, protocol: Protocol) -> Opened {
    let whole = Region::product(&PortSet::FULL, &PortSet::FULL);
    let mut result = Opened {
        open: Vec::new(),
        opaque: PortSet::EMPTY,
        by_rule: PortSet::EMPTY,
        rules: Vec::new(),
        kept_out: PortSet::EMPTY,
    };
    let mut each: Vec<Vec<Open>> = Vec::new();
    for &family in &host.families {
        let packet = host.packet(direction, family, protocol);
        let outcome = ruleset.evaluate(&packet, &whole);
        let sure = outcome.surely_passed();
        let depends = outcome.passed.intersection(&outcome.blocked).minus(&outcome.opaque);
        result.kept_out |= &outcome.blocked.ports();
        let rules = outcome.decisions.iter();
        let rules = rules.filter(|one| one.accepts && ruleset.is_about_ports(one.place));
        let rules = rules.map(|one| (one.place, one.about.ports()));
        for (place, ports) in rules.filter(|(_, ports)| ports.len() <= MOST) {
            for &range in ports.ranges() {
                result.by_rule.insert_range(range);
            }
            // Single services need not be remembered.
            if ports.len() > 1 {
                result.rules.push((place, ports));
            }
        }
        result.opaque |= &outcome.opaque.ports();
        let mut open = Vec::new();
        // Rows of their own for what arrives elsewhere: nobody is reached where it was sent to.
        let (mut stays, mut parts) = ((sure, depends), Vec::new());
        for moved in &outcome.moved {
            let Translation::To(port) = moved.translation else { continue };
            let part = |region: &Region| region.intersection(&moved.pairs);
            parts.push((Some(port), part(&stays.0), moved.certain));
            parts.push((Some(port), part(&stays.1), false));
            if moved.certain {
                stays.0.subtract(&moved.pairs);
                stays.1.subtract(&moved.pairs);
            }
        }
        parts.insert(0, (None, stays.0, true));
        parts.insert(1, (None, stays.1, false));
        for (arrives, region, sure) in parts {
            for cell in region.cells() {
                let one = Region::product(&cell.sources, &cell.ports);
                open.push(Open {
                    arrives,
                    protocol,
                    direction,
                    family: Some(family),
                    source_ports: Box::new((*cell.sources).clone()),
                    ports: Box::new((*cell.ports).clone()),
                    needs: if sure { None } else { condition(ruleset, &packet, &outcome, &one) },
                });
            }
        }
        each.push(open);
    }
    let plain = |one: &Open| Open { family: None, ..one.clone() };
    let plains: Vec<Vec<Open>> = each.iter().map(|open| open.iter().map(plain).collect()).collect();
    result.open = match plains.split_first() {
        Some((first, rest)) if rest.iter().all(|other| other == first) => first.clone(),
        _ => each.concat(),
    };
    result
}

fn compare(host: &Host, protocol: Protocol, inwards: &Opened) -> Comparison {
    let used = used_by(host, protocol);
    let mut wide = PortSet::EMPTY;
    for one in inwards.open.iter().filter(|one| one.arrives.is_none()) {
        for span in spans_of(&one.ports, used, host, inwards) {
            wide.insert_range(span);
        }
    }
    // Opened for something else that is known.
    let known = [&host.passive, &host.rpc].into_iter().filter_map(Option::as_deref);
    for ports in known.filter(|_| protocol == Protocol::Tcp) {
        wide -= &(ports - used);
    }
    let missing = used - &wide;
    // Reserved ports lie inside the range and are nobody's: opening them is no waste.
    let mut needless = &wide - used;
    if let (Some(first), Some(last)) = (used.iter().next(), used.ranges().last())
        && let Ok(around) = PortRange::new(first.number(), last.high().number())
    {
        needless.remove_range(around);
    }
    let relation = if used.intersection_len(&inwards.kept_out) == 0 && wide.is_empty() {
        Relation::Unfiltered
    } else if used.intersection_len(&inwards.opaque) > 0 {
        Relation::Unknown
    } else if wide.is_empty() {
        Relation::Closed
    } else {
        match (missing.is_empty(), needless.is_empty()) {
            (true, true) => Relation::Exact,
            (false, true) => Relation::Narrower,
            (true, false) => Relation::Wider,
            (false, false) => Relation::Elsewhere,
        }
    };
    let share = |(_, ports): &&(RulePlace, Spans)| wide.within(ports.ranges()).len();
    Comparison {
        protocol,
        direction: Direction::In,
        relation,
        place: inwards
            .rules
            .iter()
            .max_by_key(share)
            .map(|(place, _)| *place)
            .filter(|_| !wide.is_empty()),
        opened: Box::new(wide),
        missing: Box::new(missing),
        needless: Box::new(needless),
    }
}

const fn used_by(host: &Host, protocol: Protocol) -> &PortSet {
    match protocol {
        Protocol::Udp => &host.udp,
        _ => &host.tcp,
    }
}

/// Those spans of a set of open ports that were not opened for single services: long ones, and
/// short ones inside what is used.
fn spans_of(ports: &PortSet, used: &PortSet, host: &Host, inwards: &Opened) -> Vec<PortRange> {
    let opened = ports & &inwards.by_rule;
    let passive = |span| host.passive.as_deref().is_some_and(|ports| ports.intersects(span));
    let meant = |span: &PortRange| {
        span.len() >= SPAN || span.len() >= 2 && (used.intersects(*span) || passive(*span))
    };
    opened.ranges().filter(meant).collect()
}

fn exposed(listener: &Listener, host: &Host, inwards: &Opened) -> Option<Exposed> {
    let port = Port::new(listener.address.port());
    if listener.address.ip().to_canonical().is_loopback() {
        return None;
    }
    let used = used_by(host, listener.protocol);
    let reaches = inwards.open.iter().filter(|one| {
        one.arrives.is_none()
            && one.ports.contains(port)
            && !(listener.address.is_ipv4() && one.family == Some(Family::Ipv6))
    });
    let spans = reaches.flat_map(|one| spans_of(&one.ports, used, host, inwards));
    let span = spans.filter(|span| span.contains(port)).min_by_key(|span| span.len())?;
    let place =
        inwards.rules.iter().find(|(_, ports)| ports.contains(port)).map(|(place, _)| *place);
    Some(Exposed { listener: listener.clone(), span, place })
}
