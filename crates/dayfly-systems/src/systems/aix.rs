//! AIX: four tunables of `no`, which also keeps them across a boot.
//!
//! Source: the manual page of `no` (IBM), `no -a` of 7.x.

use crate::order::{self, End};
use crate::plan::{Change, Job};
use crate::remark::Remark;
use crate::system::{Rules, TCP, UDP, always};
use crate::{
    Action, Check, Current, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System, Unit,
    When,
};

pub(super) static SYSTEM: System = System {
    name: "aix",
    aliases: &[],
    title: "AIX",
    slots: &[
        Slot::new(TCP, "tcp_ephemeral_low", "tcp_ephemeral_high", &[always(32768, 65535)]),
        Slot::new(UDP, "udp_ephemeral_low", "udp_ephemeral_high", &[always(32768, 65535)]),
    ],
    recommended: None,
    unit: Unit::LowHigh,
    persists_in: "/etc/tunables/nextboot",
    reads: &["no -a"],
    sockets: &["netstat -an -f inet", "netstat -an -f inet6"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "take a range above 1023",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/aix.md"),
    rules: &Aix,
};

#[derive(Debug)]
struct Aix;

impl Rules for Aix {
    /// `no -a`, `no -o NAME`, and the stanza of `/etc/tunables/nextboot`.
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let values = crate::read::named(system, text)?;
        let current = Current::of_values(system, |name| values.get(name).copied());
        if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
    }

    fn limits(&self, _: &Slot, range: dayfly_ports::PortRange, _: Option<&Current>) -> Vec<Remark> {
        if range.low().number() < 1024 {
            return vec![Remark::breaks(format!(
                "AIX 4.3 does not check values, and {range} would hand out privileged ports; \
                 dayfly makes no plan for it"
            ))];
        }
        Vec::new()
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let mut remarks = vec![Remark::advice(
            "Each change is logged to syslog (facility kern). `no` takes no blank next to the \
             equals sign.",
        )];
        if job.when.at_boot() {
            remarks.push(Remark::advice(
                "`no -p` and `no -r` write /etc/tunables/nextboot themselves; AIX before 5.2 has \
                 neither, and takes the `no` commands in /etc/rc.tcpip.",
            ));
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        Ok(job.changes.iter().flat_map(|change| of_change(change, job.when)).collect())
    }
}

/// One command for each tunable: one that fails leaves nothing half done.
fn of_change(change: &Change, when: When) -> Vec<Step> {
    let flag = match when {
        When::Both => "-p ",
        When::Runtime => "",
        When::Boot => "-r ",
    };
    let slot = change.slot;
    let default = slot.default_range();
    let writes = match change.from {
        // What is already in force may still be forgotten at boot, so both are always written.
        Some(old) if when.at_boot() => order::both(old, change.to).to_vec(),
        from => order::writes(from, change.to),
    };
    let step = |write: order::Write| {
        let (name, default) = match write.end {
            End::Low => (slot.low, default.low().number()),
            End::High => (slot.high, default.high().number()),
        };
        let set = |value: u16| format!("no {flag}-o {name}={value}");
        let undo = match write.before {
            Some(before) if before != default => set(before),
            // Forgets the change in nextboot as well.
            _ => format!("no {flag}-d {name}"),
        };
        let boot = if when == When::Boot { "-r " } else { "" };
        Step {
            when,
            action: Action::Run(set(write.value)),
            check: Check::new(format!("no {boot}-o {name}"), format!("{name} = {}", write.value)),
            undo: vec![Action::Run(undo)],
        }
    };
    writes.into_iter().map(step).collect()
}
