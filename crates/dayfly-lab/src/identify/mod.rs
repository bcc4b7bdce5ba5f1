//! Which strategy, range and system made the ports that were seen.
//!
//! [`Collector`] sorts openings by host and protocol, in memory that follows the number of hosts.
//! [`identify`] weighs, for one [`Host`], every [`Class`] of strategies with every range by Bayes'
//! rule and says what is left: a [`Verdict`] with probabilities, evidence, and what it would take to
//! be sure.
//!
//! # How it weighs
//!
//! A class is a rule that, given the ports so far, says how likely each next port is: all
//! likelihoods are products of such forecasts, so they sum to one and compare fairly (`model`).
//! What a rule leaves open (how many openings the capture missed, how large random steps are) is
//! averaged over a grid. Ranges are those of known systems, round numbers, or any (`ranges`); which
//! systems use which rule is a table (`makers`). One more model learns whatever pattern there is
//! (`unknown`): where it wins, the answer is "unknown".
//!
//! # What it does not claim
//!
//! Strategies that ports alone cannot separate are one class ([`Class::members`]). Classes that
//! *these* ports cannot separate, since there was one destination or none was seen twice, are
//! reported as one group ([`Verdict::group`]). `docs/identify.md` lists both, with the reasons.

mod class;
mod collect;
mod evidence;
mod holes;
mod makers;
mod math;
mod model;
mod nat;
mod ranges;
mod steps;
mod trace;
mod unknown;
mod verdict;

#[cfg(test)]
mod tests;

pub use class::Class;
pub use collect::{Collector, Host, Sample, Tally};
pub use nat::{Nat, NatSign};
pub use ranges::Ends;
pub use verdict::{Candidate, Guesses, Verdict, identify};
