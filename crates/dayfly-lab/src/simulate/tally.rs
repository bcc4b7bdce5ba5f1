//! What is counted while a simulation runs, whichever loop runs it.

use super::Histogram;
use super::outcome::{Failure, Moment, Outcome, Share, Window};
use crate::scenario::{Closes, Nanos, SECOND, Scenario, Workload};
use dayfly_ports::Protocol;

/// What is counted of one domain.
#[derive(Clone, Debug, Default)]
pub(super) struct Count {
    /// The window that `opened` counts.
    window: u32,
    opened: u32,
    /// Index of its watch plus one.
    watch: u8,
}

/// A watched domain: when each port was handed out last, by the number of the connection.
struct Watch {
    connections: u32,
    last: Box<[u32]>,
}

/// The outcome so far.
pub(super) struct Tally {
    pub(super) outcome: Outcome,
    pub(super) points: Points,
    /// The window that is counted, and when it ends.
    window_now: (u32, Nanos),
    watches: Vec<Watch>,
    /// So many domains are watched at most.
    watched: usize,
}

impl Tally {
    pub(super) fn new(scenario: &Scenario, watched: usize) -> Tally {
        let outcome = outcome(scenario);
        Tally {
            points: Points::of(scenario),
            window_now: (0, outcome.window.length),
            watches: Vec::new(),
            watched,
            outcome,
        }
    }

    /// A port was handed out.
    #[inline]
    pub(super) fn handed_out(&mut self, now: Nanos, count: &mut Count, port: u16) {
        let heat = &mut self.outcome.heat[usize::from(port)];
        *heat = heat.saturating_add(1);
        if now >= self.window_now.1 {
            let window = now / self.outcome.window.length;
            let end = (window + 1).saturating_mul(self.outcome.window.length);
            self.window_now = (window as u32, end);
        }
        if count.window != self.window_now.0 {
            (count.window, count.opened) = (self.window_now.0, 0);
        }
        count.opened += 1;
        self.outcome.window.most_opened = self.outcome.window.most_opened.max(count.opened);
        if count.watch == 0 {
            if self.watches.len() >= self.watched {
                return;
            }
            self.watches.push(Watch { connections: 0, last: vec![0; 1 << 16].into() });
            count.watch = self.watches.len() as u8;
        }
        let watch = &mut self.watches[usize::from(count.watch) - 1];
        watch.connections = watch.connections.wrapping_add(1);
        let last = &mut watch.last[usize::from(port)];
        if *last != 0 {
            self.outcome.reuse.add(watch.connections.wrapping_sub(*last));
        }
        *last = watch.connections;
    }

    /// A search that looked at so many ports found one. By the range, reserved ports included: they
    /// are looked at as well.
    #[inline]
    pub(super) fn searched(&mut self, probes: u32, range: u32, moment: impl FnOnce() -> Moment) {
        self.outcome.search.add(probes);
        if probes > 1 && probes * 2 > range {
            let moment = moment();
            self.outcome.slow += 1;
            self.outcome.workloads[moment.workload].slow += 1;
            self.outcome.first_slow.get_or_insert(moment);
        }
    }

    /// A connection failed, the last one attempted of its workload.
    pub(super) fn failed(&mut self, moment: Moment, call: &'static str, error: &'static str) {
        self.outcome.failed += 1;
        let share = &mut self.outcome.workloads[moment.workload];
        share.failed += 1;
        share.first_failed.get_or_insert(share.attempted);
        self.outcome.first_failure.get_or_insert(Failure { moment, call, error });
    }
}

/// The points of the curve: equal distances from the beginning to the end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Points {
    duration: Nanos,
    count: u64,
    passed: u64,
    next: Nanos,
}

impl Points {
    fn of(scenario: &Scenario) -> Points {
        let count = u64::from(scenario.samples);
        Points { duration: scenario.duration, count, passed: 0, next: 0 }
    }

    /// When the next one is; `Nanos::MAX` after the last.
    #[inline]
    pub(super) const fn next(&self) -> Nanos {
        self.next
    }

    /// The next one, if it is not after that time.
    pub(super) fn pass(&mut self, until: Nanos) -> Option<Nanos> {
        if self.next > until || self.passed == self.count {
            return None;
        }
        let at = self.next;
        self.passed += 1;
        self.next = if self.passed < self.count { self.at(self.passed) } else { Nanos::MAX };
        Some(at)
    }

    /// How many have been passed.
    pub(super) const fn passed(&self) -> u64 {
        self.passed
    }

    /// How many there are.
    pub(super) const fn count(&self) -> u64 {
        self.count
    }

    /// When the one of this index is.
    pub(super) fn at(&self, index: u64) -> Nanos {
        (u128::from(self.duration) * u128::from(index) / u128::from(self.count - 1)) as Nanos
    }

    /// The first one after a time, by its index; their number if there is none.
    pub(super) fn after(&self, time: Nanos) -> u64 {
        let share = time as f64 / self.duration as f64 * (self.count - 1) as f64;
        let mut index = (share as u64).min(self.count);
        while index < self.count && self.at(index) <= time {
            index += 1;
        }
        while index > 0 && self.at(index - 1) > time {
            index -= 1;
        }
        index
    }
}

fn outcome(scenario: &Scenario) -> Outcome {
    let first = &scenario.workloads[0];
    let host = &scenario.hosts[first.host];
    let usable = host.usable();
    let kept = match first.closes {
        Closes::Client if first.protocol == Protocol::Tcp => host.time_wait,
        _ => 0,
    };
    let held = first.duration.mean() + kept as f64 / SECOND as f64;
    let length = if host.time_wait > 0 { host.time_wait } else { 60 * SECOND };
    let share = |work: &Workload| Share { name: work.name.clone(), ..Share::default() };
    Outcome {
        simulated: 0,
        events: 0,
        opened: 0,
        failed: 0,
        dropped: 0,
        slow: 0,
        reused: 0,
        cut_short: 0,
        collisions: 0,
        first_slow: None,
        first_failure: None,
        first_collision: None,
        workloads: scenario.workloads.iter().map(share).collect(),
        window: Window { length, most_opened: 0, sustainable: f64::from(usable) / held },
        reuse: Histogram::default(),
        search: Histogram::default(),
        heat: vec![0; 1 << 16],
        curve: Vec::new(),
        usable,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_after_a_time_is_the_first_one_that_is_later() {
        for (duration, count) in [(1_000, 7), (10, 240), (3, 2), (86_400 * SECOND, 10_000)] {
            let points = Points { duration, count, passed: 0, next: 0 };
            for step in 0..1_000 {
                let time = duration / 1_000 * step + step % 3;
                let plain = (0..count).find(|index| points.at(*index) > time).unwrap_or(count);
                assert_eq!(points.after(time), plain, "{duration} {count} {time}");
            }
        }
    }
}
