//! Windows Defender Firewall: what `netsh advfirewall firewall show rule name=all` prints, and rules
//! as JSON from PowerShell.
//!
//! Rules that block come before rules that allow; what no rule is about is kept out on the way in
//! and let out on the way out. netsh prints in the language of the system, but always in the same
//! order, so labels are told apart by their place.

use serde_json::Value;

use super::ReadError;
use super::simple::{Simple, addresses, spans};
use crate::firewall::model::{Condition, Dialect, Rule, Ruleset, Test, Verdict, protocol_number};

/// One rule, in whatever language.
#[derive(Default)]
struct Told {
    name: String,
    enabled: Option<bool>,
    inbound: Option<bool>,
    allows: Option<bool>,
    protocol: String,
    local_ports: Option<String>,
    remote_ports: Option<String>,
    remote_addresses: String,
    /// None where it was not told.
    program: Option<String>,
    /// Whether it is for every profile.
    everywhere: bool,
}

/// Reads what netsh prints.
///
/// # Errors
/// [`ReadError`] when there is no rule in it.
pub fn read_netsh(text: &str) -> Result<Ruleset, ReadError> {
    let mut told: Vec<Told> = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    let is_line = |line: &&str| line.len() >= 10 && line.trim().bytes().all(|byte| byte == b'-');
    let starts: Vec<usize> =
        (1..lines.len()).filter(|&index| is_line(&lines[index].trim())).collect();
    for (nth, &start) in starts.iter().enumerate() {
        // The name is in front of the line, that of the next rule as well.
        let end = starts.get(nth + 1).map_or(lines.len(), |next| next - 1);
        let name = value_of(lines[start - 1]).unwrap_or_default().to_owned();
        told.push(block(name, lines.get(start + 1..end).unwrap_or(&[])));
    }
    if told.is_empty() {
        return Err(ReadError::new("there is no rule in it: it is not what netsh prints"));
    }
    Ok(ruleset(told))
}

fn value_of(line: &str) -> Option<&str> {
    // Full-width colons stand in Chinese and Japanese ones.
    line.split_once([':', '：']).map(|(_, value)| value.trim())
}

/// The values stand in this order: enabled, direction, profiles, grouping, local address, remote
/// address, protocol, and for TCP and UDP local port and remote port, ..., action. With `verbose`
/// the description is in front and the program behind.
fn block(name: String, lines: &[&str]) -> Told {
    let labelled: Vec<(&str, &str)> = lines
        .iter()
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| Some((line.split_once([':', '：'])?.0.trim(), value_of(line)?)))
        .collect();
    let first = labelled.iter().position(|(_, value)| yes_or_no(value).is_some());
    let values: Vec<&str> =
        labelled.iter().skip(first.unwrap_or(0)).map(|(_, value)| *value).collect();
    let value = |index: usize| values.get(index).copied().unwrap_or_default();
    let protocol = value(6).to_owned();
    let has_ports = matches!(protocol_of(&protocol), Some(Some(6 | 17)));
    let program = labelled.iter().find(|(label, _)| {
        matches!(*label, "Program" | "Programm" | "Programme" | "Programa" | "Programma")
    });
    Told {
        name,
        enabled: yes_or_no(value(0)),
        inbound: direction(value(1)),
        // Behind the ports; some editions print more lines after it.
        allows: values.iter().skip(7).rev().find_map(|value| action(value)),
        local_ports: has_ports.then(|| value(7).to_owned()),
        remote_ports: has_ports.then(|| value(8).to_owned()),
        protocol,
        remote_addresses: value(5).to_owned(),
        program: program.map(|(_, value)| (*value).to_owned()),
        everywhere: value(2).split(',').count() >= 3,
    }
}

fn yes_or_no(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "ja" | "oui" | "sí" | "si" | "sì" | "sim" | "true" | "1" | "tak" | "да" => {
            Some(true)
        }
        "no" | "nein" | "non" | "não" | "false" | "0" | "2" | "nee" | "nie" | "нет" => {
            Some(false)
        }
        _ => None,
    }
}

fn direction(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "in" | "inbound" | "1" | "eingehend" | "entrant" | "entrada" | "dentro" | "in entrata" => {
            Some(true)
        }
        "out" | "outbound" | "2" | "ausgehend" | "sortant" | "salida" | "fuera" | "saída"
        | "in uscita" => Some(false),
        _ => None,
    }
}

fn action(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "allow" | "2" | "zulassen" | "autoriser" | "permitir" | "consenti" => Some(true),
        "block" | "4" | "blocken" | "blockieren" | "bloquer" | "bloquear" | "blocca" => Some(false),
        _ => None,
    }
}

fn is_any(text: &str) -> bool {
    let words = ["", "any", "*", "beliebig", "tout", "tous", "cualquiera", "qualsiasi", "qualquer"];
    words.contains(&text.to_lowercase().as_str())
}

/// The inner none is for every protocol, the outer for one that nobody knows.
fn protocol_of(text: &str) -> Option<Option<u8>> {
    if is_any(text) || text == "256" {
        return Some(None);
    }
    protocol_number(text).map(Some)
}

