//! What one network namespace is configured with.

use std::net::IpAddr;

use dayfly_ports::{PortRange, PortSet, Protocol};

use crate::{Socket, State};

/// One configured range and what it applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RangeSetting {
    /// The protocol it is for.
    pub protocol: Protocol,
    /// The span, both ends included.
    pub range: PortRange,
}

/// The settings that decide which ports a namespace hands out.
///
/// Every value is the one in force, not the one on disk. `None` means that this kernel has no
/// such setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The range of each protocol that the system has.
    pub ranges: Vec<RangeSetting>,
    /// Ports that are never handed out (`net.ipv4.ip_local_reserved_ports`). An explicit bind to
    /// one still works.
    pub reserved: Box<PortSet>,
    /// Ports below this number need a privilege to bind (`net.ipv4.ip_unprivileged_port_start`).
    pub unprivileged_floor: u32,
    /// How long TIME_WAIT lasts, in seconds. 60 on Linux (`TCP_TIMEWAIT_LEN`), not configurable.
    pub time_wait_seconds: u32,
    /// When a TIME_WAIT tuple may be taken over by a new connection (`net.ipv4.tcp_tw_reuse`).
    pub tw_reuse: TimeWaitReuse,
    /// How old a TIME_WAIT must be for that, in milliseconds (`net.ipv4.tcp_tw_reuse_delay`,
    /// since 6.14; one second before).
    pub tw_reuse_delay_ms: u32,
    /// Whether TCP timestamps are on (`net.ipv4.tcp_timestamps`); without them TIME_WAIT is never
    /// taken over.
    pub timestamps: bool,
    /// Whether bind(0) may share a port (`net.ipv4.ip_autobind_reuse`).
    pub autobind_reuse: Option<bool>,
    /// How many TIME_WAIT the namespace keeps (`net.ipv4.tcp_max_tw_buckets`).
    pub max_time_wait: Option<u32>,
    /// The largest increment of the search (`net.ipv4.ip_local_port_step_width`, since 7.2).
    pub step_width: Option<u32>,
}

/// `net.ipv4.tcp_tw_reuse`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeWaitReuse {
    /// 0: a TIME_WAIT tuple is never taken over.
    Off,
    /// 1: taken over wherever it is safe.
    Everywhere,
    /// 2, the default: only when one end is a loopback address.
    Loopback,
}

impl TimeWaitReuse {
    /// The number that the sysctl holds.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            TimeWaitReuse::Off => 0,
            TimeWaitReuse::Everywhere => 1,
            TimeWaitReuse::Loopback => 2,
        }
    }

    /// The meaning of the sysctl's number; none for a number that no kernel accepts.
    #[must_use]
    pub const fn from_number(number: u32) -> Option<Self> {
        match number {
            0 => Some(TimeWaitReuse::Off),
            1 => Some(TimeWaitReuse::Everywhere),
            2 => Some(TimeWaitReuse::Loopback),
            _ => None,
        }
    }
}

impl Settings {
    /// What a new network namespace of a current Linux kernel starts with.
    #[must_use]
    pub fn linux_defaults() -> Self {
        let range_of = |protocol| RangeSetting { protocol, range: PortRange::LINUX_DEFAULT };
        Settings {
            ranges: vec![range_of(Protocol::Tcp), range_of(Protocol::Udp)],
            reserved: Box::new(PortSet::EMPTY),
            unprivileged_floor: 1024,
            time_wait_seconds: 60,
            tw_reuse: TimeWaitReuse::Loopback,
            tw_reuse_delay_ms: 1000,
            timestamps: true,
            autobind_reuse: Some(false),
            max_time_wait: None,
            step_width: None,
        }
    }

    /// The range of a protocol; none if the system has no such protocol.
    #[must_use]
    pub fn range(&self, protocol: Protocol) -> Option<PortRange> {
        self.ranges.iter().find(|setting| setting.protocol == protocol).map(|found| found.range)
    }

    /// The ports that the system can hand out: the range without the reserved ports.
    #[must_use]
    pub fn usable(&self, protocol: Protocol) -> PortSet {
        let mut usable = self.range(protocol).map_or(PortSet::EMPTY, PortSet::from);
        usable -= &self.reserved;
        usable
    }

    /// Whether a new connection may take this TIME_WAIT's tuple over now.
    ///
    /// The rule is `tcp_twsk_unique` in `net/ipv4/tcp_ipv4.c`, with one thing that sockets do not
    /// show left out: that the old connection really used timestamps.
    #[must_use]
    pub fn reuses(&self, socket: &Socket) -> bool {
        if socket.state != State::TimeWait {
            return false;
        }
        let tuple = socket.tuple.canonical();
        let life_ms = self.time_wait_seconds.saturating_mul(1000);
        let age_ms = life_ms.saturating_sub(socket.timer_ms);
        age_ms > self.tw_reuse_delay_ms
            && self.takes_over(tuple.local_address, tuple.remote_address)
    }

    /// Whether any TIME_WAIT between these addresses, if old enough, is taken over.
    pub(crate) fn takes_over(&self, source: IpAddr, destination: IpAddr) -> bool {
        self.timestamps
            && match self.tw_reuse {
                TimeWaitReuse::Off => false,
                TimeWaitReuse::Everywhere => true,
                TimeWaitReuse::Loopback => source.is_loopback() || destination.is_loopback(),
            }
    }
}

#[cfg(test)]
mod tests {
    use dayfly_ports::{Port, Tuple};

    use super::*;

    fn time_wait(local: &str, left_ms: u32) -> Socket {
        let tuple = Tuple {
            protocol: Protocol::Tcp,
            local_address: local.parse().unwrap(),
            local_port: Port::new(40000),
            remote_address: local.parse().unwrap(),
            remote_port: Port::new(80),
        };
        Socket { timer_ms: left_ms, ..Socket::new(tuple, State::TimeWait) }
    }

    #[test]
    fn time_wait_is_taken_over_as_the_kernel_does() {
        let settings = |tw_reuse| Settings { tw_reuse, ..Settings::linux_defaults() };
        let (young, old) = (59_500, 58_500);
        for (reuse, address, left_ms, expected) in [
            (TimeWaitReuse::Off, "127.0.0.1", old, false),
            (TimeWaitReuse::Loopback, "127.0.0.1", old, true),
            (TimeWaitReuse::Loopback, "::ffff:127.0.0.1", old, true),
            (TimeWaitReuse::Loopback, "::1", old, true),
            (TimeWaitReuse::Loopback, "127.0.0.1", young, false),
            (TimeWaitReuse::Loopback, "192.0.2.1", old, false),
            (TimeWaitReuse::Everywhere, "192.0.2.1", old, true),
            (TimeWaitReuse::Everywhere, "192.0.2.1", young, false),
        ] {
            let found = settings(reuse).reuses(&time_wait(address, left_ms));
            assert_eq!(found, expected, "{reuse:?} {address} {left_ms}");
        }
        let mut blind = settings(TimeWaitReuse::Everywhere);
        blind.timestamps = false;
        assert!(!blind.reuses(&time_wait("192.0.2.1", old)));
    }

    #[test]
    fn usable_is_the_range_without_the_reserved_ports() {
        let mut settings = Settings::linux_defaults();
        *settings.reserved = "1-100,32768,40000-40009".parse().unwrap();
        assert_eq!(settings.usable(Protocol::Tcp).len(), 28232 - 11);
        assert!(settings.usable(Protocol::Sctp).is_empty());
    }
}
