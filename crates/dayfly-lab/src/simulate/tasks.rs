//! What takes more than one connection: requests over kept connections, FTP sessions, guesses.

use std::collections::HashMap;

use dayfly_alloc::Random;

use super::connection::Open;
use super::engine::{Engine, Timer, What};
use super::outcome::Outcome;
use crate::scenario::{Closes, Nanos, Scenario, Task, Via, Workload};

/// Kept connections and sessions, and which places are free again.
#[derive(Debug, Default)]
pub(super) struct Slots {
    all: Vec<Slot>,
    free: Vec<u32>,
    /// Kept connections that are idle, by workload, source and destination; the last one is used
    /// first, as most clients do.
    idle: HashMap<(u16, u32, u32), Vec<u32>, foldhash::fast::FixedState>,
}

/// A kept connection, or an FTP session with its control connection.
#[derive(Clone, Copy, Debug)]
struct Slot {
    open: Open,
    /// Requests done, or files to go.
    count: u32,
    /// When it is closed if it stays idle.
    idle_until: Nanos,
}

impl Slots {
    fn add(&mut self, slot: Slot) -> u32 {
        if let Some(place) = self.free.pop() {
            self.all[place as usize] = slot;
            return place;
        }
        self.all.push(slot);
        self.all.len() as u32 - 1
    }

    fn remove(&mut self, place: u32) -> Slot {
        self.free.push(place);
        self.all[place as usize]
    }
}

impl Engine<'_> {
    /// A request: over a connection that is idle, or a new one.
    pub(super) fn request(&mut self, index: usize, work: &Workload, space: u32) {
        let to = self.target(work.destination);
        let idle = self.slots.idle.get_mut(&(index as u16, space, to)).and_then(Vec::pop);
        let place = match idle {
            Some(place) => place,
            None => {
                let Some(open) = self.open(index, work, work.via, space, to) else {
                    let mut timer = timer(index, space, to, What::Begin);
                    timer.at = self.now;
                    self.follow(timer, true);
                    return;
                };
                self.slots.add(Slot { open, count: 0, idle_until: 0 })
            }
        };
        self.slots.all[place as usize].idle_until = Nanos::MAX;
        let at = self.now.saturating_add(work.duration.draw(&mut self.random));
        self.calendar.add(Timer { at, slot: place, ..timer(index, space, to, What::RequestDone) });
    }

    pub(super) fn request_done(&mut self, timer: Timer) {
        let index = usize::from(timer.work);
        let work = &self.scenario.workloads[index];
        let Task::KeepAlive { idle, requests } = work.task else { return };
        self.tally.outcome.workloads[index].done += 1;
        let slot = &mut self.slots.all[timer.slot as usize];
        slot.count += 1;
        if slot.count >= requests {
            let slot = self.slots.remove(timer.slot);
            self.close(index, slot.open, work.closes);
        } else {
            let at = self.now.saturating_add(idle);
            slot.idle_until = at;
            let key = (timer.work, timer.space, timer.to);
            self.slots.idle.entry(key).or_default().push(timer.slot);
            self.calendar.add(Timer { at, what: What::IdleOver, ..timer });
        }
        self.follow(timer, false);
    }

    pub(super) fn idle_over(&mut self, timer: Timer) {
        let slot = self.slots.all[timer.slot as usize];
        let key = (timer.work, timer.space, timer.to);
        let Some(idle) = self.slots.idle.get_mut(&key) else { return };
        if slot.idle_until != timer.at {
            return;
        }
        let Some(place) = idle.iter().position(|place| *place == timer.slot) else { return };
        idle.remove(place);
        let slot = self.slots.remove(timer.slot);
        let index = usize::from(timer.work);
        self.close(index, slot.open, self.scenario.workloads[index].closes);
    }

    /// An FTP session: the control connection, then one file after the other.
    pub(super) fn session(&mut self, index: usize, work: &Workload, space: u32) {
        let to = self.target(work.destination);
        let Task::Ftp { files, .. } = work.task else { return };
        // The control connection is nothing special: connect() alone.
        let Some(control) = self.open(index, work, Via::Connect, space, to) else {
            self.follow(timer(index, space, to, What::Begin), true);
            return;
        };
        let slot = self.slots.add(Slot { open: control, count: files, idle_until: 0 });
        self.file(Timer { slot, ..timer(index, space, to, What::FileDone) });
    }

    /// The next file of a session. One that gets no port is lost, and its time passes all the same.
    fn file(&mut self, timer: Timer) {
        let index = usize::from(timer.work);
        let work = &self.scenario.workloads[index];
        let Task::Ftp { active, passive_ports, .. } = work.task else { return };
        let control = self.slots.all[timer.slot as usize].open;
        let server = control.to - self.first_of[work.destination];
        let first = self.data_of[index];
        let (to, via) = if active {
            // PORT names a port that the client listens on, and the server connects from port 20.
            (first + server, if work.via == Via::Connect { Via::Bind } else { work.via })
        } else {
            (first + server * passive_ports + self.random.below(passive_ports), work.via)
        };
        let open = self.open(index, work, via, control.space, to);
        let at = self.now.saturating_add(work.duration.draw(&mut self.random));
        let mut timer = Timer { at, to, port: 0, ..timer };
        if let Some(open) = open {
            (timer.port, timer.outside, timer.bound) = (open.port, open.outside, open.bound);
        }
        self.calendar.add(timer);
    }

    pub(super) fn file_done(&mut self, timer: Timer) {
        let index = usize::from(timer.work);
        let work = &self.scenario.workloads[index];
        let Task::Ftp { quit, .. } = work.task else { return };
        if timer.port != 0 {
            self.tally.outcome.workloads[index].done += 1;
            self.close(index, timer.into(), work.closes);
        }
        let slot = &mut self.slots.all[timer.slot as usize];
        slot.count -= 1;
        if slot.count > 0 {
            self.expire();
            self.file(timer);
            return;
        }
        let slot = self.slots.remove(timer.slot);
        self.close(index, slot.open, if quit { Closes::Server } else { Closes::Client });
        self.follow(Timer { space: slot.open.space, ..timer }, false);
    }
}

