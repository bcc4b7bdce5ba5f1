//! How each system and stack behaves: its algorithm, within what a port is unique, its TIME_WAIT,
//! and what its calls say when there is no port. Ranges come from dayfly-systems.
//!
//! | system | source of algorithm and uniqueness |
//! |---|---|
//! | linux, android | `net/ipv4/inet_hashtables.c`, `inet_connection_sock.c`, `udp.c`; measured |
//! | freebsd | `sys/netinet/in_pcb.c`, `in_pcb_lport_dest`: looks the tuple up on connect() |
//! | openbsd | `sys/netinet/in_pcb.c`, `in_pcbpickport`: by local address and port |
//! | netbsd | `sys/netinet/portalgo.c`, `in_pcblookup_port`: by local address and port |
//! | macos | XNU `bsd/netinet/in_pcb.c`: by local address and port |
//! | solaris, illumos | `tcp_update_next_port`, `tcp_bindi`: by local address and port |
//! | traditional-bsd, bsdos, irix, tru64 | 4.4BSD `in_pcbbind`: by local address and port |
//! | dragonfly | an older copy of FreeBSD's |
//! | aix, hpux | algorithm not published: a counter, right for capacity only |
//! | windows, windows-xp | algorithm not published: a counter, right for capacity only |
//! | lwip | `src/core/tcp.c`, `tcp_new_port`: unique over all connections |
//! | gvisor | `pkg/tcpip/ports`: RFC 6056 algorithm 1, by tuple |
//! | uniform | dayfly-alloc's own: every free port as likely, by tuple |

use dayfly_alloc::strategy::{LinuxVersion, NetBsdAlgorithm};
use dayfly_ports::PortRange;
use dayfly_systems::{SYSTEMS, System};

use super::{Algorithm, Behaviour, Nanos, Reuse, SECOND, Scope};

/// What a system does unless told otherwise.
#[derive(Clone, Debug)]
pub(super) struct Known {
    pub(super) name: String,
    pub(super) behaviour: Behaviour,
    pub(super) range: PortRange,
    pub(super) time_wait: Nanos,
    pub(super) reuse: Reuse,
}

/// Stacks that are no operating systems.
const STACKS: [(&str, (u16, u16)); 4] = [
    ("traditional-bsd", (1024, 5000)),
    ("gvisor", (16000, 65535)),
    ("lwip", (49152, 65534)),
    ("uniform", (32768, 60999)),
];

/// Every name that [`known`] knows.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    SYSTEMS.iter().map(|system| system.name).chain(STACKS.iter().map(|(name, _)| *name))
}

/// The system or stack of this name, in this version.
pub(super) fn known(name: &str, version: Option<(u32, u32)>) -> Option<Known> {
    let system = dayfly_systems::find(name);
    let stack = STACKS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name.trim()));
    let (name, range) = match (system, stack) {
        (Some(system), _) => (system.name, range(system, version)),
        (_, Some((name, (low, high)))) => (*name, PortRange::new(*low, *high).ok()?),
        _ => return None,
    };
    let algorithm = algorithm(name, version);
    let tcp = match name {
        "linux" | "android" | "freebsd" | "gvisor" | "uniform" => Scope::Tuple,
        "lwip" => Scope::Host,
        _ => Scope::Address,
    };
    let (connect_error, bind_error, udp_error) = match name {
        "linux" | "android" => ("EADDRNOTAVAIL", "EADDRINUSE", "EAGAIN"),
        "netbsd" => ("EAGAIN", "EAGAIN", "EAGAIN"),
        "windows" | "windows-xp" => ("WSAENOBUFS", "WSAENOBUFS", "WSAENOBUFS"),
        "gvisor" => ("EADDRNOTAVAIL", "EADDRINUSE", "EAGAIN"),
        "lwip" => ("ERR_BUF", "ERR_BUF", "ERR_USE"),
        _ => ("EADDRNOTAVAIL", "EADDRNOTAVAIL", "EADDRNOTAVAIL"),
    };
    // Twice the maximum segment lifetime, by the system's own default.
    let time_wait = SECOND
        * match name {
            "macos" => 30,
            "aix" => 15,
            "windows" | "lwip" => 120,
            "windows-xp" => 240,
            _ => 60,
        };
    let since_4_19 = version.is_none_or(|version| version >= (4, 19));
    let reuse = match name {
        "linux" | "android" if since_4_19 => Reuse::Loopback(SECOND),
        _ => Reuse::Never,
    };
    let behaviour = Behaviour { algorithm, tcp, connect_error, bind_error, udp_error };
    Some(Known { name: name.to_owned(), behaviour, range, time_wait, reuse })
}

