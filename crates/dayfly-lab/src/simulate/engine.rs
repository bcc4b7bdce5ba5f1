//! The loop: what is due next, and what becomes of it.

use std::collections::VecDeque;

use dayfly_alloc::Xoshiro;

use super::Progress;
use super::arrivals::Arrivals;
use super::nat::Translator;
use super::outcome::{Outcome, Sample, WATCHED};
use super::ports::{Span, Taken};
use super::tally::Tally;
use super::tasks::{Guesser, Slots};
use super::timers::{Calendar, Due, Line};
use super::world::{World, targets};
use crate::scenario::{Closes, Nanos, Pace, SECOND, Scenario, Task, Workload};

/// Between two looks at how far it is.
const PROGRESS_EVERY: u64 = 1 << 20;

/// What a timer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// A connection ends.
    End,
    /// One of several at a time ends; the next one follows.
    EndThenNext,
    /// One of several at a time begins.
    Begin,
    /// A connection that a NAT dropped is given up.
    GiveUp,
    /// A request over a kept connection is done.
    RequestDone,
    /// A kept connection has been idle long enough, unless it was used since.
    IdleOver,
    /// A file of an FTP session is done.
    FileDone,
}

/// Something that will happen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timer {
    pub(super) at: Nanos,
    pub(super) space: u32,
    pub(super) to: u32,
    /// The kept connection or session it belongs to.
    pub(super) slot: u32,
    pub(super) port: u16,
    pub(super) outside: u16,
    pub(super) work: u16,
    pub(super) what: What,
    pub(super) bound: bool,
}

impl Due for Timer {
    fn due(&self) -> Nanos {
        self.at
    }
}

pub(super) struct Engine<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) random: Xoshiro,
    pub(super) now: Nanos,
    pub(super) world: World,
    pub(super) nat: Option<Translator>,
    arrivals: Vec<Arrivals>,
    /// Connections that all take as long, by workload.
    pub(super) ends: Vec<VecDeque<Timer>>,
    pub(super) calendar: Calendar<Timer>,
    /// TIME_WAIT at the servers, by source and destination, and when it ends, by group.
    pub(super) peers: Vec<Taken>,
    pub(super) peer_span: Span,
    pub(super) peer_lines: Vec<Line>,
    /// The group of each target, and where each group begins.
    pub(super) group_of: Vec<u16>,
    pub(super) first_of: Vec<u32>,
    /// Where the further targets of each workload begin (FTP's data connections).
    pub(super) data_of: Vec<u32>,
    pub(super) slots: Slots,
    pub(super) guessers: Vec<Guesser>,
    pub(super) live: u64,
    pub(super) stopped: bool,
    pub(super) tally: Tally,
}

impl<'a> Engine<'a> {
    pub(super) fn new(scenario: &'a Scenario) -> Self {
        let (group_of, first_of, data_of) = layout(scenario);
        let loopback =
            group_of.iter().map(|group| scenario.destinations[usize::from(*group)].loopback);
        let world = World::new(scenario, loopback.collect());
        let targets = targets(scenario) as u32;
        let hosts: u32 = scenario.hosts.iter().map(|group| group.count).sum();
        let spaces: u32 = scenario.hosts.iter().map(|group| group.count * group.addresses).sum();
        let nat = scenario.nat.as_ref().map(|nat| Translator::new(nat, hosts, targets));
        let any_server = scenario.workloads.iter().any(|work| work.closes == Closes::Server);
        let visible = scenario.nat.as_ref().map_or(spaces, |nat| nat.addresses);
        let peers = if any_server { visible as usize * targets as usize } else { 0 };
        let mut engine = Engine {
            scenario,
            random: Xoshiro::seeded(scenario.seed),
            now: 0,
            world,
            nat,
            arrivals: Vec::new(),
            ends: scenario.workloads.iter().map(|_| VecDeque::new()).collect(),
            calendar: Calendar::new(calendar_width(scenario)),
            peers: vec![Taken::EMPTY; peers],
            peer_span: Span::of(dayfly_ports::PortRange::ALL),
            peer_lines: scenario.destinations.iter().map(|_| Line::default()).collect(),
            group_of,
            first_of,
            data_of,
            slots: Slots::default(),
            guessers: Guesser::of(scenario),
            live: 0,
            stopped: false,
            tally: Tally::new(scenario, WATCHED),
        };
        for (index, work) in scenario.workloads.iter().enumerate() {
            let hosts = scenario.hosts[work.host].count;
            engine.arrivals.push(Arrivals::of(work, hosts, &mut engine.random));
            engine.begin_several(index, work);
        }
        engine
    }

