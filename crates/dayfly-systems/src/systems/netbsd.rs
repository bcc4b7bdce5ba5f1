//! NetBSD: `anonportmin` and `anonportmax`, apart for IPv4 and IPv6, strictly checked.
//!
//! Source: `tcp_input.c` (`sysctl_net_inet_ip_ports`), `in_pcb.c`, sysctl.conf(5).

use dayfly_ports::PortRange;

use super::{bounded, sysctl};
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{Rules, TCP_UDP, always, span};
use crate::{
    Class, Current, Family, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System, Unit,
};

pub(super) static SYSTEM: System = System {
    name: "netbsd",
    aliases: &[],
    title: "NetBSD",
    slots: &[
        Slot::new(
            TCP_UDP,
            "net.inet.ip.anonportmin",
            "net.inet.ip.anonportmax",
            &[always(49152, 65535)],
        )
        .family(Family::Ipv4),
        Slot::new(
            TCP_UDP,
            "net.inet6.ip6.anonportmin",
            "net.inet6.ip6.anonportmax",
            &[always(49152, 65535)],
        )
        .family(Family::Ipv6),
        Slot::new(
            TCP_UDP,
            "net.inet.ip.lowportmin",
            "net.inet.ip.lowportmax",
            &[always(600, 1023)],
        )
        .family(Family::Ipv4)
        .class(Class::Low),
        Slot::new(
            TCP_UDP,
            "net.inet6.ip6.lowportmin",
            "net.inet6.ip6.lowportmax",
            &[always(600, 1023)],
        )
        .family(Family::Ipv6)
        .class(Class::Low),
    ],
    recommended: None,
    unit: Unit::LowHigh,
    persists_in: "/etc/sysctl.conf",
    reads: &[
        "sysctl net.inet.ip.anonportmin net.inet.ip.anonportmax net.inet.ip.lowportmin \
         net.inet.ip.lowportmax",
        "sysctl net.inet6.ip6.anonportmin net.inet6.ip6.anonportmax net.inet6.ip6.lowportmin \
         net.inet6.ip6.lowportmax",
    ],
    sockets: &["netstat -anv -f inet", "netstat -anv -f inet6"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "take two ports or more from 1024-65535; the low class takes 600-1023",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/netbsd.md"),
    rules: &NetBsd,
};

#[derive(Debug)]
struct NetBsd;

impl Rules for NetBsd {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        sysctl::read(system, text)
    }

    fn limits(&self, slot: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        if range.len() == 1 {
            return vec![Remark::refused(format!(
                "NetBSD refuses {range}: the low end has to lie below the high end"
            ))];
        }
        let bounds = if slot.class == Class::Low { span(600, 1023) } else { span(1024, 65535) };
        bounded("NetBSD", bounds, range)
    }

    fn advice(&self, _: &Job<'_>) -> Vec<Remark> {
        vec![Remark::advice("IPv4 and IPv6 have settings of their own; the plan sets both alike.")]
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        Ok(sysctl::steps(job, "sysctl -w"))
    }
}
