//! What a change would do, before anybody has said yes.

use dayfly_ports::{PortRange, PortSet, Protocol};
use dayfly_systems::{Class, Remark, Severity};

use super::journal::Step;

/// What is wanted.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    /// Another range.
    Range {
        range: PortRange,
        /// The lowest port that needs no privilege, if that is to change too (Linux).
        floor: Option<u16>,
        protocols: Vec<Protocol>,
        class: Class,
    },
    /// Ports that are not to be handed out, besides those that already are not.
    Reserve { ports: Box<PortSet>, protocols: Vec<Protocol> },
    /// Ports that may be handed out again.
    Unreserve { ports: Box<PortSet>, protocols: Vec<Protocol> },
}

impl Wish {
    /// As it is typed: `set 49152-65535`.
    pub(crate) fn title(&self) -> String {
        match self {
            Wish::Range { range, floor: None, .. } => format!("set {range}"),
            Wish::Range { range, floor: Some(floor), .. } => {
                format!("set {range} --unprivileged-start {floor}")
            }
            Wish::Reserve { ports, .. } => format!("reserve {ports}"),
            Wish::Unreserve { ports, .. } => format!("unreserve {ports}"),
        }
    }
}

/// A change that is ready to be done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Draft {
    /// What is set and what it becomes.
    pub(crate) differences: Vec<Difference>,
    /// What is good to know.
    pub(crate) remarks: Vec<Note>,
    /// What stands against it. Nothing is done while there is one, unless it is forced.
    pub(crate) hazards: Vec<Hazard>,
    /// In this order. Empty if all is as it is wanted.
    pub(crate) steps: Vec<Step>,
}

/// One setting that changes, or stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    /// The native name: `net.ipv4.ip_local_port_range`.
    pub(crate) setting: String,
    /// What part of time: `now`, `at boot`, `now and at boot`.
    pub(crate) when: &'static str,
    pub(crate) from: String,
    pub(crate) to: String,
}

impl Difference {
    pub(crate) fn changes(&self) -> bool {
        self.from != self.to
    }
}

/// A remark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) severity: &'static str,
    pub(crate) text: String,
}

impl Note {
    pub(crate) fn advice(text: impl Into<String>) -> Self {
        Note { severity: Severity::Advice.name(), text: text.into() }
    }

    pub(crate) fn warning(text: impl Into<String>) -> Self {
        Note { severity: Severity::Warning.name(), text: text.into() }
    }
}

impl From<Remark> for Note {
    fn from(remark: Remark) -> Self {
        Note { severity: remark.severity.name(), text: remark.text }
    }
}

/// Why a change is refused unless it is forced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hazard {
    /// What would happen.
    pub(crate) text: String,
    /// What to do instead.
    pub(crate) hint: String,
}

/// A list of ports in a sentence: the first few items of a long one.
pub(crate) fn listed(ports: &PortSet) -> String {
    const SHOWN: usize = 12;
    if ports.is_empty() {
        return "none".to_owned();
    }
    let spans: Vec<_> = ports.ranges().collect();
    if spans.len() <= SHOWN + 3 {
        return ports.to_string();
    }
    let first: PortSet = spans[..SHOWN].iter().flat_map(|span| span.iter()).collect();
    format!("{first} and {} more items, {} ports in all", spans.len() - SHOWN, ports.len())
}

/// `port 8080`, `ports 8080,9000`.
pub(crate) fn named(ports: &PortSet) -> String {
    format!("port{} {}", if ports.len() == 1 { "" } else { "s" }, listed(ports))
}
