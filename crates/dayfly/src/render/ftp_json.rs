//! The JSON of `ftp explain` and `ftp check`, schema version 1; `docs/json.md` explains every name.

use std::net::IpAddr;

use dayfly_insight::firewall::flows::Flow;
use dayfly_insight::ftp::server::{Passive, SourcePort, WhenFull};
use dayfly_insight::ftp::session::{DataConnection, Misread, Outcome, Session};
use serde::Serialize;

use super::json::{NoteObject, note};
use super::why_json::{RemedyObject, remedy};
use crate::SCHEMA_VERSION;
use crate::ftp::{Checked, Explained, Explanation, Report};

#[derive(Serialize)]
pub(crate) struct ExplainDocument<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    sessions: Vec<SessionObject<'a>>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct SessionObject<'a> {
    client: Option<IpAddr>,
    server: Option<IpAddr>,
    encrypted_from_line: Option<usize>,
    connections: Vec<ConnectionObject<'a>>,
    misread: Vec<MisreadObject<'a>>,
}

#[derive(Serialize)]
struct ConnectionObject<'a> {
    line: usize,
    said: &'a str,
    mode: &'static str,
    connects: &'static str,
    address: Option<IpAddr>,
    port: u16,
    encrypted: bool,
    purpose: Option<&'a str>,
    outcome: &'static str,
    answer: Option<&'a str>,
    firewall: Option<FirewallObject<'a>>,
    remarks: Vec<String>,
}

#[derive(Serialize)]
struct MisreadObject<'a> {
    line: usize,
    said: &'a str,
    why: String,
}

#[derive(Serialize)]
struct FirewallObject<'a> {
    verdict: &'static str,
    needs: Option<&'a str>,
    why: &'a str,
    rule: Option<&'a str>,
}

impl<'a> ExplainDocument<'a> {
    pub(crate) fn new(explanation: &'a Explanation) -> Self {
        ExplainDocument {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            sessions: explanation.sessions.iter().map(session).collect(),
            degraded: explanation.degraded.iter().map(note).collect(),
        }
    }
}

fn session(explained: &Explained) -> SessionObject<'_> {
    let session = &explained.session;
    let connections = session.connections.iter().zip(&explained.verdicts);
    SessionObject {
        client: session.client,
        server: session.server,
        encrypted_from_line: session.encrypted_from,
        connections: connections
            .map(|(one, flow)| connection(one, session, flow.as_ref()))
            .collect(),
        misread: session.misread.iter().map(misread).collect(),
    }
}

fn firewall(flow: &Flow) -> FirewallObject<'_> {
    FirewallObject {
        verdict: flow.verdict.name(),
        needs: flow.needs.as_deref(),
        why: &flow.why,
        rule: flow.rule.as_deref(),
    }
}

fn connection<'a>(
    one: &'a DataConnection,
    session: &Session,
    flow: Option<&'a Flow>,
) -> ConnectionObject<'a> {
    let (outcome, answer) = match &one.outcome {
        Outcome::Unknown => ("unknown", None),
        Outcome::Worked => ("worked", None),
        Outcome::Failed(words) => ("failed", Some(words.as_str())),
    };
    ConnectionObject {
        line: one.line,
        said: &one.said,
        mode: one.mode.name(),
        connects: one.connects().name(),
        address: one.address(session),
        port: one.to.port.number(),
        encrypted: one.encrypted,
        purpose: one.purpose.as_deref(),
        outcome,
        answer,
        firewall: flow.map(firewall),
        remarks: one.remarks(session).iter().map(ToString::to_string).collect(),
    }
}

fn misread(one: &Misread) -> MisreadObject<'_> {
    MisreadObject { line: one.line, said: &one.said, why: one.error.to_string() }
}

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    servers: Vec<ServerObject<'a>>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct ServerObject<'a> {
    product: &'static str,
    file: &'a str,
    control_port: u16,
    passive: &'static str,
    passive_ports: Option<String>,
    leaves_range_when_full: bool,
    active: bool,
    active_port: Option<u16>,
    address: Option<&'a str>,
    max_clients: Option<u32>,
    encryption: bool,
    issues: Vec<IssueObject<'a>>,
}

#[derive(Serialize)]
struct IssueObject<'a> {
    kind: &'static str,
    evidence: &'a [String],
    remedies: Vec<RemedyObject<'a>>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            servers: report.servers.iter().map(server).collect(),
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn server(checked: &Checked) -> ServerObject<'_> {
    let config = &checked.config;
    let (passive, passive_ports) = match &config.passive {
        Passive::Off => ("off", None),
        Passive::Limited(ports) => ("limited", Some(ports.to_string())),
        Passive::System => ("system", None),
        Passive::Own(range) => ("own", Some(range.to_string())),
    };
    let issues = checked.issues.iter().map(|issue| IssueObject {
        kind: issue.kind.name(),
        evidence: &issue.evidence,
        remedies: issue.remedies.iter().map(remedy).collect(),
    });
    ServerObject {
        product: config.product.name(),
        file: &config.file,
        control_port: config.control.number(),
        passive,
        passive_ports,
        leaves_range_when_full: config.when_full == WhenFull::LeavesRange,
        active: config.active.is_some(),
        active_port: match config.active {
            Some(SourcePort::Fixed(port)) => Some(port.number()),
            _ => None,
        },
        address: config.address.as_deref(),
        max_clients: config.max_clients,
        encryption: config.tls,
        issues: issues.collect(),
    }
}
