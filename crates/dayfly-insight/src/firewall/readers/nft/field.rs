//! What a match looks at: the left side of it.

use std::sync::Arc;

use serde_json::Value;

use super::set::{self, Sets, number, port_range};
use super::{Groups, Table, text_of};
use crate::firewall::model::{Condition, Family, Names, Spans, State, Test, flag, protocol_number};

/// Something in a packet, or about it.
#[derive(Clone, Debug)]
pub(super) enum Field {
    Family,
    Protocol,
    SourcePort,
    DestinationPort,
    Source,
    Destination,
    Input,
    Output,
    State,
    /// What became of the connection so far.
    Status,
    Reply,
    Helper,
    Flags {
        mask: u8,
    },
    Mark {
        mask: u32,
    },
    /// The type of the destination's, or the source's, address.
    AddressType {
        destination: bool,
    },
    /// Whether there is a route back.
    Route,
    /// The same number or word for every packet that is asked about.
    Known(&'static [&'static str]),
    /// Something else, in nft's words.
    Other(String),
}

/// What has a port: TCP, UDP, DCCP, SCTP, UDP-Lite.
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];

/// The field, and what has to hold for the packet to have it.
pub(super) fn field_of(left: &Value) -> (Field, Vec<Condition>) {
    let mut implied = Vec::new();
    let field = if let Some(payload) = left.get("payload") {
        payload_field(payload, &mut implied)
    } else if let Some(meta) = left.get("meta") {
        meta_field(meta)
    } else if let Some(ct) = left.get("ct") {
        let field = ct_field(ct);
        if matches!(field, Field::Reply) {
            // Packets of no connection have no direction, and match neither one nor its opposite.
            let tracked = [State::New, State::Established, State::Related].into_iter().collect();
            implied.push(Condition::Is(Test::State(tracked)));
        }
        field
    } else if let Some(fib) = left.get("fib") {
        fib_field(fib)
    } else if let Some(masked) = left.get("&").and_then(Value::as_array) {
        masked_field(masked, &mut implied)
    } else if left.get("exthdr").is_some() || left.get("ip option").is_some() {
        // Packets with extension headers or options are not asked about.
        Field::Known(&["false"])
    } else {
        Field::Other(words(left))
    };
    (field, implied)
}

fn payload_field(payload: &Value, implied: &mut Vec<Condition>) -> Field {
    let (protocol, name) = (text_of(payload, "protocol"), text_of(payload, "field"));
    let ports = |field| match field {
        "sport" => Some(Field::SourcePort),
        "dport" => Some(Field::DestinationPort),
        _ => None,
    };
    match protocol {
        "th" => implied.push(Condition::protocols(&WITH_PORTS)),
        "ip" => implied.push(Condition::Is(Test::Family(Family::Ipv4))),
        "ip6" => implied.push(Condition::Is(Test::Family(Family::Ipv6))),
        "arp" | "vlan" => {
            implied.push(Condition::Is(Test::Known { what: protocol.into(), holds: false }));
        }
        _ => {
            if let Some(number) = protocol_number(protocol).filter(|_| !protocol.is_empty()) {
                implied.push(Condition::protocols(&[number]));
            }
        }
    }
    match (protocol, name) {
        ("tcp" | "udp" | "udplite" | "dccp" | "sctp" | "th", "sport" | "dport") => {
            ports(name).unwrap_or(Field::SourcePort)
        }
        ("ip" | "ip6", "saddr") => Field::Source,
        ("ip" | "ip6", "daddr") => Field::Destination,
        ("ip", "protocol") | ("ip6", "nexthdr") => Field::Protocol,
        ("ip", "version") => Field::Known(&["4"]),
        ("ip6", "version") => Field::Known(&["6"]),
        ("tcp", "flags") => Field::Flags { mask: 0xff },
        ("", _) => Field::Other(format!("raw payload {payload}")),
        _ => Field::Other(format!("{protocol} {name}")),
    }
}

fn meta_field(meta: &Value) -> Field {
    match text_of(meta, "key") {
        "l4proto" => Field::Protocol,
        "nfproto" | "protocol" => Field::Family,
        "iif" | "iifname" => Field::Input,
        "oif" | "oifname" => Field::Output,
        "mark" => Field::Mark { mask: u32::MAX },
        "pkttype" => Field::Known(&["host", "unicast"]),
        key => Field::Other(format!("meta {key}")),
    }
}

