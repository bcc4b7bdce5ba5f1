//! Sun RPC: services that listen wherever they were put, and clients that take low ports.
//!
//! A service asks the system for a port and tells rpcbind, so that a firewall, or a service that
//! comes later, never knows. Clients call `bindresvport(3)`, which starts at `pid % 424 + 600` and
//! takes the next free port below 1024: printing (631), LDAP (636), rsync (873) and mail (993) have
//! lost theirs that way.

use std::net::IpAddr;

use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use crate::firewall::model::Family;

/// The ports of `bindresvport(3)` (glibc's and libtirpc's `bindresvport.c`).
pub const LOW: (u16, u16) = (600, 1023);

/// A service that rpcbind knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// The program's number (`/etc/rpc`).
    pub number: u32,
    /// Its name, where `/etc/rpc` has one.
    pub name: Option<String>,
    /// The protocol.
    pub protocol: Protocol,
    /// The port.
    pub port: Port,
    /// Whose clients are sent there.
    pub family: Family,
    /// Where it said that it listens; none where the list has ports only.
    pub address: Option<IpAddr>,
}

/// How RPC is used in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RpcUse {
    /// What rpcbind knows, itself not included.
    pub programs: Vec<Program>,
    /// Whether a file system of another host is mounted by NFS.
    pub mounts_nfs: bool,
    /// The ports that `bindresvport` keeps away from (`/etc/bindresvport.blacklist`).
    pub kept: Box<PortSet>,
}

impl RpcUse {
    /// Whether anybody may call `bindresvport`.
    #[must_use]
    pub const fn takes_low_ports(&self) -> bool {
        self.mounts_nfs || !self.programs.is_empty()
    }
}

/// rpcbind's own number.
pub const PORTMAPPER: u32 = 100_000;

/// The programs that rpcbind knows, one for each port, without rpcbind itself: as [`registered`].
#[must_use]
pub fn programs(text: &str) -> Vec<Program> {
    let mut programs = registered(text);
    programs.retain(|program| program.number != PORTMAPPER);
    programs
}

/// What `rpcinfo -p` prints (number, version, protocol, port, name), or `rpcinfo` (number, version,
/// netid, universal address, name, owner), one program for each port. The first knows of IPv4 only.
#[must_use]
pub fn registered(text: &str) -> Vec<Program> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let number: u32 = words.next()?.parse().ok()?;
        let netid = words.nth(1)?;
        let (family, protocol) = match netid.strip_suffix('6') {
            Some(protocol) => (Family::Ipv6, protocol),
            None => (Family::Ipv4, netid),
        };
        let protocol: Protocol = protocol.parse().ok()?;
        let (address, port) = place(words.next()?)?;
        let name = words.next().filter(|name| *name != "-").map(str::to_owned);
        Some(Program { number, name, protocol, port, family, address })
    };
    let mut programs: Vec<Program> =
        text.lines().filter_map(line).filter(|one| one.port != Port::MIN).collect();
    programs.sort();
    // Every version has a line of its own.
    programs.dedup();
    programs
}

/// A port, or an address with a port's two bytes behind it: `0.0.0.0.0.111`, `::.0.111` (RFC 5665,
/// section 5.2.3.2).
fn place(word: &str) -> Option<(Option<IpAddr>, Port)> {
    if let Ok(port) = word.parse() {
        return Some((None, port));
    }
    let (rest, low) = word.rsplit_once('.')?;
    let (address, high) = rest.rsplit_once('.')?;
    let port = u16::from_be_bytes([high.parse().ok()?, low.parse().ok()?]);
    let address = address.split('%').next()?.parse().ok()?;
    Some((Some(address), port.into()))
}

/// The ports in `/etc/bindresvport.blacklist`: one a line.
#[must_use]
pub fn kept_ports(text: &str) -> Box<PortSet> {
    let lines = text.lines().filter_map(|line| line.split('#').next()?.trim().parse::<Port>().ok());
    Box::new(lines.collect())
}

