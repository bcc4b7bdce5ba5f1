//! Tru64 UNIX: two attributes of the subsystem `inet`, and a stanza for the next boot.
//!
//! Source: sysconfig(8), sysconfigdb(8), sys_attrs_inet(5).

use dayfly_ports::PortRange;

use crate::plan::{Change, Job};
use crate::remark::Remark;
use crate::system::{Rules, TCP_UDP, always};
use crate::{
    Action, Check, Current, Found, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System,
    Unit, When,
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
    reads: &[
        "/sbin/sysconfig -q inet ipport_userreserved ipport_userreserved_min",
        "/sbin/sysconfigdb -l inet",
    ],
    sockets: &["netstat -an -f inet", "netstat -an -f inet6"],
    privilege: "root",
    reserving: Reserving::NOT,
    instead: "take a range from 1024-65535",
    script: ScriptKind::Shell { awk: "awk" },
    page: include_str!("../../pages/tru64.md"),
    rules: &Tru64,
};

const STANZA: &str = "/etc/inet.stanza.dayfly";

#[derive(Debug)]
struct Tru64;

impl Rules for Tru64 {
    /// `sysconfig -q`, and the database of the next boot, whose attributes stand after a TAB.
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        // "unknown attribute" of old kernels and "reconfigured" after a change are no values.
        let is_value = |line: &&str| line.chars().any(|c| c.is_ascii_digit()) && line.contains('=');
        let values = |in_database: bool| {
            let lines: String = text
                .lines()
                .filter(is_value)
                .filter(|line| line.starts_with('\t') == in_database)
                .flat_map(|line| [line, "\n"])
                .collect();
            crate::read::named(system, &lines)
        };
        let (now, boot) = (values(false)?, values(true)?);
        let mut current = Current::of_values(system, |name| now.get(name).copied());
        if let Some(slot) = system.slots.first()
            && !boot.is_empty()
        {
            let ends = (boot.get(slot.low).copied(), boot.get(slot.high).copied());
            match current.ranges.first_mut() {
                Some(found) => found.boot = ends,
                None => current.ranges.push(Found { slot, low: None, high: None, boot: ends }),
            }
        }
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
                steps.extend(runtime(change));
            }
            if job.when.at_boot() {
                steps.extend(boot(change, job.current));
            }
        }
        Ok(steps)
    }
}

/// One command for each attribute: one that fails leaves nothing half done.
fn runtime(change: &Change) -> Vec<Step> {
    super::one_by_one(
        change,
        When::Runtime,
        |name, value| format!("/sbin/sysconfig -r inet {name}={value}"),
        |name| format!("/sbin/sysconfig -q inet {name}"),
    )
}

/// The stanza: the subsystem in the first column, each attribute after one TAB.
fn boot(change: &Change, current: Option<&Current>) -> [Step; 2] {
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
                "/sbin/sysconfigdb -l inet | LC_ALL=C sort",
                format!("{} = {high} {} = {low}", change.slot.high, change.slot.low),
            ),
            undo: vec![Action::Run(forgotten(change, current))],
        },
    ]
}

/// Takes the attributes out of the database, and puts back those that were in it before.
fn forgotten(change: &Change, current: Option<&Current>) -> String {
    let remove = format!("/sbin/sysconfigdb -r -f {STANZA} inet");
    let boot = current.and_then(|now| now.found(change.slot)).map(|found| found.boot);
    let (low, high) = boot.unwrap_or_default();
    let before: String = [(change.slot.high, high), (change.slot.low, low)]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("\\t{name} = {}\\n", value?)))
        .collect();
    if before.is_empty() {
        return remove;
    }
    format!(
        "{remove} && printf 'inet:\\n{before}' > {STANZA}.before && /sbin/sysconfigdb -m -f \
         {STANZA}.before inet && rm -f {STANZA}.before"
    )
}
