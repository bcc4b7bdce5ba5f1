//! A connection from its port to its end: what the world, the NAT and the server make of it.

use dayfly_alloc::Random;
use dayfly_ports::Protocol;

use super::engine::{Engine, Timer, What};
use super::outcome::Moment;
use super::timers::Held;
use crate::scenario::{Closes, Distribution, Nanos, SECOND, Via, Workload};

/// `tcp_syn_retries` = 6: a SYN that nobody answers is given up after 127 seconds.
const SYN_GIVES_UP: Nanos = 127 * SECOND;

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

impl Engine<'_> {
    /// A target of a group, by lot.
    #[inline]
    pub(super) fn target(&mut self, group: usize) -> u32 {
        let count = self.scenario.destinations[group].count;
        let first = self.first_of[group];
        if count == 1 { first } else { first + self.random.below(count) }
    }

    /// Opens a connection that ends by itself.
    #[inline]
    pub(super) fn connection(
        &mut self,
        index: usize,
        work: &Workload,
        space: u32,
        to: u32,
        what: What,
    ) {
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
        self.tally.outcome.events += 1;
        let number = self.tally.outcome.opened + self.tally.outcome.failed + 1;
        let share = &mut self.tally.outcome.workloads[index];
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
                self.fail(Moment { at: self.now, workload: index, number, held }, call, error);
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
                    self.tally.outcome.dropped += 1;
                    self.live += 1;
                    let held = nat.fullest();
                    self.fail(Moment { held, ..moment }, "connect()", "ETIMEDOUT");
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
        self.tally.outcome.opened += 1;
        self.tally.outcome.workloads[index].opened += 1;
        self.tally.outcome.reused += u64::from(pick.reused);
        let range = self.scenario.hosts[work.host].range.len();
        self.tally.searched(pick.probes, range, || {
            let held = self.world.held_at(work.host, space, domain, via) - u32::from(!pick.reused);
            Moment { held, ..moment }
        });
        let count = &mut self.world.domains[domain as usize].count;
        self.tally.handed_out(self.now, count, pick.port);
        self.meet_peer(work, space, to, outside, moment);
        for guesser in &mut self.guessers {
            guesser.saw(
                index,
                self.world.host(work.host, space),
                pick.port,
                &mut self.tally.outcome,
            );
        }
        Some(Open { space, to, port: pick.port, outside, bound })
    }

    fn fail(&mut self, moment: Moment, call: &'static str, error: &'static str) {
        self.tally.failed(moment, call, error);
        self.stopped |= self.scenario.stop_at_failure;
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
            self.tally.outcome.collisions += 1;
            self.tally.outcome.first_collision.get_or_insert(moment);
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
        self.tally.outcome.events += 1;
        self.live -= 1;
        let work = &self.scenario.workloads[index];
        let Open { space, to, port, outside, bound } = open;
        let domain = self.world.domain(work.host, work.protocol, space, to);
        if work.protocol == Protocol::Tcp && closes == Closes::Client {
            let cut_short = self.world.wait(work.host, domain, space, to, port, bound, self.now);
            self.tally.outcome.cut_short += u64::from(cut_short);
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
}