/// The low ports as a set.
#[must_use]
pub fn low_ports() -> PortSet {
    PortRange::new(LOW.0, LOW.1).map_or(PortSet::EMPTY, PortSet::from)
}

impl Program {
    /// `status (100024)`.
    #[must_use]
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.number),
            None => format!("program {}", self.number),
        }
    }

    /// The protocol and the family as rpcbind names both: `tcp`, `tcp6`.
    #[must_use]
    pub fn netid(&self) -> String {
        let six = if self.family == Family::Ipv6 { "6" } else { "" };
        format!("{}{six}", self.protocol)
    }

    /// Whether it can be reached from outside, as far as it said.
    #[must_use]
    pub fn is_public(&self) -> bool {
        !self.address.is_some_and(|address| address.is_loopback())
    }

    /// How the port is made the same each time, below every range that systems start with; none
    /// where nothing general can be said.
    #[must_use]
    pub const fn pin(&self) -> Option<Pin> {
        let (port, how) = match self.number {
            100_024 => (
                32765,
                "in /etc/nfs.conf: [statd] port=32765 and outgoing-port=32766 (rpc.statd -p 32765 -o \
                 32766)",
            ),
            100_005 => (20048, "in /etc/nfs.conf: [mountd] port=20048 (rpc.mountd -p 20048)"),
            100_021 => (
                4045,
                "in /etc/nfs.conf: [lockd] port=4045 and udp-port=4045 (sysctl fs.nfs.nlm_tcpport \
                 and nlm_udpport)",
            ),
            100_011 => (32767, "rpc.rquotad -p 32767"),
            100_004 => (32764, "ypserv -p 32764"),
            _ => return None,
        };
        Some(Pin { port, how })
    }
}

/// A port that a program can be told to use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pin {
    /// Which.
    pub port: u16,
    /// Where it is told.
    pub how: &'static str,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TEXT: &str = "   program vers proto   port  service\n\
            100000    4   tcp    111  portmapper\n\
            100024    1   udp  53412  status\n\
            100024    1   tcp  32995  status\n\
            100003    3   tcp   2049  nfs\n\
            100003    4   tcp   2049  nfs\n\
            391002    2   tcp  40000\n";

    #[test]
    fn programs_are_read_once_for_each_port() {
        let told: Vec<String> = programs(TEXT)
            .iter()
            .map(|one| format!("{} {} {}", one.title(), one.protocol, one.port))
            .collect();
        assert_eq!(
            told,
            [
                "nfs (100003) tcp 2049",
                "status (100024) tcp 32995",
                "status (100024) udp 53412",
                "program 391002 tcp 40000"
            ]
        );
    }

    #[test]
    fn both_families_are_read_with_their_addresses() {
        let text = "   program version netid     address                service    owner\n\
            100000    4    local     /run/rpcbind.sock      portmapper superuser\n\
            100000    3    udp6      ::.0.111               portmapper superuser\n\
            100024    1    tcp       0.0.0.0.137.147        status     superuser\n\
            100024    1    tcp6      ::.154.3               status     superuser\n\
            400122    1    tcp       127.0.0.1.3.20         -          unknown\n\
            400123    1    tcp       0.0.0.0.256.1          -          unknown\n";
        let told: Vec<String> = registered(text)
            .iter()
            .map(|one| format!("{} {} {} {}", one.title(), one.netid(), one.port, one.is_public()))
            .collect();
        assert_eq!(
            told,
            [
                "portmapper (100000) udp6 111 true",
                "status (100024) tcp 35219 true",
                "status (100024) tcp6 39427 true",
                "program 400122 tcp 788 false"
            ]
        );
    }

    #[test]
    fn kept_ports_are_read_without_their_names() {
        assert_eq!(kept_ports("# a\n631\t# cups\n636 # ldaps\nx\n").to_string(), "631,636");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,60}|([0-9]{1,7} +[0-9] +(tcp|udp)6? +[0-9.:]{1,12} [a-z]*\n){0,4}") {
            for program in programs(&text) {
                prop_assert_ne!(program.port, Port::MIN);
            }
            let _ = kept_ports(&text);
        }
    }
}
