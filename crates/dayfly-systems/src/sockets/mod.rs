//! Sockets, as the commands of a system list them.
//!
//! Four families of formats: that of BSD's netstat (`addr.port`), which AIX, HP-UX, IRIX, macOS and
//! Tru64 have as well; Solaris', with its counters between the addresses and the state; Windows';
//! and Linux', where netstat, `ss` and `/proc/net` all tell it. A line says by itself which of them
//! it is of, so whatever stands around a list is passed over, and a text may hold several.

mod bsd;
mod linux;
mod solaris;
mod windows;

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dayfly_ports::{Port, Protocol, Tuple};

/// Prints the files of `/proc/net` of Linux with their names, and in which order the machine has its bytes.
pub(crate) const LINUX: &str = "\
echo \"== order `printf '\\001\\000' | od -An -td2 2>/dev/null | tr -d ' '`\"
for f in tcp tcp6 udp udp6; do
    if test -r /proc/net/$f; then echo \"== $f\"; cat /proc/net/$f; fi
done";

/// A socket that holds a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its ends; the unspecified address and port 0 where it has no peer.
    pub tuple: Tuple,
    /// What it holds its port for.
    pub phase: Phase,
    /// For [`Phase::TimeWait`], where the list tells: milliseconds until it ends.
    pub left_ms: Option<u32>,
}

/// What a socket holds its port for, as far as lists of all systems tell alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It waits for connections.
    Listening,
    /// It is connected, or is being connected, or is being closed.
    Connected,
    /// It is closed, and the connection's ends are kept from use for a while.
    TimeWait,
    /// It is bound and not connected; every UDP socket without a peer is.
    Bound,
}

/// Everything that a text lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The sockets that hold a port.
    pub sockets: Vec<Listed>,
    /// Lines with an address that was cut off to fit its column: without its end, nobody knows
    /// which destination it is.
    pub cut: u64,
    /// Lines whose state is a word of no language that is known; they count as connected.
    pub unknown_states: u64,
    /// Whether anything in the text was a list of sockets, be it an empty one.
    pub is_list: bool,
}

