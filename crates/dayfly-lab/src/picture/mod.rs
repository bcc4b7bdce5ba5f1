//! Pictures of an outcome: occupancy over time, how soon ports come back, which ports were used.
//! As SVG for documents, as text for terminals.
//!
//! The SVG is legible on white and on black: no background, middle grey for words and axes, and
//! colours that differ in lightness, each repeated in words.

mod axis;
mod svg;
mod terminal;

use crate::scenario::Scenario;
use crate::simulate::Outcome;

pub use terminal::{map_text, occupancy_text, reuse_text};

/// The pictures of an outcome, each with the name of its file. A picture that would show nothing is
/// left out.
#[must_use]
pub fn pictures(scenario: &Scenario, outcome: &Outcome) -> Vec<(&'static str, String)> {
    let mut pictures = vec![("occupancy.svg", svg::occupancy(scenario, outcome))];
    if outcome.reuse.count() > 0 {
        pictures.push(("reuse.svg", svg::reuse(scenario, outcome)));
    }
    if outcome.opened > 0 {
        pictures.push(("ports.svg", svg::map(scenario, outcome)));
    }
    pictures
}

/// The ports that a map shows, and how often each was handed out.
struct Map<'a> {
    low: u32,
    heat: &'a [u32],
}

/// The range of the first workload's hosts, or the NAT's, with whatever lies beyond and was used.
fn ports<'a>(scenario: &Scenario, outcome: &'a Outcome) -> Map<'a> {
    let range = scenario.hosts[scenario.workloads[0].host].range;
    let used = |port: &usize| outcome.heat[*port] > 0;
    let first = (0..outcome.heat.len()).find(used);
    let last = (0..outcome.heat.len()).rev().find(used);
    let low =
        first.map_or(range.low().number().into(), |first| first.min(range.low().number().into()));
    let high =
        last.map_or(range.high().number().into(), |last| last.max(range.high().number().into()));
    Map { low: low as u32, heat: &outcome.heat[low..=high] }
}

/// Whether the whole of what is held fits under one destination's ports: one curve for all.
fn is_one_place(outcome: &Outcome) -> bool {
    outcome.curve.iter().all(|sample| sample.live + sample.time_wait == u64::from(sample.fullest))
}
