//! The samples of one host as the models look at them.

use std::collections::HashMap;

use super::collect::Sample;

/// Ports in order, with what the models ask again and again.
#[derive(Debug)]
pub(super) struct Trace {
    pub(super) looks: Vec<Look>,
    /// How many different destinations.
    pub(super) destinations: usize,
}

/// One opening.
#[derive(Clone, Copy, Debug)]
pub(super) struct Look {
    pub(super) port: u32,
    /// Destinations are numbered from 0 in the order of their first appearance.
    pub(super) destination: usize,
    /// Seconds from the first opening; none where the source does not tell.
    pub(super) at: Option<f64>,
    /// The opening before this one to the same destination.
    pub(super) before: Option<usize>,
}

impl Trace {
    /// More samples than this add nothing but time.
    pub(super) const LONGEST: usize = 1000;

    pub(super) fn new(samples: &[Sample]) -> Trace {
        let samples = &samples[..samples.len().min(Trace::LONGEST)];
        let start = samples.iter().filter_map(|sample| sample.time).min();
        let mut numbers: HashMap<u32, usize, foldhash::fast::FixedState> = HashMap::default();
        // The index of the last opening to each destination.
        let mut last: Vec<usize> = Vec::new();
        let mut looks = Vec::with_capacity(samples.len());
        for (index, sample) in samples.iter().enumerate() {
            let destination = *numbers.entry(sample.destination).or_insert(last.len());
            let before = match last.get_mut(destination) {
                Some(last) => Some(std::mem::replace(last, index)),
                None => {
                    last.push(index);
                    None
                }
            };
            let at =
                sample.time.zip(start).map(|(time, start)| (time.get() - start.get()) as f64 / 1e9);
            looks.push(Look { port: sample.port.into(), destination, at, before });
        }
        Trace { looks, destinations: last.len() }
    }

    /// The openings that meet a condition, as if there had been no others.
    pub(super) fn only(&self, wanted: impl Fn(&Look) -> bool) -> Trace {
        let mut last = vec![None; self.destinations];
        let mut looks = Vec::new();
        for look in self.looks.iter().filter(|look| wanted(look)) {
            let before = last[look.destination].replace(looks.len());
            looks.push(Look { before, ..*look });
        }
        Trace { looks, destinations: self.destinations }
    }

    /// Seconds between two openings.
    pub(super) fn seconds(&self, from: usize, to: usize) -> Option<f64> {
        Some((self.looks[to].at? - self.looks[from].at?).max(0.0))
    }

    /// The steps between openings to the same destination: earlier and later port.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&Look, &Look)> + '_ {
        self.looks.iter().filter_map(|look| Some((self.looks.get(look.before?)?, look)))
    }
}
