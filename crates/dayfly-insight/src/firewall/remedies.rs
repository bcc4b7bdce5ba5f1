//! What helps: change the range, change the rule, move the service.
//!
//! Each remedy is one step that is enough for what it says, the best first.

use dayfly_ports::{PortRange, PortSet, Protocol};

use super::check::{Check, Comparison, Exposed, Relation};
use super::flows::{Flow, FlowKind, FlowVerdict, Host};
use super::model::{Chain, Dialect, Ruleset};
use super::packet::Direction;
use super::rpc::{self, Service};
use super::writers::emit::{Wish, emit};
use super::writers::{Opening, place};
use crate::why::{Action, Command, Remedy, Shell};

/// What can be done about a check's findings. `wanted` are the flows that are meant to work.
#[must_use]
pub fn remedies(
    ruleset: &Ruleset,
    host: &Host,
    check: &Check,
    wanted: &[FlowKind],
    shell: &Shell,
) -> Vec<Remedy> {
    let mut advice = Advice { ruleset, host, check, shell, remedies: Vec::new() };
    let failing = |flow: &&Flow| flow.verdict != FlowVerdict::Passes && wanted.contains(&flow.kind);
    for flow in check.flows.iter().filter(failing) {
        advice.flow(flow);
    }
    for compared in check.compared.iter().filter(|one| one.relation.is_wrong()) {
        advice.compared(compared);
    }
    for exposed in check.exposed.iter().filter(|one| !one.listener.transient) {
        advice.exposed(exposed);
    }
    advice.remedies
}

/// A finding with what can be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advised<T> {
    /// What was found.
    pub found: T,
    /// The rule that it is about, in words.
    pub rule: Option<String>,
    /// The best first.
    pub remedies: Vec<Remedy>,
}

/// What a doctor wants to know of a firewall.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diagnosis {
    /// Spans that were opened for automatic ports and are others.
    pub compared: Vec<Advised<Comparison>>,
    /// Services inside such spans.
    pub exposed: Vec<Advised<Exposed>>,
    /// RPC programs that clients are told of and cannot reach; none if there is none.
    pub unreachable: Option<Advised<Vec<Service>>>,
}

/// Everything that is wrong with what is open, each with its own remedies.
#[must_use]
pub fn diagnose(
    ruleset: &Ruleset,
    host: &Host,
    check: &Check,
    services: &[Service],
    shell: &Shell,
) -> Diagnosis {
    let unreachable: Vec<Service> = rpc::unreachable(services).cloned().collect();
    let advised = |give: &dyn Fn(&mut Advice<'_>)| {
        let mut advice = Advice { ruleset, host, check, shell, remedies: Vec::new() };
        give(&mut advice);
        advice.remedies
    };
    let wrong = check.compared.iter().filter(|one| one.relation.is_wrong());
    let inside = check.exposed.iter().filter(|one| !one.listener.transient);
    Diagnosis {
        compared: wrong
            .map(|one| Advised {
                found: one.clone(),
                rule: one.place.map(|place| ruleset.name_of(place)),
                remedies: advised(&|advice| advice.compared(one)),
            })
            .collect(),
        exposed: inside
            .map(|one| Advised {
                found: one.clone(),
                rule: one.place.map(|place| ruleset.name_of(place)),
                remedies: advised(&|advice| advice.exposed(one)),
            })
            .collect(),
        unreachable: (!unreachable.is_empty()).then(|| Advised {
            found: unreachable,
            rule: None,
            remedies: rpc::remedies(ruleset, services, shell),
        }),
    }
}

struct Advice<'a> {
    ruleset: &'a Ruleset,
    host: &'a Host,
    check: &'a Check,
    shell: &'a Shell,
    remedies: Vec<Remedy>,
}

