//! ipfw of FreeBSD: what `ipfw list` prints (ipfw(8)). The first rule that matches decides.

use super::ReadError;
use super::simple::{Simple, addresses, spans};
use crate::firewall::model::{
    Condition, Dialect, Family, Names, Rule, Ruleset, Test, Verdict, protocol_number,
};

/// Reads a list of rules; `ipfw add` in front of one, as in scripts, is fine.
///
/// # Errors
/// [`ReadError`] when there is no rule in it.
pub fn read(text: &str) -> Result<Ruleset, ReadError> {
    let mut simple = Simple::new(Dialect::Ipfw, "list");
    simple.stateful = false;
    simple.accepts_outgoing = false;
    let mut rules: Vec<(u64, Side, Rule)> = Vec::new();
    let mut keeps_state = false;
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let words = match words.as_slice() {
            ["ipfw", "-q", "add", rest @ ..] | ["ipfw", "add", rest @ ..] | ["add", rest @ ..] => {
                rest
            }
            words => words,
        };
        let (number, words) = match words.split_first() {
            Some((first, rest)) => match first.parse() {
                Ok(number) => (number, rest),
                // Rules without a number get one a hundred higher.
                Err(_) => (rules.last().map_or(100, |(number, ..)| number + 100), words),
            },
            None => continue,
        };
        let Some((&action, rest)) = words.split_first() else { continue };
        if !ACTIONS.contains(&action) {
            continue;
        }
        keeps_state |=
            rest.iter().any(|word| matches!(*word, "keep-state" | "limit" | "set-limit"));
        keeps_state |= action == "check-state";
        if matches!(action, "check-state" | "count") {
            continue;
        }
        let (side, mut rule) = rule(action, rest);
        rule.handle = number;
        rule.text = format!("{number:05} {}", words.join(" ")).into();
        rules.push((number, side, rule));
    }
    if rules.is_empty() {
        return Err(ReadError::new("there is no rule of ipfw in it"));
    }
    rules.sort_by_key(|(number, ..)| *number);
    for (_, side, rule) in rules {
        if side != Side::Out {
            simple.incoming.push(rule.clone());
        }
        if side != Side::In {
            simple.outgoing.push(rule);
        }
    }
    simple.stateful = keeps_state;
    Ok(simple.into_ruleset())
}

/// Words that a rule begins with.
const ACTIONS: [&str; 24] = [
    "allow",
    "accept",
    "pass",
    "permit",
    "deny",
    "drop",
    "reject",
    "reset",
    "reset6",
    "unreach",
    "unreach6",
    "count",
    "check-state",
    "skipto",
    "divert",
    "tee",
    "fwd",
    "forward",
    "pipe",
    "queue",
    "nat",
    "call",
    "return",
    "netgraph",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    In,
    Out,
    Both,
}

fn rule(action: &str, words: &[&str]) -> (Side, Rule) {
    let mut conditions = Vec::new();
    let mut words = words;
    let verdict = match action {
        "allow" | "accept" | "pass" | "permit" => Verdict::Accept,
        "deny" | "drop" | "reject" | "reset" | "reset6" => Verdict::Drop,
        "unreach" | "unreach6" => {
            words = words.get(1..).unwrap_or(&[]);
            Verdict::Drop
        }
        other => {
            words = words.get(1..).unwrap_or(&[]);
            Verdict::Opaque(other.into())
        }
    };
    if let ["log", rest @ ..] = words {
        words = match rest {
            ["logamount", _, rest @ ..] => rest,
            rest => rest,
        };
    }
    let mut reader = Reader { words, side: Side::Both, lost: None };
    reader.header(&mut conditions);
    reader.options(&mut conditions);
    if let Some(lost) = reader.lost {
        conditions.push(Condition::opaque(lost));
    }
    (reader.side, Rule::new(conditions, verdict))
}

