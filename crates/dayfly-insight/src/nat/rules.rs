//! The rules that translate source addresses, as nft and iptables print them: which ports they
//! give. What else a rule matches on is left to whoever reads the rule's text.

use std::net::IpAddr;

use dayfly_ports::{PortRange, PortSet, Protocol};
use serde_json::Value;

use super::NatKey;

/// A rule that translates source addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NatRule {
    /// `masquerade` or `snat`.
    pub kind: NatKind,
    /// For which protocol; none for all.
    pub protocol: Option<Protocol>,
    /// Whether it is for IPv4 (true) or IPv6; none for both.
    pub is_v4: Option<bool>,
    /// The outer addresses, first and last; none for the interface's (masquerade).
    pub addresses: Option<(IpAddr, IpAddr)>,
    /// The outer ports; none if the kernel chooses.
    pub ports: Option<PortRange>,
    /// The rule, as people know it.
    pub text: String,
}

/// How the outer address is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NatKind {
    /// The address of the interface that the packet leaves by.
    Masquerade,
    /// The address in the rule.
    Snat,
}

impl NatKind {
    /// `masquerade` or `snat`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            NatKind::Masquerade => "masquerade",
            NatKind::Snat => "snat",
        }
    }
}

impl NatRule {
    /// Whether the ports of a row may come from this rule. Ports that no rule gives (the outer
    /// host's own connections) do not speak against it as long as some do.
    pub(super) fn could_give(&self, key: &NatKey, taken: &PortSet) -> bool {
        let protocol = self.protocol.is_none_or(|protocol| protocol == key.protocol);
        let family = self.is_v4.is_none_or(|v4| v4 == key.address.is_ipv4());
        let address =
            self.addresses.is_none_or(|(first, last)| first <= key.address && key.address <= last);
        let ports = self.ports.is_none_or(|ports| taken.intersection_len(&ports.into()) > 0);
        protocol && family && address && ports
    }
}

/// The rules of `nft -j list ruleset` (`libnftables-json(5)`). Empty for a text that is none.
#[must_use]
pub fn from_nft_json(text: &str) -> Vec<NatRule> {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let objects = document["nftables"].as_array().into_iter().flatten();
    objects.filter_map(|object| nft_rule(&object["rule"])).collect()
}

fn nft_rule(rule: &Value) -> Option<NatRule> {
    let statements = rule["expr"].as_array()?;
    let (kind, statement) = statements.iter().find_map(|statement| {
        let kinds = [("masquerade", NatKind::Masquerade), ("snat", NatKind::Snat)];
        kinds.into_iter().find_map(|(name, kind)| Some((kind, statement.get(name)?)))
    })?;
    let port = &statement["port"];
    let ports = match port.as_u64() {
        Some(port) => Some(span(port, port)?),
        None => match pair(&port["range"]) {
            Some((low, high)) => Some(span(low.as_u64()?, high.as_u64()?)?),
            None => None,
        },
    };
    let is_v4 = match statement["family"].as_str().or(rule["family"].as_str()) {
        Some("ip") => Some(true),
        Some("ip6") => Some(false),
        _ => None,
    };
    let addr = &statement["addr"];
    let addresses = match addr.as_str() {
        Some(text) => Some(text.parse().ok()?).map(|address: IpAddr| (address, address)),
        None => match pair(&addr["range"]) {
            Some((low, high)) => Some((low.as_str()?.parse().ok()?, high.as_str()?.parse().ok()?)),
            None => None,
        },
    };
    let protocol = statements.iter().find_map(|statement| protocol_of(&statement["match"]));
    let mut text = kind.name().to_owned();
    if let Some((first, last)) = addresses {
        let range = if first == last { first.to_string() } else { format!("{first}-{last}") };
        text += &format!(" to {range}");
    }
    if let Some(ports) = ports {
        text += &format!("{}:{ports}", if addresses.is_some() { "" } else { " to " });
    }
    let place = [&rule["family"], &rule["table"], &rule["chain"]].map(Value::as_str);
    if let [Some(family), Some(table), Some(chain)] = place {
        text += &format!(" ({family} {table} {chain})");
    }
    Some(NatRule { kind, protocol, is_v4, addresses, ports, text })
}

/// The protocol that a match asks for: `meta l4proto tcp`, `ip protocol udp`, `tcp dport 80`.
fn protocol_of(matches: &Value) -> Option<Protocol> {
    if matches["op"].as_str().is_some_and(|op| op == "!=") {
        return None;
    }
    let left = &matches["left"];
    let by_number = left["meta"]["key"] == "l4proto" || left["payload"]["field"] == "protocol";
    let name = if by_number { &matches["right"] } else { &left["payload"]["protocol"] };
    name.as_str()?.parse().ok()
}

fn pair(range: &Value) -> Option<(&Value, &Value)> {
    match range.as_array()?.as_slice() {
        [low, high] => Some((low, high)),
        _ => None,
    }
}

fn span(low: u64, high: u64) -> Option<PortRange> {
    PortRange::new(u16::try_from(low).ok()?, u16::try_from(high).ok()?).ok()
}

/// The rules of `iptables-save -t nat` or `ip6tables-save -t nat` (`iptables-extensions(8)`), with
/// the chain that each is in.
#[must_use]
pub fn from_iptables_save(text: &str) -> Vec<NatRule> {
    text.lines().filter_map(iptables_rule).collect()
}

