//! The shape of a plan: what is wanted, and the ordered native steps that lead there.

mod make;

use std::fmt;

use dayfly_ports::{PortRange, PortSet, Protocol};

pub(crate) use self::make::plan;
use crate::remark::Remark;
use crate::{Class, Current, Edit, Lines, ScriptKind, Slot, System};

/// What is wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// The new range; none to leave it.
    pub range: Option<PortRange>,
    /// For these protocols only; empty for all that the system has.
    pub protocols: &'a [Protocol],
    /// Which class of ranges.
    pub class: Class,
    /// Ports to keep from being handed out, besides those that already are.
    pub reserve: Option<&'a PortSet>,
    /// Ports that may be handed out again. What is reserved has to be known for that.
    pub unreserve: Option<&'a PortSet>,
    /// For how long.
    pub when: When,
    /// What is set, if known.
    pub current: Option<&'a Current>,
}

/// When a step takes effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum When {
    /// Now, and after each boot.
    #[default]
    Both,
    /// Now, until the next boot.
    Runtime,
    /// After the next boot.
    Boot,
}

impl When {
    /// `both`, `runtime` or `boot`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            When::Both => "both",
            When::Runtime => "runtime",
            When::Boot => "boot",
        }
    }

    pub(crate) const fn now(self) -> bool {
        matches!(self, When::Both | When::Runtime)
    }

    pub(crate) const fn at_boot(self) -> bool {
        matches!(self, When::Both | When::Boot)
    }
}

/// One range that changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Which.
    pub slot: &'static Slot,
    /// The settings of the two ends before, as they are; none if not known.
    pub from: Option<(u16, u16)>,
    /// What it becomes.
    pub to: PortRange,
}

impl Change {
    /// The settings before; the default's where they are not known.
    pub(crate) fn old_or_default(&self) -> (u16, u16) {
        let default = self.slot.default_range();
        self.from.unwrap_or((default.low().number(), default.high().number()))
    }
}

/// Ordered steps that change a system, with their undo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The system's name.
    pub system: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Which shell the commands are for.
    pub script: ScriptKind,
    /// Who may carry it out.
    pub privilege: &'static str,
    /// The ranges that change.
    pub changes: Vec<Change>,
    /// The ports that are newly kept from being handed out; none if that was not asked for.
    pub reserve: Option<Box<PortSet>>,
    /// The ports that may be handed out again; none if that was not asked for.
    pub unreserve: Option<Box<PortSet>>,
    /// What is good to know before.
    pub remarks: Vec<Remark>,
    /// In this order; the undo of each in the reverse.
    pub steps: Vec<Step>,
    /// Other ways to the same end, instead of the steps that survive a boot.
    pub alternatives: Vec<Alternative>,
}

impl Plan {
    /// Whether undoing leads to what was set, not to the system's defaults.
    #[must_use]
    pub fn undo_is_exact(&self) -> bool {
        self.changes.iter().all(|change| change.from.is_some())
    }

    /// What takes the plan back, in order.
    pub fn undo(&self) -> impl Iterator<Item = &Action> {
        self.steps.iter().rev().flat_map(|step| &step.undo)
    }

    /// A script that applies, checks and undoes the plan.
    #[must_use]
    pub fn script(&self) -> String {
        match self.script {
            ScriptKind::Shell { awk } => crate::shell::script(self, awk),
            ScriptKind::Batch => crate::batch::script(self),
        }
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// When it takes effect.
    pub when: When,
    /// What to do.
    pub action: Action,
    /// How to see that it is done.
    pub check: Check,
    /// What takes it back, in order.
    pub undo: Vec<Action>,
}

/// Something to do on a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Type this into the system's shell.
    Run(String),
    /// Write a file that is nobody else's.
    Write {
        /// Where.
        path: &'static str,
        /// Permission bits.
        mode: u16,
        /// What.
        content: String,
    },
    /// Change lines of a file that is somebody else's as well.
    Edit(Edit),
    /// Put back what the file held before [`Action::Edit`].
    Restore(Edit),
    /// Delete a file that [`Action::Write`] made.
    Remove {
        /// Where.
        path: &'static str,
    },
}

impl fmt::Display for Action {
    /// The command, or what happens to which file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Run(command) => f.write_str(command),
            Action::Write { path, .. } => write!(f, "write {path}"),
            Action::Edit(Edit { path, lines: Lines::Without { ports, .. }, .. }) => {
                write!(f, "edit {path}, where it is: take {ports} out of the list")
            }
            Action::Edit(edit) => write!(f, "edit {}", edit.path),
            Action::Restore(edit) => write!(f, "put back {} from {}", edit.path, edit.backup),
            Action::Remove { path } => write!(f, "rm -f {path}"),
        }
    }
}

/// A command that tells whether a step is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// The command.
    pub command: String,
    /// Words that its output then holds, in this order.
    pub expect: String,
    /// The other way round: no line of the output then holds the words any more, side by side.
    pub gone: bool,
}

impl Check {
    pub(crate) fn new(command: impl Into<String>, expect: impl fmt::Display) -> Self {
        Check { command: command.into(), expect: expect.to_string(), gone: false }
    }

    /// That no line holds these words side by side.
    pub(crate) fn gone(command: impl Into<String>, words: impl fmt::Display) -> Self {
        Check { gone: true, ..Check::new(command, words) }
    }

    /// Whether an output says that it is done.
    #[must_use]
    pub fn passes(&self, output: &str) -> bool {
        if self.gone {
            let gone: Vec<&str> = self.expect.split_whitespace().collect();
            return !output.lines().any(|line| {
                let words: Vec<&str> = line.split_whitespace().collect();
                words.windows(gone.len().max(1)).any(|some| some == gone)
            });
        }
        let mut words = output.split_whitespace();
        self.expect.split_whitespace().all(|wanted| words.any(|word| word == wanted))
    }
}

/// Another way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alternative {
    /// When to prefer it.
    pub why: &'static str,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// A request that has passed the limits, on its way to the steps.
pub(crate) struct Job<'a> {
    pub(crate) system: &'static System,
    pub(crate) changes: Vec<Change>,
    pub(crate) reserve: Option<&'a PortSet>,
    pub(crate) unreserve: Option<&'a PortSet>,
    pub(crate) protocols: &'a [Protocol],
    pub(crate) when: When,
    pub(crate) current: Option<&'a Current>,
}

impl Job<'_> {
    /// Whether a protocol is meant.
    pub(crate) fn is_for(&self, protocol: Protocol) -> bool {
        self.protocols.is_empty() || self.protocols.contains(&protocol)
    }

    /// The reserved ports of a protocol, and what is left of them without those that may be handed
    /// out again. None if that was not asked for, or takes nothing away.
    pub(crate) fn left(&self, protocol: Protocol) -> Option<(&PortSet, PortSet)> {
        let present = self.current?.reserved(protocol)?;
        let ports = self.unreserve?;
        let mut left = present.clone();
        left -= ports;
        (left.len() < present.len()).then_some((present, left))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_look_for_words_in_their_order() {
        let check = Check::new("show", "49152 16384");
        assert!(check.passes("\r\nStart Port      : 49152\r\nNumber of Ports : 16384\r\n"));
        assert!(!check.passes("16384 49152"));
        assert!(!check.passes("491520 16384"));
        assert!(!check.passes(""));
        let gone = Check::gone("show", "50000 50009");
        assert!(gone.passes("") && gone.passes("50000 50004 *\n 50009 50009 *\n"));
        assert!(!gone.passes("   50000   50009  *\r\n"));
    }
}
