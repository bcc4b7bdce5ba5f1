//! A ruleset, whatever firewall it comes from.
//!
//! Chains hold rules; a chain with a [`Base`] is called by the stack at a hook. Rules are tried in
//! order and the first that matches decides, with netfilter's jumps and returns. Firewalls that
//! decide otherwise (pf's last match, Windows' blocks before permissions) are brought into this
//! order by their readers.

mod addresses;
mod names;
mod spans;
mod test;

use std::fmt;
use std::net::IpAddr;

pub use addresses::AddressSet;
pub use names::Names;
pub use spans::Spans;
pub use test::{Condition, State, StateSet, Test};
pub(crate) use test::{flag, protocol_number};

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// IPv4.
    Ipv4,
    /// IPv6.
    Ipv6,
}

impl Family {
    /// Both.
    pub const ALL: [Family; 2] = [Family::Ipv4, Family::Ipv6];

    /// `ipv4` or `ipv6`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Family::Ipv4 => "ipv4",
            Family::Ipv6 => "ipv6",
        }
    }
}

/// Where in a packet's way through the stack a chain is called, in that order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hook {
    /// Before anything else.
    Ingress,
    /// Before the route is looked up.
    Prerouting,
    /// To this host.
    Input,
    /// Through this host.
    Forward,
    /// From this host.
    Output,
    /// After the route is known.
    Postrouting,
    /// After everything else.
    Egress,
}

impl Hook {
    /// Hooks that a packet to this host passes.
    pub const INCOMING: [Hook; 3] = [Hook::Ingress, Hook::Prerouting, Hook::Input];
    /// Hooks that a packet from this host passes.
    pub const OUTGOING: [Hook; 3] = [Hook::Output, Hook::Postrouting, Hook::Egress];

    /// The hook that nft calls so.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Hook> {
        Some(match name {
            "ingress" => Hook::Ingress,
            "prerouting" => Hook::Prerouting,
            "input" => Hook::Input,
            "forward" => Hook::Forward,
            "output" => Hook::Output,
            "postrouting" => Hook::Postrouting,
            "egress" => Hook::Egress,
            _ => return None,
        })
    }
}

/// What makes a chain one that the stack calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Base {
    /// Where.
    pub hook: Hook,
    /// Chains of one hook are called with the lowest first.
    pub priority: i32,
    /// Whether only the first packet of a connection comes here (nft's type nat).
    pub first_packet_only: bool,
    /// Whether what no rule decides is accepted.
    pub accepts: bool,
}

/// Where destinations are translated (`NF_IP_PRI_NAT_DST`).
pub(super) const TRANSLATION: i32 = -100;
/// Where sources are, and destinations of answers become what they were (`NF_IP_PRI_NAT_SRC`).
pub(super) const TRANSLATION_BACK: i32 = 100;

impl Base {
    /// The priority at which it is really called: chains of NAT share one place (`nf_nat_inet_fn`),
    /// and their own priorities are only an order among them.
    #[must_use]
    pub const fn called_at(self) -> i32 {
        match (self.first_packet_only, self.hook) {
            (false, _) => self.priority,
            (true, Hook::Prerouting | Hook::Output) => TRANSLATION,
            (true, _) => TRANSLATION_BACK,
        }
    }
}

/// Whose words rules are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// nftables.
    Nft,
    /// iptables.
    Iptables,
    /// ip6tables.
    Ip6tables,
    /// firewalld.
    Firewalld,
    /// ufw.
    Ufw,
    /// pf of the BSDs and macOS.
    Pf,
    /// ipfw of FreeBSD.
    Ipfw,
    /// Windows Defender Firewall.
    Windows,
    /// Security groups and network ACLs of AWS.
    Aws,
}

impl Dialect {
    /// The name in reports and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Dialect::Nft => "nft",
            Dialect::Iptables => "iptables",
            Dialect::Ip6tables => "ip6tables",
            Dialect::Firewalld => "firewalld",
            Dialect::Ufw => "ufw",
            Dialect::Pf => "pf",
            Dialect::Ipfw => "ipfw",
            Dialect::Windows => "windows",
            Dialect::Aws => "aws",
        }
    }
}

/// A list of rules.
#[derive(Clone, Debug)]
pub struct Chain {
    /// What people call it: family, table and chain of nft (`inet filter input`), program, table
    /// and chain of iptables (`iptables filter INPUT`).
    pub name: String,
    /// Whose it is.
    pub dialect: Dialect,
    /// The family that it sees; none for both.
    pub family: Option<Family>,
    /// Present if the stack calls it.
    pub base: Option<Base>,
    /// In order.
    pub rules: Vec<Rule>,
}

