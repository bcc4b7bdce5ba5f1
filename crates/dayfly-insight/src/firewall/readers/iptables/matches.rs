//! What a rule of iptables asks for.

use std::sync::Arc;

use dayfly_ports::PortRange;

use crate::firewall::model::{
    AddressSet, Condition, Family, Names, Spans, State, Test, flag, protocol_number,
};

/// Reads options one after another.
pub(super) struct Parser {
    family: Family,
    /// The match (`-m`) that options belong to.
    module: String,
    /// The first option that nobody knew.
    lost: Option<String>,
}

impl Parser {
    pub(super) fn new(family: Family) -> Self {
        Parser { family, module: String::new(), lost: None }
    }

    /// Whether an option was not understood, so that the rule may match or not.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// That option.
    pub(super) fn lost(&self) -> String {
        self.lost.clone().unwrap_or_default()
    }

    /// Reads the option at the front; returns what follows it.
    pub(super) fn option<'a>(
        &mut self,
        words: &'a [String],
        conditions: &mut Vec<Condition>,
    ) -> &'a [String] {
        let (negated, words) = match words {
            [not, rest @ ..] if not == "!" => (true, rest),
            words => (false, words),
        };
        let Some((option, rest)) = words.split_first() else { return &[] };
        // Old versions write `--dport ! 80`.
        let (negated, rest) = match rest {
            [not, after @ ..] if not == "!" => (true, after),
            rest => (negated, rest),
        };
        let value = rest.first().map_or("", String::as_str);
        let after = rest.get(1..).unwrap_or(&[]);
        let known = match option.as_str() {
            "-m" | "--match" => {
                value.clone_into(&mut self.module);
                self.module(value, conditions);
                return after;
            }
            "--syn" => {
                conditions.push(Condition::of(flags_test(0x17, 0x02), negated));
                return rest;
            }
            "-f" | "--fragment" => {
                let test = Test::Known { what: "fragment".into(), holds: false };
                conditions.push(Condition::of(test, negated));
                return rest;
            }
            "--tcp-flags" => {
                let Some(set) = rest.get(1) else { return self.give_up(option, &[]) };
                match (flag_list(value), flag_list(set)) {
                    (Some(mask), Some(set)) => {
                        conditions.push(Condition::of(flags_test(mask, set), negated));
                    }
                    _ => return self.give_up(option, rest),
                }
                return rest.get(2..).unwrap_or(&[]);
            }
            "--match-set" => {
                let set = format!("set {value} {}", rest.get(1).map_or("", String::as_str));
                conditions.push(Condition::opaque(set));
                return rest.get(2..).unwrap_or(&[]);
            }
            "--comment" => return after,
            _ => self.valued(option, value, negated, conditions),
        };
        if known { after } else { self.give_up(option, rest) }
    }

    /// An option with one value; whether it is known and the value readable.
    fn valued(
        &self,
        option: &str,
        value: &str,
        negated: bool,
        conditions: &mut Vec<Condition>,
    ) -> bool {
        let test = match option {
            "-p" | "--protocol" => match value {
                "all" | "0" => return true,
                name => protocol_number(name).map(|number| Test::Protocols(Box::new([number]))),
            },
            "-s" | "--source" | "--src" => self.addresses(value).map(Test::Source),
            "-d" | "--destination" | "--dst" => self.addresses(value).map(Test::Destination),
            "-i" | "--in-interface" => Some(Test::Input(Names::new([value]))),
            "-o" | "--out-interface" => Some(Test::Output(Names::new([value]))),
            "--sport" | "--source-port" | "--sports" | "--source-ports" => {
                ports(value).map(Test::SourcePort)
            }
            "--dport" | "--destination-port" | "--dports" | "--destination-ports" => {
                ports(value).map(Test::DestinationPort)
            }
            "--ports" => {
                let Some(spans) = ports(value) else { return false };
                // Either of the two.
                let groups: [Box<[Test]>; 2] = [
                    Box::new([Test::SourcePort(spans.clone())]),
                    Box::new([Test::DestinationPort(spans)]),
                ];
                let name = format!("ports {value}").into();
                conditions.push(Condition::Any { negated, groups: groups.into(), name });
                return true;
            }
            "--state" | "--ctstate" => {
                let states = value.split(',').map(|name| match name {
                    // Connections with a translated source are none of those that are asked about.
                    "SNAT" | "DNAT" => Some(None),
                    name => State::of_name(name).map(Some),
                });
                let Some(states) = states.collect::<Option<Vec<Option<State>>>>() else {
                    return false;
                };
                let test = Test::State(states.into_iter().flatten().collect());
                if value.split(',').any(|name| name == "DNAT") {
                    // Either of the two.
                    let groups: [Box<[Test]>; 2] = [Box::new([test]), Box::new([Test::Translated])];
                    let name = format!("ctstate {value}").into();
                    conditions.push(Condition::Any { negated, groups: groups.into(), name });
                    return true;
                }
                Some(test)
            }
            "--ctdir" => Some(Test::Reply(value == "REPLY")),
            "--ctproto" => protocol_number(value).map(|number| Test::Protocols(Box::new([number]))),
            "--helper" => Some(Test::Helper(value.into())),
            "--mark" if self.module == "mark" => mark(value),
            "--src-range" => self.addresses(value).map(Test::Source),
            "--dst-range" => self.addresses(value).map(Test::Destination),
            "--dst-type" => Some(address_type(value, true)),
            "--src-type" => Some(address_type(value, false)),
            "--pkt-type" => Some(Test::Known {
                what: format!("pkttype {value}").into(),
                holds: value == "unicast",
            }),
            "--icmp-type" | "--icmpv6-type" => {
                Some(Test::Known { what: format!("{option} {value}").into(), holds: false })
            }
            "--limit" => Some(hidden(format!("limit {value}"))),
            "--limit-burst" => return true,
            _ if DEPENDS.contains(&self.module.as_str()) => {
                Some(hidden(format!("{} {option} {value}", self.module)))
            }
            _ => return false,
        };
        let Some(test) = test else { return false };
        conditions.push(Condition::of(test, negated));
        true
    }

    /// A match that needs no option to ask for something.
    fn module(&self, name: &str, conditions: &mut Vec<Condition>) {
        match name {
            "icmp" => conditions.push(Condition::protocols(&[1])),
            "icmp6" | "icmpv6" => conditions.push(Condition::protocols(&[58])),
            "socket" => conditions.push(Condition::depends("socket")),
            // The route back exists for everybody who is asked about.
            "rpfilter" => {
                let test = Test::Known { what: "rpfilter".into(), holds: true };
                conditions.push(Condition::Is(test));
            }
            _ => {}
        }
    }

    fn give_up<'a>(&mut self, option: &str, rest: &'a [String]) -> &'a [String] {
        if self.lost.is_none() {
            let module =
                if self.module.is_empty() { String::new() } else { format!("-m {} ", self.module) };
            self.lost = Some(format!("{module}{option}"));
        }
        // On to the next option: values do not begin with a dash.
        let next = rest.iter().position(|word| word.starts_with('-') || word == "!");
        next.map_or(&[], |next| &rest[next..])
    }

    fn addresses(&self, text: &str) -> Option<Arc<AddressSet>> {
        let spans: Option<Vec<_>> = text.split(',').map(AddressSet::span_of_text).collect();
        let spans = spans?;
        let fits = spans.iter().all(|(low, _)| low.is_ipv4() == (self.family == Family::Ipv4));
        fits.then(|| Arc::new(AddressSet::new(spans)))
    }
}