fn timer(index: usize, space: u32, to: u32, what: What) -> Timer {
    Timer { at: 0, space, to, slot: 0, port: 0, outside: 0, work: index as u16, what, bound: false }
}

/// Somebody who sees the ports of his own connections and guesses the victim's next one.
///
/// He has tried the system at home: he knows how often each distance from the port that he saw
/// last to the victim's port came up so far, and guesses the most frequent ones. That is the best
/// that can be done with distances alone.
pub(super) struct Guesser {
    own: usize,
    victim: usize,
    guesses: usize,
    low: u16,
    len: u32,
    /// The port seen last, by host; 0 for none yet.
    last: HashMap<u32, u16, foldhash::fast::FixedState>,
    counts: Vec<u32>,
    /// The most frequent distances.
    best: Vec<u16>,
}

impl Guesser {
    pub(super) fn of(scenario: &Scenario) -> Vec<Guesser> {
        let guessers = scenario.workloads.iter().enumerate().filter_map(|(own, work)| {
            let Task::Predict { victim, guesses } = work.task else { return None };
            let range = scenario.hosts[work.host].range;
            Some(Guesser {
                own,
                victim,
                guesses: guesses.min(range.len()) as usize,
                low: range.low().number(),
                len: range.len(),
                last: HashMap::default(),
                counts: vec![0; range.len() as usize],
                best: Vec::new(),
            })
        });
        guessers.collect()
    }

    /// A port was handed out.
    pub(super) fn saw(&mut self, index: usize, host: u32, port: u16, outcome: &mut Outcome) {
        if index == self.own {
            self.last.insert(host, port);
            return;
        }
        let Some(last) = self.last.get(&host).filter(|_| index == self.victim) else { return };
        let place = |port: u16| u32::from(port.wrapping_sub(self.low));
        let distance = (place(port) + self.len - place(*last)) % self.len;
        let share = &mut outcome.workloads[self.own];
        share.guessed += 1;
        share.hit += u64::from(self.best.contains(&(distance as u16)));
        self.learn(distance as u16);
    }

    fn learn(&mut self, distance: u16) {
        let Some(count) = self.counts.get_mut(usize::from(distance)) else { return };
        *count += 1;
        let count = *count;
        if self.best.contains(&distance) {
            return;
        }
        if self.best.len() < self.guesses {
            self.best.push(distance);
            return;
        }
        let rarest = self.best.iter_mut().min_by_key(|one| self.counts[usize::from(**one)]);
        if let Some(rarest) = rarest
            && self.counts[usize::from(*rarest)] < count
        {
            *rarest = distance;
        }
    }

    pub(super) fn finish(&self, scenario: &Scenario, outcome: &mut Outcome) {
        let usable = scenario.hosts[scenario.workloads[self.own].host].usable();
        outcome.workloads[self.own].by_chance = self.guesses as f64 / f64::from(usable.max(1));
    }
}
