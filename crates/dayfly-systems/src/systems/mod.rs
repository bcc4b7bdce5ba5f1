//! One file for each operating system, and the steps that several of them share.

mod aix;
mod android;
mod bsdos;
mod dragonfly;
mod freebsd;
mod hpux;
mod illumos;
mod irix;
mod linux;
mod macos;
mod netbsd;
mod openbsd;
mod solaris;
mod tru64;
mod windows;
mod windows_xp;

mod kernel_list;
mod ndd;
mod sysctl;

use dayfly_ports::PortRange;

use crate::order::{self, End, Write};
use crate::plan::Change;
use crate::remark::Remark;
use crate::{Action, Check, Slot, Step, System, When};

/// Every system, by name.
pub static SYSTEMS: [&System; 16] = [
    &aix::SYSTEM,
    &android::SYSTEM,
    &bsdos::SYSTEM,
    &dragonfly::SYSTEM,
    &freebsd::SYSTEM,
    &hpux::SYSTEM,
    &illumos::SYSTEM,
    &irix::SYSTEM,
    &linux::SYSTEM,
    &macos::SYSTEM,
    &netbsd::SYSTEM,
    &openbsd::SYSTEM,
    &solaris::SYSTEM,
    &tru64::SYSTEM,
    &windows::SYSTEM,
    &windows_xp::SYSTEM,
];

/// The system of this name or alias, in any case.
#[must_use]
pub fn find(name: &str) -> Option<&'static System> {
    let name = name.trim();
    let is = |known: &str| known.eq_ignore_ascii_case(name);
    SYSTEMS
        .into_iter()
        .find(|system| is(system.name) || system.aliases.iter().any(|alias| is(alias)))
}

/// The native name of the setting that a write goes to.
fn setting(slot: &Slot, write: &Write) -> &'static str {
    match write.end {
        End::Low => slot.low,
        End::High => slot.high,
    }
}

/// What a write is undone to: the value before, or the default where that is not known.
fn previous(change: &Change, write: &Write) -> u16 {
    let default = change.slot.default_range();
    write.before.unwrap_or(match write.end {
        End::Low => default.low().number(),
        End::High => default.high().number(),
    })
}

/// One step for each setting that changes, in an order that never crosses. `set` and `show` make
/// the commands for a setting's name; the output of `show` is the bare number.
fn one_by_one(
    change: &Change,
    when: When,
    set: impl Fn(&'static str, u16) -> String,
    show: impl Fn(&'static str) -> String,
) -> Vec<Step> {
    let writes = order::writes(change.from, change.to);
    let step = |write: Write| {
        let name = setting(change.slot, &write);
        Step {
            when,
            action: Action::Run(set(name, write.value)),
            check: Check::new(show(name), write.value),
            undo: vec![Action::Run(set(name, previous(change, &write)))],
        }
    };
    writes.into_iter().map(step).collect()
}

/// Both settings as the next boot shall make them, in an order that does not cross the defaults.
fn for_boot(change: &Change) -> [(&'static str, u16); 2] {
    let default = change.slot.default_range();
    let default = (default.low().number(), default.high().number());
    order::both(default, change.to).map(|write| (setting(change.slot, &write), write.value))
}

/// What a kernel does that moves each end into its bounds without a word.
fn clamped(system: &str, bounds: PortRange, range: PortRange) -> Vec<Remark> {
    match range.intersection(bounds) {
        Some(same) if same == range => Vec::new(),
        Some(to) => vec![Remark::clamped(
            to,
            format!(
                "{system} moves both ends into {bounds} without a word: {range} becomes {to}, and \
                 that is what is planned."
            ),
        )],
        None => vec![Remark::refused(format!(
            "{system} moves both ends into {bounds} without a word, so nothing of {range} would \
             be left"
        ))],
    }
}

/// What a kernel does that answers values outside its bounds with an error.
fn bounded(system: &str, bounds: PortRange, range: PortRange) -> Vec<Remark> {
    if range.intersection(bounds) == Some(range) {
        return Vec::new();
    }
    vec![Remark::refused(format!("{system} refuses {range}: both ends have to lie in {bounds}"))]
}

#[cfg(test)]
mod tests;
