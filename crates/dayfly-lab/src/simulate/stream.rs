//! The short way through a simulation: one workload of plain connections, nobody in between.
//!
//! The [engine](super::engine) knows everything that may happen; most of the long runs need little
//! of it. Where ports are held for as long as a connection and its TIME_WAIT last and nothing else
//! looks at them, the end of a connection changes no port, so both are one thing: its *release*.
//! What is left for each connection is a draw, a search, and one entry that waits for its time.
//!
//! It draws the same random numbers in the same order as the engine, so that the outcome is the
//! same to the bit; the tests run scenarios through both.

use std::cell::Cell;
use std::collections::VecDeque;

use dayfly_alloc::strategy::{Place, Request};
use dayfly_alloc::{Random, Xoshiro};
use dayfly_ports::{Port, Protocol};

use super::Progress;
use super::arrivals::Arrivals;
use super::outcome::{Moment, Outcome, Sample};
use super::pickers::{self, Picker};
use super::ports::{Bits, Span, Taken, View};
use super::tally::{Count, Tally};
use super::timers::{Calendar, Due};
use super::world::{key, scope_of};
use crate::scenario::{
    Closes, Distribution, HostGroup, Nanos, Pace, Reuse, SECOND, Scenario, Scope, Task, Via,
    Workload,
};

/// Between two looks at how far it is, in connections.
const PROGRESS_EVERY: u64 = 1 << 19;

/// A port that becomes free.
#[derive(Clone, Copy, Debug)]
struct Release {
    at: Nanos,
    domain: u32,
    port: u16,
}

impl Due for Release {
    fn due(&self) -> Nanos {
        self.at
    }
}

/// What waits to be released: in the order of its coming if every connection takes as long.
enum Releases {
    Line(VecDeque<Release>),
    Calendar(Calendar<Release>),
}

/// What a port has to be unique within.
#[derive(Clone, Debug)]
struct Domain {
    taken: Taken,
    place: Place,
    count: Count,
}

/// Closed connections, by the point of the curve before which they close.
struct Closed {
    /// Before the next point.
    before: u64,
    next: Nanos,
    /// Before that one and not before the one ahead of it, by index.
    later: Vec<u64>,
}

/// What differs between a whole run and a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Extent {
    /// So many domains are watched.
    pub(super) watched: usize,
    /// The counters that a host of Linux has for these destinations, if not all.
    pub(super) counters: Option<u32>,
}

pub(super) struct Stream<'a> {
    scenario: &'a Scenario,
    work: &'a Workload,
    group: &'a HostGroup,
    /// What is added to places within the group, to tell them from those of other groups.
    first_space: u32,
    first_target: u32,
    targets: u32,
    loopback: bool,
    scope: Scope,
    random: Xoshiro,
    arrivals: Arrivals,
    span: Span,
    fixed: Bits,
    usable: u32,
    domains: Vec<Domain>,
    pickers: Vec<Picker>,
    next_address: Vec<u32>,
    /// How long a port is kept behind its connection.
    hold: Nanos,
    releases: Releases,
    released: u64,
    attempts: u64,
    opened: u64,
    closed: Closed,
    tally: Tally,
}

impl<'a> Stream<'a> {
    /// Whether a scenario is of this kind.
    pub(super) fn suits(scenario: &Scenario) -> bool {
        let [work] = scenario.workloads.as_slice() else { return false };
        let group = &scenario.hosts[work.host];
        let waits = work.protocol == Protocol::Tcp && work.closes == Closes::Client;
        let reuses = match group.reuse {
            Reuse::Never => false,
            Reuse::Loopback(_) => scenario.destinations[work.destination].loopback,
            Reuse::Everywhere(_) => true,
        };
        work.task == Task::Connection
            && !matches!(work.pace, Pace::Parallel(..))
            && matches!(work.via, Via::Connect | Via::OwnRange)
            && work.closes != Closes::Server
            && !(waits && (reuses || group.max_time_wait.is_some()))
            && scenario.nat.is_none()
            && !scenario.stop_at_failure
    }

