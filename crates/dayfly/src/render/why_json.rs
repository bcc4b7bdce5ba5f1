//! The JSON of `why`, schema version 1. `docs/json.md` explains every name.

use std::net::{IpAddr, SocketAddr};

use dayfly_insight::forecast::Forecast;
use dayfly_insight::why::{BindTrial, Classes, DestinationAnswer, HolderKind, Remedy, Useless};
use serde::Serialize;

use super::json::{NoteObject, note};
use crate::SCHEMA_VERSION;
use crate::why::{Body, HeldBy, Part, ProbeReport, Report};

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    subject: &'a str,
    namespace: &'a str,
    verdict: &'static str,
    holders: Vec<HolderObject<'a>>,
    holders_omitted: u64,
    accepted: u64,
    classes: Option<ClassesObject>,
    probe: ProbeObject<'a>,
    port: Option<PortObject>,
    destinations: Vec<PartObject<'a>>,
    churn: Option<ChurnObject>,
    remedies: Vec<RemedyObject<'a>>,
    useless: Vec<UselessObject<'a>>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct HolderObject<'a> {
    kind: &'static str,
    protocol: &'static str,
    local: SocketAddr,
    remote: Option<SocketAddr>,
    state: &'static str,
    frees_in_seconds: Option<u32>,
    pid: Option<u32>,
    command: Option<&'a str>,
    user: Option<&'a str>,
    unit: Option<&'a str>,
    container: Option<&'a str>,
}

#[derive(Serialize)]
struct ClassesObject {
    usable: u32,
    connection: u32,
    time_wait: u32,
    reusable: u32,
    listener: u32,
    bound_inactive: u32,
    bound_elsewhere: u32,
    suspected: u32,
    reserved: u32,
    free: u32,
    fast_free: u32,
}

#[derive(Serialize)]
struct ProbeObject<'a> {
    ran: bool,
    error: Option<&'a str>,
    port: Option<u16>,
    micros: Option<f64>,
    agrees: Option<bool>,
    doubtful: u32,
    asked: u32,
}

#[derive(Serialize)]
struct PortObject {
    in_range: bool,
    reserved: bool,
    below_floor: bool,
    handed_out: Vec<&'static str>,
    frees_in_seconds: Option<u32>,
    bind: Vec<TrialObject>,
}

#[derive(Serialize)]
struct TrialObject {
    protocol: &'static str,
    address: IpAddr,
    plain: &'static str,
    reuse_address: Option<&'static str>,
}

#[derive(Serialize)]
struct PartObject<'a> {
    protocol: &'static str,
    source: IpAddr,
    destination: IpAddr,
    port: u16,
    verdict: &'static str,
    classes: ClassesObject,
    probe: ProbeObject<'a>,
    other_sources: Vec<SourceObject>,
}

#[derive(Serialize)]
struct SourceObject {
    source: IpAddr,
    used: u32,
    free: u32,
}

#[derive(Serialize)]
struct ChurnObject {
    seconds: f64,
    opens_per_second: f64,
    ends_per_second: f64,
    hold_seconds: Option<f64>,
    steady_state: Option<f64>,
    seconds_to_cliff: Option<f64>,
    seconds_to_full: Option<f64>,
}

#[derive(Serialize)]
pub(super) struct RemedyObject<'a> {
    #[serde(rename = "do")]
    action: &'a str,
    effect: &'a str,
}

#[derive(Serialize)]
struct UselessObject<'a> {
    #[serde(rename = "do")]
    action: &'a str,
    why: &'a str,
}

impl<'a> Document<'a> {
    pub(crate) fn new(report: &'a Report, top: Option<usize>) -> Self {
        let shown = top.unwrap_or(usize::MAX).min(report.holders.len());
        let mut document = Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            subject: &report.subject,
            namespace: &report.namespace,
            verdict: "",
            holders: report.holders[..shown].iter().map(holder).collect(),
            holders_omitted: (report.holders.len() - shown) as u64,
            accepted: 0,
            classes: None,
            probe: probe(&NO_PROBE),
            port: None,
            destinations: Vec::new(),
            churn: None,
            remedies: report.remedies.iter().map(remedy).collect(),
            useless: report.useless.iter().map(useless).collect(),
            degraded: report.degraded.iter().map(note).collect(),
        };
        match &report.body {
            Body::Port { answer, probe: asked } => {
                document.verdict = answer.verdict().name();
                document.holders_omitted += answer.more;
                document.accepted = answer.accepted;
                document.probe = probe(asked);
                document.port = Some(PortObject {
                    in_range: answer.in_range,
                    reserved: answer.reserved,
                    below_floor: answer.below_floor,
                    handed_out: answer.handed_out.iter().map(|held| held.name()).collect(),
                    frees_in_seconds: answer.frees_in_seconds(),
                    bind: answer.trials.iter().map(trial).collect(),
                });
            }
            Body::Destination { parts, forecast } => {
                if let Some(worst) = parts.first() {
                    document.verdict = worst.answer.verdict().name();
                    document.classes = Some(classes(worst.answer.classes));
                    document.probe = probe(&worst.probe);
                }
                document.destinations = parts.iter().map(part).collect();
                document.churn = forecast.as_ref().map(churn);
            }
        }
        document
    }
}

