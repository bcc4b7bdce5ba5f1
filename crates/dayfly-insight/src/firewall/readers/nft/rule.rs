//! One rule: its statements, in order.

use std::collections::HashMap;

use serde_json::Value;

use super::field::{Field, Values, compared, field_of, flag_bits, single};
use super::set::{Sets, number, unwrapped};
use super::{Table, text_of};
use crate::firewall::model::{Condition, Effect, Family, Rule, Target, Test, Verdict};

/// Where a rule's names are looked up.
pub(super) struct Context<'a> {
    pub(super) table: &'a Table,
    pub(super) chains: &'a HashMap<(Table, String), usize>,
    pub(super) sets: &'a Sets,
    pub(super) helpers: &'a HashMap<(Table, String), Box<str>>,
}

/// Targets of iptables that decide nothing about a packet (iptables-extensions(8)).
const HARMLESS: [&str; 16] = [
    "LOG",
    "NFLOG",
    "ULOG",
    "TCPMSS",
    "CLASSIFY",
    "DSCP",
    "TOS",
    "AUDIT",
    "CHECKSUM",
    "TRACE",
    "SECMARK",
    "TTL",
    "HL",
    "LED",
    "IDLETIMER",
    "TCPOPTSTRIP",
];

impl Context<'_> {
    /// The rule that statements make. A map that gives helpers makes more of them.
    pub(super) fn rules(&self, statements: &[Value]) -> Vec<Rule> {
        let mut rules = Vec::new();
        let mut rule = Rule::always(Verdict::Continue);
        for statement in statements {
            let Some(object) = statement.as_object() else {
                // `"notrack"` and the like in hand-written JSON.
                if let Some(word) = statement.as_str() {
                    self.word(word, &Value::Null, &mut rule);
                }
                continue;
            };
            let Some((key, value)) = object.iter().next() else { continue };
            match key.as_str() {
                "match" => self.condition(value, asked(&mut rule)),
                "vmap" => {
                    self.verdict_map(value, &mut rule);
                    break;
                }
                "ct helper" if value.get("map").is_some() => {
                    rules.extend(self.helper_map(value, &rule));
                }
                key => self.word(key, value, &mut rule),
            }
        }
        rules.push(rule);
        rules
    }

    fn values(&self) -> Values<'_> {
        Values { table: self.table, sets: self.sets }
    }

    fn condition(&self, body: &Value, conditions: &mut Vec<Condition>) {
        let null = Value::Null;
        let operator = text_of(body, "op");
        let left = body.get("left").unwrap_or(&null);
        let right = body.get("right").unwrap_or(&null);
        let negated = operator == "!=";
        if let Some(parts) = left.get("concat").and_then(Value::as_array) {
            let fields = fields_of(parts, conditions);
            conditions.push(match right.get("concat") {
                Some(_) => match self.values().row(&fields, right) {
                    Some(row) => {
                        Condition::Any { negated, groups: single(row), name: Box::default() }
                    }
                    None => Condition::opaque("a concatenation"),
                },
                None => self.values().rows(&fields, right, negated),
            });
            return;
        }
        let (field, implied) = field_of(left);
        conditions.extend(implied);
        conditions.push(match (&field, operator) {
            (Field::SourcePort, "<" | "<=" | ">" | ">=") => match compared(operator, right) {
                Some(spans) => Condition::Is(Test::SourcePort(spans)),
                None => Condition::opaque("a comparison of source ports"),
            },
            (Field::DestinationPort, "<" | "<=" | ">" | ">=") => match compared(operator, right) {
                Some(spans) => Condition::Is(Test::DestinationPort(spans)),
                None => Condition::opaque("a comparison of destination ports"),
            },
            (Field::Other(what), "<" | "<=" | ">" | ">=") => {
                Condition::depends(format!("{what} {operator} {right}"))
            }
            (field, "<" | "<=" | ">" | ">=") => Condition::opaque(format!("{field:?} {operator}")),
            (Field::Flags { mask: 0xff }, "in" | "") => match flag_bits(right) {
                Some(value) => Condition::Is(Test::Flags { mask: 0xff, value, any: true }),
                None => Condition::opaque("tcp flags"),
            },
            _ => self.values().condition(&field, right, negated),
        });
    }

    fn verdict_map(&self, body: &Value, rule: &mut Rule) {
        let null = Value::Null;
        let key = body.get("key").unwrap_or(&null);
        let data = body.get("data").unwrap_or(&null);
        let Some(elements) = self.sets.elements(self.table, data) else {
            rule.verdict = Verdict::Opaque(format!("vmap {data}").into());
            return;
        };
        let conditions = asked(rule);
        let fields = match key.get("concat").and_then(Value::as_array) {
            Some(parts) => fields_of(parts, conditions),
            None => {
                let (field, implied) = field_of(key);
                conditions.extend(implied);
                vec![field]
            }
        };
        let mut entries = Vec::with_capacity(elements.len());
        for element in elements {
            let Some([value, verdict]) = element.as_array().map(Vec::as_slice) else { continue };
            let value = unwrapped(value);
            let condition = match fields.as_slice() {
                // Whatever is in no other element.
                _ if value.as_str() == Some("*") => None,
                [field] => Some(self.values().condition(field, value, false)),
                fields => Some(match self.values().row(fields, value) {
                    Some(row) => {
                        Condition::Any { negated: false, groups: single(row), name: Box::default() }
                    }
                    None => Condition::opaque("a row of a verdict map"),
                }),
            };
            let mut said = Rule::always(Verdict::Continue);
            if let Some((key, value)) = verdict.as_object().and_then(|object| object.iter().next())
            {
                self.word(key, value, &mut said);
            }
            entries.push((condition.into_iter().collect::<Vec<_>>(), said.verdict));
        }
        // Elements exclude one another, but for the one that catches the rest.
        entries.sort_by_key(|(conditions, _)| conditions.is_empty());
        rule.verdict = Verdict::Map(entries);
    }

    /// `ct helper set tcp dport map { 21 : "ftp-standard" }`.
    fn helper_map(&self, value: &Value, before: &Rule) -> Vec<Rule> {
        let null = Value::Null;
        let map = value.get("map").unwrap_or(&null);
        let (field, implied) = field_of(map.get("key").unwrap_or(&null));
        let elements = self.sets.elements(self.table, map.get("data").unwrap_or(&null));
        let one = |element: &Value| {
            let [value, name] = element.as_array()?.as_slice() else { return None };
            let mut rule = before.clone();
            rule.conditions.extend(implied.iter().cloned());
            rule.conditions.push(self.values().condition(&field, unwrapped(value), false));
            rule.effects.push(Effect::Helper(self.helper(name.as_str()?)));
            Some(rule)
        };
        elements.unwrap_or_default().into_iter().filter_map(one).collect()
    }

    fn helper(&self, name: &str) -> Box<str> {
        let known = self.helpers.get(&(self.table.clone(), name.to_owned()));
        known.cloned().unwrap_or_else(|| name.into())
    }

    fn word(&self, key: &str, value: &Value, rule: &mut Rule) {
        let target = || {
            let name = text_of(value, "target").to_owned();
            self.chains.get(&(self.table.clone(), name)).copied()
        };
        let gone = || Verdict::Opaque(format!("to a chain that is not listed: {value}").into());
        match key {
            "accept" => rule.verdict = Verdict::Accept,
            "drop" | "reject" => rule.verdict = Verdict::Drop,
            "return" => rule.verdict = Verdict::Return,
            "jump" => rule.verdict = target().map_or_else(gone, Verdict::Jump),
            "goto" => rule.verdict = target().map_or_else(gone, Verdict::Goto),
            // What is sent under another address or port has passed this chain.
            "snat" | "masquerade" => rule.verdict = Verdict::Accept,
            "dnat" | "redirect" => {
                let target = target_of(key, value);
                // Tables of both families: it holds for those of the address.
                if let Some(address) = target.and_then(|target| target.address) {
                    let family = if address.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
                    asked(rule).push(Condition::Is(Test::Family(family)));
                }
                rule.verdict =
                    target.map_or_else(|| Verdict::Opaque(key.into()), Verdict::Translate);
            }
            "queue" | "tproxy" | "synproxy" | "fwd" => {
                rule.verdict = Verdict::Opaque(key.into());
            }
            "notrack" => rule.effects.push(Effect::Untracked),
            "ct helper" => match value.as_str() {
                Some(name) => rule.effects.push(Effect::Helper(self.helper(name))),
                None => asked(rule).push(Condition::opaque("a ct helper")),
            },
            "mangle" => mangle(value, rule),
            "limit" => asked(rule).push(Condition::depends(limit(value))),
            "quota" => asked(rule).push(Condition::depends("a quota")),
            "ct count" => asked(rule).push(Condition::depends("the number of connections")),
            "meter" => asked(rule).push(Condition::depends("a limit for each address")),
            // Only a statement inside makes `add @set { ... }` a condition.
            "set" if value.get("stmt").is_some() => {
                asked(rule).push(Condition::depends("a limit for each address"));
            }
            "xt" => xt(value, rule),
            "continue" | "counter" | "log" | "set" | "map" | "flow" | "dup" | "last"
            | "ct timeout" | "ct expectation" | "secmark" | "comment" => {}
            other => asked(rule).push(Condition::opaque(other)),
        }
    }
}

