//! pf of the BSDs and macOS: `pf.conf` and what `pfctl -sr` prints (pf.conf(5)).
//!
//! The last rule that matches decides, unless one says `quick`. The same in the order of this model,
//! where the first decides: the quick rules as they are written, then the others from the last to
//! the first, then `pass`.

use std::collections::HashMap;

use dayfly_ports::PortRange;

use super::ReadError;
use super::simple::{Simple, addresses, port, span};
use crate::firewall::model::{
    Condition, Dialect, Family, Names, Rule, Ruleset, Spans, Test, Verdict, protocol_number,
};

/// Reads rules, macros and tables.
///
/// # Errors
/// [`ReadError`] when there is no rule of pf in it.
pub fn read(text: &str) -> Result<Ruleset, ReadError> {
    let mut macros: HashMap<String, String> = HashMap::new();
    let mut tables: HashMap<String, Vec<String>> = HashMap::new();
    let mut quick = [Vec::new(), Vec::new()];
    let mut slow = [Vec::new(), Vec::new()];
    let mut skipped: Vec<String> = Vec::new();
    let mut remarks = Vec::new();
    let mut rules = 0;
    let mut blocks = Blocks::default();
    for line in logical_lines(text) {
        let tokens = tokens(&line);
        let Some(first) = tokens.first() else { continue };
        match blocks.step(&tokens) {
            Step::Edge => {
                rules += 1;
                continue;
            }
            Step::Closed => continue,
            Step::Rule => {}
        }
        if let [name, equals, ..] = tokens.as_slice()
            && equals == "="
        {
            let value = expanded(tokens.get(2..).unwrap_or(&[]), &macros);
            macros.insert(name.clone(), value.join(" "));
            continue;
        }
        match first.as_str() {
            "pass" | "block" => {
                let tokens = expanded(&tokens, &macros);
                let (directions, is_quick, mut rule) = rule(&tokens, &tables);
                rule.text = line.trim().into();
                rules += 1;
                for (index, wanted) in directions.into_iter().enumerate() {
                    if wanted {
                        let list = if is_quick { &mut quick } else { &mut slow };
                        list[index].push(rule.clone());
                    }
                }
            }
            "table" => {
                if let Some(name) = tokens.get(1) {
                    let open = tokens.iter().position(|token| token == "{");
                    let members = open.map_or(&[][..], |open| &tokens[open + 1..]);
                    let members = members.iter().filter(|word| *word != "}" && *word != ",");
                    let is_whole = open.is_some() && !tokens.iter().any(|word| word == "file");
                    if is_whole {
                        tables.insert(name.clone(), members.cloned().collect());
                    }
                }
            }
            "set" if tokens.get(1).is_some_and(|word| word == "skip") => {
                let names =
                    tokens.iter().skip(3).filter(|word| !["{", "}", ","].contains(&word.as_str()));
                skipped.extend(names.cloned());
            }
            "anchor" | "load" | "include" => {
                rules += 1;
                let mut opaque = Rule::new(vec![Condition::opaque(line.trim())], Verdict::Drop);
                opaque.text = line.trim().into();
                for list in &mut quick {
                    list.push(opaque.clone());
                }
            }
            "antispoof" | "set" | "scrub" | "match" | "nat" | "nat-anchor" | "rdr-anchor"
            | "altq" | "queue" | "binat" | "no" => {}
            "rdr" => {
                remarks.push(format!("a redirection was passed over: {}", line.trim()));
            }
            _ => {}
        }
    }
    if rules == 0 {
        return Err(ReadError::new("there is no rule of pf in it"));
    }
    let mut simple = Simple::new(Dialect::Pf, "rules");
    simple.accepts_incoming = true;
    for (index, side) in [&mut simple.incoming, &mut simple.outgoing].into_iter().enumerate() {
        if !skipped.is_empty() {
            let names = Names::new(&skipped);
            let test = if index == 0 { Test::Input(names) } else { Test::Output(names) };
            let mut rule = Rule::new(vec![Condition::Is(test)], Verdict::Accept);
            rule.text = "set skip".into();
            side.push(rule);
        }
        side.append(&mut quick[index]);
        side.extend(std::mem::take(&mut slow[index]).into_iter().rev());
    }
    let mut ruleset = simple.into_ruleset();
    ruleset.remarks = remarks;
    Ok(ruleset)
}

