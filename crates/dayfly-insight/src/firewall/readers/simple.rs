//! What firewalls without chains have in common: rules for what comes in, rules for what goes out.

use std::sync::Arc;

use dayfly_ports::PortRange;

use crate::firewall::model::{
    AddressSet, Base, Chain, Condition, Dialect, Family, Hook, Rule, Ruleset, Spans, State, Test,
    Verdict,
};

/// Rules of both directions, in the order in which they are tried.
pub(super) struct Simple {
    pub(super) dialect: Dialect,
    /// What people call it.
    pub(super) name: String,
    /// Before others of the same direction.
    pub(super) priority: i32,
    pub(super) incoming: Vec<Rule>,
    pub(super) outgoing: Vec<Rule>,
    pub(super) accepts_incoming: bool,
    pub(super) accepts_outgoing: bool,
    /// Whether packets of open connections pass without being asked.
    pub(super) stateful: bool,
}

impl Simple {
    pub(super) fn new(dialect: Dialect, name: impl Into<String>) -> Self {
        Simple {
            dialect,
            name: name.into(),
            priority: 0,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            accepts_incoming: false,
            accepts_outgoing: true,
            stateful: true,
        }
    }

    pub(super) fn into_ruleset(self) -> Ruleset {
        let sides = [
            (Hook::Input, "in", self.incoming, self.accepts_incoming),
            (Hook::Output, "out", self.outgoing, self.accepts_outgoing),
        ];
        let chain = |(hook, side, mut rules, accepts): (Hook, &str, Vec<Rule>, bool)| {
            if self.stateful {
                rules.insert(0, open_connections());
            }
            Chain {
                name: format!("{} {} {side}", self.dialect.name(), self.name),
                dialect: self.dialect,
                family: None,
                base: Some(Base {
                    hook,
                    priority: self.priority,
                    first_packet_only: false,
                    accepts,
                }),
                rules,
            }
        };
        Ruleset { chains: sides.map(chain).into(), remarks: Vec::new() }
    }
}

/// The rule that a firewall with state has without saying so.
pub(super) fn open_connections() -> Rule {
    let states = [State::Established, State::Related].into_iter().collect();
    let mut rule = Rule::new(vec![Condition::Is(Test::State(states))], Verdict::Accept);
    rule.text = "packets of open connections".into();
    rule
}

/// The service names that rules are written with (`/etc/services`), and numbers.
pub(super) fn port(text: &str) -> Option<u16> {
    Some(match text {
        "ftp-data" => 20,
        "ftp" => 21,
        "ssh" => 22,
        "telnet" => 23,
        "smtp" => 25,
        "domain" | "dns" => 53,
        "bootps" => 67,
        "bootpc" => 68,
        "tftp" => 69,
        "http" | "www" => 80,
        "kerberos" => 88,
        "pop3" => 110,
        "sunrpc" => 111,
        "auth" | "ident" => 113,
        "ntp" => 123,
        "imap" | "imap2" => 143,
        "snmp" => 161,
        "ldap" => 389,
        "https" => 443,
        "microsoft-ds" => 445,
        "submission" => 587,
        "ldaps" => 636,
        "ftps-data" => 989,
        "ftps" => 990,
        "imaps" => 993,
        "pop3s" => 995,
        "nfs" => 2049,
        "mdns" => 5353,
        number => number.parse().ok()?,
    })
}

/// A port or a span of them, with `between` as the sign: `-` or `:`.
pub(super) fn span(text: &str, between: char) -> Option<PortRange> {
    let (low, high) = text.split_once(between).unwrap_or((text, text));
    PortRange::new(port(low.trim())?, port(high.trim())?).ok()
}

/// Spans separated by commas.
pub(super) fn spans(text: &str, between: char) -> Option<Spans> {
    let ranges: Option<Vec<_>> = text.split(',').map(|item| span(item.trim(), between)).collect();
    ranges.map(Spans::new)
}

/// Addresses separated by commas.
pub(super) fn addresses<'a>(items: impl IntoIterator<Item = &'a str>) -> Option<Arc<AddressSet>> {
    let spans: Option<Vec<_>> = items.into_iter().map(AddressSet::span_of_text).collect();
    Some(Arc::new(AddressSet::new(spans?)))
}

/// The family that an address is of.
pub(super) fn family_of(text: &str) -> Option<Family> {
    let (low, _) = AddressSet::span_of_text(text)?;
    Some(if low.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 })
}
