//! One rule more, or another one instead, in the chain where it has to be.

use dayfly_ports::PortSet;

use super::emit::specs;
use super::{Opening, nft_ports};
use crate::firewall::model::{Chain, Condition, Dialect, Rule, RulePlace, Ruleset, Test, Verdict};

/// The commands that put a rule in front of a chain, so that it decides before what is there.
/// None for firewalls that are not changed by a command for a single rule.
#[must_use]
pub fn insert(chain: &Chain, opening: &Opening, accept: bool) -> Option<Vec<String>> {
    match chain.dialect {
        Dialect::Nft => {
            let rule = nft_rule(opening, accept);
            Some(vec![nft(&format!("insert rule {} {rule}", chain.name))])
        }
        Dialect::Iptables | Dialect::Ip6tables => {
            let verdict = if accept { "ACCEPT" } else { "DROP" };
            Some(iptables(chain, "-I", &specs(opening), verdict))
        }
        _ => None,
    }
}

/// The commands that let answers through.
#[must_use]
pub fn insert_established(chain: &Chain) -> Option<Vec<String>> {
    match chain.dialect {
        Dialect::Nft => {
            let rule = format!("insert rule {} ct state established,related accept", chain.name);
            Some(vec![nft(&rule)])
        }
        Dialect::Iptables | Dialect::Ip6tables => {
            let spec = "-m conntrack --ctstate ESTABLISHED,RELATED".to_owned();
            Some(iptables(chain, "-I", &[spec], "ACCEPT"))
        }
        _ => None,
    }
}

/// The commands that give a rule other destination ports. None where the rule asks for more than
/// ports and interfaces, so that writing it anew could lose something.
#[must_use]
pub fn replace(ruleset: &Ruleset, place: RulePlace, ports: &PortSet) -> Option<Vec<String>> {
    let chain = ruleset.chains.get(place.chain)?;
    let rule = chain.rules.get(place.rule?)?;
    if !matches!(rule.verdict, Verdict::Accept) || !rule.effects.is_empty() {
        return None;
    }
    let opening = opening_of(rule, ports)?;
    match chain.dialect {
        Dialect::Nft if rule.handle > 0 => {
            let text = nft_rule(&opening, true);
            Some(vec![nft(&format!("replace rule {} handle {} {text}", chain.name, rule.handle))])
        }
        Dialect::Iptables | Dialect::Ip6tables => {
            let old = rule.text.strip_prefix("-A ")?;
            let mut commands = iptables(chain, "-I", &specs(&opening), "ACCEPT");
            commands.push(format!("{} -D {old}", program(chain)));
            Some(commands)
        }
        _ => None,
    }
}

/// The rule's protocol and source ports, with other destination ports; none if it asks for more.
fn opening_of(rule: &Rule, ports: &PortSet) -> Option<Opening> {
    let mut protocol = None;
    let mut source_ports = None;
    for condition in &rule.conditions {
        let Condition::Is(test) = condition else { return None };
        match test {
            Test::Protocols(numbers) => {
                let known = dayfly_ports::Protocol::ALL
                    .into_iter()
                    .find(|protocol| **numbers == [protocol.ip_number()])?;
                protocol = Some(known);
            }
            Test::SourcePort(spans) => source_ports = Some(Box::new(spans.to_set())),
            Test::DestinationPort(_) => {}
            _ => return None,
        }
    }
    Some(Opening { protocol: protocol?, source_ports, ports: Box::new(ports.clone()) })
}

fn nft_rule(opening: &Opening, accept: bool) -> String {
    let protocol = opening.protocol;
    let source = opening
        .source_ports
        .as_ref()
        .map(|ports| format!("{protocol} sport {} ", nft_ports(ports)))
        .unwrap_or_default();
    let verdict = if accept { "accept" } else { "drop" };
    format!("{source}{protocol} dport {} {verdict}", nft_ports(&opening.ports))
}

/// The command for a shell, to which braces mean something.
fn nft(rule: &str) -> String {
    if rule.contains('{') { format!("nft '{rule}'") } else { format!("nft {rule}") }
}

fn iptables(chain: &Chain, how: &str, specs: &[String], verdict: &str) -> Vec<String> {
    let mut words = chain.name.split(' ').skip(1);
    let (table, name) = (words.next().unwrap_or("filter"), words.next().unwrap_or("INPUT"));
    let table = if table == "filter" { String::new() } else { format!(" -t {table}") };
    let program = program(chain);
    specs.iter().map(|spec| format!("{program}{table} {how} {name} {spec} -j {verdict}")).collect()
}

fn program(chain: &Chain) -> &'static str {
    chain.dialect.name()
}