/// The blocks of anchors that a line is inside of: `pfctl -a '*' -sr` prints what the anchors hold
/// between braces (pfctl(8)), and files may be written so.
#[derive(Default)]
struct Blocks {
    /// Whether each is closed to us: its rules are for packets that its own line chooses.
    closed: Vec<bool>,
}

/// What a line is.
enum Step {
    /// The beginning or the end of a block without a choice of its own.
    Edge,
    /// Inside of a closed block, or its end.
    Closed,
    /// Anything else.
    Rule,
}

impl Blocks {
    fn step(&mut self, tokens: &[String]) -> Step {
        let [first, rest @ ..] = tokens else { return Step::Closed };
        let inside = self.closed.contains(&true);
        if first == "}" {
            return if self.closed.pop().is_some() && !inside { Step::Edge } else { Step::Closed };
        }
        let opens = first.ends_with("anchor") && rest.last().is_some_and(|last| last == "{");
        if !opens {
            return if inside { Step::Closed } else { Step::Rule };
        }
        // Its name, which may be missing, and nothing that chooses packets.
        let middle = rest.get(..rest.len() - 1).unwrap_or(&[]);
        let chooses = |word: &String| CHOICES.contains(&word.as_str());
        let closed = first == "anchor" && middle.iter().any(chooses);
        self.closed.push(closed);
        match (inside, closed) {
            (true, _) => Step::Closed,
            // The reader of rules says that it cannot read it.
            (false, true) => Step::Rule,
            (false, false) => Step::Edge,
        }
    }
}

/// Words after which an anchor's rules are not for every packet, or end the walk.
const CHOICES: [&str; 14] = [
    "in", "out", "on", "inet", "inet6", "proto", "from", "to", "port", "user", "group", "quick",
    "tagged", "rtable",
];

/// Lines without comments, those that end with a backslash joined.
fn logical_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for part in text.lines() {
        let part = part.split('#').next().unwrap_or_default();
        match part.trim_end().strip_suffix('\\') {
            Some(begin) => {
                line.push_str(begin);
                line.push(' ');
            }
            None => {
                line.push_str(part);
                lines.push(std::mem::take(&mut line));
            }
        }
    }
    lines.push(line);
    lines
}

/// Words, with braces, commas, comparisons and `!` by themselves.
fn tokens(line: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut word = String::new();
    let mut quoted = false;
    let mut flush = |word: &mut String| {
        if !word.is_empty() {
            tokens.push(std::mem::take(word));
        }
    };
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() => flush(&mut word),
            '{' | '}' | '(' | ')' | ',' if !quoted => {
                flush(&mut word);
                word.push(c);
                flush(&mut word);
            }
            '=' | '!' | '>' | '<' if !quoted => {
                // `<table>` is one word, and so are `<=`, `!=` and `><`.
                if c == '<' && chars.peek().is_some_and(|next| next.is_ascii_alphabetic()) {
                    flush(&mut word);
                    word.push(c);
                    for next in chars.by_ref() {
                        word.push(next);
                        if next == '>' {
                            break;
                        }
                    }
                    flush(&mut word);
                    continue;
                }
                flush(&mut word);
                word.push(c);
                if let Some(next) = chars.next_if(|next| matches!(next, '=' | '<' | '>')) {
                    word.push(next);
                }
                flush(&mut word);
            }
            c => word.push(c),
        }
    }
    flush(&mut word);
    tokens
}

