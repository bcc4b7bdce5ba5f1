//! What people want to do through a firewall, and whether it works.
//!
//! | flow | the packet that decides |
//! |---|---|
//! | ftp-active | the server connects from port 20 or any other to an ephemeral port of ours |
//! | ftp-passive | we connect from an ephemeral port to one that the server named |
//! | ftps-* | the same over TLS, where no helper can read the port |
//! | *-server | we are the server: the client connects to a port of our passive range |
//! | tftp | the server answers from a new port to our ephemeral port |
//! | ephemeral-in | anybody sends to an ephemeral port of ours, unasked |
//!
//! The control connection comes first: it has to pass, and it may be given a conntrack helper, with
//! which the data connection counts as related instead of new.

mod talk;

use dayfly_ports::{PortRange, PortSet, Protocol};

use self::talk::{Leg, Talk, Talks, widest};
use super::evaluate::Decision;
use super::matching::condition;
use super::model::{Family, RulePlace, Ruleset, State};
use super::packet::{Direction, Packet};
use super::region::Region;

/// Something that people want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowKind {
    /// FTP, active mode, as the client.
    FtpActive,
    /// FTP, passive mode, as the client.
    FtpPassive,
    /// FTP over TLS, active mode, as the client.
    FtpsActive,
    /// FTP over TLS, passive mode, as the client.
    FtpsPassive,
    /// FTP, passive mode, as the server.
    FtpPassiveServer,
    /// FTP over TLS, passive mode, as the server.
    FtpsPassiveServer,
    /// TFTP as the client.
    Tftp,
    /// Whatever comes to an ephemeral port unasked.
    EphemeralIn,
    /// Connections that this host opens.
    Outgoing,
}

impl FlowKind {
    /// Every flow that a report has, in its order.
    pub const ALL: [FlowKind; 8] = [
        FlowKind::FtpActive,
        FlowKind::FtpPassive,
        FlowKind::FtpsActive,
        FlowKind::FtpsPassive,
        FlowKind::FtpPassiveServer,
        FlowKind::FtpsPassiveServer,
        FlowKind::Tftp,
        FlowKind::EphemeralIn,
    ];

    /// The name in reports, JSON and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FlowKind::FtpActive => "ftp-active",
            FlowKind::FtpPassive => "ftp-passive",
            FlowKind::FtpsActive => "ftps-active",
            FlowKind::FtpsPassive => "ftps-passive",
            FlowKind::FtpPassiveServer => "ftp-passive-server",
            FlowKind::FtpsPassiveServer => "ftps-passive-server",
            FlowKind::Tftp => "tftp",
            FlowKind::EphemeralIn => "ephemeral-in",
            FlowKind::Outgoing => "outgoing",
        }
    }

    /// Whether this host offers the service.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, FlowKind::FtpPassiveServer | FlowKind::FtpsPassiveServer)
    }

    const fn is_encrypted(self) -> bool {
        matches!(self, FlowKind::FtpsActive | FlowKind::FtpsPassive | FlowKind::FtpsPassiveServer)
    }
}

/// Whether it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowVerdict {
    /// With every port that may be used.
    Passes,
    /// With some of them.
    Partly,
    /// With none.
    Blocked,
    /// A rule that cannot be read decides.
    Unknown,
}

impl FlowVerdict {
    /// The name in reports and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FlowVerdict::Passes => "passes",
            FlowVerdict::Partly => "partly",
            FlowVerdict::Blocked => "blocked",
            FlowVerdict::Unknown => "unknown",
        }
    }
}

/// A flow and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flow {
    /// Which.
    pub kind: FlowKind,
    /// The protocol of the deciding packet.
    pub protocol: Protocol,
    /// For which family; none if it is the same for all that were asked about.
    pub family: Option<Family>,
    /// Whether it works.
    pub verdict: FlowVerdict,
    /// Under what condition: `source port 20`.
    pub needs: Option<String>,
    /// A sentence.
    pub why: String,
    /// The rule or policy that decides, in words.
    pub rule: Option<String>,
    /// The same rule's place.
    pub place: Option<RulePlace>,
    /// The packet that is stopped, where one is.
    pub stopped: Option<Stopped>,
    /// The peer's ports that it takes.
    pub peers: Box<PortSet>,
    /// Our ports with which it works.
    pub works_with: Box<PortSet>,
    /// Our ports that may be used.
    pub wanted: Box<PortSet>,
}

/// A packet that a rule keeps out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Which way it goes.
    pub direction: Direction,
    /// Whether it opens a connection; else it belongs to one that is open.
    pub opens: bool,
    /// Whether it is of the connection that carries the data; else of the control connection.
    pub carries_data: bool,
}

