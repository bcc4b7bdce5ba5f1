//! From what a firewall's own commands print to a [`Ruleset`](super::model::Ruleset).
//!
//! A reader never fails on a rule that it does not understand: the rule becomes opaque and the
//! answer says so. It fails on a text that is not what it was said to be.

pub mod iptables;
pub mod nft;

use std::fmt;

/// A text is not what a firewall prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadError(String);

impl ReadError {
    fn new(message: impl fmt::Display) -> Self {
        ReadError(message.to_string())
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ReadError {}
