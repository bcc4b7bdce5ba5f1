//! FreeBSD: `net.inet.ip.portrange.*`, three classes, ends that are clamped without a word.
//!
//! Source: `in_pcb.c` (`RANGECHK`, `in_pcb_lport_dest`), ip(4). The names of the low class are the
//! other way round: `lowfirst` 1023 is where the search begins, `lowlast` 600 where it ends.

use dayfly_ports::PortRange;

use super::{clamped, sysctl};
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{ALL, Rules, always, since, span};
use crate::{Class, Current, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System, Unit};

pub(super) static SYSTEM: System = System {
    name: "freebsd",
    aliases: &[],
    title: "FreeBSD",
    slots: &[
        Slot::new(
            ALL,
            "net.inet.ip.portrange.first",
            "net.inet.ip.portrange.last",
            &[since("until 4", 1024, 5000), since("", 10000, 65535)],
        ),
        Slot::new(
            ALL,
            "net.inet.ip.portrange.hifirst",
            "net.inet.ip.portrange.hilast",
            &[always(49152, 65535)],
        )
        .class(Class::High),
        Slot::new(
            ALL,
            "net.inet.ip.portrange.lowlast",
            "net.inet.ip.portrange.lowfirst",
            &[always(600, 1023)],
        )
        .class(Class::Low),
    ],
    recommended: None,
    unit: Unit::LowHigh,
    persists_in: "/etc/sysctl.conf",
    reads: &["sysctl net.inet.ip.portrange"],
    sockets: &["netstat -anW -p tcp", "netstat -anW -p udp"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "the default and high classes take 1024-65535, the low class 1-1023",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/freebsd.md"),
    rules: &FreeBsd,
};

/// Where the kernel keeps both ends of a class.
pub(super) fn bounds(class: Class) -> PortRange {
    match class {
        Class::Low => span(1, 1023),
        Class::Default | Class::High => span(1024, 65535),
    }
}

#[derive(Debug)]
struct FreeBsd;

impl Rules for FreeBsd {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        sysctl::read(system, text)
    }

    fn limits(&self, slot: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        clamped("FreeBSD", bounds(slot.class), range)
    }

    fn advice(&self, _: &Job<'_>) -> Vec<Remark> {
        vec![Remark::advice(
            "One range for IPv4 and IPv6, for TCP, UDP and SCTP. A jail with its own network stack \
             has its own.",
        )]
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        Ok(sysctl::steps(job, "sysctl"))
    }
}
