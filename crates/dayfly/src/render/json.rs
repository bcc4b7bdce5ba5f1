//! The JSON contract, schema version 1. `docs/json.md` explains every name; adding one keeps the
//! version, changing or removing one raises it.

use std::net::IpAddr;

use dayfly_insight::{Counts, Destination, Settings, UdpSource};
use serde::Serialize;

use crate::SCHEMA_VERSION;
use crate::place::Note;
use crate::show::{NamespaceReport, Report};

#[derive(Serialize)]
pub(crate) struct Document {
    schema_version: u32,
    dayfly_version: &'static str,
    namespaces: Vec<NamespaceObject>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct NamespaceObject {
    id: u64,
    name: String,
    settings: SettingsObject,
    sockets: SocketsObject,
    unused: u32,
    destinations: Vec<DestinationObject>,
    udp_sources: Vec<UdpSourceObject>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct SettingsObject {
    ranges: Vec<RangeObject>,
    reserved: String,
    usable: u32,
    unprivileged_floor: u32,
    time_wait_seconds: u32,
    tw_reuse: u8,
    tw_reuse_delay_ms: u32,
    autobind_reuse: Option<bool>,
    max_time_wait: Option<u32>,
    step_width: Option<u32>,
}

#[derive(Serialize)]
struct RangeObject {
    protocol: &'static str,
    family: &'static str,
    class: &'static str,
    low: u16,
    high: u16,
}

#[derive(Serialize)]
pub(super) struct SocketsObject {
    tcp: u64,
    time_wait: u64,
    udp: u64,
    bound_inactive: u64,
    listeners: u64,
    mptcp: u64,
    sctp: u64,
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
    reusable: u32,
    blocked: u32,
    suspected: u32,
    free: u32,
    free_min: u32,
    fast_free: u32,
    fill: f64,
}

#[derive(Serialize)]
struct UdpSourceObject {
    source: IpAddr,
    usable: u32,
    used: u32,
    free: u32,
    fill: f64,
}

#[derive(Serialize)]
pub(super) struct NoteObject {
    what: String,
    why: String,
    fix: String,
}

impl Document {
    /// The report with the `top` fullest destinations of each namespace, or all of them.
    pub(crate) fn new(report: &Report, top: Option<usize>) -> Self {
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            namespaces: report.namespaces.iter().map(|one| namespace(one, top)).collect(),
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn namespace(report: &NamespaceReport, top: Option<usize>) -> NamespaceObject {
    let headroom = &report.headroom;
    let top = top.unwrap_or(usize::MAX);
    NamespaceObject {
        id: report.id,
        name: report.name.clone(),
        settings: settings(&headroom.settings, headroom.usable()),
        sockets: sockets(headroom.counts),
        unused: headroom.unused,
        destinations: headroom.destinations.iter().take(top).map(destination).collect(),
        udp_sources: headroom.udp_sources.iter().take(top).map(udp_source).collect(),
        degraded: report.degraded.iter().map(note).collect(),
    }
}

fn settings(settings: &Settings, usable: u32) -> SettingsObject {
    let ranges = settings.ranges.iter().map(|setting| RangeObject {
        protocol: setting.protocol.name(),
        // Linux has one range for both families and no classes.
        family: "any",
        class: "default",
        low: setting.range.low().number(),
        high: setting.range.high().number(),
    });
    SettingsObject {
        ranges: ranges.collect(),
        reserved: settings.reserved.to_string(),
        usable,
        unprivileged_floor: settings.unprivileged_floor,
        time_wait_seconds: settings.time_wait_seconds,
        tw_reuse: settings.tw_reuse.number(),
        tw_reuse_delay_ms: settings.tw_reuse_delay_ms,
        autobind_reuse: settings.autobind_reuse,
        max_time_wait: settings.max_time_wait,
        step_width: settings.step_width,
    }
}

pub(super) fn sockets(counts: Counts) -> SocketsObject {
    SocketsObject {
        tcp: counts.tcp,
        time_wait: counts.time_wait,
        udp: counts.udp,
        bound_inactive: counts.bound_inactive,
        listeners: counts.listeners,
        mptcp: counts.mptcp,
        sctp: counts.sctp,
    }
}

fn destination(row: &Destination) -> DestinationObject {
    DestinationObject {
        protocol: row.key.protocol.name(),
        source: row.key.source,
        destination: row.key.destination,
        port: row.key.port.number(),
        usable: row.usable,
        used: row.used,
        time_wait: row.time_wait,
        reusable: row.reusable,
        blocked: row.blocked,
        suspected: row.suspected,
        free: row.free,
        free_min: row.free_min,
        fast_free: row.fast_free,
        fill: row.fill(),
    }
}

fn udp_source(row: &UdpSource) -> UdpSourceObject {
    UdpSourceObject {
        source: row.source,
        usable: row.usable,
        used: row.used,
        free: row.free,
        fill: row.fill(),
    }
}

pub(super) fn note(note: &Note) -> NoteObject {
    NoteObject { what: note.what.clone(), why: note.why.clone(), fix: note.fix.clone() }
}