/// Where `redirect` and `dnat` send; none where it is one of several places.
fn target_of(key: &str, value: &Value) -> Option<Target> {
    let port = match value.get("port") {
        None => None,
        Some(port) => Some(u16::try_from(port.as_u64()?).ok()?),
    };
    let address = match value.get("addr") {
        None => None,
        Some(address) => Some(address.as_str()?.parse().ok()?),
    };
    // `dnat` without an address is not to be had.
    (key == "redirect" || address.is_some()).then_some(Target { address, port })
}

/// Where the next condition of a rule belongs: what is asked for after an effect cannot undo it.
fn asked(rule: &mut Rule) -> &mut Vec<Condition> {
    if rule.effects.is_empty() { &mut rule.conditions } else { &mut rule.late }
}

fn fields_of(parts: &[Value], conditions: &mut Vec<Condition>) -> Vec<Field> {
    let mut fields = Vec::with_capacity(parts.len());
    for part in parts {
        let (field, implied) = field_of(part);
        conditions.extend(implied);
        fields.push(field);
    }
    fields
}

fn limit(value: &Value) -> String {
    match (value.get("rate"), text_of(value, "per")) {
        (Some(rate), per) if !per.is_empty() => {
            let over = value.get("inv").and_then(Value::as_bool).unwrap_or(false);
            format!("limit rate {}{rate}/{per}", if over { "over " } else { "" })
        }
        _ => "a limit".to_owned(),
    }
}

