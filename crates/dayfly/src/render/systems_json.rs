//! The JSON of `systems`, schema version 1; `docs/json.md` explains every name.

use dayfly_ports::PortRange;
use dayfly_systems::{SYSTEMS, Slot, System};
use serde::Serialize;

use crate::SCHEMA_VERSION;

#[derive(Serialize)]
pub(crate) struct Document {
    schema_version: u32,
    dayfly_version: &'static str,
    systems: Vec<SystemObject>,
}

#[derive(Serialize)]
struct SystemObject {
    name: &'static str,
    aliases: &'static [&'static str],
    title: &'static str,
    unit: &'static str,
    default: Ends,
    recommended: Option<Ends>,
    ranges: Vec<SlotObject>,
    reads: &'static [&'static str],
    sockets: &'static [&'static str],
    persists_in: &'static str,
    privilege: &'static str,
    reserving: Option<&'static str>,
    instead: &'static str,
}

#[derive(Serialize)]
struct SlotObject {
    #[serde(flatten)]
    scope: Scope,
    settable: bool,
    on_request: bool,
    defaults: Vec<DefaultObject>,
}

#[derive(Serialize)]
struct DefaultObject {
    since: &'static str,
    low: u16,
    high: u16,
}

/// Which range is meant, and what its ends are called.
#[derive(Serialize)]
pub(super) struct Scope {
    protocols: Vec<&'static str>,
    family: &'static str,
    class: &'static str,
    low_name: &'static str,
    high_name: &'static str,
}

impl Scope {
    pub(super) fn new(slot: &Slot) -> Self {
        Scope {
            protocols: slot.protocols.iter().map(|protocol| protocol.name()).collect(),
            family: slot.family.name(),
            class: slot.class.name(),
            low_name: slot.low,
            high_name: slot.high,
        }
    }
}

/// The two ends of a range.
#[derive(Serialize)]
pub(super) struct Ends {
    pub(super) low: u16,
    pub(super) high: u16,
}

impl From<PortRange> for Ends {
    fn from(range: PortRange) -> Self {
        Ends { low: range.low().number(), high: range.high().number() }
    }
}

impl Document {
    pub(crate) fn new() -> Self {
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            systems: SYSTEMS.into_iter().map(object).collect(),
        }
    }
}

fn object(system: &'static System) -> SystemObject {
    let slot = |slot: &Slot| SlotObject {
        scope: Scope::new(slot),
        settable: slot.writable,
        on_request: slot.on_request,
        defaults: slot
            .defaults
            .iter()
            .map(|found| {
                let Ends { low, high } = found.range.into();
                DefaultObject { since: found.since, low, high }
            })
            .collect(),
    };
    SystemObject {
        name: system.name,
        aliases: system.aliases,
        title: system.title,
        unit: system.unit.words(),
        default: system.default_range().into(),
        recommended: system.recommended.map(Ends::from),
        ranges: system.slots.iter().map(slot).collect(),
        reads: system.reads,
        sockets: system.sockets,
        persists_in: system.persists_in,
        privilege: system.privilege,
        reserving: system.reserving.setting(),
        instead: system.instead,
    }
}
