//! Linux: `/proc/net/tcp` and its like, `ss`, and netstat of net-tools.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dayfly_ports::{Port, Protocol};

use super::{End, Kind, Listed, NoEnd, Phase, Row, Section, is_number, phase, socket, tuple};

/// What stands before the name of a file of `/proc/net` in the output of [`LINUX`](super::LINUX).
pub(super) const MARK: &str = "== ";

/// `tcp`, `tcp6`, `udp`, `udp6`.
pub(super) fn head(name: &str) -> Option<Kind> {
    let protocol = match name.trim() {
        "tcp" | "tcp6" => Protocol::Tcp,
        "udp" | "udp6" => Protocol::Udp,
        _ => return None,
    };
    Some(Kind::Proc { protocol })
}

/// `0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 23 ...`: number,
/// both ends, state, queues, timer (`tcp4_seq_show`).
pub(super) fn proc_net(words: &[&str], section: &Section) -> Option<Row> {
    let Kind::Proc { protocol } = section.kind else { return None };
    let [number, local, remote, state, _, timer, ..] = words else { return None };
    if !number.ends_with(':') {
        return None;
    }
    let (local, remote) = (hex_end(local, section)?, hex_end(remote, section)?);
    let state = u8::from_str_radix(state, 16).ok()?;
    // include/net/tcp_states.h
    let phase = match state {
        _ if protocol == Protocol::Udp && remote.port == Port::MIN => Phase::Bound,
        6 => Phase::TimeWait,
        7 => Phase::Bound,
        10 => Phase::Listening,
        1..=12 => Phase::Connected,
        _ => return None,
    };
    if local.port == Port::MIN {
        return Some(Row::Portless);
    }
    // `03:` and hundredths of a second (USER_HZ).
    let left = timer.strip_prefix("03:").and_then(|left| u32::from_str_radix(left, 16).ok());
    let left_ms = left.filter(|_| phase == Phase::TimeWait).map(|left| left.saturating_mul(10));
    let tuple = tuple(protocol, &local, &remote, false);
    Some(Row::Socket(Listed { tuple, phase, left_ms }))
}

/// An address as the kernel has it in memory, printed as numbers of 32 bits.
fn hex_end(word: &str, section: &Section) -> Option<End> {
    let (address, port) = word.split_once(':')?;
    if !word.is_ascii() || port.len() != 4 {
        return None;
    }
    let port = Port::new(u16::from_str_radix(port, 16).ok()?);
    let mut bytes = Vec::with_capacity(16);
    for chunk in address.as_bytes().chunks(8) {
        let number = u32::from_str_radix(std::str::from_utf8(chunk).ok()?, 16).ok()?;
        bytes.extend(if section.big_endian { number.to_be_bytes() } else { number.to_le_bytes() });
    }
    let address: IpAddr = match (address.len(), &bytes[..]) {
        (8, bytes) => Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?).into(),
        (32, bytes) => Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?).into(),
        _ => return None,
    };
    Some(End { address: Some(address), port })
}

/// `tcp  0  0 127.0.0.1:22  0.0.0.0:*  LISTEN`; without -W a long address loses its end.
pub(super) fn netstat(protocol: Protocol, local: &str, remote: &str, state: &str) -> Option<Row> {
    let end = |word: &str| {
        let (address, port) = word.rsplit_once(':').ok_or(NoEnd::Other)?;
        End::new(address, port)
    };
    match (end(local), end(remote)) {
        (Ok(local), Ok(remote)) => Some(socket(protocol, &local, &remote, false, state)),
        (Err(NoEnd::Cut), _) | (_, Err(NoEnd::Cut)) => Some(Row::Cut),
        _ => None,
    }
}

/// `ESTAB 0 0 10.0.0.5:40000 10.0.0.1:443`, with the protocol before it or, where only one was
/// asked for, without. Without it, it is TCP.
pub(super) fn ss(words: &[&str], protocol: Option<Protocol>) -> Option<Row> {
    let [state, receive, send, local, remote, ..] = words else { return None };
    if !is_number(receive) || !is_number(send) {
        return None;
    }
    let is_datagram = *state == "UNCONN" && protocol.is_none();
    phase(state).filter(|_| !is_datagram)?;
    let end = |word: &str| {
        let (address, port) = word.rsplit_once(':')?;
        End::new(address, port).ok()
    };
    let protocol = protocol.unwrap_or(Protocol::Tcp);
    Some(socket(protocol, &end(local)?, &end(remote)?, false, state))
}
