//! What is set on a host, as its own commands told it.

use dayfly_ports::{PortRange, PortSet, Protocol};

use crate::ms_rpc::RpcPorts;
use crate::{Slot, System};

/// What a host's commands told. What they did not tell is absent, not assumed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Current {
    /// The ranges that were shown.
    pub ranges: Vec<Found>,
    /// The ports that are kept from being handed out; empty if the text did not tell.
    pub reserved: Vec<Reserved>,
    /// The entries that Windows' exclusions are made of; empty elsewhere.
    pub exclusions: Vec<Exclusion>,
    /// The lowest port that needs no privilege (Linux).
    pub floor: Option<u16>,
    /// Whether SELinux labels ports there (Linux); none if not known.
    pub has_selinux: Option<bool>,
    /// The entries of HP-UX' nddconf; none if the text did not tell.
    pub nddconf: Option<String>,
    /// Windows' second range, that of MS-RPC; none if the text did not tell.
    pub rpc: Option<RpcPorts>,
}

/// One range that was shown, or half of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which range.
    pub slot: &'static Slot,
    /// The setting of the low end in force; none if it was not shown.
    pub low: Option<u16>,
    /// The setting of the high end in force; none if it was not shown.
    pub high: Option<u16>,
    /// What the next boot sets, where the system tells the two apart.
    pub boot: (Option<u16>, Option<u16>),
}

/// Ports that are never handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reserved {
    /// For these protocols.
    pub protocols: &'static [Protocol],
    /// The ports.
    pub ports: Box<PortSet>,
}

/// One entry of Windows' list of excluded ports: it is deleted as a whole, or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// Of TCP or of UDP.
    pub protocol: Protocol,
    /// Its ports.
    pub range: PortRange,
    /// Whether an administrator made it; others belong to Windows, Hyper-V or Docker.
    pub administered: bool,
}

impl Found {
    /// Both settings, as they are: the low one may lie above the high one.
    #[must_use]
    pub fn ends(&self) -> Option<(u16, u16)> {
        self.low.zip(self.high)
    }

    /// The range that ports are picked from. The systems that let the ends cross (FreeBSD, macOS,
    /// OpenBSD, DragonFly) pick from the span between them all the same.
    #[must_use]
    pub fn range(&self) -> Option<PortRange> {
        let (low, high) = self.ends()?;
        PortRange::new(low.min(high), low.max(high)).ok()
    }
}

impl Current {
    /// What was told of a slot.
    #[must_use]
    pub fn found(&self, slot: &Slot) -> Option<&Found> {
        self.ranges.iter().find(|found| found.slot == slot)
    }

    /// The reserved ports of a protocol; none if the text did not tell.
    #[must_use]
    pub fn reserved(&self, protocol: Protocol) -> Option<&PortSet> {
        let of_protocol = |reserved: &&Reserved| reserved.protocols.contains(&protocol);
        self.reserved.iter().find(of_protocol).map(|reserved| &*reserved.ports)
    }

    /// The settings by their native names; the names of slots that nothing was told of are absent.
    pub(crate) fn of_values(system: &'static System, value: impl Fn(&str) -> Option<u16>) -> Self {
        let found = |slot: &'static Slot| {
            let (low, high) = (value(slot.low), value(slot.high));
            (low.is_some() || high.is_some()).then_some(Found {
                slot,
                low,
                high,
                boot: (None, None),
            })
        };
        Current { ranges: system.slots.iter().filter_map(found).collect(), ..Current::default() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty() && self.reserved.is_empty() && self.rpc.is_none()
    }
}