fn ct_field(ct: &Value) -> Field {
    // Addresses and ports of a connection's first packet have a direction.
    match (text_of(ct, "key"), text_of(ct, "dir")) {
        ("state", "") => Field::State,
        ("status", "") => Field::Status,
        ("direction", "") => Field::Reply,
        ("helper", "") => Field::Helper,
        ("zone", "") => Field::Known(&["0"]),
        ("l3proto", "") => Field::Family,
        ("protocol", "") => Field::Protocol,
        (key, dir) => Field::Other(["ct", dir, key].join(" ").replace("  ", " ")),
    }
}

fn fib_field(fib: &Value) -> Field {
    let flags: Vec<_> = fib.get("flags").map(set::scalars).unwrap_or_default();
    let has = |name: &str| flags.iter().any(|flag| flag.as_str() == Some(name));
    match (text_of(fib, "result"), has("saddr"), has("daddr")) {
        ("type", saddr, daddr) if saddr != daddr => Field::AddressType { destination: daddr },
        ("oif" | "oifname", true, false) => Field::Route,
        _ => Field::Other("fib".to_owned()),
    }
}

fn masked_field(masked: &[Value], implied: &mut Vec<Condition>) -> Field {
    let [left, mask] = masked else { return Field::Other("a mask".to_owned()) };
    let (field, more) = field_of(left);
    implied.extend(more);
    match field {
        Field::Flags { .. } => match flag_bits(mask) {
            Some(mask) => Field::Flags { mask },
            None => Field::Other(words(left)),
        },
        Field::Mark { mask: old } => match number(mask) {
            Some(mask) => Field::Mark { mask: mask & old },
            None => Field::Other(words(left)),
        },
        // Fragments are put together before rules see them, wherever connections are tracked.
        Field::Other(text) if text == "ip frag-off" && number(mask) == Some(0x1fff) => {
            Field::Known(&["0"])
        }
        _ => Field::Other(words(left)),
    }
}

/// The bits of TCP flags, by name or number, one or several.
pub(super) fn flag_bits(value: &Value) -> Option<u8> {
    set::scalars(value).into_iter().try_fold(0, |bits, value| {
        let bit = match value {
            Value::String(name) => flag(name)?,
            value => u8::try_from(number(value)?).ok()?,
        };
        Some(bits | bit)
    })
}

/// Some of the JSON, short enough for a sentence.
fn words(value: &Value) -> String {
    value.to_string().replace(['"', '{', '}'], "").chars().take(60).collect()
}

/// Looks values up where a rule's table keeps them.
pub(super) struct Values<'a> {
    pub(super) table: &'a Table,
    pub(super) sets: &'a Sets,
}

