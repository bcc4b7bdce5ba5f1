//! The loop: what is due next, and what becomes of it.

use std::collections::VecDeque;

use dayfly_alloc::{Random, Xoshiro};
use dayfly_ports::Protocol;

use super::nat::Translator;
use super::outcome::{Failure, Moment, Outcome, Sample, Share, WATCHED, Window};
use super::ports::{Span, Taken};
use super::tasks::{Guesser, Slots};
use super::timers::{Calendar, Due, Held, Line};
use super::world::{World, targets};
use super::{Histogram, Progress};
use crate::scenario::{
    Closes, Distribution, Nanos, Pace, SECOND, Scenario, Task, Via, Workload, exponential,
};

/// `tcp_syn_retries` = 6: a SYN that nobody answers is given up after 127 seconds.
const SYN_GIVES_UP: Nanos = 127 * SECOND;
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

/// A connection that is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    pub(super) space: u32,
    pub(super) to: u32,
    pub(super) port: u16,
    pub(super) outside: u16,
    pub(super) bound: bool,
}

impl From<Timer> for Open {
    fn from(timer: Timer) -> Open {
        let Timer { space, to, port, outside, bound, .. } = timer;
        Open { space, to, port, outside, bound }
    }
}

/// When a workload's next beginning is.
struct Arrivals {
    next: Nanos,
    begun: u64,
    left: u64,
}

/// A watched pair: when each port was handed out last, by the number of the connection.
struct Watch {
    connections: u32,
    last: Box<[u32]>,
}

