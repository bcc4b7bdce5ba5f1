//! The JSON of `show --system`, schema version 1; `docs/json.md` explains every name.

use std::net::IpAddr;

use dayfly_insight::{DestinationUsage, SupplyUsage, Usage};
use dayfly_systems::Found;
use serde::Serialize;

use super::json::{NoteObject, SocketsObject, note, sockets};
use super::systems_json::{Ends, Scope};
use crate::SCHEMA_VERSION;
use crate::captured::Report;

#[derive(Serialize)]
pub(crate) struct Document {
    schema_version: u32,
    dayfly_version: &'static str,
    system: &'static str,
    title: &'static str,
    host: Option<HostObject>,
    ranges: Vec<RangeObject>,
    reserved: Vec<ReservedObject>,
    unprivileged_floor: Option<u16>,
    ms_rpc: Option<String>,
    usage: Option<UsageObject>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct HostObject {
    url: String,
    version: String,
}

#[derive(Serialize)]
struct UsageObject {
    sockets: SocketsObject,
    supplies: Vec<SupplyObject>,
    destinations: Vec<DestinationObject>,
}

#[derive(Serialize)]
struct SupplyObject {
    protocol: &'static str,
    family: &'static str,
    usable: u32,
    held: u32,
    free_min: u32,
}

#[derive(Serialize)]
struct DestinationObject {
    protocol: &'static str,
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    usable: u32,
    used: u32,
    time_wait: u32,
    free_min: u32,
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
    /// The report with the `top` destinations that hold most, or all of them.
    pub(crate) fn new(report: &Report, top: Option<usize>) -> Self {
        let reserved = report.current.reserved.iter().map(|reserved| ReservedObject {
            protocols: reserved.protocols.iter().map(|protocol| protocol.name()).collect(),
            ports: reserved.ports.to_string(),
        });
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            system: report.system.name,
            title: report.system.title,
            host: report
                .host
                .as_ref()
                .map(|host| HostObject { url: host.url.clone(), version: host.version.clone() }),
            ranges: report.current.ranges.iter().map(range).collect(),
            reserved: reserved.collect(),
            unprivileged_floor: report.current.floor,
            ms_rpc: report.current.rpc.as_ref().map(|rpc| rpc.ports.to_string()),
            usage: report.usage.as_ref().map(|found| usage(found, top.unwrap_or(usize::MAX))),
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn usage(usage: &Usage, top: usize) -> UsageObject {
    let supply = |supply: &SupplyUsage| SupplyObject {
        protocol: supply.protocol.name(),
        family: match supply.ipv6 {
            None => "any",
            Some(false) => "ipv4",
            Some(true) => "ipv6",
        },
        usable: supply.usable,
        held: supply.held,
        free_min: supply.free_min(),
    };
    let destination = |row: &DestinationUsage| DestinationObject {
        protocol: row.key.protocol.name(),
        source: row.key.source,
        destination: row.key.destination,
        port: row.key.port.number(),
        usable: row.usable,
        used: row.used,
        time_wait: row.time_wait,
        free_min: row.free_min,
    };
    UsageObject {
        sockets: sockets(usage.counts),
        supplies: usage.supplies.iter().map(supply).collect(),
        destinations: usage.destinations.iter().take(top).map(destination).collect(),
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