impl Values<'_> {
    /// The condition that a field is (or with `negated` is not) one of the values on the right.
    pub(super) fn condition(&self, field: &Field, right: &Value, negated: bool) -> Condition {
        match self.test(field, right) {
            // A packet without a helper's connection matches neither a name nor its opposite.
            Some(Test::Helper(name)) if negated => {
                Condition::depends(format!("ct helper != {name}"))
            }
            Some(test) => Condition::of(test, negated),
            None => Condition::opaque(format!("{field:?} {}", words(right))),
        }
    }

    /// The condition that fields next to one another are one of the rows on the right.
    pub(super) fn rows(&self, fields: &[Field], right: &Value, negated: bool) -> Condition {
        let name = right.as_str().unwrap_or_default();
        let groups: Option<Groups> = self.sets.elements(self.table, right).and_then(|elements| {
            elements.into_iter().map(|element| self.row(fields, element)).collect()
        });
        match groups {
            Some(groups) => Condition::Any { negated, groups, name: name.into() },
            None => Condition::opaque(format!("a set of concatenations {name}")),
        }
    }

    pub(super) fn row(&self, fields: &[Field], element: &Value) -> Option<Box<[Test]>> {
        let parts = element.get("concat").and_then(Value::as_array)?;
        if parts.len() != fields.len() {
            return None;
        }
        fields.iter().zip(parts).map(|(field, part)| self.test(field, part)).collect()
    }

    /// The test that a field is one of the values; none if they cannot be read.
    pub(super) fn test(&self, field: &Field, right: &Value) -> Option<Test> {
        match field {
            Field::Source => return Some(Test::Source(self.sets.addresses(self.table, right)?)),
            Field::Destination => {
                return Some(Test::Destination(self.sets.addresses(self.table, right)?));
            }
            _ => {}
        }
        let values = self.sets.elements(self.table, right)?;
        let names = || values.iter().map(|value| value.as_str()).collect::<Option<Vec<_>>>();
        let spans = || {
            let ranges: Option<Vec<_>> = values.iter().map(|value| port_range(value)).collect();
            ranges.map(Spans::new)
        };
        Some(match field {
            Field::Source | Field::Destination => return None,
            Field::SourcePort => Test::SourcePort(spans()?),
            Field::DestinationPort => Test::DestinationPort(spans()?),
            Field::Protocol => {
                let numbers: Option<Vec<Vec<u8>>> = values.iter().map(|it| protocols(it)).collect();
                Test::Protocols(numbers?.concat().into())
            }
            Field::Input => Test::Input(Names::new(names()?)),
            Field::Output => Test::Output(Names::new(names()?)),
            Field::State => {
                let states: Option<_> =
                    names()?.into_iter().map(State::of_name).collect::<Option<Vec<_>>>();
                Test::State(states?.into_iter().collect())
            }
            Field::Family => families(&names()?)?,
            Field::Status => match names()?.as_slice() {
                ["dnat"] => Test::Translated,
                others => Test::Hidden {
                    what: format!("ct status {}", others.join(",")).into(),
                    opaque: false,
                },
            },
            Field::Reply => match names()?.as_slice() {
                [one] => Test::Reply(*one == "reply"),
                _ => return None,
            },
            Field::Helper => match names()?.as_slice() {
                [one] => Test::Helper((*one).into()),
                _ => return None,
            },
            Field::Flags { mask } => {
                Test::Flags { mask: *mask, value: flag_bits(right)?, any: false }
            }
            Field::Mark { mask } => match values.as_slice() {
                [one] => Test::Mark { mask: *mask, value: number(one)? },
                _ => return None,
            },
            Field::AddressType { destination } => match names()?.as_slice() {
                ["local"] => Test::Local { destination: *destination },
                others => Test::Known {
                    what: format!("fib type {}", others.join(",")).into(),
                    // Unicast is what the outside has.
                    holds: false,
                },
            },
            Field::Route => {
                let found = right.as_bool()?;
                let what = if found { "fib route exists" } else { "fib route missing" };
                Test::Known { what: what.into(), holds: found }
            }
            Field::Known(known) => {
                let plain = |value: &&Value| match value {
                    Value::String(text) => text.clone(),
                    value => value.to_string(),
                };
                let told: Vec<String> = values.iter().map(plain).collect();
                let holds = told.iter().any(|value| known.contains(&value.as_str()));
                Test::Known { what: told.join(",").into(), holds }
            }
            Field::Other(text) => {
                let opaque = text.starts_with("raw payload");
                Test::Hidden { what: format!("{text} {}", words(right)).into(), opaque }
            }
        })
    }
}

fn protocols(value: &Value) -> Option<Vec<u8>> {
    let one = |value: &Value| match value {
        Value::String(name) => protocol_number(name),
        value => u8::try_from(number(value)?).ok(),
    };
    match value.get("range").and_then(Value::as_array).map(Vec::as_slice) {
        Some([low, high]) => Some((one(low)?..=one(high)?).collect()),
        Some(_) => None,
        None => Some(vec![one(value)?]),
    }
}

fn families(names: &[&str]) -> Option<Test> {
    let v4 = names.iter().any(|name| matches!(*name, "ipv4" | "ip"));
    let v6 = names.iter().any(|name| matches!(*name, "ipv6" | "ip6"));
    Some(match (v4, v6) {
        (true, false) => Test::Family(Family::Ipv4),
        (false, true) => Test::Family(Family::Ipv6),
        (both, _) => Test::Known { what: names.join(",").into(), holds: both },
    })
}

/// Ports that compare so with a number: `<`, `<=`, `>`, `>=`.
pub(super) fn compared(operator: &str, right: &Value) -> Option<Spans> {
    let bound = port_range(right)?.low().number();
    let (low, high) = match operator {
        "<" => (0, bound.checked_sub(1)?),
        "<=" => (0, bound),
        ">" => (bound.checked_add(1)?, u16::MAX),
        ">=" => (bound, u16::MAX),
        _ => return None,
    };
    dayfly_ports::PortRange::new(low, high).ok().map(Spans::from)
}

/// Groups of one row.
pub(super) fn single(row: Box<[Test]>) -> Groups {
    Arc::new([row])
}