pub(super) struct Engine<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) random: Xoshiro,
    pub(super) now: Nanos,
    world: World,
    nat: Option<Translator>,
    arrivals: Vec<Arrivals>,
    /// Connections that all take as long, by workload.
    ends: Vec<VecDeque<Timer>>,
    pub(super) calendar: Calendar<Timer>,
    /// TIME_WAIT at the servers, by source and destination, and when it ends, by group.
    peers: Vec<Taken>,
    peer_span: Span,
    peer_lines: Vec<Line>,
    /// The group of each target, and where each group begins.
    group_of: Vec<u16>,
    pub(super) first_of: Vec<u32>,
    /// Where the further targets of each workload begin (FTP's data connections).
    pub(super) data_of: Vec<u32>,
    pub(super) slots: Slots,
    guessers: Vec<Guesser>,
    window: Nanos,
    /// The window that is counted, and when it ends.
    window_now: (u32, Nanos),
    watches: Vec<Watch>,
    live: u64,
    sampled: u64,
    /// When the next point of the curve is.
    next_sample: Nanos,
    stopped: bool,
    pub(super) outcome: Outcome,
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
        let first = &scenario.workloads[0];
        let host = &scenario.hosts[first.host];
        let window = if host.time_wait > 0 { host.time_wait } else { 60 * SECOND };
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
            window,
            window_now: (0, window),
            watches: Vec::new(),
            live: 0,
            sampled: 0,
            next_sample: 0,
            stopped: false,
            outcome: outcome(scenario, window),
        };
        for index in 0..scenario.workloads.len() {
            let arrivals = engine.first_arrival(index);
            engine.arrivals.push(arrivals);
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
            if at >= self.next_sample {
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
            if self.outcome.events >= told {
                told = self.outcome.events + PROGRESS_EVERY;
                progress(Progress { at, of: end, events: self.outcome.events });
            }
        }
        let reached = if self.stopped { self.now } else { end };
        self.now = reached;
        self.sample(reached);
        self.finish(reached);
        self.outcome
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
        self.outcome.events += events;
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
        let hosts = self.scenario.hosts[work.host].count;
        let begun = self.arrivals[index].begun;
        let host = match work.pace {
            Pace::Poisson(_) if hosts > 1 => self.random.below(hosts),
            Pace::Bursts(_, burst) => (begun / u64::from(burst) % u64::from(hosts)) as u32,
            _ => (begun % u64::from(hosts)) as u32,
        };
        self.next_arrival(index, work, hosts);
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

    fn first_arrival(&mut self, index: usize) -> Arrivals {
        let work = &self.scenario.workloads[index];
        let mut arrivals =
            Arrivals { next: work.start, begun: 0, left: work.count.unwrap_or(u64::MAX) };
        let hosts = self.scenario.hosts[work.host].count;
        match work.pace {
            Pace::Poisson(rate) => {
                let mean = SECOND as f64 / (rate * f64::from(hosts));
                arrivals.next += exponential(mean, &mut self.random);
            }
            Pace::Constant(_) | Pace::Bursts(..) => {}
            Pace::Parallel(parallel, _) => {
                arrivals.next = Nanos::MAX;
                let wanted = u64::from(parallel) * u64::from(hosts);
                for number in 0..wanted.min(arrivals.left) {
                    let host = (number % u64::from(hosts)) as u32;
                    self.calendar.add(Timer {
                        at: work.start,
                        space: host,
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
        }
        if arrivals.left == 0 || arrivals.next >= work.stop {
            arrivals.next = Nanos::MAX;
        }
        arrivals
    }

    #[inline]
    fn next_arrival(&mut self, index: usize, work: &Workload, hosts: u32) {
        let arrivals = &mut self.arrivals[index];
        arrivals.begun += 1;
        arrivals.left -= 1;
        let begun = arrivals.begun;
        arrivals.next = match work.pace {
            Pace::Poisson(rate) => {
                let mean = SECOND as f64 / (rate * f64::from(hosts));
                arrivals.next.saturating_add(exponential(mean, &mut self.random))
            }
            Pace::Constant(rate) => {
                let since = begun as f64 / (rate * f64::from(hosts)) * SECOND as f64;
                work.start.saturating_add(since.round() as Nanos)
            }
            Pace::Bursts(rate, burst) => {
                let bursts = (begun / u64::from(burst)) as f64 * f64::from(burst);
                let since = bursts / (rate * f64::from(hosts)) * SECOND as f64;
                work.start.saturating_add(since.round() as Nanos)
            }
            Pace::Parallel(..) => Nanos::MAX,
        };
        if arrivals.left == 0 || arrivals.next >= work.stop {
            arrivals.next = Nanos::MAX;
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

    /// A target of a group, by lot.
    #[inline]
    pub(super) fn target(&mut self, group: usize) -> u32 {
        let count = self.scenario.destinations[group].count;
        let first = self.first_of[group];
        if count == 1 { first } else { first + self.random.below(count) }
    }

    /// Opens a connection that ends by itself.
    #[inline]
    fn connection(&mut self, index: usize, work: &Workload, space: u32, to: u32, what: What) {
        let open = self.open(index, work, work.via, space, to);
        let at = match open {
            Some(_) => self.now.saturating_add(work.duration.draw(&mut self.random)),
            None => self.now,
        };
        let mut timer = Timer {
            at,
            space,
            to,
            slot: 0,
            port: 0,
            outside: 0,
            work: index as u16,
            what,
            bound: false,
        };
        let Some(open) = open else {
            if what == What::EndThenNext {
                self.follow(timer, true);
            }
            return;
        };
        (timer.port, timer.outside, timer.bound) = (open.port, open.outside, open.bound);
        if at == Nanos::MAX {
            return;
        }
        if what == What::End && matches!(work.duration, Distribution::Constant(_)) {
            self.ends[index].push_back(timer);
        } else {
            self.calendar.add(timer);
        }
    }

    /// Opens a connection, and counts it.
    #[inline]
    pub(super) fn open(
        &mut self,
        index: usize,
        work: &Workload,
        via: Via,
        space: u32,
        to: u32,
    ) -> Option<Open> {
        self.outcome.events += 1;
        let number = self.outcome.opened + self.outcome.failed + 1;
        let share = &mut self.outcome.workloads[index];
        share.attempted += 1;
        let domain = self.world.domain(work.host, work.protocol, space, to);
        let picked =
            self.world.open(work.host, work.protocol, via, space, to, self.now, &mut self.random);
        let bound = matches!(via, Via::Bind | Via::BindReuseAddress);
        let pick = match picked {
            Ok(pick) => pick,
            Err(_) => {
                let behaviour = &self.scenario.hosts[work.host].behaviour;
                let (call, error) = match work.protocol {
                    _ if bound => ("bind()", behaviour.bind_error),
                    Protocol::Udp => ("connect()", behaviour.udp_error),
                    _ => ("connect()", behaviour.connect_error),
                };
                let held = self.world.held_at(work.host, space, domain, via);
                self.fail(index, number, held, call, error);
                return None;
            }
        };
        let held = self.world.domains[domain as usize].held() - u32::from(!pick.reused);
        let moment = Moment { at: self.now, workload: index, number, held };
        let mut outside = pick.port;
        if let Some(nat) = &mut self.nat {
            let host = self.world.host(work.host, space);
            match nat.open(host, (space, to, pick.port), self.now, &mut self.random) {
                Some(port) => outside = port,
                None => {
                    self.outcome.dropped += 1;
                    self.live += 1;
                    let held = nat.fullest();
                    self.fail(index, number, held, "connect()", "ETIMEDOUT");
                    self.calendar.add(Timer {
                        at: self.now + SYN_GIVES_UP,
                        space,
                        to,
                        slot: 0,
                        port: pick.port,
                        outside: 0,
                        work: index as u16,
                        what: What::GiveUp,
                        bound,
                    });
                    return None;
                }
            }
        }
        self.live += 1;
        self.outcome.opened += 1;
        self.outcome.workloads[index].opened += 1;
        self.outcome.reused += u64::from(pick.reused);
        self.outcome.search.add(pick.probes);
        // By the range, reserved ports included: they are looked at as well.
        if pick.probes > 1 && pick.probes * 2 > self.scenario.hosts[work.host].range.len() {
            let held = self.world.held_at(work.host, space, domain, via) - u32::from(!pick.reused);
            self.outcome.slow += 1;
            self.outcome.workloads[index].slow += 1;
            self.outcome.first_slow.get_or_insert(Moment { held, ..moment });
        }
        self.count(domain, pick.port);
        self.meet_peer(work, space, to, outside, moment);
        for guesser in &mut self.guessers {
            guesser.saw(index, self.world.host(work.host, space), pick.port, &mut self.outcome);
        }
        Some(Open { space, to, port: pick.port, outside, bound })
    }

    fn fail(
        &mut self,
        index: usize,
        number: u64,
        held: u32,
        call: &'static str,
        error: &'static str,
    ) {
        self.outcome.failed += 1;
        let share = &mut self.outcome.workloads[index];
        share.failed += 1;
        share.first_failed.get_or_insert(share.attempted);
        let moment = Moment { at: self.now, workload: index, number, held };
        self.outcome.first_failure.get_or_insert(Failure { moment, call, error });
        self.stopped |= self.scenario.stop_at_failure;
    }

    /// Counts a port that was handed out.
    #[inline]
    fn count(&mut self, domain: u32, port: u16) {
        let heat = &mut self.outcome.heat[usize::from(port)];
        *heat = heat.saturating_add(1);
        if self.now >= self.window_now.1 {
            let window = self.now / self.window;
            self.window_now = (window as u32, (window + 1).saturating_mul(self.window));
        }
        let opened = self.world.domains[domain as usize].count(self.window_now.0);
        self.outcome.window.most_opened = self.outcome.window.most_opened.max(opened);
        if let Some(index) = self.world.watch(domain, WATCHED) {
            if self.watches.len() <= index {
                self.watches.push(Watch { connections: 0, last: vec![0; 1 << 16].into() });
            }
            let watch = &mut self.watches[index];
            watch.connections = watch.connections.wrapping_add(1);
            let last = &mut watch.last[usize::from(port)];
            if *last != 0 {
                self.outcome.reuse.add(watch.connections.wrapping_sub(*last));
            }
            *last = watch.connections;
        }
    }

    /// Looks whether the server still has the same tuple in TIME_WAIT, which ends with this.
    #[inline]
    fn meet_peer(&mut self, work: &Workload, space: u32, to: u32, outside: u16, moment: Moment) {
        if self.peers.is_empty() || work.protocol != Protocol::Tcp {
            return;
        }
        let place = self.peer(work.host, space, to);
        let peer = &mut self.peers[place as usize];
        if peer.contains(self.peer_span, outside) {
            peer.remove(self.peer_span, outside);
            let group = usize::from(self.group_of[to as usize]);
            self.peer_lines[group].revoke(place, outside);
            self.outcome.collisions += 1;
            self.outcome.first_collision.get_or_insert(moment);
        }
    }

    /// Where the server's TIME_WAIT is kept: by the address that it sees.
    fn peer(&self, group: usize, space: u32, to: u32) -> u32 {
        let visible = match &self.nat {
            Some(nat) => nat.address(self.world.host(group, space)),
            None => space,
        };
        visible * self.group_of.len() as u32 + to
    }

    /// A connection ends.
    #[inline]
    pub(super) fn close(&mut self, index: usize, open: Open, closes: Closes) {
        self.outcome.events += 1;
        self.live -= 1;
        let work = &self.scenario.workloads[index];
        let Open { space, to, port, outside, bound } = open;
        let domain = self.world.domain(work.host, work.protocol, space, to);
        if work.protocol == Protocol::Tcp && closes == Closes::Client {
            let cut_short = self.world.wait(work.host, domain, space, to, port, bound, self.now);
            self.outcome.cut_short += u64::from(cut_short);
        } else {
            self.world.release(work.host, work.protocol, domain, space, port, bound);
        }
        if let Some(nat) = &mut self.nat
            && outside != 0
        {
            let host = self.world.host(work.host, space);
            nat.close(host, (space, to, port), outside, self.now);
        }
        if work.protocol == Protocol::Tcp && closes == Closes::Server && !self.peers.is_empty() {
            let group = usize::from(self.group_of[to as usize]);
            let time_wait = self.scenario.destinations[group].time_wait;
            let place = self.peer(work.host, space, to);
            let peer = &mut self.peers[place as usize];
            if time_wait > 0 && !peer.contains(self.peer_span, outside) {
                peer.insert(self.peer_span, outside);
                let until = self.now.saturating_add(time_wait);
                let held = Held { until, domain: place, space, port: outside, bound: false };
                self.peer_lines[group].add(held);
            }
        }
    }

    /// Notes the state at every point of the curve up to a time.
    fn sample(&mut self, until: Nanos) {
        let (duration, samples) = (self.scenario.duration, u64::from(self.scenario.samples));
        while self.next_sample <= until && self.sampled < samples {
            let at = self.next_sample;
            self.sampled += 1;
            let next = u128::from(duration) * u128::from(self.sampled) / u128::from(samples - 1);
            self.next_sample = if self.sampled < samples { next as Nanos } else { Nanos::MAX };
            self.now = at;
            self.expire();
            let held = self.world.domains.iter().map(super::world::Domain::held);
            let fullest = match &self.nat {
                Some(nat) => nat.fullest(),
                None => held.max().unwrap_or(0),
            };
            self.outcome.curve.push(Sample {
                at,
                live: self.live,
                time_wait: self.world.waiting,
                fullest,
                failed: self.outcome.failed,
                opened: self.outcome.opened,
                mapped: self.nat.as_ref().map_or(0, |nat| nat.mapped),
            });
        }
    }

    fn finish(&mut self, reached: Nanos) {
        self.outcome.simulated = reached;
        if let Some(nat) = &self.nat {
            self.outcome.usable = nat.ports();
        }
        for guesser in &self.guessers {
            guesser.finish(self.scenario, &mut self.outcome);
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

fn outcome(scenario: &Scenario, window: Nanos) -> Outcome {
    let first = &scenario.workloads[0];
    let host = &scenario.hosts[first.host];
    let usable = host.usable();
    let kept = match first.closes {
        Closes::Client if first.protocol == Protocol::Tcp => host.time_wait,
        _ => 0,
    };
    let held = first.duration.mean() + kept as f64 / SECOND as f64;
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
        window: Window { length: window, most_opened: 0, sustainable: f64::from(usable) / held },
        reuse: Histogram::default(),
        search: Histogram::default(),
        heat: vec![0; 1 << 16],
        curve: Vec::new(),
        usable,
    }
}