    /// Of a scenario that suits.
    pub(super) fn new(scenario: &'a Scenario, extent: Extent) -> Self {
        let work = &scenario.workloads[0];
        let group = &scenario.hosts[work.host];
        let to = &scenario.destinations[work.destination];
        let mut random = Xoshiro::seeded(scenario.seed);
        let arrivals = Arrivals::of(work, group.count, &mut random);
        let span = Span::of(group.range);
        let scope = scope_of(work.protocol, group.behaviour.tcp);
        let spaces = group.count * group.addresses;
        let domains = match scope {
            Scope::Tuple => spaces * to.count,
            Scope::Address => spaces,
            Scope::Host => group.count,
        };
        let waits = work.protocol == Protocol::Tcp && work.closes == Closes::Client;
        let hold = if waits { group.time_wait } else { 0 };
        let call = pickers::call(work.protocol, work.via);
        let picker =
            |_| pickers::picker(group.behaviour.algorithm, call, group.range, extent.counters);
        let tally = Tally::new(scenario, extent.watched);
        let domain =
            Domain { taken: Taken::EMPTY, place: Place::default(), count: Count::default() };
        Stream {
            scenario,
            work,
            group,
            first_space: before(&scenario.hosts, work.host, |group| group.count * group.addresses),
            first_target: before(&scenario.destinations, work.destination, |to| to.count),
            targets: to.count,
            loopback: to.loopback,
            scope,
            random,
            arrivals,
            span,
            fixed: Bits::of(span, &(&group.reserved | &group.listeners)),
            usable: group.usable(),
            domains: vec![domain; domains as usize],
            pickers: (0..group.count).map(picker).collect(),
            next_address: vec![0; if group.addresses > 1 { group.count as usize } else { 0 }],
            hold,
            releases: releases(work, group, hold),
            released: 0,
            attempts: 0,
            opened: 0,
            closed: Closed {
                before: 0,
                next: 0,
                later: vec![0; tally.points.count() as usize + 1],
            },
            tally,
        }
    }

    pub(super) fn run(mut self, progress: &mut dyn FnMut(Progress)) -> Outcome {
        let end = self.scenario.duration;
        let mut told = PROGRESS_EVERY;
        while self.arrivals.next < end {
            let at = self.arrivals.next;
            if at >= self.tally.points.next() {
                self.sample(at);
            }
            self.arrive(at);
            if self.attempts >= told {
                told += PROGRESS_EVERY;
                progress(Progress { at, of: end, events: self.attempts + self.released });
            }
        }
        self.sample(end);
        let released = if self.hold > 0 { self.released } else { 0 };
        let outcome = &mut self.tally.outcome;
        outcome.simulated = end;
        outcome.events = self.attempts + self.closed.before + released;
        outcome.opened = self.opened;
        let share = &mut outcome.workloads[0];
        (share.attempted, share.opened) = (self.attempts, self.opened);
        self.tally.outcome
    }

    /// How many connections are attempted before each of these times, which ascend.
    pub(super) fn attempted_before(mut self, times: &[Nanos]) -> Vec<u64> {
        let before = times.iter().map(|time| {
            while self.arrivals.next < *time {
                self.arrive(self.arrivals.next);
            }
            self.attempts
        });
        before.collect()
    }

    /// A connection begins.
    #[inline]
    fn arrive(&mut self, now: Nanos) {
        self.release(now);
        let work = self.work;
        let host = self.arrivals.host(work, &mut self.random);
        self.arrivals.advance(work, &mut self.random);
        let space = self.space(host);
        let to = if self.targets == 1 { 0 } else { self.random.below(self.targets) };
        let place = match self.scope {
            Scope::Tuple => space * self.targets + to,
            Scope::Address => space,
            Scope::Host => host,
        };
        self.attempts += 1;
        let number = self.attempts;
        let domain = &mut self.domains[place as usize];
        let held = domain.taken.len();
        let view = View {
            span: self.span,
            taken: Some(&domain.taken),
            fixed: &self.fixed,
            more: None,
            free: Some((self.group.range, self.usable.saturating_sub(held))),
            probes: Cell::new(0),
        };
        let (space, to) = (self.first_space + space, self.first_target + to);
        let key = || key(work.protocol, space, to, self.loopback);
        let picked = match &mut self.pickers[host as usize] {
            Picker::Linux(linux) => {
                domain.place = linux.place(domain.place, key, now, &mut self.random);
                linux.pick_from(domain.place, &view, &mut self.random)
            }
            Picker::Other(strategy) => {
                strategy.pick(&Request { key: &key(), now, free: &view }, &mut self.random)
            }
        };
        let probes = view.probes.get();
        let moment = Moment { at: now, workload: 0, number, held };
        let Some(port) = picked.map(Port::number) else {
            self.fail(moment);
            return;
        };
        domain.taken.insert(self.span, port);
        self.opened += 1;
        self.tally.searched(probes, self.group.range.len(), || moment);
        self.tally.handed_out(now, &mut domain.count, port);
        let closes = now.saturating_add(work.duration.draw(&mut self.random));
        if closes == Nanos::MAX {
            return;
        }
        self.closed.add(closes, &self.tally);
        let release = Release { at: closes.saturating_add(self.hold), domain: place, port };
        match &mut self.releases {
            Releases::Line(line) => line.push_back(release),
            Releases::Calendar(calendar) => calendar.add(release),
        }
    }

