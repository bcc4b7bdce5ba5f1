//! Runs a scenario: every connection gets its port from the very algorithm of its system, holds it
//! as long as it has to, and fails when there is none.
//!
//! ```text
//! Workloads ── arrivals ──> Engine ── open ──> World (who holds which port) ──> Strategy
//!                             ^  └── Translator (a NAT's ports, if there is one)
//!                             └── Calendar, Lines: what ends when
//! ```
//!
//! Plain connections without anything in between take the short way, `stream`, with the outcome that
//! the engine would have; wide scenarios are dealt out to `parts`, each of which takes the short way.
//!
//! # What is exact
//! * Ports come from dayfly-alloc's strategies over the state of the world; for Linux that state is
//!   the kernel's: a tuple is taken by its connection or its TIME_WAIT, a listener or a bound
//!   socket keeps its port from the whole host's automatic connections, bind() looks at the address.
//!   The tests run the same scenarios on the kernel.
//! * Time is in nanoseconds. Arrivals of equal hosts are one stream, each arrival given to a host by
//!   lot: for Poisson streams that is the same distribution as a stream for each host.
//! * Destinations or hosts that share nothing may be simulated apart; `parts` says when that is exact.
//! * A host's table of counters is drawn as it is used ([`LinuxConnect`]): the same distribution as
//!   drawing it in advance.
//!
//! # What is left out
//! Packets, retransmission, round trips, locks, and the time that a search takes. A connection that
//! a NAT drops holds its port as long as Linux repeats a SYN, and none of the repetitions gets
//! through. TIME_WAIT at a server does not refuse anybody; it is counted (RFC 6191 tells how a
//! server may accept). A NAT of this model gives each connection a mapping of its own; with
//! `per = "address"` the public port is unique on its address.
//!
//! [`LinuxConnect`]: dayfly_alloc::strategy::LinuxConnect

mod arrivals;
mod connection;
mod engine;
mod histogram;
mod nat;
mod outcome;
mod parts;
mod pickers;
mod ports;
mod stream;
mod tally;
mod tasks;
mod timers;
mod world;

#[cfg(test)]
mod tests;

use std::num::NonZeroUsize;

use self::engine::Engine;
use self::parts::Parts;
use self::stream::{Extent, Stream};
use crate::scenario::{Nanos, Scenario};

pub use histogram::Histogram;
pub use outcome::{Failure, Moment, Outcome, Sample, Share, WATCHED, Window};

pub(crate) use world::targets;

/// How far a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The time that is being simulated.
    pub at: Nanos,
    /// Of so much.
    pub of: Nanos,
    /// What happened so far.
    pub events: u64,
}

/// A scenario that is ready to run.
pub struct Simulation<'a> {
    scenario: &'a Scenario,
}

impl<'a> Simulation<'a> {
    /// Makes it ready.
    #[must_use]
    pub fn new(scenario: &'a Scenario) -> Self {
        Simulation { scenario }
    }

    /// Runs it to its end. The same scenario gives the same outcome.
    #[must_use]
    pub fn run(self) -> Outcome {
        self.run_with(&mut |_| {})
    }

    /// Runs it and tells now and then how far it is.
    #[must_use]
    pub fn run_with(self, progress: &mut dyn FnMut(Progress)) -> Outcome {
        self.run_on(NonZeroUsize::MIN, progress)
    }

    /// Runs it on so many threads at most, the calling one among them, with the same outcome. What
    /// belongs together is done by one: only a wide scenario is dealt out (see `parts.rs`).
    #[must_use]
    pub fn run_on(self, threads: NonZeroUsize, progress: &mut dyn FnMut(Progress)) -> Outcome {
        let scenario = self.scenario;
        if let Some(parts) = Parts::of(scenario) {
            return parts.run(threads, progress);
        }
        if Stream::suits(scenario) {
            let extent = Extent { watched: WATCHED, counters: None };
            return Stream::new(scenario, extent).run(progress);
        }
        Engine::new(scenario).run(progress)
    }
}

impl std::fmt::Debug for Simulation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}
