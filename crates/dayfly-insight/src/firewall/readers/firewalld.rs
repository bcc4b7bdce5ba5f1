//! firewalld: the file of a zone (firewalld.zone(5)), as in `/etc/firewalld/zones`.
//!
//! What a running firewalld does is read through nft, into which it compiles.

use roxmltree::Node;

use super::ReadError;
use super::simple::{Simple, addresses, family_of, span};
use crate::firewall::model::{
    Condition, Dialect, Effect, Family, Rule, Ruleset, Spans, Test, Verdict, protocol_number,
};

/// Reads a zone.
///
/// # Errors
/// [`ReadError`] when the text is not XML or not a zone.
pub fn read(text: &str) -> Result<Ruleset, ReadError> {
    let document = roxmltree::Document::parse(text)
        .map_err(|error| ReadError::new(format_args!("this is not XML: {error}")))?;
    let zone = document.root_element();
    if !zone.has_tag_name("zone") {
        return Err(ReadError::new("this XML is not the zone of a firewalld"));
    }
    let name = child_text(zone, "short").unwrap_or("zone").to_owned();
    let mut simple = Simple::new(Dialect::Firewalld, name);
    // Everything else is rejected, unless the target says otherwise.
    simple.accepts_incoming = zone.attribute("target") == Some("ACCEPT");
    let (mut denied, mut allowed) = (Vec::new(), Vec::new());
    for element in zone.children().filter(Node::is_element) {
        match element.tag_name().name() {
            "rule" => {
                let rules = rich(element);
                for rule in rules {
                    match rule.verdict {
                        Verdict::Accept => allowed.push(rule),
                        _ => denied.push(rule),
                    }
                }
            }
            _ => allowed.extend(plain(element)),
        }
    }
    // Rich rules are tried in the order log, deny, allow (firewalld.richlanguage(5)).
    simple.incoming.extend(denied);
    simple.incoming.extend(allowed);
    Ok(simple.into_ruleset())
}

fn child_text<'a>(node: Node<'a, 'a>, name: &str) -> Option<&'a str> {
    node.children().find(|child| child.has_tag_name(name))?.text()
}

/// An element of the zone that lets something in.
fn plain(element: Node<'_, '_>) -> Vec<Rule> {
    let what = element.tag_name().name();
    let Some(groups) = subject(element) else { return Vec::new() };
    let rule = |(conditions, effects): (Vec<Condition>, Vec<Effect>)| {
        let mut rule = Rule::new(conditions, Verdict::Accept);
        rule.effects = effects;
        let name = ["name", "port", "value"].iter().find_map(|key| element.attribute(*key));
        let protocol = element.attribute("protocol").map(|name| format!("/{name}"));
        rule.text =
            format!("{what} {}{}", name.unwrap_or_default(), protocol.unwrap_or_default()).into();
        rule
    };
    groups.into_iter().map(rule).collect()
}

type Subject = (Vec<Condition>, Vec<Effect>);

/// What an element is about, each alternative by itself; none if it is about nothing that passes.
fn subject(element: Node<'_, '_>) -> Option<Vec<Subject>> {
    let protocol = element.attribute("protocol").and_then(protocol_number);
    let protocol = protocol.map(|number| Condition::protocols(&[number]));
    let ports = element.attribute("port").and_then(|text| span(text, '-')).map(Spans::from);
    Some(match element.tag_name().name() {
        "port" => {
            let test = Test::DestinationPort(ports?);
            vec![(protocol.into_iter().chain([Condition::Is(test)]).collect(), Vec::new())]
        }
        "source-port" => {
            let test = Test::SourcePort(ports?);
            vec![(protocol.into_iter().chain([Condition::Is(test)]).collect(), Vec::new())]
        }
        "protocol" => {
            let number = protocol_number(element.attribute("value")?)?;
            vec![(vec![Condition::protocols(&[number])], Vec::new())]
        }
        "service" => service(element.attribute("name")?),
        _ => return None,
    })
}

