//! DragonFly BSD: FreeBSD's names and clamps, with the defaults of FreeBSD 4.
//!
//! Source: `in_pcb.c`.

use dayfly_ports::PortRange;

use super::{clamped, freebsd, sysctl};
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{Rules, TCP_UDP, always};
use crate::{Class, Current, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System, Unit};

pub(super) static SYSTEM: System = System {
    name: "dragonfly",
    aliases: &["dragonflybsd"],
    title: "DragonFly BSD",
    slots: &[
        Slot::new(
            TCP_UDP,
            "net.inet.ip.portrange.first",
            "net.inet.ip.portrange.last",
            &[always(1024, 5000)],
        ),
        Slot::new(
            TCP_UDP,
            "net.inet.ip.portrange.hifirst",
            "net.inet.ip.portrange.hilast",
            &[always(49152, 65535)],
        )
        .class(Class::High),
        Slot::new(
            TCP_UDP,
            "net.inet.ip.portrange.lowlast",
            "net.inet.ip.portrange.lowfirst",
            &[always(600, 1023)],
        )
        .class(Class::Low),
    ],
    recommended: Some(PortRange::DYNAMIC),
    unit: Unit::LowHigh,
    persists_in: "/etc/sysctl.conf",
    reads: &["sysctl net.inet.ip.portrange"],
    sockets: &["netstat -anW -p tcp", "netstat -anW -p udp"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "the default and high classes take 1024-65535, the low class 1-1023",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/dragonfly.md"),
    rules: &DragonFly,
};

#[derive(Debug)]
struct DragonFly;

impl Rules for DragonFly {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        sysctl::read(system, text)
    }

    fn limits(&self, slot: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        clamped("DragonFly BSD", freebsd::bounds(slot.class), range)
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        Ok(sysctl::steps(job, "sysctl"))
    }
}