impl Advice<'_> {
    fn offer(&mut self, action: impl Into<Action>, effect: String) {
        let remedy = Remedy::new(action, effect);
        match self.remedies.iter().find(|known| known.action == remedy.action) {
            // One step that helps several flows is said once.
            Some(_) => {}
            None => self.remedies.push(remedy),
        }
    }

    fn flow(&mut self, flow: &Flow) {
        let name = flow.kind.name();
        if let Some(place) = flow.place.filter(|&place| self.ruleset.translates(place)) {
            let action =
                format!("take these ports out of the rule: {}", self.ruleset.name_of(place));
            self.offer(action, format!("what is sent to a port of {name} comes to that port"));
            return;
        }
        if flow.verdict == FlowVerdict::Unknown {
            let rule = flow.rule.as_deref().unwrap_or("the ruleset");
            let action = format!("look at this rule: {rule}");
            self.offer(action, format!("dayfly cannot read it, and it decides about {name}"));
            return;
        }
        let Some(stopped) = flow.stopped else { return };
        let Some(chain) = flow.place.and_then(|place| self.ruleset.chains.get(place.chain)) else {
            return;
        };
        if !stopped.opens {
            if let Some(commands) = place::insert_established(chain) {
                let effect = format!("packets of open connections pass: {name} needs them");
                self.offer(self.shell.commands(&commands), effect);
            }
            return;
        }
        if !stopped.carries_data {
            let (ports, what) = match flow.kind {
                FlowKind::Tftp => (69, "the request"),
                _ => (21, "the control connection"),
            };
            let mut opening = Opening {
                protocol: flow.protocol,
                source_ports: None,
                ports: Box::new(PortSet::EMPTY),
            };
            opening.ports.insert(ports.into());
            if let Some(commands) = place::insert(chain, &opening, true) {
                self.offer(self.shell.commands(&commands), format!("{what} of {name} passes"));
            }
            return;
        }
        match stopped.direction {
            Direction::In => {
                self.range(flow);
                self.rule(flow);
                if flow.kind == FlowKind::FtpActive || flow.kind == FlowKind::Tftp {
                    self.helper(flow, chain);
                }
            }
            Direction::Out => {
                let opening = Opening {
                    protocol: flow.protocol,
                    source_ports: Some(flow.wanted.clone()),
                    ports: Box::new(unprivileged()),
                };
                if let Some(commands) = place::insert(chain, &opening, true) {
                    let effect = format!("{name} can connect to whatever port the server names");
                    self.offer(self.shell.commands(&commands), effect);
                }
            }
        }
    }

    fn dialect(&self) -> Option<Dialect> {
        self.ruleset.chains.first().map(|chain| chain.dialect)
    }

    /// The one span of a set that the range can be set to.
    fn single_span(&self, ports: &PortSet) -> Option<PortRange> {
        let fewest = match self.dialect() {
            // Windows takes no fewer (KB 929851).
            Some(Dialect::Windows) => 255,
            // These are soon used up.
            _ => 16,
        };
        let mut spans = ports.ranges().filter(|span| span.len() >= fewest);
        let first = spans.next()?;
        (spans.next().is_none() && first.low().number() >= 1024).then_some(first)
    }

    /// Move the range to where the firewall is open.
    fn range(&mut self, flow: &Flow) {
        if flow.kind.is_server() {
            return;
        }
        let compared = self.check.compared.iter().find(|one| one.protocol == flow.protocol);
        let Some(compared) = compared.filter(|one| one.relation.is_wrong()) else { return };
        let Some(open) = self.single_span(&compared.opened) else { return };
        self.offer(
            self.set(open),
            format!(
                "automatic ports come from the {} ports that the firewall lets in: {} works",
                open.len(),
                flow.kind.name()
            ),
        );
    }

    /// The command that moves the range, on the system that has such a firewall.
    fn set(&self, range: PortRange) -> Command {
        let plan = |system| Command::here(format!("dayfly plan --system {system} {range}"));
        match self.dialect() {
            // dayfly goes there, and knows what it finds.
            _ if self.shell.is_remote() => self.shell.dayfly(&format!("set {range}")),
            Some(Dialect::Pf | Dialect::Ipfw) => plan("freebsd"),
            Some(Dialect::Windows) => plan("windows"),
            _ => self.shell.dayfly(&format!("set {range}")),
        }
    }

    /// Open what is used, where it is stopped.
    fn rule(&mut self, flow: &Flow) {
        let name = flow.kind.name();
        let compared = self.check.compared.iter().find(|one| one.protocol == flow.protocol);
        if let Some(compared) = compared.filter(|one| one.relation.is_wrong())
            && let Some(old) = compared.place
            && let Some(commands) = place::replace(self.ruleset, old, &flow.wanted)
        {
            let rule = self.ruleset.name_of(old);
            let effect = format!(
                "the rule opens what is used instead of what was: {name} works. Now it says: {rule}"
            );
            self.offer(self.shell.commands(&commands), effect);
        }
        let Some(chain) = flow.place.and_then(|place| self.ruleset.chains.get(place.chain)) else {
            return;
        };
        let opening =
            Opening { protocol: flow.protocol, source_ports: None, ports: flow.wanted.clone() };
        if let Some(command) = opened(chain, opening, self.shell) {
            let effect = format!(
                "{name} works, from whatever port the other side sends. {} ports are open to everybody: keep services out of them",
                flow.wanted.len()
            );
            self.offer(command, effect);
        }
    }

    /// Let connection tracking read the port.
    fn helper(&mut self, flow: &Flow, chain: &Chain) {
        let (apply, place) = match chain.dialect {
            Dialect::Nft => (self.shell.command("nft -f -"), chain.name.as_str()),
            Dialect::Iptables => (
                self.shell.command("iptables-restore -n"),
                chain.name.rsplit(' ').next().unwrap_or("INPUT"),
            ),
            _ => return,
        };
        // It becomes a word of a command, and may be another host's.
        if !place.chars().all(|c| c.is_ascii_alphanumeric() || "_-./ ".contains(c)) {
            return;
        }
        let option = if flow.kind == FlowKind::Tftp { "--tftp" } else { "--ftp-active" };
        let dialect = chain.dialect.name();
        self.offer(
            Command::here(format!(
                "dayfly firewall emit --for {dialect} {option} --helper --chain '{place}' | {apply}"
            )),
            format!(
                "{} works without an open range{}",
                flow.kind.name(),
                if flow.kind == FlowKind::Tftp { "" } else { "; FTP over TLS does not" }
            ),
        );
    }

    fn compared(&mut self, compared: &Comparison) {
        let Comparison { protocol, opened, needless, .. } = compared;
        let used = match protocol {
            Protocol::Udp => &self.host.udp,
            _ => &self.host.tcp,
        };
        if matches!(compared.relation, Relation::Wider | Relation::Elsewhere) {
            let effect = format!(
                "{} {protocol} ports that no automatic port comes from are no longer open",
                needless.len()
            );
            match compared.place.and_then(|place| place::replace(self.ruleset, place, used)) {
                Some(commands) => self.offer(self.shell.commands(&commands), effect),
                None => {
                    let rule = compared.place.map(|place| self.ruleset.name_of(place));
                    let rule = rule.unwrap_or_else(|| "the rule".to_owned());
                    self.offer(format!("open {used} instead of {opened}: {rule}"), effect);
                }
            }
        }
        if let Some(open) =
            self.single_span(opened).filter(|_| compared.relation != Relation::Wider)
        {
            self.offer(
                self.set(open),
                format!("automatic ports come from the {} ports that are open", open.len()),
            );
        }
    }

    fn exposed(&mut self, exposed: &Exposed) {
        let Exposed { listener, span, place: opened } = exposed;
        let port = listener.address.port();
        let owner = listener.owner.as_deref().unwrap_or("the service");
        let mut ports = PortSet::EMPTY;
        ports.insert(port.into());
        let opening =
            Opening { protocol: listener.protocol, source_ports: None, ports: Box::new(ports) };
        let chain = opened.and_then(|place| self.ruleset.chains.get(place.chain));
        if let Some(commands) = chain.and_then(|chain| place::insert(chain, &opening, false)) {
            self.offer(
                self.shell.commands(&commands),
                format!(
                    "nobody outside reaches {owner} at port {port}; the rest of {span} stays open"
                ),
            );
        }
        self.offer(
            format!("let {owner} listen outside of {span}, or on 127.0.0.1"),
            "the open ports hold nothing but transfers".to_owned(),
        );
    }
}

/// What opens ports in a chain: a command, or a line for the firewall's file.
pub(super) fn opened(chain: &Chain, opening: Opening, shell: &Shell) -> Option<Action> {
    if let Some(commands) = place::insert(chain, &opening, true) {
        return Some(shell.commands(&commands).into());
    }
    let text = emit(chain.dialect, &Wish { openings: vec![opening], ..Wish::default() }).ok()?;
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    Some(match chain.dialect {
        Dialect::Pf => format!("in pf.conf: {}", lines.join("; ")).into(),
        // Its owner's own machine knows the way.
        Dialect::Aws => Command::here(lines.join(" && ")).into(),
        _ => shell.commands(&lines).into(),
    })
}

fn unprivileged() -> PortSet {
    PortRange::new(1024, u16::MAX).map_or(PortSet::EMPTY, PortSet::from)
}
