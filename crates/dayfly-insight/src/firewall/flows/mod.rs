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

mod judge;
mod kind;
mod talk;

use dayfly_ports::{PortRange, PortSet, Protocol};

pub use self::kind::{FlowKind, FlowVerdict};
use self::talk::Talks;
use super::model::{Family, RulePlace, Ruleset, State};
use super::packet::{Direction, Packet};
use super::region::Region;

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
    /// The ports that Windows' registry lists for MS-RPC; none where it lists none, and elsewhere.
    pub rpc: Option<Box<PortSet>>,
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

/// Asks whether clients reach an RPC program on all of these ports, whatever they send from.
#[must_use]
pub(super) fn assess_service(
    ruleset: &Ruleset,
    host: &Host,
    family: Family,
    protocol: Protocol,
    ports: &PortSet,
) -> Flow {
    let talks = Talks::default();
    let asked = Asked { ruleset, host, kind: FlowKind::Rpc, family, protocol, talks: &talks };
    asked.judged(&asked.served(ports), Aside::default())
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

impl Part {
    /// Somebody waits for the data at that very port. For the control connection somebody may wait
    /// where NAT sends it.
    fn asked(&self) -> talk::Asked {
        talk::Asked {
            first: self.first.clone(),
            peers: self.peers.clone(),
            locals: self.locals.clone(),
            exact: self.carries_data,
        }
    }
}

impl Asked<'_> {
    fn flow(&self) -> Flow {
        let (control, mut data) = self.parts();
        let Some(control) = control else { return self.judged(&data, Aside::default()) };
        let talk = self.talks.hold(self.ruleset, control.asked());
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
            FlowKind::Rpc => (None, self.served(&usable)),
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

    /// A service of ours on these ports, and its clients: NFS' send from below 1024.
    fn served(&self, ports: &PortSet) -> Part {
        Part {
            first: self.host.packet(Direction::In, self.family, self.protocol),
            peers: anybody(),
            locals: ports.clone(),
            what: "a client's request",
            carries_data: true,
        }
    }

    fn judged(&self, part: &Part, aside: Aside) -> Flow {
        let talk = self.talks.hold(self.ruleset, part.asked());
        self.judge(part, &talk, aside)
    }
}