    pub(super) fn run(mut self, progress: &mut dyn FnMut(Progress)) -> Outcome {
        let end = self.scenario.duration;
        let mut told = PROGRESS_EVERY;
        while !self.stopped {
            let (mut at, mut source) = (end, Source::End);
            for (index, arrivals) in self.arrivals.iter().enumerate() {
                if arrivals.next < at {
                    (at, source) = (arrivals.next, Source::Arrival(index));
                }
            }
            // What ends at the same time as something begins ends before it.
            for (index, line) in self.ends.iter().enumerate() {
                if let Some(timer) = line.front()
                    && (timer.at < at || timer.at == at && !matches!(source, Source::Line(_)))
                {
                    (at, source) = (timer.at, Source::Line(index));
                }
            }
            if let Some(due) = self.calendar.next_due(at)
                && (due < at || !matches!(source, Source::Line(_)))
            {
                (at, source) = (due, Source::Calendar);
            }
            if at >= end {
                break;
            }
            if at >= self.tally.points.next() {
                self.sample(at);
            }
            self.now = at;
            let timer = match source {
                Source::Arrival(index) => {
                    self.expire();
                    self.arrive(index);
                    None
                }
                Source::Line(index) => self.ends[index].pop_front(),
                Source::Calendar => self.calendar.take(),
                Source::End => break,
            };
            if let Some(timer) = timer {
                self.fire(timer);
            }
            if self.tally.outcome.events >= told {
                told = self.tally.outcome.events + PROGRESS_EVERY;
                progress(Progress { at, of: end, events: self.tally.outcome.events });
            }
        }
        let reached = if self.stopped { self.now } else { end };
        self.now = reached;
        self.sample(reached);
        self.finish(reached);
        self.tally.outcome
    }

    /// Frees what is over.
    #[inline]
    pub(super) fn expire(&mut self) {
        let mut events = self.world.expire(self.now);
        if let Some(nat) = &mut self.nat {
            events += nat.expire(self.now);
        }
        if !self.peers.is_empty() {
            for line in &mut self.peer_lines {
                while let Some(held) = line.ended(self.now) {
                    self.peers[held.domain as usize].remove(self.peer_span, held.port);
                }
            }
        }
        self.tally.outcome.events += events;
    }

    fn fire(&mut self, timer: Timer) {
        match timer.what {
            What::End => {
                let work = &self.scenario.workloads[usize::from(timer.work)];
                self.close(usize::from(timer.work), timer.into(), work.closes);
            }
            What::EndThenNext => {
                let work = &self.scenario.workloads[usize::from(timer.work)];
                self.close(usize::from(timer.work), timer.into(), work.closes);
                self.follow(timer, false);
            }
            What::Begin => {
                self.expire();
                self.begin_one_of_several(timer);
            }
            What::GiveUp => self.close(usize::from(timer.work), timer.into(), Closes::Reset),
            What::RequestDone => self.request_done(timer),
            What::IdleOver => self.idle_over(timer),
            What::FileDone => self.file_done(timer),
        }
    }

    fn arrive(&mut self, index: usize) {
        let work = &self.scenario.workloads[index];
        let arrivals = &mut self.arrivals[index];
        let host = arrivals.host(work, &mut self.random);
        arrivals.advance(work, &mut self.random);
        let space = self.world.space(work.host, host);
        match work.task {
            Task::Connection | Task::Predict { .. } => {
                let to = self.target(work.destination);
                self.connection(index, work, space, to, What::End);
            }
            Task::KeepAlive { .. } => self.request(index, work, space),
            Task::Ftp { .. } => self.session(index, work, space),
        }
    }

    /// Lets those that go on at a time begin.
    fn begin_several(&mut self, index: usize, work: &Workload) {
        let Pace::Parallel(parallel, _) = work.pace else { return };
        let hosts = u64::from(self.scenario.hosts[work.host].count);
        let wanted = u64::from(parallel) * hosts;
        for number in 0..wanted.min(self.arrivals[index].left) {
            self.calendar.add(Timer {
                at: work.start,
                space: (number % hosts) as u32,
                to: 0,
                slot: 0,
                port: 0,
                outside: 0,
                work: index as u16,
                what: What::Begin,
                bound: false,
            });
        }
    }

