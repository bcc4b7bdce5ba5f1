//! Sun RPC: services that listen wherever they were put, and clients that take low ports.
//!
//! A service asks the system for a port and tells rpcbind, so that a firewall, or a service that
//! comes later, never knows. Clients call `bindresvport(3)`, which starts at `pid % 424 + 600` and
//! takes the next free port below 1024: printing (631), LDAP (636), rsync (873) and mail (993) have
//! lost theirs that way.

use dayfly_ports::{Port, PortRange, PortSet, Protocol};

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
const PORTMAPPER: u32 = 100_000;

/// The programs of `rpcinfo -p`, one for each port: number, version, protocol, port, name. rpcbind
/// itself is left out.
#[must_use]
pub fn programs(text: &str) -> Vec<Program> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let number: u32 = words.next()?.parse().ok().filter(|number| *number != PORTMAPPER)?;
        let protocol: Protocol = words.nth(1)?.parse().ok()?;
        let port: Port = words.next()?.parse().ok().filter(|port| *port != Port::MIN)?;
        Some(Program { number, name: words.next().map(str::to_owned), protocol, port })
    };
    let mut programs: Vec<Program> = text.lines().filter_map(line).collect();
    programs.sort();
    // Every version has a line of its own.
    programs.dedup();
    programs
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

    /// How the port is made the same each time, below every range that systems start with; none
    /// where nothing general can be said.
    #[must_use]
    pub const fn pin(&self) -> Option<&'static str> {
        Some(match self.number {
            100_024 => {
                "in /etc/nfs.conf: [statd] port=32765 and outgoing-port=32766 (rpc.statd -p 32765 -o \
                 32766)"
            }
            100_005 => "in /etc/nfs.conf: [mountd] port=20048 (rpc.mountd -p 20048)",
            100_021 => {
                "in /etc/nfs.conf: [lockd] port=4045 and udp-port=4045 (sysctl fs.nfs.nlm_tcpport \
                 and nlm_udpport)"
            }
            100_011 => "rpc.rquotad -p 32767",
            100_004 => "ypserv -p 32764",
            _ => return None,
        })
    }
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
    fn kept_ports_are_read_without_their_names() {
        assert_eq!(kept_ports("# a\n631\t# cups\n636 # ldaps\nx\n").to_string(), "631,636");
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,60}|([0-9]{1,7} +[0-9] +(tcp|udp) +[0-9]{1,6} [a-z]*\n){0,4}") {
            for program in programs(&text) {
                prop_assert_ne!(program.port, Port::MIN);
            }
            let _ = kept_ports(&text);
        }
    }
}