/// One rule.
#[derive(Clone, Debug)]
pub struct Rule {
    /// All must hold.
    pub conditions: Vec<Condition>,
    /// What happens on the way.
    pub effects: Vec<Effect>,
    /// What is asked for after that; if it does not hold, the effects stay.
    pub late: Vec<Condition>,
    /// What happens to the packet.
    pub verdict: Verdict,
    /// How it is found again: nft's handle, ipfw's number, a line; 0 if there is no such thing.
    pub handle: u64,
    /// As its firewall writes it, or its name; empty if the conditions say it all.
    pub text: Box<str>,
}

impl Rule {
    /// A rule of which nothing but this is known.
    #[must_use]
    pub fn new(conditions: Vec<Condition>, verdict: Verdict) -> Self {
        Rule {
            conditions,
            effects: Vec::new(),
            late: Vec::new(),
            verdict,
            handle: 0,
            text: Box::default(),
        }
    }

    /// A rule without conditions.
    #[must_use]
    pub fn always(verdict: Verdict) -> Self {
        Rule::new(Vec::new(), verdict)
    }
}

/// What a rule does to the packets that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing; the next rule is tried.
    Continue,
    /// Through, as far as this hook's chain is concerned.
    Accept,
    /// Not through, silently or with an answer.
    Drop,
    /// Back to the chain that called.
    Return,
    /// On in another chain (its index), and back here if that decides nothing.
    Jump(usize),
    /// On in another chain, and not back here.
    Goto(usize),
    /// What the first entry whose conditions hold says; else the next rule is tried.
    Map(Vec<(Vec<Condition>, Verdict)>),
    /// The destination becomes another one, and no other chain of NAT is asked.
    Translate(Target),
    /// Something that cannot be followed, in words.
    Opaque(Box<str>),
}

/// Where a rule of NAT sends a packet (`redirect`, `dnat`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// To this address; none for this host's own.
    pub address: Option<IpAddr>,
    /// To this port; none for the one that it has.
    pub port: Option<u16>,
}

impl Verdict {
    /// The same verdict after so many chains have come in front of the others.
    fn move_targets(&mut self, offset: usize) {
        match self {
            Verdict::Jump(target) | Verdict::Goto(target) => *target += offset,
            Verdict::Map(entries) => {
                for (_, verdict) in entries {
                    verdict.move_targets(offset);
                }
            }
            _ => {}
        }
    }
}

/// What a rule changes besides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// The connection gets a conntrack helper of this type (`ftp`).
    Helper(Box<str>),
    /// The packet is not tracked (only before connection tracking).
    Untracked,
    /// The packet's mark becomes this; none if that cannot be followed.
    Mark(Option<u32>),
}

/// What a host's firewall does.
#[derive(Clone, Debug, Default)]
pub struct Ruleset {
    /// Every chain; verdicts name them by their index.
    pub chains: Vec<Chain>,
    /// What in the source could not be understood at all, a sentence each.
    pub remarks: Vec<String>,
}

/// The most chains that jump into one another, as in `NFT_JUMP_STACK_SIZE`.
pub(super) const JUMPS: usize = 16;

impl Ruleset {
    /// The chains that the stack calls at one of the hooks, in the order in which it does.
    pub(super) fn called_at(&self, hook: Hook) -> Vec<(usize, Base)> {
        let based = self.chains.iter().enumerate();
        let mut called: Vec<(usize, Base)> = based
            .filter_map(|(index, chain)| Some((index, chain.base?)))
            .filter(|(_, base)| base.hook == hook)
            .collect();
        called.sort_by_key(|(_, base)| (base.called_at(), base.priority));
        called
    }

    /// The rules of a firewall that cannot be read: whatever is asked, the answer is unknown.
    /// `name` is what people call it.
    #[must_use]
    pub fn unreadable(dialect: Dialect, name: &str) -> Ruleset {
        let chain = |hook| Chain {
            name: name.to_owned(),
            dialect,
            family: None,
            base: Some(Base { hook, priority: 0, first_packet_only: false, accepts: true }),
            rules: vec![Rule::always(Verdict::Opaque("rules that cannot be read".into()))],
        };
        Ruleset { chains: [Hook::Input, Hook::Output].map(chain).into(), remarks: Vec::new() }
    }

    /// Whether the stack calls any chain for packets that come or go this way.
    #[must_use]
    pub fn has_chains_at(&self, hooks: &[Hook]) -> bool {
        self.chains.iter().any(|chain| chain.base.is_some_and(|base| hooks.contains(&base.hook)))
    }