/// Matches of which it is known on what they depend: not on ports.
const DEPENDS: [&str; 14] = [
    "owner",
    "time",
    "connlimit",
    "hashlimit",
    "recent",
    "statistic",
    "quota",
    "connbytes",
    "mac",
    "length",
    "ttl",
    "hl",
    "dscp",
    "connmark",
];

fn hidden(what: String) -> Test {
    Test::Hidden { what: what.into(), opaque: false }
}

fn flags_test(mask: u8, value: u8) -> Test {
    Test::Flags { mask, value, any: false }
}

fn flag_list(text: &str) -> Option<u8> {
    match text {
        "ALL" => Some(0x3f),
        "NONE" => Some(0),
        names => names.split(',').try_fold(0, |bits, name| Some(bits | flag(name)?)),
    }
}

/// `80`, `8000:8010`, `80,443,8000:8010`, `:1023`, `1024:`.
fn ports(text: &str) -> Option<Spans> {
    let one = |item: &str| {
        let (low, high) = item.split_once(':').unwrap_or((item, item));
        let low = if low.is_empty() { 0 } else { low.parse().ok()? };
        let high = if high.is_empty() { u16::MAX } else { high.parse().ok()? };
        PortRange::new(low, high).ok()
    };
    let ranges: Option<Vec<_>> = text.split(',').map(one).collect();
    ranges.map(Spans::new)
}

/// `0x1`, `0x1/0xff`.
fn mark(text: &str) -> Option<Test> {
    let number = |text: &str| match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    let (value, mask) = match text.split_once('/') {
        Some((value, mask)) => (number(value)?, number(mask)?),
        None => (number(text)?, u32::MAX),
    };
    Some(Test::Mark { mask, value })
}

fn address_type(value: &str, destination: bool) -> Test {
    match value {
        "LOCAL" => Test::Local { destination },
        value => Test::Known {
            what: format!("address type {value}").into(),
            holds: value == "UNICAST" && !destination,
        },
    }
}