    /// One of several at a time begins, if the workload may go on. The timer's `space` is the host
    /// within its group.
    fn begin_one_of_several(&mut self, timer: Timer) {
        let index = usize::from(timer.work);
        let work = &self.scenario.workloads[index];
        let arrivals = &mut self.arrivals[index];
        if arrivals.left == 0 || self.now >= work.stop {
            return;
        }
        arrivals.left -= 1;
        arrivals.begun += 1;
        let space = self.world.space(work.host, timer.space);
        match work.task {
            Task::Ftp { .. } => self.session(index, work, space),
            Task::KeepAlive { .. } => self.request(index, work, space),
            Task::Connection | Task::Predict { .. } => {
                let to = self.target(work.destination);
                self.connection(index, work, space, to, What::EndThenNext);
            }
        }
    }

    /// The next one of several at a time, after the pause; after a failure not at once.
    pub(super) fn follow(&mut self, timer: Timer, failed: bool) {
        let work = &self.scenario.workloads[usize::from(timer.work)];
        let Pace::Parallel(_, pause) = work.pace else { return };
        let pause = if failed { pause.max(SECOND / 100) } else { pause };
        let host = self.world.host_of_group(work.host, timer.space);
        let at = self.now.saturating_add(pause);
        self.calendar.add(Timer { at, space: host, what: What::Begin, ..timer });
    }

    /// Notes the state at every point of the curve up to a time.
    fn sample(&mut self, until: Nanos) {
        while let Some(at) = self.tally.points.pass(until) {
            self.now = at;
            self.expire();
            let held = self.world.domains.iter().map(super::world::Domain::held);
            let fullest = match &self.nat {
                Some(nat) => nat.fullest(),
                None => held.max().unwrap_or(0),
            };
            self.tally.outcome.curve.push(Sample {
                at,
                live: self.live,
                time_wait: self.world.waiting,
                fullest,
                failed: self.tally.outcome.failed,
                opened: self.tally.outcome.opened,
                mapped: self.nat.as_ref().map_or(0, |nat| nat.mapped),
            });
        }
    }

    fn finish(&mut self, reached: Nanos) {
        self.tally.outcome.simulated = reached;
        if let Some(nat) = &self.nat {
            self.tally.outcome.usable = nat.ports();
        }
        for guesser in &self.guessers {
            guesser.finish(self.scenario, &mut self.tally.outcome);
        }
    }
}

enum Source {
    Arrival(usize),
    Line(usize),
    Calendar,
    End,
}

/// The group of each target, where each group begins, and where each workload's own targets do.
fn layout(scenario: &Scenario) -> (Vec<u16>, Vec<u32>, Vec<u32>) {
    let (mut group_of, mut first_of, mut data_of) = (Vec::new(), Vec::new(), Vec::new());
    for (index, group) in scenario.destinations.iter().enumerate() {
        first_of.push(group_of.len() as u32);
        group_of.resize(group_of.len() + group.count as usize, index as u16);
    }
    for work in &scenario.workloads {
        data_of.push(group_of.len() as u32);
        if let Task::Ftp { active, passive_ports, .. } = work.task {
            let ports = if active { 1 } else { passive_ports };
            let count = scenario.destinations[work.destination].count * ports;
            group_of.resize(group_of.len() + count as usize, work.destination as u16);
        }
    }
    (group_of, first_of, data_of)
}

/// Wide enough for ten or twenty things, which are sorted by insertion, narrow enough that few lie beyond the last bucket.
fn calendar_width(scenario: &Scenario) -> Nanos {
    let rate: f64 = scenario.workloads.iter().map(|work| rate(scenario, work)).sum();
    let longest = scenario.workloads.iter().map(|work| work.duration.mean());
    let longest = longest.filter(|mean| mean.is_finite()).fold(0.0, f64::max);
    let by_rate = 8.0 / rate.max(1.0);
    (by_rate.max(longest / 1024.0) * SECOND as f64) as Nanos
}

fn rate(scenario: &Scenario, work: &Workload) -> f64 {
    let hosts = f64::from(scenario.hosts[work.host].count);
    match work.pace {
        Pace::Poisson(rate) | Pace::Constant(rate) | Pace::Bursts(rate, _) => rate * hosts,
        Pace::Parallel(parallel, _) => {
            f64::from(parallel) * hosts / work.duration.mean().clamp(1e-3, 1e6)
        }
    }
}
