//! The JSON of `show --system`, schema version 1; `docs/json.md` explains every name.

use dayfly_systems::Found;
use serde::Serialize;

use super::json::{NoteObject, note};
use super::systems_json::{Ends, Scope};
use crate::SCHEMA_VERSION;
use crate::captured::Report;

#[derive(Serialize)]
pub(crate) struct Document {
    schema_version: u32,
    dayfly_version: &'static str,
    system: &'static str,
    title: &'static str,
    ranges: Vec<RangeObject>,
    reserved: Vec<ReservedObject>,
    unprivileged_floor: Option<u16>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct RangeObject {
    #[serde(flatten)]
    scope: Scope,
    low: Option<u16>,
    high: Option<u16>,
    boot_low: Option<u16>,
    boot_high: Option<u16>,
    ports: Option<u32>,
    default: Ends,
}

#[derive(Serialize)]
struct ReservedObject {
    protocols: Vec<&'static str>,
    ports: String,
}

impl Document {
    pub(crate) fn new(report: &Report) -> Self {
        let reserved = report.current.reserved.iter().map(|reserved| ReservedObject {
            protocols: reserved.protocols.iter().map(|protocol| protocol.name()).collect(),
            ports: reserved.ports.to_string(),
        });
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            system: report.system.name,
            title: report.system.title,
            ranges: report.current.ranges.iter().map(range).collect(),
            reserved: reserved.collect(),
            unprivileged_floor: report.current.floor,
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn range(found: &Found) -> RangeObject {
    RangeObject {
        scope: Scope::new(found.slot),
        low: found.low,
        high: found.high,
        boot_low: found.boot.0,
        boot_high: found.boot.1,
        ports: found.range().map(|range| range.len()),
        default: found.slot.default_range().into(),
    }
}
