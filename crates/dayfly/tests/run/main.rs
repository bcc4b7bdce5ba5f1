//! `dayfly run` with real programs: the port is always the one that the server saw.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

mod attempt;
mod exit;
mod left_alone;
mod matrix;
mod mechanism;
mod offer;
mod peers;
mod program;
mod repeat;
mod report;
mod stand;
mod supervisor;
mod trouble;
mod whole_range;
