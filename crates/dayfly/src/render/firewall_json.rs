//! The JSON of `firewall check`, schema version 1; `docs/json.md` explains every name.

use std::net::IpAddr;

use dayfly_insight::firewall::check::{Comparison, Exposed, Open};
use dayfly_insight::firewall::flows::Flow;
use dayfly_insight::firewall::rpc::Service;
use serde::Serialize;

use super::json::{NoteObject, note};
use super::why_json::{RemedyObject, remedy};
use crate::SCHEMA_VERSION;
use crate::firewall::{Checked, Report};

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    namespaces: Vec<PlaceObject<'a>>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct PlaceObject<'a> {
    id: Option<u64>,
    name: &'a str,
    range: RangeObject,
    open: Vec<OpenObject<'a>>,
    flows: Vec<FlowObject<'a>>,
    outgoing: Vec<FlowObject<'a>>,
    rpc: Vec<ServiceObject<'a>>,
    compared: Vec<ComparisonObject>,
    exposed: Vec<ExposedObject<'a>>,
    remedies: Vec<RemedyObject<'a>>,
    findings: bool,
    remarks: &'a [String],
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct RangeObject {
    low: u16,
    high: u16,
}

#[derive(Serialize)]
struct OpenObject<'a> {
    protocol: &'static str,
    direction: &'static str,
    family: &'static str,
    source_ports: String,
    ports: String,
    arrives: Option<u16>,
    needs: Option<&'a str>,
}

#[derive(Serialize)]
struct FlowObject<'a> {
    flow: &'static str,
    protocol: &'static str,
    family: &'static str,
    verdict: &'static str,
    needs: Option<&'a str>,
    why: &'a str,
    rule: Option<&'a str>,
    works_with: String,
    wanted: String,
}

#[derive(Serialize)]
struct ServiceObject<'a> {
    number: Option<u32>,
    name: Option<&'a str>,
    protocol: &'static str,
    family: &'static str,
    ports: String,
    placed: &'static str,
    listening: bool,
    owner: Option<&'a str>,
    pin: Option<&'static str>,
    verdict: &'static str,
    needs: Option<&'a str>,
    why: &'a str,
    rule: Option<&'a str>,
    works_with: String,
}

#[derive(Serialize)]
struct ComparisonObject {
    protocol: &'static str,
    direction: &'static str,
    relation: &'static str,
    opened: String,
    missing: String,
    needless: String,
}

#[derive(Serialize)]
struct ExposedObject<'a> {
    protocol: &'static str,
    port: u16,
    address: IpAddr,
    owner: Option<&'a str>,
    kind: &'static str,
    span: String,
}

impl<'a> Document<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            namespaces: report.places.iter().map(place).collect(),
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn place(checked: &Checked) -> PlaceObject<'_> {
    let check = &checked.check;
    PlaceObject {
        id: checked.id,
        name: &checked.name,
        range: RangeObject {
            low: checked.range.low().number(),
            high: checked.range.high().number(),
        },
        open: check.open.iter().map(open).collect(),
        flows: check.flows.iter().map(flow).collect(),
        outgoing: check.outgoing.iter().map(flow).collect(),
        rpc: checked.rpc.iter().map(service).collect(),
        compared: check.compared.iter().map(comparison).collect(),
        exposed: check.exposed.iter().map(exposed).collect(),
        remedies: checked.remedies.iter().map(remedy).collect(),
        findings: checked.has_findings(),
        remarks: &checked.remarks,
        degraded: checked.degraded.iter().map(note).collect(),
    }
}

fn open(open: &Open) -> OpenObject<'_> {
    OpenObject {
        protocol: open.protocol.name(),
        direction: open.direction.name(),
        family: open.family.map_or("any", |family| family.name()),
        source_ports: open.source_ports.to_string(),
        ports: open.ports.to_string(),
        arrives: open.arrives,
        needs: open.needs.as_deref(),
    }
}

fn flow(flow: &Flow) -> FlowObject<'_> {
    FlowObject {
        flow: flow.kind.name(),
        protocol: flow.protocol.name(),
        family: flow.family.map_or("any", |family| family.name()),
        verdict: flow.verdict.name(),
        needs: flow.needs.as_deref(),
        why: &flow.why,
        rule: flow.rule.as_deref(),
        works_with: flow.works_with.to_string(),
        wanted: flow.wanted.to_string(),
    }
}

fn service(service: &Service) -> ServiceObject<'_> {
    let flow = &service.flow;
    ServiceObject {
        number: service.number,
        name: service.name.as_deref(),
        protocol: flow.protocol.name(),
        family: flow.family.map_or("any", |family| family.name()),
        ports: flow.wanted.to_string(),
        placed: service.placed.name(),
        listening: service.listening,
        owner: service.owner.as_deref(),
        pin: service.pin.map(|pin| pin.how),
        verdict: flow.verdict.name(),
        needs: flow.needs.as_deref(),
        why: &flow.why,
        rule: flow.rule.as_deref(),
        works_with: flow.works_with.to_string(),
    }
}

fn comparison(compared: &Comparison) -> ComparisonObject {
    ComparisonObject {
        protocol: compared.protocol.name(),
        direction: compared.direction.name(),
        relation: compared.relation.name(),
        opened: compared.opened.to_string(),
        missing: compared.missing.to_string(),
        needless: compared.needless.to_string(),
    }
}

fn exposed(exposed: &Exposed) -> ExposedObject<'_> {
    let listener = &exposed.listener;
    ExposedObject {
        protocol: listener.protocol.name(),
        port: listener.address.port(),
        address: listener.address.ip().to_canonical(),
        owner: listener.owner.as_deref(),
        kind: if listener.transient { "transient" } else { "service" },
        span: exposed.span.to_string(),
    }
}