    /// The next source address of a host, within the group.
    #[inline]
    fn space(&mut self, host: u32) -> u32 {
        let addresses = self.group.addresses;
        if addresses == 1 {
            return host;
        }
        let next = &mut self.next_address[host as usize];
        let address = *next;
        *next = (address + 1) % addresses;
        host * addresses + address
    }

    #[cold]
    fn fail(&mut self, moment: Moment) {
        let behaviour = &self.group.behaviour;
        let error = match self.work.protocol {
            Protocol::Udp => behaviour.udp_error,
            _ => behaviour.connect_error,
        };
        self.tally.outcome.workloads[0].attempted = moment.number;
        self.tally.failed(moment, "connect()", error);
    }

    /// Frees what is to be freed by a time.
    #[inline]
    fn release(&mut self, until: Nanos) {
        match &mut self.releases {
            Releases::Line(line) => {
                while let Some(first) = line.front().filter(|first| first.at <= until) {
                    self.domains[first.domain as usize].taken.remove(self.span, first.port);
                    self.released += 1;
                    line.pop_front();
                }
            }
            Releases::Calendar(calendar) => {
                while calendar.next_due(until).is_some()
                    && let Some(one) = calendar.take()
                {
                    self.domains[one.domain as usize].taken.remove(self.span, one.port);
                    self.released += 1;
                }
            }
        }
    }

    /// Notes the state at every point of the curve up to a time.
    fn sample(&mut self, until: Nanos) {
        while let Some(at) = self.tally.points.pass(until) {
            // A TIME_WAIT that ends just then is over; a connection that closes just then is open.
            match self.hold {
                0 if at == 0 => {}
                0 => self.release(at - 1),
                _ => self.release(at),
            }
            let closed = self.closed.before;
            let outcome = &mut self.tally.outcome;
            outcome.curve.push(Sample {
                at,
                live: self.opened - closed,
                time_wait: if self.hold > 0 { closed - self.released } else { 0 },
                fullest: self.domains.iter().map(|one| one.taken.len()).max().unwrap_or(0),
                failed: outcome.failed,
                opened: self.opened,
                mapped: 0,
            });
            self.closed.pass(&self.tally);
        }
    }
}

impl Closed {
    #[inline]
    fn add(&mut self, at: Nanos, tally: &Tally) {
        if at < self.next {
            self.before += 1;
        } else if let Some(later) = self.later.get_mut(tally.points.after(at) as usize) {
            *later += 1;
        }
    }

    /// A point has been passed; behind the last one nothing counts.
    fn pass(&mut self, tally: &Tally) {
        if tally.points.next() < Nanos::MAX {
            self.next = tally.points.next();
            self.before += self.later[tally.points.passed() as usize];
        }
    }
}

/// Where the places of a group begin.
fn before<T>(groups: &[T], group: usize, places: impl Fn(&T) -> u32) -> u32 {
    groups[..group].iter().map(places).sum()
}

/// Ten or twenty releases to a bucket of the calendar, which are sorted by insertion, and few that lie
/// beyond the last bucket.
fn releases(work: &Workload, group: &HostGroup, hold: Nanos) -> Releases {
    if matches!(work.duration, Distribution::Constant(_) | Distribution::Forever) {
        return Releases::Line(VecDeque::new());
    }
    let rate = match work.pace {
        Pace::Poisson(rate) | Pace::Constant(rate) | Pace::Bursts(rate, _) => rate,
        Pace::Parallel(..) => 0.0,
    };
    let width = 8.0 * SECOND as f64 / (rate * f64::from(group.count)).max(1.0);
    let mean = work.duration.mean().min(600.0) * SECOND as f64;
    Releases::Calendar(Calendar::reaching(width as Nanos, hold.saturating_add(8 * mean as Nanos)))
}
