//! Firewalls: which ports they let through, and whether that is what the host uses.
//!
//! ```text
//! readers (nft, iptables, pf, ...) -> model::Ruleset -> evaluate -> flows, check -> findings
//!                                                                  writers -> rules to apply
//! ```
//!
//! A [`Ruleset`](model::Ruleset) is asked about a kind of [`Packet`](packet::Packet) and answers
//! for all pairs of ports at once, with set algebra ([`region::Region`]). What a rule asks for and
//! nobody knows leaves the answer open instead of guessed.

pub mod check;
pub mod evaluate;
pub mod flows;
mod matching;
pub mod model;
pub mod outcome;
pub mod packet;
pub mod readers;
pub mod region;
pub mod remedies;
pub mod rpc;
pub mod writers;