fn mangle(value: &Value, rule: &mut Rule) {
    let null = Value::Null;
    let key = value.get("key").unwrap_or(&null);
    if let Some(meta) = key.get("meta") {
        if text_of(meta, "key") == "mark" {
            rule.effects.push(Effect::Mark(value.get("value").and_then(number)));
        }
    } else if let Some(payload) = key.get("payload") {
        let rewritten = text_of(payload, "field");
        if ["sport", "dport", "saddr", "daddr"].contains(&rewritten) {
            rule.verdict = Verdict::Opaque(format!("{rewritten} set").into());
        }
    }
}

/// A part that iptables wrote and nft cannot read.
fn xt(value: &Value, rule: &mut Rule) {
    let name = text_of(value, "name");
    if text_of(value, "type") == "match" {
        if name != "comment" {
            asked(rule).push(Condition::opaque(format!("xt match {name}")));
        }
        return;
    }
    match name {
        "REJECT" => rule.verdict = Verdict::Drop,
        "SNAT" | "MASQUERADE" | "NETMAP" => rule.verdict = Verdict::Accept,
        "MARK" | "CONNMARK" => rule.effects.push(Effect::Mark(None)),
        name if HARMLESS.contains(&name) => {}
        name => rule.verdict = Verdict::Opaque(format!("xt target {name}").into()),
    }
}
