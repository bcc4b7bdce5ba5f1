//! The JSON of `simulate`, schema version 1; `docs/json.md` explains every name.

use dayfly_lab::scenario::{SECOND, Scenario, Task};
use dayfly_lab::simulate::{Failure, Histogram, Moment, Outcome, Sample, Share};
use serde::Serialize;

use crate::SCHEMA_VERSION;

/// The map is cut into so many pieces.
const PIECES: usize = 256;

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    title: &'a str,
    seed: u64,
    simulated_seconds: f64,
    events: u64,
    usable: u32,
    opened: u64,
    failed: u64,
    dropped_by_nat: u64,
    slow: u64,
    time_wait_taken_over: u64,
    time_wait_cut_short: u64,
    collisions: u64,
    first_slow: Option<MomentObject<'a>>,
    first_failure: Option<FailureObject<'a>>,
    first_collision: Option<MomentObject<'a>>,
    capacity: CapacityObject,
    reuse_distance: HistogramObject,
    search_length: HistogramObject,
    workloads: Vec<ShareObject<'a>>,
    curve: Vec<SampleObject>,
    ports: Vec<PieceObject>,
}

#[derive(Serialize)]
struct MomentObject<'a> {
    seconds: f64,
    workload: &'a str,
    number: u64,
    held: u32,
}

#[derive(Serialize)]
struct FailureObject<'a> {
    #[serde(flatten)]
    moment: MomentObject<'a>,
    call: &'static str,
    error: &'static str,
}

#[derive(Serialize)]
struct CapacityObject {
    window_seconds: f64,
    most_opened: u32,
    sustainable_per_second: Option<f64>,
}

#[derive(Serialize)]
struct HistogramObject {
    count: u64,
    least: u32,
    median: u32,
    mean: f64,
    most: u32,
    steps: Vec<(u32, u32, u64)>,
}

#[derive(Serialize)]
struct ShareObject<'a> {
    name: &'a str,
    attempted: u64,
    opened: u64,
    failed: u64,
    first_failed: Option<u64>,
    slow: u64,
    done: Option<u64>,
    prediction: Option<PredictionObject>,
}

#[derive(Serialize)]
struct PredictionObject {
    guessed_at: u64,
    hit: u64,
    share_by_chance: f64,
}

#[derive(Serialize)]
struct SampleObject {
    seconds: f64,
    in_use: u64,
    time_wait: u64,
    fullest: u32,
    opened: u64,
    failed: u64,
    mapped: u64,
}

#[derive(Serialize)]
struct PieceObject {
    low: usize,
    high: usize,
    times: u64,
}

impl<'a> Document<'a> {
    pub(crate) fn new(scenario: &'a Scenario, outcome: &'a Outcome) -> Self {
        let moment = |moment: &Moment| MomentObject {
            seconds: seconds(moment.at),
            workload: &scenario.workloads[moment.workload].name,
            number: moment.number,
            held: moment.held,
        };
        let failure = |failure: &Failure| FailureObject {
            moment: moment(&failure.moment),
            call: failure.call,
            error: failure.error,
        };
        let window = &outcome.window;
        let shares = outcome.workloads.iter().zip(&scenario.workloads);
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            title: &scenario.title,
            seed: scenario.seed,
            simulated_seconds: seconds(outcome.simulated),
            events: outcome.events,
            usable: outcome.usable,
            opened: outcome.opened,
            failed: outcome.failed,
            dropped_by_nat: outcome.dropped,
            slow: outcome.slow,
            time_wait_taken_over: outcome.reused,
            time_wait_cut_short: outcome.cut_short,
            collisions: outcome.collisions,
            first_slow: outcome.first_slow.as_ref().map(moment),
            first_failure: outcome.first_failure.as_ref().map(failure),
            first_collision: outcome.first_collision.as_ref().map(moment),
            capacity: CapacityObject {
                window_seconds: seconds(window.length),
                most_opened: window.most_opened,
                sustainable_per_second: Some(window.sustainable).filter(|rate| rate.is_finite()),
            },
            reuse_distance: HistogramObject::of(&outcome.reuse),
            search_length: HistogramObject::of(&outcome.search),
            workloads: shares.map(|(share, work)| ShareObject::of(share, &work.task)).collect(),
            curve: outcome.curve.iter().map(SampleObject::of).collect(),
            ports: pieces(&outcome.heat),
        }
    }
}

impl HistogramObject {
    fn of(histogram: &Histogram) -> Self {
        HistogramObject {
            count: histogram.count(),
            least: histogram.least(),
            median: histogram.quantile(0.5),
            mean: histogram.mean(),
            most: histogram.most(),
            steps: histogram.steps().filter(|(_, _, count)| *count > 0).collect(),
        }
    }
}

impl<'a> ShareObject<'a> {
    fn of(share: &'a Share, task: &Task) -> Self {
        ShareObject {
            name: &share.name,
            attempted: share.attempted,
            opened: share.opened,
            failed: share.failed,
            first_failed: share.first_failed,
            slow: share.slow,
            done: matches!(task, Task::Ftp { .. } | Task::KeepAlive { .. }).then_some(share.done),
            prediction: matches!(task, Task::Predict { .. }).then_some(PredictionObject {
                guessed_at: share.guessed,
                hit: share.hit,
                share_by_chance: share.by_chance,
            }),
        }
    }
}

impl SampleObject {
    fn of(sample: &Sample) -> Self {
        SampleObject {
            seconds: seconds(sample.at),
            in_use: sample.live,
            time_wait: sample.time_wait,
            fullest: sample.fullest,
            opened: sample.opened,
            failed: sample.failed,
            mapped: sample.mapped,
        }
    }
}

/// From the first port that was used to the last one, in pieces of equal length.
fn pieces(heat: &[u32]) -> Vec<PieceObject> {
    let used = |port: &usize| heat[*port] > 0;
    let Some(first) = (0..heat.len()).find(used) else { return Vec::new() };
    let last = (0..heat.len()).rev().find(used).unwrap_or(first);
    let length = (last - first + 1).div_ceil(PIECES);
    let pieces = heat[first..=last].chunks(length).enumerate();
    pieces
        .map(|(index, ports)| PieceObject {
            low: first + index * length,
            high: first + index * length + ports.len() - 1,
            times: ports.iter().map(|times| u64::from(*times)).sum(),
        })
        .collect()
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / SECOND as f64
}
