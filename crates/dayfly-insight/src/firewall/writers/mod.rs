//! Rules to apply, in a firewall's own words.

pub mod emit;
pub mod place;

use dayfly_ports::{PortRange, PortSet, Protocol};

/// What a rule is to let in or out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The protocol.
    pub protocol: Protocol,
    /// Only from these ports.
    pub source_ports: Option<Box<PortSet>>,
    /// To these.
    pub ports: Box<PortSet>,
}

/// Ports in nft's words: `80`, `1-9`, `{ 80, 1000-2000 }`.
fn nft_ports(ports: &PortSet) -> String {
    let text = listed(ports, '-', ", ");
    if text.contains(',') { format!("{{ {text} }}") } else { text }
}

/// Ports as a list: `80,1000:2000` with `:` and `,`.
fn listed(ports: &PortSet, to: char, comma: &str) -> String {
    let one = |range: PortRange| match range.len() {
        1 => range.low().to_string(),
        _ => format!("{}{to}{}", range.low(), range.high()),
    };
    ports.ranges().map(one).collect::<Vec<_>>().join(comma)
}

/// How many ports an extension of iptables takes, where a range counts as two
/// (iptables-extensions(8), multiport; ufw(8)).
const MULTIPORT: usize = 15;

/// The set in parts that fit into a multiport match.
fn in_parts(ports: &PortSet) -> Vec<PortSet> {
    let mut parts = Vec::new();
    let mut part = PortSet::EMPTY;
    let mut weight = 0;
    for range in ports.ranges() {
        let more = if range.len() == 1 { 1 } else { 2 };
        if weight + more > MULTIPORT {
            parts.push(std::mem::take(&mut part));
            weight = 0;
        }
        weight += more;
        part.insert_range(range);
    }
    if weight > 0 {
        parts.push(part);
    }
    parts
}
