//! The rules, one file each, in the order of their codes.

mod bound_by_hand;
mod churn;
mod cliff;
mod configured_inside;
mod conntrack;
mod firewall;
mod folklore;
mod ftp;
mod full;
mod habits;
mod holes;
mod listener_inside;
mod low_range;
mod namespaces;
mod near_cliff;
mod rpc;
mod same_parity;
mod selinux;
mod stale_file;
mod stuck_time_wait;
mod tftp;
mod too_many_time_wait;
mod truncated;

use dayfly_ports::PortSet;

use super::{Found, NamespaceEvidence, Rule};

/// Every rule. A code is never reused: a rule that goes away leaves a gap.
pub const RULES: &[Rule] = &[
    full::RULE,
    cliff::RULE,
    near_cliff::RULE,
    bound_by_hand::RULE,
    listener_inside::RULE,
    configured_inside::RULE,
    low_range::RULE,
    same_parity::RULE,
    churn::RULE,
    holes::RULE,
    folklore::RULE,
    stale_file::RULE,
    truncated::RULE,
    too_many_time_wait::RULE,
    stuck_time_wait::RULE,
    conntrack::RULE,
    namespaces::RULE,
    selinux::RULE,
    habits::RULE,
    ftp::IGNORED,
    ftp::UNLIMITED,
    ftp::TOO_SMALL,
    ftp::SHARED,
    ftp::FIREWALL,
    tftp::RULE,
    rpc::UNPINNED,
    rpc::LOW,
    firewall::OTHER,
    firewall::MORE,
    firewall::EXPOSED,
    firewall::UNREACHABLE,
];

/// How many things of one kind a finding lists by name.
const SHOWN: usize = 10;

/// The remedy for ports that services need: reserve them, beside what is reserved already.
fn reserve(found: Found, namespace: &NamespaceEvidence, ports: &PortSet) -> Found {
    let when = if namespace.is_host { ", now and after each boot" } else { "" };
    found.remedy(
        namespace.shell.dayfly(&format!("reserve {ports}")),
        format!(
            "outgoing connections no longer take these ports{when}; binding to them still works"
        ),
    )
}

#[cfg(test)]
pub(crate) mod fixture {
    //! Evidence to try rules on.

    use dayfly_ports::{Port, Protocol, Tuple};

    use crate::blame::{Accusation, Habit};
    use crate::doctor::{Blamed, Evidence, Listening, NamespaceEvidence};
    use crate::why::Shell;
    use crate::{Destination, DestinationKey, Fold, Headroom, Settings, Socket, State};

    /// A destination with these counts.
    pub(crate) fn destination(usable: u32, used: u32, blocked: u32, fast_free: u32) -> Destination {
        let free = usable - used - blocked;
        Destination {
            key: DestinationKey {
                protocol: Protocol::Tcp,
                source: [192, 0, 2, 1].into(),
                destination: [198, 51, 100, 7].into(),
                port: Port::new(443),
            },
            usable,
            used,
            time_wait: used,
            reusable: 0,
            blocked,
            suspected: 0,
            free,
            free_min: free,
            fast_free,
        }
    }

    /// The host's namespace at its defaults, with these destinations.
    pub(crate) fn namespace(destinations: Vec<Destination>) -> NamespaceEvidence {
        let headroom = Fold::new(Settings::linux_defaults(), 0).finish();
        NamespaceEvidence {
            name: "host".to_owned(),
            shell: Shell::default(),
            is_host: true,
            headroom: Headroom { destinations, ..headroom },
            listeners: Vec::new(),
            stuck_time_wait: Vec::new(),
            time_wait_overflow: None,
            conntrack: None,
            blamed: Vec::new(),
            bound_first: None,
            opens_per_second: None,
            ftp_servers: Vec::new(),
            tftp_servers: Vec::new(),
            rpc: crate::rpc::RpcUse::default(),
            firewall: crate::firewall::remedies::Diagnosis::default(),
            open_to_all: None,
        }
    }

    /// The host's namespace with another range.
    pub(crate) fn with_range(range: &str) -> NamespaceEvidence {
        let mut one = namespace(Vec::new());
        for setting in &mut one.headroom.settings.ranges {
            setting.range = range.parse().unwrap();
        }
        one
    }

    /// Evidence of nothing but this namespace.
    pub(crate) fn on(namespace: NamespaceEvidence) -> Evidence {
        Evidence { namespaces: vec![namespace], ..Evidence::default() }
    }

    /// A TCP listener of nginx.
    pub(crate) fn listening(address: &str) -> Listening {
        let owner = Some("nginx (pid 71)".to_owned());
        Listening { protocol: Protocol::Tcp, address: address.parse().unwrap(), owner }
    }

    /// A Python program with two hundred connections and this habit.
    pub(crate) fn blamed(habit: Habit) -> Blamed {
        Blamed {
            accusation: Accusation {
                program: "python3 crawler.py".to_owned(),
                habit,
                confidence: 1.0,
                connections: 200,
                other_parity: 200,
                ports: [Port::new(40_001)].into_iter().collect(),
            },
            pid: 71,
            executable: "python3".to_owned(),
            confirmed: false,
        }
    }

    /// A socket of a destination.
    pub(crate) fn socket_of(row: &Destination, state: State) -> Socket {
        let tuple = Tuple {
            protocol: row.key.protocol,
            local_address: row.key.source,
            local_port: Port::new(40_000),
            remote_address: row.key.destination,
            remote_port: row.key.port,
        };
        Socket::new(tuple, state)
    }
}