/// Reads what `Get-NetFirewallRule | ForEach-Object { ... } | ConvertTo-Json` prints: rules with the
/// properties of their port, address and application filters beside their own.
///
/// # Errors
/// [`ReadError`] when there is no rule in it.
pub fn read_json(document: &Value) -> Result<Ruleset, ReadError> {
    let rules: Vec<&Value> = match document {
        Value::Array(rules) => rules.iter().collect(),
        one => vec![one],
    };
    let is_rule = |rule: &&Value| rule.get("Direction").is_some() && rule.get("Action").is_some();
    if !rules.iter().any(is_rule) {
        return Err(ReadError::new(
            "there is no firewall rule with Direction and Action in this JSON",
        ));
    }
    Ok(ruleset(rules.into_iter().filter(is_rule).map(object).collect()))
}

fn object(rule: &Value) -> Told {
    let text = |key: &str| -> Option<String> {
        match rule.get(key)? {
            Value::String(text) => Some(text.clone()),
            Value::Array(items) => {
                let items = items.iter().map(|item| match item {
                    Value::String(text) => text.clone(),
                    item => item.to_string(),
                });
                Some(items.collect::<Vec<_>>().join(","))
            }
            Value::Null => None,
            other => Some(other.to_string()),
        }
    };
    let profile = text("Profile").unwrap_or_default();
    Told {
        name: text("DisplayName").or(text("Name")).unwrap_or_default(),
        enabled: text("Enabled").and_then(|text| yes_or_no(&text)),
        inbound: text("Direction").and_then(|text| direction(&text)),
        allows: text("Action").and_then(|text| action(&text)),
        protocol: text("Protocol").unwrap_or_default(),
        local_ports: text("LocalPort"),
        remote_ports: text("RemotePort"),
        remote_addresses: text("RemoteAddress").unwrap_or_default(),
        program: text("Program"),
        everywhere: matches!(profile.as_str(), "" | "Any" | "0" | "7" | "2147483647")
            || profile.split(',').count() >= 3,
    }
}

fn ruleset(told: Vec<Told>) -> Ruleset {
    let mut simple = Simple::new(Dialect::Windows, "rules");
    let mut allowing = [Vec::new(), Vec::new()];
    for one in told {
        if one.enabled == Some(false) {
            continue;
        }
        let inbound = one.inbound;
        let mut rule = rule(&one);
        if one.enabled.is_none() || inbound.is_none() || one.allows.is_none() {
            rule.conditions.push(Condition::opaque("a rule in a language that is not known"));
        }
        for (index, side) in [&mut simple.incoming, &mut simple.outgoing].into_iter().enumerate() {
            if inbound.is_some_and(|inbound| inbound != (index == 0)) {
                continue;
            }
            if one.allows == Some(false) {
                side.push(rule.clone());
            } else {
                allowing[index].push(rule.clone());
            }
        }
    }
    let [incoming, outgoing] = allowing;
    simple.incoming.extend(incoming);
    simple.outgoing.extend(outgoing);
    simple.into_ruleset()
}

fn rule(told: &Told) -> Rule {
    let inbound = told.inbound != Some(false);
    let mut conditions = Vec::new();
    match protocol_of(&told.protocol) {
        Some(None) => {}
        Some(Some(number)) => conditions.push(Condition::protocols(&[number])),
        None => conditions.push(Condition::opaque(format!("protocol {}", told.protocol))),
    }
    // What comes in has our port as its destination, what goes out as its source.
    for (ports, ours) in [(&told.local_ports, true), (&told.remote_ports, false)] {
        let Some(text) = ports.as_deref().filter(|text| !is_any(text)) else { continue };
        // RPC's endpoint mapper is where it is; RPC's own ports are not.
        let text = if text.eq_ignore_ascii_case("RPC-EPMap") { "135" } else { text };
        conditions.push(match spans(text, '-') {
            Some(spans) if ours == inbound => Condition::Is(Test::DestinationPort(spans)),
            Some(spans) => Condition::Is(Test::SourcePort(spans)),
            // RPC, IPHTTPS, Teredo, PlayToDiscovery: known when the service runs.
            None => Condition::depends(format!("port {text}")),
        });
    }
    if !is_any(&told.remote_addresses) {
        let text = &told.remote_addresses;
        conditions.push(match addresses(text.split(',')) {
            Some(set) if inbound => Condition::Is(Test::Source(set)),
            Some(set) => Condition::Is(Test::Destination(set)),
            // LocalSubnet, DNS, DHCP, WINS, DefaultGateway.
            None => Condition::depends(format!("remote address {text}")),
        });
    }
    let everything = told.local_ports.as_deref().is_none_or(is_any);
    match told.program.as_deref() {
        Some(program) if !is_any(program) => {
            conditions.push(Condition::depends(format!("program {program}")));
        }
        // Without `verbose` nobody says which program such a rule is for.
        None if everything => {
            conditions.push(Condition::depends(format!("the program of the rule {:?}", told.name)));
        }
        _ => {}
    }
    if !told.everywhere {
        conditions.push(Condition::depends("the profile of the network"));
    }
    let verdict = if told.allows == Some(false) { Verdict::Drop } else { Verdict::Accept };
    let mut rule = Rule::new(conditions, verdict);
    rule.text = told.name.as_str().into();
    rule
}
