//! A wide run in parts: connections that cannot touch each other are simulated apart.
//!
//! The ports of ten thousand destinations do not fit into a processor's cache, those of a hundred
//! do; and parts can run on several processors at a time. How a scenario is dealt out follows from
//! the scenario alone, and every part draws from its own seed, so that the outcome does not depend on
//! how many work on it.
//!
//! # What is exact
//! A Poisson stream whose connections are dealt to hosts or destinations by lot *is* as many
//! independent Poisson streams. Hosts share nothing. Destinations of one host share its strategy:
//! those that keep nothing between two picks are dealt out as they are; of Linux' table of counters
//! each part has its share, so that as many destinations meet in one counter as in the whole table
//! (mean and spread differ by less than one in a thousand). A strategy with one counter for all
//! destinations is not dealt out.

use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::{panic, thread};

use dayfly_alloc::strategy::LinuxVersion;
use dayfly_alloc::{Random, Xoshiro};

use super::Progress;
use super::outcome::{Failure, Moment, Outcome, WATCHED};
use super::stream::{Extent, Stream};
use super::tally::Tally;
use super::world::scope_of;
use crate::scenario::{Algorithm, Nanos, Pace, Scenario, Scope};

/// A part has so many domains or more: their ports fit into a second-level cache.
const DOMAINS: u32 = 128;
/// So many parts at most, each of which has its own counts to be added up.
const MOST: u32 = 64;
/// Linux' counters, for all destinations of a host.
const COUNTERS: u32 = 1 << 16;

/// How a scenario is dealt out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts<'a> {
    scenario: &'a Scenario,
    /// Whether by hosts; by destinations otherwise.
    by_hosts: bool,
    count: u32,
}

impl<'a> Parts<'a> {
    /// None if the scenario is too small or cannot be dealt out.
    pub(super) fn of(scenario: &'a Scenario) -> Option<Self> {
        if !Stream::suits(scenario) {
            return None;
        }
        let work = &scenario.workloads[0];
        if !matches!(work.pace, Pace::Poisson(_)) || work.count.is_some() {
            return None;
        }
        let group = &scenario.hosts[work.host];
        let targets = scenario.destinations[work.destination].count;
        let scope = scope_of(work.protocol, group.behaviour.tcp);
        let domains = match scope {
            Scope::Tuple => group.count * group.addresses * targets,
            Scope::Address => group.count * group.addresses,
            Scope::Host => group.count,
        };
        let by_hosts = group.count >= targets;
        let apart = by_hosts || scope == Scope::Tuple && is_separable(group.behaviour.algorithm);
        let most = if by_hosts { group.count } else { targets };
        let count = (domains / DOMAINS).min(MOST).min(most);
        (apart && count > 1).then_some(Parts { scenario, by_hosts, count })
    }

    /// The same outcome on any number of threads, all of which have ended when this returns.
    pub(super) fn run(self, threads: NonZeroUsize, progress: &mut dyn FnMut(Progress)) -> Outcome {
        let mut seeds = Xoshiro::seeded(self.scenario.seed);
        let parts: Vec<Scenario> =
            (0..self.count).map(|part| self.part(part, seeds.next_u64())).collect();
        let counters = (!self.by_hosts).then_some(COUNTERS / self.count);
        // The first part watches for all.
        let stream = |part: usize| {
            let watched = if part == 0 { WATCHED } else { 0 };
            Stream::new(&parts[part], Extent { watched, counters })
        };
        let seen: Vec<[AtomicU64; 2]> = parts.iter().map(|_| Default::default()).collect();
        let total = |what: usize| seen.iter().map(|one| one[what].load(Relaxed)).sum::<u64>();
        let of = self.scenario.duration;
        let mut tell = || {
            let at = total(0) / u64::from(self.count);
            progress(Progress { at, of, events: total(1) });
        };
        let outcomes = each(parts.len(), threads, &mut tell, |part, tell| {
            let outcome = stream(part).run(&mut |progress| {
                seen[part][0].store(progress.at, Relaxed);
                seen[part][1].store(progress.events, Relaxed);
                tell();
            });
            seen[part][0].store(of, Relaxed);
            seen[part][1].store(outcome.events, Relaxed);
            outcome
        });
        let firsts = Firsts::of(&outcomes);
        let times = firsts.times();
        let whole = outcomes.into_iter().reduce(sum);
        let mut whole = whole.unwrap_or_else(|| Tally::new(self.scenario, 0).outcome);
        if !times.is_empty() {
            let before = each(parts.len(), threads, &mut || {}, |part, _| {
                stream(part).attempted_before(&times)
            });
            firsts.number(&mut whole, &times, &before);
        }
        whole
    }