const NO_PROBE: ProbeReport = ProbeReport {
    ran: false,
    error: None,
    found: None,
    doubtful: 0,
    asked: 0,
    micros: None,
    agrees: None,
};

fn holder(held: &HeldBy) -> HolderObject<'_> {
    let socket = &held.holder.socket;
    let tuple = socket.tuple.canonical();
    let connected = !matches!(held.holder.kind, HolderKind::Listener | HolderKind::Bound);
    let owner = held.owner.as_ref();
    HolderObject {
        kind: held.holder.kind.name(),
        protocol: tuple.protocol.name(),
        local: SocketAddr::new(tuple.local_address, tuple.local_port.number()),
        remote: connected
            .then(|| SocketAddr::new(tuple.remote_address, tuple.remote_port.number())),
        state: socket.state.name(),
        frees_in_seconds: held.holder.frees_in_seconds(),
        pid: owner.map(|owner| owner.pid),
        command: owner.map(|owner| owner.command.as_str()),
        user: owner.map(|owner| owner.user.as_str()),
        unit: owner.and_then(|owner| owner.unit.as_deref()),
        container: owner.and_then(|owner| owner.container.as_deref()),
    }
}

fn classes(classes: Classes) -> ClassesObject {
    ClassesObject {
        usable: classes.usable,
        connection: classes.connection,
        time_wait: classes.time_wait,
        reusable: classes.reusable,
        listener: classes.listener,
        bound_inactive: classes.bound_inactive,
        bound_elsewhere: classes.bound_elsewhere,
        suspected: classes.suspected,
        reserved: classes.reserved,
        free: classes.free,
        fast_free: classes.fast_free,
    }
}

fn probe(probe: &ProbeReport) -> ProbeObject<'_> {
    ProbeObject {
        ran: probe.ran,
        error: probe.error.as_deref(),
        port: probe.found.map(dayfly_ports::Port::number),
        micros: probe.micros,
        agrees: probe.agrees,
        doubtful: probe.doubtful,
        asked: probe.asked,
    }
}

fn trial(trial: &BindTrial) -> TrialObject {
    TrialObject {
        protocol: trial.protocol.name(),
        address: trial.address,
        plain: trial.plain.name(),
        reuse_address: trial.reuse_address.map(dayfly_insight::why::BindOutcome::name),
    }
}

fn part(part: &Part) -> PartObject<'_> {
    let DestinationAnswer { row, others, .. } = &part.answer;
    let source = |row: &dayfly_insight::Destination| SourceObject {
        source: row.key.source,
        used: row.used,
        free: row.free,
    };
    PartObject {
        protocol: row.key.protocol.name(),
        source: row.key.source,
        destination: row.key.destination,
        port: row.key.port.number(),
        verdict: part.answer.verdict().name(),
        classes: classes(part.answer.classes),
        probe: probe(&part.probe),
        other_sources: others.iter().map(source).collect(),
    }
}

fn churn(forecast: &Forecast) -> ChurnObject {
    ChurnObject {
        seconds: forecast.seconds,
        opens_per_second: forecast.opens_per_second,
        ends_per_second: forecast.ends_per_second,
        hold_seconds: forecast.hold_seconds,
        steady_state: forecast.steady_state,
        seconds_to_cliff: forecast.seconds_to_cliff,
        seconds_to_full: forecast.seconds_to_full,
    }
}

pub(super) fn remedy(remedy: &Remedy) -> RemedyObject<'_> {
    RemedyObject { action: remedy.action.as_str(), effect: &remedy.effect }
}

fn useless(useless: &Useless) -> UselessObject<'_> {
    UselessObject { action: &useless.action, why: &useless.why }
}
