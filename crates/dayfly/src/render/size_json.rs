//! The JSON of `size`, schema version 1; `docs/json.md` explains every name.

use dayfly_insight::nat::failure_probability;
use dayfly_insight::sizing::{Knob, Translator};
use serde::Serialize;

use super::json::{NoteObject, note};
use crate::SCHEMA_VERSION;
use crate::size::{Report, Source};

#[derive(Serialize)]
pub(crate) struct Document {
    schema_version: u32,
    dayfly_version: &'static str,
    source: &'static str,
    measured: Option<MeasuredObject>,
    load: LoadObject,
    supply: SupplyObject,
    goal: GoalObject,
    demand: Option<DemandObject>,
    capacity: u64,
    fits: bool,
    blocked: f64,
    seconds_to_full: Option<f64>,
    ports_needed: Option<u64>,
    addresses_needed: Option<u64>,
    carries: Option<f64>,
    cliff: Option<u32>,
    failure_probability: Option<f64>,
    default_share: Option<u32>,
    subscribers_per_address: Option<u64>,
    knobs: Vec<KnobObject>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct MeasuredObject {
    namespace: String,
    seconds: f64,
    destination: String,
    watched: usize,
    active: usize,
    opens_per_second: f64,
    held_seconds: Option<f64>,
}

#[derive(Serialize)]
struct LoadObject {
    rate: f64,
    duration: f64,
    hold: f64,
    hold_from: String,
    destinations: u32,
}

#[derive(Serialize)]
struct SupplyObject {
    ports: u32,
    addresses: u32,
    shares: u32,
    block: Option<u32>,
    per_destination: bool,
    most_addresses: Option<u32>,
}

#[derive(Serialize)]
struct GoalObject {
    utilisation: f64,
    quantile: f64,
}

#[derive(Serialize)]
struct DemandObject {
    mean: f64,
    peak: u64,
}

#[derive(Serialize)]
struct KnobObject {
    knob: &'static str,
    value: f64,
}

impl Document {
    pub(crate) fn new(report: &Report) -> Self {
        let (load, supply, plan) = (&report.load, &report.supply, &report.plan);
        let translator = match report.source {
            Source::Behind(translator) => Some(translator),
            _ => None,
        };
        let failure = plan.demand.filter(|_| translator == Some(Translator::Netfilter));
        let block = report.block.map_or(plan.capacity, u64::from).max(1);
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            source: report.source.title(),
            measured: report.measured.as_ref().map(|found| MeasuredObject {
                namespace: found.namespace.clone(),
                seconds: found.seconds,
                destination: found.destination.to_string(),
                watched: found.watched,
                active: found.active,
                opens_per_second: found.rate,
                held_seconds: found.held,
            }),
            load: LoadObject {
                rate: load.rate,
                duration: load.duration,
                hold: load.hold,
                hold_from: report.hold_from.clone(),
                destinations: load.destinations,
            },
            supply: SupplyObject {
                ports: supply.ports,
                addresses: supply.addresses,
                shares: supply.shares,
                block: report.block,
                per_destination: supply.per_destination,
                most_addresses: supply.most_addresses,
            },
            goal: GoalObject {
                utilisation: report.goal.utilisation,
                quantile: report.goal.quantile,
            },
            demand: plan.demand.map(|one| DemandObject { mean: one.mean, peak: one.peak }),
            capacity: plan.capacity,
            fits: plan.fits,
            blocked: plan.blocked,
            seconds_to_full: plan.seconds_to_full,
            ports_needed: plan.needed,
            addresses_needed: plan.addresses.filter(|_| plan.demand.is_some()),
            carries: plan.carries.is_finite().then_some(plan.carries),
            cliff: report.source.has_cliff().then_some(supply.ports / 2),
            failure_probability: failure.map(|demand| {
                let room = u32::try_from(plan.capacity).unwrap_or(u32::MAX);
                failure_probability(room, (demand.mean.round() as u64).min(plan.capacity) as u32)
            }),
            default_share: translator
                .and_then(|found| found.default_share(supply.addresses, supply.shares)),
            subscribers_per_address: (translator == Some(Translator::Cgn) && supply.shares > 1)
                .then(|| u64::from(supply.ports) / block),
            knobs: plan.knobs.iter().map(knob).collect(),
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}

fn knob(knob: &Knob) -> KnobObject {
    let (knob, value) = match *knob {
        Knob::KeepAlive(requests) => ("keep_alive", requests as f64),
        Knob::Hold(seconds) => ("hold", seconds),
        Knob::Addresses(count) => ("addresses", count as f64),
        Knob::Destinations(count) => ("destinations", count as f64),
        Knob::Ports(count) => ("ports", count as f64),
        Knob::Rate(rate) => ("rate", rate),
    };
    KnobObject { knob, value }
}