    /// One part: its share of the hosts or destinations, with what is due to them.
    fn part(&self, part: u32, seed: u64) -> Scenario {
        let mut scenario = Scenario { seed, ..self.scenario.clone() };
        let work = &mut scenario.workloads[0];
        let dealt = if self.by_hosts {
            &mut scenario.hosts[work.host].count
        } else {
            &mut scenario.destinations[work.destination].count
        };
        let whole = *dealt;
        *dealt = whole / self.count + u32::from(part < whole % self.count);
        if let Pace::Poisson(rate) = &mut work.pace
            && !self.by_hosts
        {
            *rate *= f64::from(*dealt) / f64::from(whole);
        }
        scenario
    }
}

/// Whether destinations can be dealt out: the strategy keeps nothing from one pick to the next, or
/// has a counter for almost every destination.
fn is_separable(algorithm: Algorithm) -> bool {
    match algorithm {
        Algorithm::Linux(version) => version == LinuxVersion::From5_18,
        Algorithm::Uniform | Algorithm::FreeBsd | Algorithm::Rfc6056(1 | 2) => true,
        _ => false,
    }
}

/// Does the work of every part, in the order of the parts. The calling thread works as well, and is
/// the only one that tells how far it is.
fn each<R: Send>(
    parts: usize,
    threads: NonZeroUsize,
    tell: &mut dyn FnMut(),
    work: impl Fn(usize, &mut dyn FnMut()) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = |tell: &mut dyn FnMut()| {
        let mut done = Vec::new();
        loop {
            let part = next.fetch_add(1, Relaxed);
            if part >= parts {
                return done;
            }
            done.push((part, work(part, tell)));
        }
    };
    let mut done = thread::scope(|scope| {
        let others = threads.get().min(parts) - 1;
        let others: Vec<_> = (0..others).map(|_| scope.spawn(|| take(&mut || {}))).collect();
        let mut done = take(tell);
        for other in others {
            match other.join() {
                Ok(more) => done.extend(more),
                Err(panicked) => panic::resume_unwind(panicked),
            }
        }
        done
    });
    done.sort_by_key(|(part, _)| *part);
    done.into_iter().map(|(_, result)| result).collect()
}

/// What came first of all, and in which part.
struct Firsts {
    slow: Option<(usize, Moment)>,
    failure: Option<(usize, Failure)>,
}

impl Firsts {
    fn of(outcomes: &[Outcome]) -> Firsts {
        let each = || outcomes.iter().enumerate();
        let slow = each().filter_map(|(part, one)| Some((part, one.first_slow?)));
        let failure = each().filter_map(|(part, one)| Some((part, one.first_failure?)));
        Firsts {
            slow: slow.min_by_key(|(_, moment)| moment.at),
            failure: failure.min_by_key(|(_, failure)| failure.moment.at),
        }
    }

    /// When they were, ascending.
    fn times(&self) -> Vec<Nanos> {
        let slow = self.slow.map(|(_, moment)| moment.at);
        let failure = self.failure.map(|(_, failure)| failure.moment.at);
        let mut times: Vec<Nanos> = slow.into_iter().chain(failure).collect();
        times.sort_unstable();
        times
    }

    /// Gives them their numbers among the attempts of all parts, from how many each part had made
    /// before those times.
    fn number(self, whole: &mut Outcome, times: &[Nanos], before: &[Vec<u64>]) {
        let number = |part: usize, moment: Moment| {
            let time = times.iter().position(|time| *time == moment.at).unwrap_or(0);
            let others = before.iter().enumerate().filter(|(other, _)| *other != part);
            moment.number + others.map(|(_, counts)| counts[time]).sum::<u64>()
        };
        whole.first_slow =
            self.slow.map(|(part, slow)| Moment { number: number(part, slow), ..slow });
        whole.first_failure = self.failure.map(|(part, failure)| {
            let number = number(part, failure.moment);
            Failure { moment: Moment { number, ..failure.moment }, ..failure }
        });
        whole.workloads[0].first_failed = whole.first_failure.map(|failure| failure.moment.number);
    }
}

/// Two parts together, but for what came first.
fn sum(mut whole: Outcome, part: Outcome) -> Outcome {
    whole.events += part.events;
    whole.opened += part.opened;
    whole.failed += part.failed;
    whole.slow += part.slow;
    let (share, more) = (&mut whole.workloads[0], &part.workloads[0]);
    share.attempted += more.attempted;
    share.opened += more.opened;
    share.failed += more.failed;
    share.slow += more.slow;
    whole.window.most_opened = whole.window.most_opened.max(part.window.most_opened);
    whole.reuse.merge(&part.reuse);
    whole.search.merge(&part.search);
    for (heat, more) in whole.heat.iter_mut().zip(&part.heat) {
        *heat = heat.saturating_add(*more);
    }
    for (point, more) in whole.curve.iter_mut().zip(&part.curve) {
        point.live += more.live;
        point.time_wait += more.time_wait;
        point.fullest = point.fullest.max(more.fullest);
        point.failed += more.failed;
        point.opened += more.opened;
    }
    whole
}