/// What the lists in a text say.
#[must_use]
pub fn listed(text: &str) -> Listing {
    let mut listing = Listing::default();
    let mut section = Section::default();
    let mut seen = HashSet::new();
    for line in text.lines() {
        if section.is_head(line) {
            listing.is_list = true;
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let row = match &section.kind {
            Kind::Proc { .. } => linux::proc_net(&words, &section),
            Kind::Solaris { .. } => solaris::row(&words, &section),
            Kind::Named => named(&words),
        };
        let Some(row) = row else { continue };
        listing.is_list = true;
        let (socket, is_known) = match row {
            Row::Socket(socket) => (socket, true),
            Row::Unknown(socket) => (socket, false),
            Row::Cut => {
                listing.cut += 1;
                continue;
            }
            Row::Portless => continue,
        };
        // A connection can be listed for each of its processes, or by two commands.
        if socket.tuple.remote_port == Port::MIN || seen.insert(socket.tuple) {
            listing.unknown_states += u64::from(!is_known);
            listing.sockets.push(socket);
        }
    }
    listing
}

/// A line that is about one socket.
enum Row {
    Socket(Listed),
    /// Its state is no word that is known.
    Unknown(Listed),
    Cut,
    /// It has no port yet.
    Portless,
}

/// What the lines since the last head are about.
#[derive(Default)]
struct Section {
    kind: Kind,
    /// Whether the numbers of `/proc/net` are of a big-endian machine.
    big_endian: bool,
}

#[derive(Default)]
enum Kind {
    /// Each line begins with its protocol, or with a state (`ss`).
    #[default]
    Named,
    /// `/proc/net/tcp` and its like.
    Proc { protocol: Protocol },
    /// Solaris names protocol and family once.
    Solaris { protocol: Protocol, ipv6: bool },
}

impl Section {
    fn is_head(&mut self, line: &str) -> bool {
        let line = line.trim();
        if let Some(kind) = solaris::head(line) {
            self.kind = kind;
        } else if let Some(name) = line.strip_prefix(linux::MARK) {
            match linux::head(name) {
                Some(kind) => self.kind = kind,
                None => self.big_endian = name.trim() == "order 256",
            }
        } else if line.starts_with("Active ") || line.starts_with("Proto ") {
            self.kind = Kind::Named;
        } else {
            return false;
        }
        true
    }
}

/// A line that begins with its protocol. What follows tells whose netstat printed it: two numbers
/// (the queues) or an address.
fn named(words: &[&str]) -> Option<Row> {
    let (first, rest) = words.split_first()?;
    let Some(protocol) = protocol(first) else { return linux::ss(words, None) };
    if let [receive, send, local, remote, rest @ ..] = rest
        && is_number(receive)
        && is_number(send)
    {
        let state = rest.first().copied().unwrap_or_default();
        let colons = |end: &str| end.rsplit_once(':').is_some_and(|(_, port)| is_port(port));
        return if colons(local) && colons(remote) {
            linux::netstat(protocol, local, remote, state)
        } else {
            bsd::row(protocol, local, remote, state)
        };
    }
    match rest {
        [local, remote, rest @ ..] if local.contains(':') => {
            windows::row(protocol, local, remote, rest.first().copied().unwrap_or_default())
        }
        _ => linux::ss(rest, Some(protocol)),
    }
}

/// `tcp`, `tcp4`, `tcp6`, `tcp46`, `TCP`.
fn protocol(word: &str) -> Option<Protocol> {
    let word = word.trim_end_matches(['4', '6']);
    [Protocol::Tcp, Protocol::Udp, Protocol::Sctp]
        .into_iter()
        .find(|protocol| protocol.name().eq_ignore_ascii_case(word))
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

/// A port, or the sign for none.
fn is_port(word: &str) -> bool {
    word == "*" || is_number(word)
}

/// One end: `*` or an address, and `*` or a port.
struct End {
    address: Option<IpAddr>,
    port: Port,
}

/// Why a word is no end.
enum NoEnd {
    Cut,
    Other,
}

impl End {
    /// From the two parts of a word.
    fn new(address: &str, port: &str) -> Result<End, NoEnd> {
        let port = match port {
            "*" => Port::MIN,
            // Without its end, a port would be another one.
            _ if !is_number(port) => return Err(NoEnd::Other),
            port => Port::new(port.parse().map_err(|_| NoEnd::Other)?),
        };
        let bare = address.trim_start_matches('[').trim_end_matches(']');
        // The interface of a link-local address.
        let bare = bare.split_once('%').map_or(bare, |(bare, _)| bare);
        if bare == "*" {
            return Ok(End { address: None, port });
        }
        match bare.parse::<IpAddr>() {
            Ok(address) => Ok(End { address: Some(address), port }),
            // What begins like an address of IPv6 and is none has lost its end.
            Err(_) if bare.contains(':') => Err(NoEnd::Cut),
            Err(_) => Err(NoEnd::Other),
        }
    }
}

/// Both ends as a tuple. Where one end names no address, it is of the other's family.
fn tuple(protocol: Protocol, local: &End, remote: &End, ipv6: bool) -> Tuple {
    let is_v6 = |end: &End| end.address.map(|address| address.is_ipv6());
    let ipv6 = is_v6(local).or(is_v6(remote)).unwrap_or(ipv6);
    let any: IpAddr =
        if ipv6 { Ipv6Addr::UNSPECIFIED.into() } else { Ipv4Addr::UNSPECIFIED.into() };
    Tuple {
        protocol,
        local_address: local.address.unwrap_or(any),
        local_port: local.port,
        remote_address: remote.address.unwrap_or(any),
        remote_port: remote.port,
    }
}

/// A socket of these ends in a state by this name.
fn socket(protocol: Protocol, local: &End, remote: &End, ipv6: bool, state: &str) -> Row {
    if local.port == Port::MIN {
        return Row::Portless;
    }
    let tuple = tuple(protocol, local, remote, ipv6);
    let listed = |phase| Listed { tuple, phase, left_ms: None };
    let has_peer = remote.port != Port::MIN;
    if protocol == Protocol::Udp {
        return Row::Socket(listed(if has_peer { Phase::Connected } else { Phase::Bound }));
    }
    match phase(state) {
        Some(phase) => Row::Socket(listed(phase)),
        // In whatever language: who has no peer listens.
        None if !has_peer => Row::Socket(listed(Phase::Listening)),
        None => Row::Unknown(listed(Phase::Connected)),
    }
}

/// The states of RFC 9293 in the spellings of all systems, and German Windows' own words.
fn phase(state: &str) -> Option<Phase> {
    let plain: String = state
        .chars()
        .filter(|c| !matches!(c, '_' | '-' | '(' | ')'))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    Some(match plain.as_str() {
        "LISTEN" | "LISTENING" => Phase::Listening,
        "TIMEWAIT" | "WARTEND" => Phase::TimeWait,
        "BOUND" | "CLOSED" | "CLOSE" | "IDLE" | "UNCONN" => Phase::Bound,
        "ESTABLISHED" | "ESTAB" | "SYNSENT" | "SYNRECV" | "SYNRCVD" | "SYNRECEIVED"
        | "NEWSYNRECV" | "FINWAIT" | "FINWAIT1" | "FINWAIT2" | "CLOSEWAIT" | "LASTACK"
        | "CLOSING" | "HERGESTELLT" | "SCHLIESSENWARTEN" | "SYNGESENDET" | "SYNEMPFANGEN"
        | "FINWARTEN1" | "FINWARTEN2" | "LETZTEBEST" => Phase::Connected,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
