//! AIX: four tunables of `no`, which also keeps them across a boot.
//!
//! Source: the manual page of `no` (IBM), `no -a` of 7.x.

use crate::order::{self, End};
use crate::plan::{Change, Job};
use crate::remark::Remark;
use crate::system::{Rules, TCP, UDP, always};
use crate::{
    Action, Check, Current, ReadError, Refusal, ScriptKind, Slot, Step, System, Unit, When,
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
    reserving: None,
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

/// Both tunables in one command. Where what is set is not known, the high one first goes to the
/// top for the running system, from where every order is right.
fn of_change(change: &Change, when: When) -> Vec<Step> {
    let slot = change.slot;
    let flag = match when {
        When::Both => "-p ",
        When::Runtime => "",
        When::Boot => "-r ",
    };
    let name = |end| if end == End::Low { slot.low } else { slot.high };
    let command = |writes: [order::Write; 2], value: fn(&order::Write) -> Option<u16>| {
        let words: Vec<String> = writes
            .iter()
            .filter_map(|write| Some(format!("-o {}={}", name(write.end), value(write)?)))
            .collect();
        format!("no {flag}{}", words.join(" "))
    };
    let mut steps = Vec::new();
    let is_known = change.from.is_some();
    let reset = |name: &str| Action::Run(format!("no {flag}-d {name}"));
    // From the top every low end is right, so the low one goes first.
    let writes = order::both(change.from.unwrap_or((1024, u16::MAX)), change.to);
    if !is_known && when.now() && change.to.high().number() != u16::MAX {
        steps.push(Step {
            when: When::Runtime,
            action: Action::Run(format!("no -o {}=65535", slot.high)),
            check: Check::new(
                format!("no -o {} -o {}", slot.low, slot.high),
                format!("{} = 65535", slot.high),
            ),
            undo: vec![reset(slot.high)],
        });
    }
    let undo = if is_known {
        // Backwards through the same states.
        let mut back = writes;
        back.reverse();
        vec![Action::Run(command(back, |write| write.before))]
    } else {
        vec![reset(slot.high), reset(slot.low)]
    };
    // The high one first where it is the top: right from every state.
    let top = !is_known && change.to.high().number() == u16::MAX;
    let mut ordered = writes;
    if top {
        ordered.sort_by_key(|write| write.end == End::Low);
    }
    let (low, high) = (change.to.low(), change.to.high());
    let boot = if when == When::Boot { "-r " } else { "" };
    steps.push(Step {
        when,
        action: Action::Run(command(ordered, |write| Some(write.value))),
        check: Check::new(
            format!("no {boot}-o {} -o {}", slot.low, slot.high),
            format!("{} = {low} {} = {high}", slot.low, slot.high),
        ),
        undo,
    });
    steps
}