struct Reader<'a> {
    words: &'a [&'a str],
    side: Side,
    /// The first word that nobody knew.
    lost: Option<String>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn lose(&mut self, word: &str) {
        self.lost.get_or_insert_with(|| word.to_owned());
    }

    /// `tcp from any 20 to me 1024-65535`.
    fn header(&mut self, conditions: &mut Vec<Condition>) {
        match self.next() {
            None | Some("ip" | "all") => {}
            Some("ip4" | "ipv4") => conditions.push(Condition::Is(Test::Family(Family::Ipv4))),
            Some("ip6" | "ipv6") => conditions.push(Condition::Is(Test::Family(Family::Ipv6))),
            Some(name) => match protocol_number(name) {
                Some(number) => conditions.push(Condition::protocols(&[number])),
                None => self.lose(name),
            },
        }
        for (word, source) in [("from", true), ("to", false)] {
            if self.words.first() == Some(&word) {
                self.next();
                self.place(source, conditions);
            }
        }
    }

    fn place(&mut self, source: bool, conditions: &mut Vec<Condition>) {
        let mut negated = false;
        if self.words.first() == Some(&"not") {
            negated = true;
            self.next();
        }
        match self.next() {
            None => {}
            Some("any") => {}
            // This host: it is all about it.
            Some("me" | "me6") => {
                let test = Test::Local { destination: !source };
                conditions.push(Condition::of(test, negated));
            }
            Some(text) => match addresses(text.split(',')) {
                Some(set) if source => conditions.push(Condition::of(Test::Source(set), negated)),
                Some(set) => conditions.push(Condition::of(Test::Destination(set), negated)),
                None => {
                    let what = format!("{} {text}", if source { "from" } else { "to" });
                    conditions.push(Condition::depends(what));
                }
            },
        }
        let Some(&text) = self.words.first() else { return };
        if let Some(spans) = spans(text, '-').filter(|_| text != "to") {
            self.next();
            conditions.push(Condition::Is(ports(source, spans)));
        }
    }

    fn options(&mut self, conditions: &mut Vec<Condition>) {
        let mut negated = false;
        while let Some(word) = self.next() {
            let test = match word {
                "not" => {
                    negated = true;
                    continue;
                }
                "in" | "out" => {
                    self.side = if (word == "in") != negated { Side::In } else { Side::Out };
                    negated = false;
                    continue;
                }
                // The rest is a comment.
                "//" => return,
                "keep-state" | "defer-action" | "defer-immediate-action" => continue,
                // The state's name.
                name if name.starts_with(':') => continue,
                "limit" => {
                    self.next();
                    self.next();
                    continue;
                }
                "via" | "recv" | "xmit" => match self.next() {
                    Some(name) if name != "any" => {
                        // Of the two only one is there.
                        let names = Names::new([name.replace("*", "+")]);
                        let groups: [Box<[Test]>; 2] = [
                            Box::new([Test::Input(names.clone())]),
                            Box::new([Test::Output(names)]),
                        ];
                        let name = format!("{word} {name}").into();
                        conditions.push(Condition::Any { negated, groups: groups.into(), name });
                        negated = false;
                        continue;
                    }
                    _ => continue,
                },
                "setup" => Test::Flags { mask: 0x12, value: 0x02, any: false },
                "established" => Test::Flags { mask: 0xff, value: 0x14, any: true },
                "frag" => Test::Known { what: "frag".into(), holds: false },
                "dst-port" | "src-port" => match self.next().and_then(|text| spans(text, '-')) {
                    Some(spans) => ports(word == "src-port", spans),
                    None => {
                        self.lose(word);
                        continue;
                    }
                },
                "icmptypes" | "icmp6types" => {
                    self.next();
                    Test::Known { what: word.into(), holds: false }
                }
                other => {
                    self.lose(other);
                    return;
                }
            };
            conditions.push(Condition::of(test, std::mem::take(&mut negated)));
        }
    }
}

const fn ports(source: bool, spans: crate::firewall::model::Spans) -> Test {
    if source { Test::SourcePort(spans) } else { Test::DestinationPort(spans) }
}
