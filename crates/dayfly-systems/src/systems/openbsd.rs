//! OpenBSD: `net.inet.ip.port{,hi}{first,last}`, hardly checked, and lists of ports left out.
//!
//! Source: `ip_input.c` (`sysctl_bounded_args`), `in_pcb.c`, `in.h`, sysctl(8).

use dayfly_ports::{PortRange, PortSet, Protocol};

use super::{kernel_list, sysctl};
use crate::plan::Job;
use crate::remark::Remark;
use crate::system::{Rules, TCP, TCP_UDP, UDP, always};
use crate::{
    Action, Check, Class, Current, ReadError, Refusal, Reserved, Reserving, ScriptKind, Slot, Step,
    System, Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "openbsd",
    aliases: &[],
    title: "OpenBSD",
    slots: &[
        Slot::new(TCP_UDP, "net.inet.ip.portfirst", "net.inet.ip.portlast", &[always(1024, 49151)]),
        Slot::new(
            TCP_UDP,
            "net.inet.ip.porthifirst",
            "net.inet.ip.porthilast",
            &[always(49152, 65535)],
        )
        .class(Class::High),
        Slot::new(TCP_UDP, "IPPORT_RESERVEDSTART", "IPPORT_RESERVED - 1", &[always(600, 1023)])
            .class(Class::Low)
            .fixed(),
    ],
    recommended: Some(PortRange::DYNAMIC),
    unit: Unit::LowHigh,
    persists_in: "/etc/sysctl.conf",
    reads: &[
        "sysctl net.inet.ip.portfirst net.inet.ip.portlast net.inet.ip.porthifirst \
         net.inet.ip.porthilast",
        "sysctl net.inet.tcp.baddynamic net.inet.udp.baddynamic",
    ],
    sockets: &["netstat -anv -f inet", "netstat -anv -f inet6"],
    privilege: "root",
    reserving: Reserving::List {
        setting: "net.inet.tcp.baddynamic, net.inet.udp.baddynamic",
        is_by_protocol: true,
    },
    instead: "begin at 1024 or above; the low class is built into the kernel",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/openbsd.md"),
    rules: &OpenBsd,
};

const LISTS: [(Protocol, &[Protocol], &str); 2] = [
    (Protocol::Tcp, TCP, "net.inet.tcp.baddynamic"),
    (Protocol::Udp, UDP, "net.inet.udp.baddynamic"),
];

#[derive(Debug)]
struct OpenBsd;

impl Rules for OpenBsd {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let values = crate::read::named(system, text)?;
        let mut current = Current::of_values(system, |name| values.get(name).copied());
        for (line, name, value) in crate::read::pairs(text) {
            if let Some((_, protocols, _)) = LISTS.iter().find(|(_, _, list)| *list == name) {
                let ports = kernel_list::ports(line, name, value)?;
                current.reserved.retain(|found| found.protocols != *protocols);
                current.reserved.push(Reserved { protocols, ports });
            }
        }
        if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
    }

    fn limits(&self, _: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        if range.low().number() < 1024 {
            return vec![Remark::warning(
                "OpenBSD accepts ports below 1024 here, and hands them to programs without \
                 privilege.",
            )];
        }
        Vec::new()
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        let mut steps = sysctl::steps(job, "sysctl");
        if let Some(ports) = job.reserve {
            for (protocol, _, list) in LISTS.iter().filter(|(protocol, ..)| job.is_for(*protocol)) {
                steps.extend(reserve(job, *protocol, list, ports));
            }
        }
        for (protocol, _, list) in LISTS.iter().filter(|(protocol, ..)| job.is_for(*protocol)) {
            steps.extend(unreserve(job, *protocol, list));
        }
        Ok(steps)
    }
}

/// The ports are added one list item at a time (`+8080,+9000-9010`), so that what is there stays.
fn reserve(job: &Job<'_>, protocol: Protocol, list: &str, ports: &PortSet) -> Vec<Step> {
    let mut added = ports.clone();
    if let Some(present) = job.current.and_then(|now| now.reserved(protocol)) {
        added -= present;
    }
    if added.is_empty() {
        return Vec::new();
    }
    // The list is printed port by port.
    let expect: Vec<_> = added.iter().map(|port| port.to_string()).collect();
    let check = Check::new(format!("sysctl -n {list} | tr ',' ' '"), expect.join(" "));
    signed(job.when, list, ['+', '-'], &added, check)
}

/// The ports are taken out one list item at a time, at boot after whatever puts them in.
fn unreserve(job: &Job<'_>, protocol: Protocol, list: &str) -> Vec<Step> {
    let Some((present, left)) = job.left(protocol) else { return Vec::new() };
    let mut removed = present.clone();
    removed -= &left;
    let expect: Vec<_> = left.iter().map(|port| port.to_string()).collect();
    // Round a list that may be empty.
    let check =
        Check::new(format!("echo \"=$(sysctl -n {list})=\""), format!("={}=", expect.join(",")));
    signed(job.when, list, ['-', '+'], &removed, check)
}

/// A list is changed by items with a sign; the other sign takes that back.
fn signed(
    when: When,
    list: &str,
    [sign, back]: [char; 2],
    ports: &PortSet,
    check: Check,
) -> Vec<Step> {
    let signed = |sign: char| {
        let items = ports.to_string();
        items.split(',').map(|item| format!("{sign}{item}")).collect::<Vec<_>>().join(",")
    };
    let mut steps = Vec::new();
    if when.now() {
        steps.push(Step {
            when: When::Runtime,
            action: Action::Run(format!("sysctl {list}={}", signed(sign))),
            check,
            undo: vec![Action::Run(format!("sysctl {list}={}", signed(back)))],
        });
    }
    if when.at_boot() {
        let conf = "/etc/sysctl.conf";
        let (line, other) =
            (format!("{list}={}", signed(sign)), format!("{list}={}", signed(back)));
        let without = |lines: &str, then: &str| {
            format!(
                "cp -p {conf} {conf}.new && {{ grep -Fvx {lines} {conf} > {conf}.new || test $? -eq \
                 1; }} {then}&& mv {conf}.new {conf}"
            )
        };
        // The lines are applied in their order, so the last word is that of the last one.
        let last = without(
            &format!("-e '{line}' -e '{other}'"),
            &format!("&& printf '%s\\n' '{line}' >> {conf}.new "),
        );
        steps.push(Step {
            when: When::Boot,
            action: Action::Run(format!(": >> {conf} && {last}")),
            check: Check::new(format!("grep '^{list}=' {conf} | tail -n 1"), &line),
            undo: vec![Action::Run(without(&format!("-e '{line}'"), ""))],
        });
    }
    steps
}