/// The host behind the firewall.
#[derive(Clone, Debug)]
pub struct Host {
    /// The families that it uses.
    pub families: Vec<Family>,
    /// Its interface to the outside, if there is just one.
    pub interface: Option<String>,
    /// Its addresses, if there is just one of a family.
    pub addresses: Vec<std::net::IpAddr>,
    /// The other host, if it is about a certain one.
    pub peer: Option<std::net::IpAddr>,
    /// The ports that TCP connections are handed.
    pub tcp: Box<PortSet>,
    /// The ports that UDP sockets are handed.
    pub udp: Box<PortSet>,
    /// The ports that an FTP server here opens for passive transfers, if it is told; else those of
    /// TCP.
    pub passive: Option<Box<PortSet>>,
}

impl Host {
    /// The first packet of a connection of this host.
    #[must_use]
    pub fn packet(&self, direction: Direction, family: Family, protocol: Protocol) -> Packet {
        let of_family = |address: &&std::net::IpAddr| address.is_ipv4() == (family == Family::Ipv4);
        Packet {
            interface: self.interface.clone(),
            local: self.addresses.iter().find(of_family).copied(),
            peer: self.peer.filter(|peer| of_family(&peer)),
            ..Packet::first(direction, family, protocol)
        }
    }
}

/// Asks about one flow, in every family of the host.
#[must_use]
pub fn assess(ruleset: &Ruleset, host: &Host, kind: FlowKind) -> Vec<Flow> {
    assess_all(ruleset, host, &[kind])
}

/// Asks about flows, in every family of the host. Conversations that several of them have in common
/// are held once.
#[must_use]
pub fn assess_all(ruleset: &Ruleset, host: &Host, kinds: &[FlowKind]) -> Vec<Flow> {
    let talks = Talks::default();
    let mut flows: Vec<Flow> = Vec::new();
    for &kind in kinds {
        let protocols: &[Protocol] = match kind {
            FlowKind::Tftp => &[Protocol::Udp],
            FlowKind::EphemeralIn | FlowKind::Outgoing => &[Protocol::Tcp, Protocol::Udp],
            _ => &[Protocol::Tcp],
        };
        for &protocol in protocols {
            let of_family =
                |&family| Asked { ruleset, host, kind, family, protocol, talks: &talks }.flow();
            let each: Vec<Flow> = host.families.iter().map(of_family).collect();
            let alike = |one: &Flow| {
                let same =
                    |first: &Flow| (first.verdict, &first.needs) == (one.verdict, &one.needs);
                each.first().is_some_and(same)
            };
            if each.iter().all(alike) {
                flows.extend(each.into_iter().take(1).map(|flow| Flow { family: None, ..flow }));
            } else {
                flows.extend(each);
            }
        }
    }
    flows
}

/// Ports that anybody's programs send from.
fn anybody() -> PortSet {
    PortRange::new(1, u16::MAX).map_or(PortSet::EMPTY, PortSet::from)
}

/// Ports that a program gets when it does not ask for one, on any system.
fn unprivileged() -> PortSet {
    PortRange::new(1024, u16::MAX).map_or(PortSet::EMPTY, PortSet::from)
}

fn just(port: u16) -> PortSet {
    let mut set = PortSet::EMPTY;
    set.insert(port.into());
    set
}

struct Asked<'a> {
    ruleset: &'a Ruleset,
    host: &'a Host,
    kind: FlowKind,
    family: Family,
    protocol: Protocol,
    talks: &'a Talks,
}

/// What a helper does for the conversation, in words.
#[derive(Clone, Copy, Default)]
struct Aside {
    passes: &'static str,
    fails: &'static str,
}

/// A conversation and its people.
struct Part {
    first: Packet,
    peers: PortSet,
    locals: PortSet,
    /// What a sentence calls it.
    what: &'static str,
    /// Whether it is what the flow is about, and not the request for it.
    carries_data: bool,
}