    /// How many rules there are.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.chains.iter().map(|chain| chain.rules.len()).sum()
    }

    /// Takes another ruleset in: both apply, as nftables and the older iptables do on one host.
    pub fn merge(&mut self, other: Ruleset) {
        let offset = self.chains.len();
        self.remarks.extend(other.remarks);
        self.chains.extend(other.chains.into_iter().map(|mut chain| {
            for rule in &mut chain.rules {
                rule.verdict.move_targets(offset);
            }
            chain
        }));
    }

    /// Whether that rule sends packets to another port or host.
    #[must_use]
    pub fn translates(&self, place: RulePlace) -> bool {
        let rule = |index: usize| self.chains.get(place.chain)?.rules.get(index);
        place.rule.and_then(rule).is_some_and(|rule| matches!(rule.verdict, Verdict::Translate(_)))
    }

    /// Whether an acceptance there is about ports: not a policy, not trust in an address or an
    /// interface. A chain that others jump to may have been chosen by a port.
    pub(super) fn is_about_ports(&self, place: RulePlace) -> bool {
        let Some(chain) = self.chains.get(place.chain) else { return false };
        let Some(rule) = place.rule.and_then(|index| chain.rules.get(index)) else { return false };
        let is_port = |test: &Test| matches!(test, Test::DestinationPort(_));
        let asks = |condition: &Condition| match condition {
            Condition::Is(test) | Condition::Not(test) => is_port(test),
            Condition::Any { groups, .. } => groups.iter().any(|group| group.iter().any(is_port)),
        };
        chain.base.is_none()
            || matches!(rule.verdict, Verdict::Map(_))
            || rule.conditions.iter().chain(&rule.late).any(asks)
    }

    /// A rule, or a chain's policy, as a sentence can name it.
    #[must_use]
    pub fn name_of(&self, place: RulePlace) -> String {
        let Some(chain) = self.chains.get(place.chain) else { return "a rule".to_owned() };
        let Some(rule) = place.rule.and_then(|index| chain.rules.get(index)) else {
            let policy =
                chain.base.map_or("end", |base| if base.accepts { "accept" } else { "drop" });
            return format!("{}: policy {policy}", chain.name);
        };
        let handle = if rule.handle > 0 && rule.text.is_empty() {
            format!(" (handle {})", rule.handle)
        } else {
            String::new()
        };
        format!("{}: {}{handle}", chain.name, Shown { ruleset: self, rule })
    }
}

/// A rule's place; the chain's policy where `rule` is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RulePlace {
    /// Index of the chain.
    pub chain: usize,
    /// Index of the rule in it.
    pub rule: Option<usize>,
}

/// A rule in nft's words, or its own text where it has one.
struct Shown<'a> {
    ruleset: &'a Ruleset,
    rule: &'a Rule,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shown { ruleset, rule } = self;
        if !rule.text.is_empty() {
            return f.write_str(&rule.text);
        }
        for condition in &rule.conditions {
            write!(f, "{condition} ")?;
        }
        for effect in &rule.effects {
            match effect {
                Effect::Helper(name) => write!(f, "ct helper set {name} ")?,
                Effect::Untracked => f.write_str("notrack ")?,
                Effect::Mark(Some(mark)) => write!(f, "meta mark set {mark:#x} ")?,
                Effect::Mark(None) => f.write_str("meta mark set ... ")?,
            }
        }
        for condition in &rule.late {
            write!(f, "{condition} ")?;
        }
        let name = |index: &usize| {
            let name = ruleset.chains.get(*index).map_or("?", |chain| chain.name.as_str());
            name.rsplit(' ').next().unwrap_or(name).to_owned()
        };
        match &rule.verdict {
            Verdict::Continue => f.write_str("continue"),
            Verdict::Accept => f.write_str("accept"),
            Verdict::Drop => f.write_str("drop"),
            Verdict::Return => f.write_str("return"),
            Verdict::Jump(chain) => write!(f, "jump {}", name(chain)),
            Verdict::Goto(chain) => write!(f, "goto {}", name(chain)),
            Verdict::Map(entries) => write!(f, "vmap of {} entries", entries.len()),
            Verdict::Translate(target) => target.fmt(f),
            Verdict::Opaque(what) => f.write_str(what),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.address, self.port) {
            (None, None) => f.write_str("redirect"),
            (None, Some(port)) => write!(f, "redirect to :{port}"),
            (Some(address), None) => write!(f, "dnat to {address}"),
            (Some(IpAddr::V6(address)), Some(port)) => write!(f, "dnat to [{address}]:{port}"),
            (Some(address), Some(port)) => write!(f, "dnat to {address}:{port}"),
        }
    }
}
