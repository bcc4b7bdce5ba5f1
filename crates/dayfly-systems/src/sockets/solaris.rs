//! Solaris' netstat: heads that name protocol and family, addresses as on BSD, then counters, and
//! the state at the end, where IPv6 has the interface after it.

use dayfly_ports::{Port, Protocol};

use super::bsd::end;
use super::{End, Kind, NoEnd, Row, Section, phase, socket};

/// `TCP: IPv4`, `UDP: IPv6`, `SCTP:`.
pub(super) fn head(line: &str) -> Option<Kind> {
    let (name, family) = line.split_once(':')?;
    let protocol = match name {
        "TCP" => Protocol::Tcp,
        "UDP" => Protocol::Udp,
        "SCTP" => Protocol::Sctp,
        _ => return None,
    };
    match family.trim() {
        "IPv4" | "" => Some(Kind::Solaris { protocol, ipv6: false }),
        "IPv6" => Some(Kind::Solaris { protocol, ipv6: true }),
        _ => None,
    }
}

pub(super) fn row(words: &[&str], section: &Section) -> Option<Row> {
    let Kind::Solaris { protocol, ipv6 } = section.kind else { return None };
    let (first, rest) = words.split_first()?;
    let local = end(first);
    if protocol == Protocol::Udp {
        let local = local.ok()?;
        let none = End { address: None, port: Port::MIN };
        let remote = rest.first().and_then(|word| end(word).ok()).unwrap_or(none);
        return Some(socket(protocol, &local, &remote, ipv6, ""));
    }
    let remote = end(rest.first()?);
    // With -u the owner stands before the counters, so the state is looked for.
    let state = rest.iter().skip(1).find(|word| phase(word).is_some())?;
    match (local, remote) {
        (Ok(local), Ok(remote)) => Some(socket(protocol, &local, &remote, ipv6, state)),
        (Err(NoEnd::Cut), _) | (_, Err(NoEnd::Cut)) => Some(Row::Cut),
        _ => None,
    }
}