impl Asked<'_> {
    fn flow(&self) -> Flow {
        let (control, mut data) = self.parts();
        let Some(control) = control else { return self.judged(&data, Aside::default()) };
        let talk = self.talks.hold(self.ruleset, &control.first, &control.peers, &control.locals);
        let wanted = Region::product(&control.peers, &control.locals);
        let mut aside = Aside::default();
        let name = if self.kind == FlowKind::Tftp { "tftp" } else { "ftp" };
        let helped = talk.legs.first().is_some_and(|leg| {
            let has = |pairs: &Region| leg.as_sent(&wanted).minus(pairs).is_empty();
            leg.outcome.helpers.iter().any(|(helper, pairs)| **helper == *name && has(pairs))
        });
        if helped && self.kind.is_encrypted() {
            aside.fails = ": the ftp helper cannot read an encrypted control connection";
        } else if helped {
            data.first.state = State::Related;
            data.first.helper = Some(name.into());
            aside.passes = ": a conntrack helper reads the control connection and expects it";
            aside.fails = " although a conntrack helper expects it";
        }
        // A server's clients are many and their ports their own: the control connection has to
        // pass at all. TFTP's first packet is sent from the port that the answer goes to.
        let first = self.judge(&control, &talk, Aside::default());
        if matches!(first.verdict, FlowVerdict::Blocked | FlowVerdict::Unknown) {
            return first;
        }
        let mut flow = self.judged(&data, aside);
        if flow.verdict == FlowVerdict::Passes && first.verdict == FlowVerdict::Partly {
            return first;
        }
        let condition = first.needs.filter(|_| flow.verdict != FlowVerdict::Blocked);
        flow.needs = match (flow.needs, condition) {
            (Some(needs), Some(first)) if needs != first => Some(format!("{needs}, {first}")),
            (needs, first) => needs.or(first),
        };
        flow
    }

    /// The control connection, where there is one, and what it is about.
    fn parts(&self) -> (Option<Part>, Part) {
        let host = self.host;
        let tcp = |direction| host.packet(direction, self.family, Protocol::Tcp);
        let usable = match self.protocol {
            Protocol::Udp => &host.udp,
            _ => &host.tcp,
        };
        let usable = (**usable).clone();
        let client = |port, what| Part {
            first: host.packet(Direction::Out, self.family, self.protocol),
            peers: just(port),
            locals: usable.clone(),
            what,
            carries_data: false,
        };
        let control = "the control connection";
        match self.kind {
            FlowKind::FtpActive | FlowKind::FtpsActive => {
                let mut peers = unprivileged();
                peers.insert(20.into());
                let data = Part {
                    first: tcp(Direction::In),
                    peers,
                    locals: usable.clone(),
                    what: "the server's connection",
                    carries_data: true,
                };
                (Some(client(21, control)), data)
            }
            FlowKind::FtpPassive | FlowKind::FtpsPassive => {
                let data = Part {
                    first: tcp(Direction::Out),
                    peers: unprivileged(),
                    locals: usable.clone(),
                    what: "our connection",
                    carries_data: true,
                };
                (Some(client(21, control)), data)
            }
            FlowKind::FtpPassiveServer | FlowKind::FtpsPassiveServer => {
                let served = |locals, what| Part {
                    first: tcp(Direction::In),
                    peers: unprivileged(),
                    locals,
                    what,
                    carries_data: what != control,
                };
                let passive = host.passive.as_deref().unwrap_or(&host.tcp).clone();
                (Some(served(just(21), control)), served(passive, "the client's connection"))
            }
            FlowKind::Tftp => {
                let data = Part {
                    first: host.packet(Direction::In, self.family, Protocol::Udp),
                    peers: unprivileged(),
                    locals: usable.clone(),
                    what: "the server's answer",
                    carries_data: true,
                };
                (Some(client(69, "the request")), data)
            }
            FlowKind::EphemeralIn => {
                let data = Part {
                    first: host.packet(Direction::In, self.family, self.protocol),
                    peers: anybody(),
                    locals: usable,
                    what: "what comes unasked",
                    carries_data: true,
                };
                (None, data)
            }
            FlowKind::Outgoing => {
                let data = Part {
                    first: host.packet(Direction::Out, self.family, self.protocol),
                    peers: anybody(),
                    locals: usable,
                    what: "what we open",
                    carries_data: true,
                };
                (None, data)
            }
        }
    }

    fn judged(&self, part: &Part, aside: Aside) -> Flow {
        let talk = self.talks.hold(self.ruleset, &part.first, &part.peers, &part.locals);
        self.judge(part, &talk, aside)
    }

    fn judge(&self, part: &Part, talk: &Talk, aside: Aside) -> Flow {
        let whole = &part.locals;
        let named = talk.yes.union(&talk.depends);
        let best = widest(&talk.yes, whole);
        let best_named = widest(&named, whole);
        let best_possible = widest(&named.union(&talk.opaque), whole);
        let full = |best: &Option<(PortSet, PortSet)>| {
            best.as_ref().is_some_and(|(_, ports)| ports == whole)
        };
        let nothing = || (PortSet::EMPTY, PortSet::EMPTY);
        let (verdict, (peers, ports)) = if whole.is_empty() {
            (FlowVerdict::Blocked, nothing())
        } else if full(&best) {
            (FlowVerdict::Passes, best.unwrap_or_else(nothing))
        } else if full(&best_named) {
            (FlowVerdict::Passes, best_named.unwrap_or_else(nothing))
        } else if full(&best_possible) {
            (FlowVerdict::Unknown, best_possible.unwrap_or_else(nothing))
        } else if let Some(best) = best.or(best_named) {
            (FlowVerdict::Partly, best)
        } else if !talk.opaque.is_empty() {
            (FlowVerdict::Unknown, best_possible.unwrap_or_else(nothing))
        } else {
            (FlowVerdict::Blocked, nothing())
        };
        let works = Region::product(&peers, &ports);
        let mut needs: Vec<String> = Vec::new();
        if peers != part.peers && !peers.is_empty() && verdict != FlowVerdict::Unknown {
            let side = match part.first.direction {
                Direction::In => "source port",
                Direction::Out => "destination port",
            };
            needs.push(format!("{side} {peers}"));
        }
        if verdict == FlowVerdict::Passes || verdict == FlowVerdict::Partly {
            needs.extend(self.conditions(talk, &works));
        }
        let (leg, decided) = self.decider(talk, verdict, part, &works).unzip();
        let stopped = leg.filter(|_| verdict != FlowVerdict::Passes).map(|leg| Stopped {
            direction: leg.packet.direction,
            opens: leg.packet.state != State::Established,
            carries_data: part.carries_data,
        });
        let rule = decided.map(|decision| self.ruleset.name_of(decision.place));
        let why = sentence(part, verdict, &ports, rule.as_deref(), aside);
        Flow {
            kind: self.kind,
            protocol: self.protocol,
            family: Some(self.family),
            verdict,
            needs: (!needs.is_empty()).then(|| needs.join(", ")),
            why,
            rule,
            place: decided.map(|decision| decision.place),
            stopped,
            peers: Box::new(if peers.is_empty() { part.peers.clone() } else { peers }),
            works_with: Box::new(ports),
            wanted: Box::new(part.locals.clone()),
        }
    }

    /// On what else it depends, in words.
    fn conditions(&self, talk: &Talk, works: &Region) -> Option<String> {
        let open = works.minus(&talk.yes);
        talk.legs.iter().find_map(|leg| {
            let asked = leg.as_sent(&open.minus(&leg.passes));
            condition(self.ruleset, &leg.packet, &leg.outcome, &asked)
        })
    }

    fn decider<'t>(
        &self,
        talk: &'t Talk,
        verdict: FlowVerdict,
        part: &Part,
        works: &Region,
    ) -> Option<(&'t Leg, &'t Decision)> {
        let whole = Region::product(&part.peers, &part.locals);
        let in_leg = |leg: &'t Leg| match verdict {
            FlowVerdict::Passes => leg.outcome.decision(true, &leg.as_sent(works)),
            FlowVerdict::Unknown => {
                let asked = leg.as_sent(&talk.opaque);
                leg.outcome.decisions.iter().find(|one| !one.certain && one.about.touches(&asked))
            }
            FlowVerdict::Blocked | FlowVerdict::Partly => {
                let failing = whole.minus(&talk.yes);
                // Of a part, the part that would be expected: what goes with the same peers.
                let failing = match works.cells() {
                    [cell] => {
                        let with = Region::product(&cell.sources, &part.locals);
                        failing.intersection(&with)
                    }
                    _ => failing,
                };
                leg.outcome.decision(false, &leg.as_sent(&failing))
            }
        };
        talk.legs.iter().find_map(|leg| Some((leg, in_leg(leg)?)))
    }
}

