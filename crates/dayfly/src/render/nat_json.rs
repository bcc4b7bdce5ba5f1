//! The JSON of `show --nat`, schema version 1; `docs/json.md` explains every name.

use std::net::IpAddr;

use dayfly_insight::nat::{NatRow, NatRule};
use dayfly_linux::conntrack::Statistics;
use serde::Serialize;

use super::json::{NoteObject, note};
use crate::SCHEMA_VERSION;
use crate::show::{NatNamespace, NatReport};

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    namespaces: Vec<NamespaceObject<'a>>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct NamespaceObject<'a> {
    id: u64,
    name: &'a str,
    conntrack: Option<ConntrackObject>,
    nat_rules: Vec<RuleObject<'a>>,
    nat: Vec<RowObject<'a>>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct ConntrackObject {
    count: u64,
    max: u64,
    insert_failed: u64,
    dropped: u64,
    early_drop: u64,
}

#[derive(Serialize)]
struct RuleObject<'a> {
    kind: &'static str,
    protocol: Option<&'static str>,
    addresses: Option<String>,
    ports: Option<String>,
    rule: &'a str,
}

#[derive(Serialize)]
struct RowObject<'a> {
    protocol: &'static str,
    address: IpAddr,
    destination: IpAddr,
    port: u16,
    ports: String,
    rule: Option<&'a str>,
    room: u32,
    used: u32,
    time_wait: u32,
    free: u32,
    fill: f64,
    failure_probability: f64,
}

impl<'a> Document<'a> {
    /// The report with the `top` fullest rows of each namespace, or all of them.
    pub(crate) fn new(report: &'a NatReport, top: Option<usize>) -> Self {
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            namespaces: report.namespaces.iter().map(|one| namespace(one, top)).collect(),
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn namespace(one: &NatNamespace, top: Option<usize>) -> NamespaceObject<'_> {
    let rows = one.rows.iter().take(top.unwrap_or(usize::MAX));
    NamespaceObject {
        id: one.id,
        name: &one.name,
        conntrack: one.statistics.map(conntrack),
        nat_rules: one.rules.iter().map(rule).collect(),
        nat: rows.map(row).collect(),
        degraded: one.degraded.iter().map(note).collect(),
    }
}

const fn conntrack(seen: Statistics) -> ConntrackObject {
    let Statistics { count, max, insert_failed, dropped, early_drop } = seen;
    ConntrackObject { count, max, insert_failed, dropped, early_drop }
}

fn rule(rule: &NatRule) -> RuleObject<'_> {
    RuleObject {
        kind: rule.kind.name(),
        protocol: rule.protocol.map(|protocol| protocol.name()),
        addresses: rule.addresses.map(|(first, last)| format!("{first}-{last}")),
        ports: rule.ports.map(|ports| ports.to_string()),
        rule: &rule.text,
    }
}

fn row(row: &NatRow) -> RowObject<'_> {
    RowObject {
        protocol: row.key.protocol.name(),
        address: row.key.address,
        destination: row.key.destination.ip(),
        port: row.key.destination.port(),
        ports: row.ports.to_string(),
        rule: row.rule.as_deref(),
        room: row.room(),
        used: row.used,
        time_wait: row.time_wait,
        free: row.free(),
        fill: row.fill(),
        failure_probability: row.failure_probability(),
    }
}
