//! illumos and Solaris 11: properties of protocols, set with `ipadm`, which keeps them.
//!
//! Source: ipadm(8), illumos `tcp_tunables.c` and its like (`ERANGE` where the ends would cross),
//! the Solaris 11 tunable parameters manual.

use std::collections::BTreeMap;

use dayfly_ports::{PortRange, Protocol};

use super::bounded;
use crate::order::{self, End};
use crate::plan::{Change, Job};
use crate::read::port;
use crate::remark::Remark;
use crate::system::{Rules, SCTP, TCP, UDP, always, span};
use crate::{
    Action, Check, Current, Found, ReadError, Refusal, Reserving, ScriptKind, Slot, Step, System,
    Unit, When,
};

pub(super) static SYSTEM: System = System {
    name: "illumos",
    aliases: &["solaris11", "openindiana", "omnios", "smartos"],
    title: "illumos and Solaris 11",
    slots: &[
        Slot::new(TCP, "smallest_anon_port", "largest_anon_port", &[always(32768, 65535)]),
        Slot::new(UDP, "smallest_anon_port", "largest_anon_port", &[always(32768, 65535)]),
        Slot::new(SCTP, "smallest_anon_port", "largest_anon_port", &[always(32768, 65535)]),
    ],
    recommended: None,
    unit: Unit::LowHigh,
    persists_in: "ipadm",
    reads: &[
        "ipadm show-prop -p smallest_anon_port,largest_anon_port tcp",
        "ipadm show-prop -p smallest_anon_port,largest_anon_port udp",
        "ipadm show-prop -p smallest_anon_port,largest_anon_port sctp",
    ],
    sockets: &["netstat -an -f inet", "netstat -an -f inet6"],
    privilege: "root, or the profile \"Network Management\"",
    reserving: Reserving::Not { instead: INSTEAD_OF_RESERVING },
    instead: "take a range from 1024-65535, and drop --persist where only the next boot was meant: \
              ipadm always changes the running system too",
    script: ScriptKind::Shell { awk: "nawk" },
    page: include_str!("../../pages/illumos.md"),
    rules: &Illumos,
};

/// `tcp_update_next_port` in `tcp_bind.c` passes over extra privileged ports; there is room for 64
/// (`TCP_NUM_EPRIV_PORTS`).
const INSTEAD_OF_RESERVING: &str = "choose a range that leaves them out; or, for a few ports of \
     root's services: ipadm set-prop -p extra_priv_ports+=PORT tcp. None but root can bind such a \
     port, and no connection is handed it";

#[derive(Debug)]
struct Illumos;

/// What one property shows.
#[derive(Clone, Copy, Default)]
struct Shown {
    now: Option<u16>,
    boot: Option<u16>,
}