fn sentence(
    part: &Part,
    verdict: FlowVerdict,
    ports: &PortSet,
    rule: Option<&str>,
    aside: Aside,
) -> String {
    let (what, wanted) = (part.what, &part.locals);
    let side = match part.first.direction {
        Direction::In => "to our port",
        Direction::Out => "from our port",
    };
    match (verdict, rule) {
        _ if wanted.is_empty() => "there is no port to use: the range is empty".to_owned(),
        (FlowVerdict::Passes, Some(rule)) => {
            format!("{what} {side} {wanted} is accepted{} ({rule})", aside.passes)
        }
        (FlowVerdict::Passes, None) => format!("nothing filters {what} {side} {wanted}"),
        (FlowVerdict::Partly, rule) => {
            let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            format!(
                "{what} passes {side} {ports} only; of {wanted} the rest is dropped{}{rule}",
                aside.fails
            )
        }
        (FlowVerdict::Blocked, rule) => {
            let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            format!("{what} {side} {wanted} is dropped{}{rule}", aside.fails)
        }
        (FlowVerdict::Unknown, rule) => {
            let rule = rule.map(|rule| format!(" ({rule})")).unwrap_or_default();
            format!("a rule that cannot be read decides about {what} {side} {wanted}{rule}")
        }
    }
}