/// The tokens with macros replaced by what they stand for.
fn expanded(words: &[String], macros: &HashMap<String, String>) -> Vec<String> {
    /// A macro may name others, but not itself.
    const DEPTH: usize = 8;
    let mut words = words.to_vec();
    for _ in 0..DEPTH {
        if !words.iter().any(|word| word.starts_with('$')) || words.len() > 10_000 {
            break;
        }
        let replaced = words.iter().flat_map(|word| match word.strip_prefix('$') {
            Some(name) => macros.get(name).map_or_else(Vec::new, |value| tokens(value)),
            None => vec![word.clone()],
        });
        words = replaced.collect();
    }
    words
}

/// Directions (in, out), whether it is quick, and the rule.
fn rule(words: &[String], tables: &HashMap<String, Vec<String>>) -> ([bool; 2], bool, Rule) {
    let verdict = if words.first().is_some_and(|word| word == "pass") {
        Verdict::Accept
    } else {
        Verdict::Drop
    };
    let mut reader = Reader { words: words.get(1..).unwrap_or(&[]), tables };
    let mut directions = [true, true];
    let mut quick = false;
    let mut conditions = Vec::new();
    while let Some(word) = reader.next() {
        match word {
            "in" => directions = [true, false],
            "out" => directions = [false, true],
            "quick" => quick = true,
            "inet" => conditions.push(Condition::Is(Test::Family(Family::Ipv4))),
            "inet6" => conditions.push(Condition::Is(Test::Family(Family::Ipv6))),
            "on" => {
                let (negated, names) = reader.list();
                let names = Names::new(names);
                // Of the two only one is there.
                let groups: [Box<[Test]>; 2] =
                    [Box::new([Test::Input(names.clone())]), Box::new([Test::Output(names)])];
                conditions.push(Condition::Any {
                    negated,
                    groups: groups.into(),
                    name: "on".into(),
                });
            }
            "proto" => {
                let (_, names) = reader.list();
                let numbers: Option<Vec<u8>> =
                    names.iter().map(|name| protocol_number(name)).collect();
                conditions.push(match numbers {
                    Some(numbers) => Condition::protocols(&numbers),
                    None => Condition::opaque("proto"),
                });
            }
            "from" => reader.place(true, &mut conditions),
            "to" => reader.place(false, &mut conditions),
            "flags" => {
                // What creates a state; packets of states are not asked.
                reader.next();
            }
            "icmp-type" | "icmp6-type" => {
                reader.list();
                let test = Test::Known { what: word.into(), holds: false };
                conditions.push(Condition::Is(test));
            }
            "user" | "group" | "probability" | "received-on" | "tagged" | "os" | "prio" | "tos" => {
                reader.list();
                conditions.push(Condition::depends(word));
            }
            // With what it is answered, how it is logged and remembered.
            "drop" | "return" | "return-rst" | "return-icmp" | "return-icmp6" | "log" | "all"
            | "keep" | "modulate" | "synproxy" | "no" | "state" | "allow-opts" => {}
            "(" => reader.skip_parenthesis(),
            "label" | "tag" | "queue" | "rtable" | "fastroute" | "set" => {
                reader.list();
            }
            "route-to" | "reply-to" | "dup-to" | "divert-to" | "rdr-to" | "nat-to" | "af-to" => {
                reader.list();
                conditions.push(Condition::opaque(word));
            }
            other => conditions.push(Condition::opaque(other)),
        }
    }
    (directions, quick, Rule::new(conditions, verdict))
}