fn range(system: &System, version: Option<(u32, u32)>) -> PortRange {
    let Some(version) = version else { return system.default_range() };
    let older = match system.name {
        "linux" if version < (2, 4) => (1024, 4999),
        "linux" | "android" if version < (4, 2) => (32768, 61000),
        "freebsd" if version < (5, 0) => (1024, 5000),
        _ => return system.default_range(),
    };
    PortRange::new(older.0, older.1).unwrap_or(system.default_range())
}

fn algorithm(name: &str, version: Option<(u32, u32)>) -> Algorithm {
    match name {
        "linux" | "android" => Algorithm::Linux(match version {
            Some(version) if version < (4, 2) => LinuxVersion::Before4_2,
            Some(version) if version < (4, 6) => LinuxVersion::From4_2,
            Some(version) if version < (5, 12) => LinuxVersion::From4_6,
            Some(version) if version < (5, 18) => LinuxVersion::From5_12,
            _ => LinuxVersion::From5_18,
        }),
        "freebsd" if version.is_some_and(|version| version < (5, 0)) => Algorithm::Sequential,
        "freebsd" | "dragonfly" => Algorithm::FreeBsd,
        "openbsd" => Algorithm::OpenBsd,
        "netbsd" => Algorithm::NetBsd(NetBsdAlgorithm::Bsd),
        "solaris" | "illumos" => Algorithm::Illumos,
        "macos" => Algorithm::Xnu,
        "windows" => Algorithm::Windows,
        "gvisor" => Algorithm::Rfc6056(1),
        "uniform" => Algorithm::Uniform,
        "lwip" | "aix" | "hpux" => Algorithm::SequentialFromRandom,
        _ => Algorithm::Sequential,
    }
}

/// Strategies that can be asked for by name, for hosts and NATs.
const STRATEGIES: [(&str, Algorithm); 22] = [
    ("linux", Algorithm::Linux(LinuxVersion::From5_18)),
    ("freebsd", Algorithm::FreeBsd),
    ("openbsd", Algorithm::OpenBsd),
    ("netbsd-bsd", Algorithm::NetBsd(NetBsdAlgorithm::Bsd)),
    ("netbsd-random-start", Algorithm::NetBsd(NetBsdAlgorithm::RandomStart)),
    ("netbsd-random-pick", Algorithm::NetBsd(NetBsdAlgorithm::RandomPick)),
    ("netbsd-hash", Algorithm::NetBsd(NetBsdAlgorithm::Hash)),
    ("netbsd-doublehash", Algorithm::NetBsd(NetBsdAlgorithm::DoubleHash)),
    ("netbsd-randinc", Algorithm::NetBsd(NetBsdAlgorithm::RandInc)),
    ("illumos", Algorithm::Illumos),
    ("sequential", Algorithm::Sequential),
    ("sequential-from-random", Algorithm::SequentialFromRandom),
    ("xnu", Algorithm::Xnu),
    ("windows", Algorithm::Windows),
    ("rfc6056-1", Algorithm::Rfc6056(1)),
    ("rfc6056-2", Algorithm::Rfc6056(2)),
    ("rfc6056-3", Algorithm::Rfc6056(3)),
    ("rfc6056-4", Algorithm::Rfc6056(4)),
    ("rfc6056-5", Algorithm::Rfc6056(5)),
    ("uniform", Algorithm::Uniform),
    ("netfilter", Algorithm::Netfilter),
    ("vpp", Algorithm::Vpp),
];

/// The strategy of this name.
pub(super) fn strategy(name: &str) -> Option<Algorithm> {
    let name = name.trim();
    STRATEGIES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, known)| *known)
}

/// Every name that [`strategy`] knows.
pub(super) fn strategies() -> impl Iterator<Item = &'static str> {
    STRATEGIES.iter().map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_system_can_be_simulated() {
        for name in names() {
            let known = known(name, None).unwrap();
            assert_eq!(known.name, name);
            assert!(known.time_wait >= 15 * SECOND);
        }
    }

    #[test]
    fn old_versions_are_old() {
        let linux = known("linux", Some((2, 2))).unwrap();
        assert_eq!(linux.range.to_string(), "1024-4999");
        assert_eq!(linux.behaviour.algorithm, Algorithm::Linux(LinuxVersion::Before4_2));
        assert_eq!(linux.reuse, Reuse::Never);
        assert_eq!(known("freebsd", Some((4, 5))).unwrap().range.to_string(), "1024-5000");
    }
}