/// The services that come with firewalld and have to do with many ports, and the usual others.
fn service(name: &str) -> Vec<Subject> {
    let one = |protocol: u8, port: u16, helper: Option<&str>| {
        let ports = dayfly_ports::PortRange::single(port.into());
        (
            vec![
                Condition::protocols(&[protocol]),
                Condition::Is(Test::DestinationPort(Spans::from(ports))),
            ],
            helper.map(|name| Effect::Helper(name.into())).into_iter().collect(),
        )
    };
    match name {
        "ftp" => vec![one(6, 21, Some("ftp"))],
        "ftps" => vec![one(6, 990, None), one(6, 989, None)],
        "tftp" => vec![one(17, 69, Some("tftp"))],
        "ssh" => vec![one(6, 22, None)],
        "smtp" => vec![one(6, 25, None)],
        "dns" => vec![one(6, 53, None), one(17, 53, None)],
        "http" => vec![one(6, 80, None)],
        "http3" => vec![one(17, 443, None)],
        "https" => vec![one(6, 443, None)],
        "ntp" => vec![one(17, 123, None)],
        "imaps" => vec![one(6, 993, None)],
        "nfs" => vec![one(6, 2049, None)],
        "rpc-bind" => vec![one(6, 111, None), one(17, 111, None)],
        "mountd" => vec![one(6, 20048, None), one(17, 20048, None)],
        "samba" => {
            vec![one(6, 139, None), one(6, 445, None), one(17, 137, None), one(17, 138, None)]
        }
        "cockpit" => vec![one(6, 9090, None)],
        "dhcpv6-client" => vec![one(17, 546, None)],
        "mdns" => vec![one(17, 5353, None)],
        name => vec![(vec![Condition::opaque(format!("service {name}"))], Vec::new())],
    }
}

/// A rich rule.
fn rich(rule: Node<'_, '_>) -> Vec<Rule> {
    let mut common = Vec::new();
    match rule.attribute("family") {
        Some("ipv4") => common.push(Condition::Is(Test::Family(Family::Ipv4))),
        Some("ipv6") => common.push(Condition::Is(Test::Family(Family::Ipv6))),
        _ => {}
    }
    let mut verdict = None;
    let mut subjects: Option<Vec<Subject>> = None;
    for element in rule.children().filter(Node::is_element) {
        match element.tag_name().name() {
            "source" | "destination" => common.extend(place(element)),
            "accept" => verdict = Some(Verdict::Accept),
            "reject" | "drop" => verdict = Some(Verdict::Drop),
            "log" | "audit" | "nflog" => {}
            "mark" | "masquerade" | "forward-port" | "icmp-block" | "icmp-type"
            | "tcp-mss-clamp" => {
                return Vec::new();
            }
            other => {
                let unknown = || vec![(vec![Condition::opaque(other)], Vec::new())];
                subjects = Some(subject(element).unwrap_or_else(unknown));
            }
        }
        if element.children().any(|child| child.has_tag_name("limit"))
            && element.has_tag_name("accept")
        {
            common.push(Condition::depends("a limit"));
        }
    }
    let Some(verdict) = verdict else { return Vec::new() };
    let subjects = subjects.unwrap_or_else(|| vec![(Vec::new(), Vec::new())]);
    let built = |(conditions, effects): Subject| {
        let conditions = common.iter().cloned().chain(conditions).collect();
        Rule { effects, text: "a rich rule".into(), ..Rule::new(conditions, verdict.clone()) }
    };
    subjects.into_iter().map(built).collect()
}

fn place(element: Node<'_, '_>) -> Vec<Condition> {
    let source = element.has_tag_name("source");
    let negated = matches!(element.attribute("invert"), Some("true" | "True" | "yes"));
    let Some(text) = element.attribute("address") else {
        let what = element.attribute("ipset").or(element.attribute("mac")).unwrap_or("a source");
        return vec![Condition::depends(format!("source {what}"))];
    };
    let (Some(set), Some(family)) = (addresses([text]), family_of(text)) else {
        return vec![Condition::opaque(format!("address {text}"))];
    };
    let test = if source { Test::Source(set) } else { Test::Destination(set) };
    vec![Condition::Is(Test::Family(family)), Condition::of(test, negated)]
}