struct Reader<'a> {
    words: &'a [String],
    tables: &'a HashMap<String, Vec<String>>,
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Option<&'a str> {
        let (first, rest) = self.words.split_first()?;
        self.words = rest;
        Some(first)
    }

    fn next_if(&mut self, wanted: &str) -> bool {
        let found = self.words.first().is_some_and(|word| word == wanted);
        if found {
            self.next();
        }
        found
    }

    fn skip_parenthesis(&mut self) {
        while self.next().is_some_and(|word| word != ")") {}
    }

    /// One word or those in braces, and whether they are meant not to be.
    fn list(&mut self) -> (bool, Vec<&'a str>) {
        let negated = self.next_if("!");
        if !self.next_if("{") {
            return (negated, self.next().into_iter().collect());
        }
        let mut words = Vec::new();
        while let Some(word) = self.next() {
            match word {
                "}" => break,
                "," => {}
                word => words.push(word),
            }
        }
        (negated, words)
    }

    /// `any port 20`, `<table> port { 80, 1024:65535 }`.
    fn place(&mut self, source: bool, conditions: &mut Vec<Condition>) {
        let side = if source { "from" } else { "to" };
        if self.words.first().is_none_or(|word| word != "port") {
            let (negated, hosts) = self.list();
            if hosts.first() == Some(&"(") {
                // The address of an interface: this host's.
                self.skip_parenthesis();
            }
            match hosts.as_slice() {
                ["any" | "all"] => {}
                ["(" | "self" | "egress"] => {
                    let test = Test::Local { destination: !source };
                    conditions.push(Condition::of(test, negated));
                }
                hosts => conditions.push(self.hosts(hosts, source, negated, side)),
            }
        }
        if self.next_if("port") {
            conditions.push(match self.ports() {
                Some(spans) if source => Condition::Is(Test::SourcePort(spans)),
                Some(spans) => Condition::Is(Test::DestinationPort(spans)),
                None => Condition::opaque(format!("{side} port")),
            });
        }
    }

    fn hosts(&self, hosts: &[&str], source: bool, negated: bool, side: &str) -> Condition {
        let mut all: Vec<&str> = Vec::new();
        for host in hosts {
            match self.tables.get(*host) {
                Some(members) => all.extend(members.iter().map(String::as_str)),
                None => all.push(host),
            }
        }
        match addresses(all.iter().copied()) {
            Some(set) if source => Condition::of(Test::Source(set), negated),
            Some(set) => Condition::of(Test::Destination(set), negated),
            // A table that is filled elsewhere, or a name.
            None => Condition::depends(format!("{side} {}", hosts.join(", "))),
        }
    }

    fn ports(&mut self) -> Option<Spans> {
        let mut ranges = Vec::new();
        if self.next_if("{") {
            while let Some(word) = self.words.first() {
                if word == "}" {
                    self.next();
                    break;
                }
                if word == "," {
                    self.next();
                    continue;
                }
                ranges.extend(self.port()?.ranges().iter().copied());
            }
            return Some(Spans::new(ranges));
        }
        self.port()
    }

    /// `= 80`, `!= 80`, `> 1023`, `1024:65535`, `1023 >< 2000` (between), `79 <> 81` (outside).
    fn port(&mut self) -> Option<Spans> {
        let first = self.next()?;
        let between = |low: u16, high: u16| PortRange::new(low, high).ok().map(Spans::from);
        match first {
            "=" => return span(self.next()?, ':').map(Spans::from),
            "!=" => return Some(Spans::from(span(self.next()?, ':')?).complement()),
            "<" => return between(0, port(self.next()?)?.checked_sub(1)?),
            "<=" => return between(0, port(self.next()?)?),
            ">" => return between(port(self.next()?)?.checked_add(1)?, u16::MAX),
            ">=" => return between(port(self.next()?)?, u16::MAX),
            _ => {}
        }
        let low = match first.strip_suffix(':') {
            Some(low) => return between(port(low)?, u16::MAX),
            None => first,
        };
        if self.next_if("><") {
            let high = port(self.next()?)?;
            return between(port(low)?.checked_add(1)?, high.checked_sub(1)?);
        }
        if self.next_if("<>") {
            let high = port(self.next()?)?;
            return Some(between(port(low)?, high)?.complement());
        }
        span(low, ':').map(Spans::from)
    }
}