fn iptables_rule(line: &str) -> Option<NatRule> {
    let words: Vec<&str> = line.split_whitespace().collect();
    // Behind `!` a value excludes.
    let after = |names: &[&str]| {
        let at = words.iter().position(|word| names.contains(word))?;
        let negated = at > 0 && words[at - 1] == "!";
        words.get(at + 1).copied().filter(|_| !negated)
    };
    if words.first() != Some(&"-A") {
        return None;
    }
    let (kind, target) = match after(&["-j", "--jump"])? {
        "MASQUERADE" => (NatKind::Masquerade, after(&["--to-ports"])),
        "SNAT" => (NatKind::Snat, after(&["--to-source"])),
        _ => return None,
    };
    let (addresses, ports) = match (kind, target) {
        (_, None) => (None, None),
        (NatKind::Masquerade, Some(ports)) => (None, Some(ports.parse().ok()?)),
        (NatKind::Snat, Some(target)) => {
            let (addresses, ports) = to_source(target)?;
            (Some(addresses), ports)
        }
    };
    Some(NatRule {
        kind,
        protocol: after(&["-p", "--protocol"]).and_then(|name| name.parse().ok()),
        is_v4: addresses.map(|(first, _): (IpAddr, IpAddr)| first.is_ipv4()),
        addresses,
        ports,
        text: line.trim().to_owned(),
    })
}

/// `192.0.2.1-192.0.2.4:40000-40019`, IPv6 addresses in brackets before ports.
fn to_source(target: &str) -> Option<((IpAddr, IpAddr), Option<PortRange>)> {
    let (addresses, ports) = match target.strip_prefix('[') {
        Some(rest) => {
            let (inside, after) = rest.split_once(']')?;
            (inside, after.strip_prefix(':'))
        }
        None if target.contains('.') => match target.split_once(':') {
            Some((addresses, ports)) => (addresses, Some(ports)),
            None => (target, None),
        },
        None => (target, None),
    };
    let (first, last) = addresses.split_once('-').unwrap_or((addresses, addresses));
    let ports = match ports {
        Some(ports) => Some(ports.parse().ok()?),
        None => None,
    };
    Some(((first.parse().ok()?, last.parse().ok()?), ports))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(rules: &[NatRule]) -> Vec<String> {
        let one = |rule: &NatRule| {
            let protocol = rule.protocol.map_or("any", Protocol::name);
            let ports = rule.ports.map_or("-".to_owned(), |ports| ports.to_string());
            format!("{} {protocol} {ports} | {}", rule.kind.name(), rule.text)
        };
        rules.iter().map(one).collect()
    }

    #[test]
    fn rules_of_nft() {
        let text = r#"{"nftables": [{"metainfo": {"json_schema_version": 1}},
            {"rule": {"family": "ip", "table": "nat", "chain": "post", "expr": [
                {"match": {"op": "==", "left": {"meta": {"key": "l4proto"}}, "right": "tcp"}},
                {"masquerade": {"port": {"range": [40000, 40019]}}}]}},
            {"rule": {"family": "inet", "table": "nat", "chain": "post", "expr": [
                {"match": {"op": "==", "left": {"payload": {"protocol": "udp", "field": "dport"}},
                    "right": 53}},
                {"snat": {"family": "ip", "addr": {"range": ["192.0.2.1", "192.0.2.4"]},
                    "port": 5353}}]}},
            {"rule": {"family": "ip6", "table": "nat", "chain": "post", "expr": [
                {"masquerade": null}]}},
            {"rule": {"family": "ip", "table": "filter", "chain": "in", "expr": [
                {"accept": null}]}}]}"#;
        let rules = from_nft_json(text);
        assert_eq!(
            told(&rules),
            [
                "masquerade tcp 40000-40019 | masquerade to :40000-40019 (ip nat post)",
                "snat udp 5353-5353 | snat to 192.0.2.1-192.0.2.4:5353-5353 (inet nat post)",
                "masquerade any - | masquerade (ip6 nat post)",
            ]
        );
        assert_eq!(
            rules.iter().map(|rule| rule.is_v4).collect::<Vec<_>>(),
            [Some(true), Some(true), Some(false)]
        );
    }

    #[test]
    fn rules_of_iptables() {
        let text = "*nat\n:POSTROUTING ACCEPT [0:0]\n\
            -A POSTROUTING -o eth0 -p tcp -j MASQUERADE --to-ports 40000-40019\n\
            -A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1-192.0.2.4:1024-2000\n\
            -A POSTROUTING ! -p tcp -j SNAT --to-source [2001:db8::1]:5000\n\
            -A POSTROUTING -j SNAT --to-source 2001:db8::1\n\
            -A PREROUTING -p tcp -j DNAT --to-destination 10.0.0.2:80\nCOMMIT\n";
        let rules = from_iptables_save(text);
        let short: Vec<_> =
            told(&rules).iter().map(|line| line.split(" |").next().unwrap().to_owned()).collect();
        assert_eq!(
            short,
            [
                "masquerade tcp 40000-40019",
                "snat any 1024-2000",
                "snat any 5000-5000",
                "snat any -"
            ]
        );
        assert_eq!(rules[1].addresses.unwrap().1.to_string(), "192.0.2.4");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,60}|-A P( (-j|!|-p|SNAT|--to-source|tcp|[0-9.:\\[\\]-]{0,9})){0,7}") {
            let _ = from_iptables_save(&text);
            let _ = from_nft_json(&text);
        }
    }
}
