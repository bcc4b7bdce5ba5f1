//! Tru64 UNIX: two attributes of the subsystem `inet`, and a stanza for the next boot.
//!
//! Source: sysconfig(8), sysconfigdb(8), sys_attrs_inet(5).

use dayfly_ports::PortRange;

use crate::order::{self, End};
use crate::plan::{Change, Job};
use crate::remark::Remark;
use crate::system::{Rules, TCP_UDP, always};
use crate::{
    Action, Check, Current, ReadError, Refusal, ScriptKind, Slot, Step, System, Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "tru64",
    aliases: &["osf1", "digitalunix", "digital-unix"],
    title: "Tru64 UNIX",
    slots: &[Slot::new(
        TCP_UDP,
        "ipport_userreserved_min",
        "ipport_userreserved",
        &[always(1024, 5000)],
    )],
    recommended: Some(PortRange::DYNAMIC),
    unit: Unit::LowHigh,
    persists_in: "/etc/sysconfigtab",
    reads: &["/sbin/sysconfig -q inet ipport_userreserved ipport_userreserved_min"],
    sockets: &["netstat -an -f inet", "netstat -an -f inet6"],
    privilege: "root",
    reserving: None,
    instead: "take a range from 1024-65535",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/tru64.md"),
    rules: &Tru64,
};

const STANZA: &str = "/etc/inet.stanza.dayfly";

#[derive(Debug)]
struct Tru64;

impl Rules for Tru64 {
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        // "unknown attribute" of old kernels and "reconfigured" after a change are no values.
        let lines: String = text
            .lines()
            .filter(|line| line.chars().any(|c| c.is_ascii_digit()) && line.contains('='))
            .flat_map(|line| [line, "\n"])
            .collect();
        let values = crate::read::named(system, &lines)?;
        let current = Current::of_values(system, |name| values.get(name).copied());
        if current.is_empty() { Err(ReadError::nothing(system)) } else { Ok(current) }
    }

    fn limits(&self, _: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        if range.low().number() < 1024 {
            return vec![Remark::breaks(format!(
                "{range} would hand out the privileged ports of Tru64 UNIX; dayfly makes no plan \
                 for it"
            ))];
        }
        Vec::new()
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let mut remarks = vec![Remark::advice(
            "Old kernels answer \"unknown attribute\" to ipport_userreserved_min: there the low end \
             is 1024.",
        )];
        if job.when.at_boot() {
            remarks.push(Remark::advice(
                "sysconfigdb -m merges into an entry inet: that is already there. OSF/1 before 4.0 \
                 has only -a, which adds a whole entry.",
            ));
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        let mut steps = Vec::new();
        for change in &job.changes {
            if job.when.now() {
                steps.push(runtime(change));
            }
            if job.when.at_boot() {
                steps.extend(boot(change));
            }
        }
        Ok(steps)
    }
}

/// Both attributes in one command, which applies them one after another.
fn runtime(change: &Change) -> Step {
    let writes = order::both(change.old_or_default(), change.to);
    let name = |write: &order::Write| super::setting(change.slot, write);
    let command = |words: Vec<String>| format!("/sbin/sysconfig -r inet {}", words.join(" "));
    let mut there: Vec<String> =
        writes.iter().map(|write| format!("{}={}", name(write), write.value)).collect();
    if change.from.is_none() {
        // From the top every low end is right.
        let (low, high) = (change.to.low(), change.to.high());
        there = vec![format!("{}=65535", change.slot.high), format!("{}={low}", change.slot.low)];
        if high.number() != u16::MAX {
            there.push(format!("{}={high}", change.slot.high));
        }
    }
    let back = writes
        .iter()
        .rev()
        .map(|write| format!("{}={}", name(write), super::previous(change, write)))
        .collect();
    let show = |end: End| if end == End::Low { change.to.low() } else { change.to.high() };
    Step {
        when: When::Runtime,
        action: Action::Run(command(there)),
        check: Check::new(
            format!("/sbin/sysconfig -q inet {} {}", change.slot.high, change.slot.low),
            format!(
                "{} = {} {} = {}",
                change.slot.high,
                show(End::High),
                change.slot.low,
                show(End::Low)
            ),
        ),
        undo: vec![Action::Run(command(back))],
    }
}

/// The stanza: the subsystem in the first column, each attribute after one TAB.
fn boot(change: &Change) -> [Step; 2] {
    let (low, high) = (change.to.low(), change.to.high());
    let content =
        format!("inet:\n\t{} = {high}\n\t{} = {low}\n", change.slot.high, change.slot.low);
    [
        Step {
            when: When::Boot,
            action: Action::Write { path: STANZA, mode: 0o644, content },
            check: Check::new(
                format!("cat {STANZA}"),
                format!("inet: {} = {high} {} = {low}", change.slot.high, change.slot.low),
            ),
            undo: vec![Action::Remove { path: STANZA }],
        },
        Step {
            when: When::Boot,
            action: Action::Run(format!("/sbin/sysconfigdb -m -f {STANZA} inet")),
            check: Check::new(
                "/sbin/sysconfigdb -l inet",
                format!("{} = {high}", change.slot.high),
            ),
            undo: vec![Action::Run(format!("/sbin/sysconfigdb -r -f {STANZA} inet"))],
        },
    ]
}
