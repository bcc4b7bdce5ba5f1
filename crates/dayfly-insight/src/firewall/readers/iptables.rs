//! iptables: what `iptables-save` and `ip6tables-save` print (iptables(8), iptables-extensions(8)).

mod matches;
mod targets;
mod words;

use std::collections::HashMap;

use self::words::words;
use super::ReadError;
use crate::firewall::model::{
    Base, Chain, Condition, Dialect, Family, Hook, Rule, Ruleset, Verdict,
};

/// Reads the tables of one family.
///
/// # Errors
/// [`ReadError`] when there is a line that iptables-save does not write.
pub fn read(text: &str, family: Family) -> Result<Ruleset, ReadError> {
    let mut ruleset = Ruleset::default();
    let mut table = Table::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let number = index + 1;
        match line.as_bytes().first() {
            None | Some(b'#') => {}
            Some(b'*') => table = Table::new(&line[1..], ruleset.chains.len()),
            Some(b':') => {
                let mut parts = line[1..].split_whitespace();
                let name = parts.next().unwrap_or_default();
                let policy = parts.next().unwrap_or("-");
                let chain = table.chain(name, policy, family);
                table.by_name.insert(name.to_owned(), ruleset.chains.len());
                ruleset.chains.push(chain);
            }
            _ if line == "COMMIT" => table = Table::default(),
            _ => {
                // Counters in front, with `iptables-save -c`.
                let rule = match line.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                    Some((_, rest)) => rest.trim_start(),
                    None => line,
                };
                let words = words(rule);
                let [append, chain, options @ ..] = words.as_slice() else {
                    return Err(unknown(number, line));
                };
                if !matches!(append.as_str(), "-A" | "-I") || table.name.is_empty() {
                    return Err(unknown(number, line));
                }
                let Some(&index) = table.by_name.get(chain) else {
                    return Err(ReadError::new(format_args!(
                        "line {number}: there is no chain {chain:?} in the table {:?}",
                        table.name
                    )));
                };
                let mut parsed = rules(options, &table.by_name, family);
                for parsed in &mut parsed {
                    parsed.text = rule.into();
                }
                let rules = &mut ruleset.chains[index].rules;
                let at = if append == "-I" { 0 } else { rules.len() };
                rules.splice(at..at, parsed);
            }
        }
    }
    if ruleset.chains.is_empty()
        && !text.lines().all(|line| line.is_empty() || line.starts_with('#'))
    {
        return Err(ReadError::new("there is no chain: it is not what iptables-save prints"));
    }
    Ok(ruleset)
}

fn unknown(number: usize, line: &str) -> ReadError {
    let shown: String = line.chars().take(60).collect();
    ReadError::new(format_args!("line {number} is not one of iptables-save: {shown:?}"))
}

/// The table that is read.
#[derive(Default)]
struct Table {
    name: String,
    by_name: HashMap<String, usize>,
}

impl Table {
    fn new(name: &str, _chains: usize) -> Self {
        Table { name: name.to_owned(), by_name: HashMap::new() }
    }

    fn chain(&self, name: &str, policy: &str, family: Family) -> Chain {
        // The priorities of `enum nf_ip_hook_priorities`.
        let (priority, nat) = match (self.name.as_str(), name) {
            ("raw", _) => (-300, false),
            ("mangle", _) => (-150, false),
            ("nat", "PREROUTING" | "OUTPUT") => (-100, true),
            ("nat", _) => (100, true),
            ("security", _) => (50, false),
            _ => (0, false),
        };
        let hook = match name {
            "PREROUTING" => Some(Hook::Prerouting),
            "INPUT" => Some(Hook::Input),
            "FORWARD" => Some(Hook::Forward),
            "OUTPUT" => Some(Hook::Output),
            "POSTROUTING" => Some(Hook::Postrouting),
            _ => None,
        };
        let base = hook.filter(|_| policy != "-").map(|hook| Base {
            hook,
            priority,
            first_packet_only: nat,
            accepts: policy != "DROP",
        });
        let dialect = match family {
            Family::Ipv4 => Dialect::Iptables,
            Family::Ipv6 => Dialect::Ip6tables,
        };
        let program = dialect.name();
        Chain {
            name: format!("{program} {} {name}", self.name),
            dialect,
            family: Some(family),
            base,
            rules: Vec::new(),
        }
    }
}

/// The rules that the options of one make.
fn rules(options: &[String], chains: &HashMap<String, usize>, family: Family) -> Vec<Rule> {
    let mut rule = Rule::always(Verdict::Continue);
    let mut rest = options;
    let mut parser = matches::Parser::new(family);
    while let Some((word, after)) = rest.split_first() {
        rest = match word.as_str() {
            "-j" | "--jump" | "-g" | "--goto" => {
                let Some((target, options)) = after.split_first() else { break };
                let jumps = matches!(word.as_str(), "-j" | "--jump");
                targets::apply(target, options, jumps, chains, &mut rule);
                // Files that people write have matches behind the target as well.
                let more = options.iter().position(|word| word == "-m");
                more.map_or(&[], |more| &options[more..])
            }
            _ => parser.option(rest, &mut rule.conditions),
        };
    }
    if parser.is_lost() {
        rule.conditions.push(Condition::opaque(parser.lost()));
    }
    vec![rule]
}

#[cfg(test)]
mod tests {
    use dayfly_ports::{PortSet, Protocol};

    use super::*;
    use crate::firewall::packet::{Direction, Packet};
    use crate::firewall::region::Region;

    const SAVED: &str = include_str!("../../../tests/firewall/iptables.rules");

    fn tcp_ports(state: crate::firewall::model::State) -> (PortSet, PortSet) {
        let ruleset = read(SAVED, Family::Ipv4).unwrap();
        let packet = Packet { state, ..Packet::first(Direction::In, Family::Ipv4, Protocol::Tcp) };
        let outcome = ruleset.evaluate(&packet, &Region::product(&PortSet::FULL, &PortSet::FULL));
        (outcome.surely_passed().ports(), outcome.opaque.ports())
    }

    #[test]
    fn multiport_is_read_where_nft_sees_nothing() {
        use crate::firewall::model::State;
        let (open, opaque) = tcp_ports(State::New);
        assert_eq!(open.to_string(), "22,80,443,8000-8010");
        assert!(opaque.is_empty());
        assert_eq!(tcp_ports(State::Established).0, PortSet::FULL);
    }

    #[test]
    fn what_is_not_iptables_is_refused() {
        for wrong in ["hello", "-A INPUT -j ACCEPT", "*filter\n-A INPUT -j ACCEPT\nCOMMIT\n"] {
            assert!(read(wrong, Family::Ipv4).is_err(), "{wrong}");
        }
        assert!(read("# nothing\n", Family::Ipv4).unwrap().chains.is_empty());
    }
}