impl Rules for Illumos {
    /// The table of `ipadm show-prop`, with whatever columns its head names, and the form of `-c`
    /// with the fields `proto,property,current,persistent,default`.
    fn read(&self, system: &'static System, text: &str) -> Result<Current, ReadError> {
        let mut shown: BTreeMap<(Protocol, &'static str), Shown> = BTreeMap::new();
        let mut columns: Vec<String> = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let words: Vec<&str> = line.split_whitespace().collect();
            if words.contains(&"PROPERTY") && words.contains(&"CURRENT") {
                columns = words.iter().map(|&word| word.to_owned()).collect();
                continue;
            }
            let cells: Vec<&str> = match words[..] {
                [word] => word.split(':').collect(),
                _ => words,
            };
            let is_bare = line.split_whitespace().count() == 1;
            let place = |column: &str, parsable: usize| {
                if is_bare {
                    return Some(parsable);
                }
                columns.iter().position(|name| name == column)
            };
            let cell = |column, parsable| {
                place(column, parsable).and_then(|at| cells.get(at)).copied().unwrap_or_default()
            };
            let (Ok(protocol), property) = (cell("PROTO", 0).parse(), cell("PROPERTY", 1)) else {
                continue;
            };
            let names = ["smallest_anon_port", "largest_anon_port"];
            if let Some(&name) = names.iter().find(|&&name| name == property) {
                let now = port(index + 1, name, cell("CURRENT", 2))?;
                // What is kept nowhere is the default again after a boot.
                let kept = port(index + 1, name, cell("PERSISTENT", 3))?;
                let default = port(index + 1, name, cell("DEFAULT", 4))?;
                let tells = place("PERSISTENT", 3).is_some_and(|at| at < cells.len());
                let boot = if tells { kept.or(default) } else { None };
                shown.insert((protocol, name), Shown { now, boot });
            }
        }
        let found = |slot: &'static Slot| {
            let of = |name| shown.get(&(*slot.protocols.first()?, name)).copied();
            let (low, high) = (of(slot.low), of(slot.high));
            if low.is_none() && high.is_none() {
                return None;
            }
            let (low, high) = (low.unwrap_or_default(), high.unwrap_or_default());
            Some(Found { slot, low: low.now, high: high.now, boot: (low.boot, high.boot) })
        };
        let ranges: Vec<_> = system.slots.iter().filter_map(found).collect();
        if ranges.is_empty() {
            return Err(ReadError::nothing(system));
        }
        Ok(Current { ranges, ..Current::default() })
    }

    fn limits(&self, slot: &Slot, range: PortRange, _: Option<&Current>) -> Vec<Remark> {
        let mut remarks = bounded("illumos", span(1024, 65535), range);
        if range.high().number() < 32768 {
            remarks.push(Remark::warning(format!(
                "Solaris 11 refuses a {} below 32768; illumos takes it.",
                slot.high
            )));
        }
        remarks
    }

    fn advice(&self, job: &Job<'_>) -> Vec<Remark> {
        let mut remarks = vec![Remark::advice(
            "One range for IPv4 and IPv6; a zone with its own IP stack has its own.",
        )];
        let passing = |change: &Change| {
            let found = job.current.and_then(|now| now.found(change.slot));
            found.is_some_and(|found| {
                [(found.low, found.boot.0), (found.high, found.boot.1)]
                    .into_iter()
                    .any(|(now, boot)| boot.is_some() && now != boot)
            })
        };
        if job.when == When::Both && job.changes.iter().any(passing) {
            remarks.push(Remark::warning(
                "What is set now is not what a boot sets. The undo leads to what is set now, and \
                 keeps it.",
            ));
        }
        if job.when.now() {
            remarks.push(Remark::advice(
                "TCP and UDP refuse a write (ERANGE) that would put the smallest above the \
                 largest: keep the order.",
            ));
        }
        remarks
    }

    fn steps(&self, job: &Job<'_>) -> Result<Vec<Step>, Refusal> {
        if job.when == When::Boot {
            return Err(Refusal::new(
                "ipadm cannot change what the next boot sets without changing it now",
                "leave --persist out, which changes both, or use --runtime",
            ));
        }
        Ok(job.changes.iter().flat_map(|change| of_change(change, job)).collect())
    }
}

fn of_change(change: &Change, job: &Job<'_>) -> Vec<Step> {
    let protocol = change.slot.protocols.first().copied().unwrap_or(Protocol::Tcp);
    let temporary = if job.when == When::Runtime { "-t " } else { "" };
    let found = job.current.and_then(|now| now.found(change.slot));
    let default = change.slot.default_range();
    // What is already in force may still be forgotten at boot, so both are always written.
    let writes = match change.from {
        Some(old) if job.when.at_boot() => order::both(old, change.to).to_vec(),
        from => order::writes(from, change.to),
    };
    let step = |write: order::Write| {
        let name = super::setting(change.slot, &write);
        let set = |value: u16| format!("ipadm set-prop {temporary}-p {name}={value} {protocol}");
        let (boot, default) = match write.end {
            End::Low => (found.and_then(|found| found.boot.0), default.low().number()),
            End::High => (found.and_then(|found| found.boot.1), default.high().number()),
        };
        let undo = match write.before {
            // It was the default for good: forget the change.
            Some(before) if boot.is_none_or(|boot| boot == default) && before == default => {
                reset(temporary, name, protocol)
            }
            Some(before) => set(before),
            None => reset(temporary, name, protocol),
        };
        Step {
            when: job.when,
            action: Action::Run(set(write.value)),
            check: Check::new(
                format!("ipadm show-prop -c -o current -p {name} {protocol}"),
                write.value,
            ),
            undo: vec![Action::Run(undo)],
        }
    };
    writes.into_iter().map(step).collect()
}

fn reset(temporary: &str, name: &str, protocol: Protocol) -> String {
    format!("ipadm reset-prop {temporary}-p {name} {protocol}")
}
