//! Windows 2000, XP and Server 2003: the high end in the registry, the low end fixed.
//!
//! Source: the pages of MaxUserPort and ReservedPorts (KB 196271, KB 812873).

use dayfly_ports::{PortRange, PortSet, Protocol};

use super::kernel_list;
use crate::ms_rpc::RpcPorts;
use crate::plan::{Change, Job};
use crate::remark::Remark;
use crate::system::{Rules, TCP_UDP, always};
use crate::{
    Action, Check, Current, Found, ReadError, Refusal, Reserved, Reserving, ScriptKind, Slot, Step,
    System, Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "windows-xp",
    aliases: &["xp", "windows2000", "windows2003", "windows-2003"],
    title: "Windows 2000, XP and Server 2003",
    slots: &[Slot::new(TCP_UDP, "1024 (fixed)", "MaxUserPort", &[always(LOW, 5000)])],
    recommended: Some(crate::system::span(LOW, 65534)),
    unit: Unit::Top,
    persists_in: "the registry",
    reads: &[r"reg query HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters"],
    sockets: &["netstat -an"],
    privilege: "an administrator",
    reserving: Reserving::List { setting: "ReservedPorts (REG_MULTI_SZ)", is_by_protocol: false },
    instead: "only the top can be set, from 5000 to 65534: ask for 1024-65534. To keep low ports \
              out, reserve them: --reserve 1024-49151 writes ReservedPorts, which some report not \
              to work",
    script: ScriptKind::Batch,
    page: include_str!("../../pages/windows-xp.md"),
    rules: &WindowsXp,
};

const LOW: u16 = 1024;
const KEY: &str = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";

#[derive(Debug)]
struct WindowsXp;

impl Rules for WindowsXp {
    /// `reg query` of the whole key, where a value that is not set is missing, or an export of it.
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let mut top = None;
        let mut reserved = PortSet::EMPTY;
        let mut seen = false;
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            seen |= line.to_ascii_lowercase().contains(r"services\tcpip\parameters");
            let number = index + 1;
            let name = |name: &str| line.trim_start_matches('"').starts_with(name);
            let value = line.split(['=', ' ', '\t']).next_back().unwrap_or_default();
            if name("MaxUserPort") {
                top = Some(dword(number, value)?);
            } else if name("ReservedPorts") {
                for item in value.split("\\0").filter(|item| item.contains('-')) {
                    reserved |= &*kernel_list::ports(number, "ReservedPorts", item)?;
                }
            }
        }
        let slot = system.slots.first().filter(|_| seen || top.is_some());
        let Some(slot) = slot else { return Err(ReadError::nothing(system)) };
        let high = Some(top.unwrap_or(5000));
        Ok(Current {
            ranges: vec![Found { slot, low: Some(LOW), high, boot: (None, top) }],
            reserved: vec![Reserved { protocols: TCP_UDP, ports: Box::new(reserved) }],
            rpc: RpcPorts::read(text),
            ..Current::default()
        })
    }

    fn limits(&self, _: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        if range.low().number() != LOW {
            return vec![Remark::refused(format!(
                "Windows 2000, XP and Server 2003 cannot begin at {}: the low end is always {LOW}",
                range.low()
            ))];
        }
        if !(5000..=65534).contains(&range.high().number()) {
            return vec![Remark::refused(format!(
                "Windows 2000, XP and Server 2003 refuse a top of {}: MaxUserPort goes from 5000 to \
                 65534",
                range.high()
            ))];
        }
        Vec::new()
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let mut remarks = vec![Remark::warning("Read at boot only: restart the host.")];
        if job.reserve.is_some() || job.unreserve.is_some() {
            remarks.push(Remark::warning(
                "ReservedPorts is replaced as a whole. Neighbouring ports have to be one range, as \
                 they are here.",
            ));
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        if job.when == When::Runtime {
            return Err(Refusal::new(
                "Windows 2000, XP and Server 2003 read these settings at boot only",
                "leave --runtime out, and restart the host afterwards",
            ));
        }
        let mut steps: Vec<Step> = job.changes.iter().map(|change| top(job, change)).collect();
        if let Some(ports) = job.reserve {
            steps.push(reserve(job, ports)?);
        }
        if let Some((present, left)) = job.left(Protocol::Tcp) {
            steps.push(replace(present, &left));
        }
        Ok(steps)
    }
}

/// A number as `reg` prints it (`0x1388`) or an export writes it (`dword:00001388`).
fn dword(line: usize, value: &str) -> Result<u16, ReadError> {
    let lower = value.to_ascii_lowercase();
    let digits = lower.strip_prefix("0x").or_else(|| lower.strip_prefix("dword:"));
    let number = digits.and_then(|digits| u32::from_str_radix(digits, 16).ok());
    number
        .and_then(|number| u16::try_from(number).ok())
        .filter(|&top| top >= LOW)
        .ok_or_else(|| ReadError::value(line, "MaxUserPort", value, "a REG_DWORD of 1024 or more"))
}

fn top(job: &Job<'_>, change: &Change) -> Step {
    let set = |value: u16| {
        Action::Run(format!("reg add {KEY} /v MaxUserPort /t REG_DWORD /d {value} /f"))
    };
    let high = change.to.high().number();
    let found = job.current.and_then(|now| now.found(change.slot));
    // A value that was not there goes away again.
    let undo = match found.and_then(|found| found.boot.1) {
        Some(before) => set(before),
        None => Action::Run(format!("reg delete {KEY} /v MaxUserPort /f")),
    };
    Step {
        when: When::Boot,
        action: set(high),
        check: Check::new(format!("reg query {KEY} /v MaxUserPort"), format_args!("0x{high:x}")),
        undo: vec![undo],
    }
}

/// All spans, each written `low-high` even where it is one port.
fn spans(ports: &PortSet) -> String {
    let spans: Vec<_> =
        ports.ranges().map(|range| format!("{}-{}", range.low(), range.high())).collect();
    spans.join("\\0")
}

fn reserve(job: &Job<'_>, ports: &PortSet) -> Result<Step, Refusal> {
    let present = job.current.and_then(|now| now.reserved.first()).map(|found| &found.ports);
    let Some(present) = present else {
        return Err(Refusal::new(
            "what is reserved already is not known, and the value would replace it",
            format!("give it: the output of `reg query {KEY}` with --current"),
        ));
    };
    let mut all = (**present).clone();
    all |= ports;
    Ok(replace(present, &all))
}

/// The value with another list; it goes where nothing is reserved.
fn replace(present: &PortSet, wanted: &PortSet) -> Step {
    let set = |ports: &PortSet| {
        Action::Run(if ports.is_empty() {
            format!("reg delete {KEY} /v ReservedPorts /f")
        } else {
            let list = spans(ports);
            format!("reg add {KEY} /v ReservedPorts /t REG_MULTI_SZ /d \"{list}\" /f")
        })
    };
    let query = format!("reg query {KEY} /v ReservedPorts");
    Step {
        when: When::Boot,
        action: set(wanted),
        check: if wanted.is_empty() {
            Check::gone(query, "ReservedPorts")
        } else {
            Check::new(query, spans(wanted))
        },
        undo: vec![set(present)],
    }
}
