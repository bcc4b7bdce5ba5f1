//! What a simulation saw.

use super::Histogram;
use crate::scenario::Nanos;

/// What a simulation saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// How much time was simulated.
    pub simulated: Nanos,
    /// Connections opened, refused and closed, and ports that became free: what had to be done.
    pub events: u64,
    /// Connections that got a port.
    pub opened: u64,
    /// Attempts that got none.
    pub failed: u64,
    /// Of those that failed: dropped by the NAT.
    pub dropped: u64,
    /// Connections whose search looked at half of the range or more in vain.
    pub slow: u64,
    /// Connections that took over a port in TIME_WAIT.
    pub reused: u64,
    /// TIME_WAITs that were cut short because there were too many.
    pub cut_short: u64,
    /// Connections whose tuple was still in TIME_WAIT at the server.
    pub collisions: u64,
    /// The first slow one.
    pub first_slow: Option<Moment>,
    /// The first that failed.
    pub first_failure: Option<Failure>,
    /// The first that met TIME_WAIT at the server.
    pub first_collision: Option<Moment>,
    /// Workload by workload, in the order of the scenario.
    pub workloads: Vec<Share>,
    /// What went through within one TIME_WAIT.
    pub window: Window,
    /// How many connections of a destination lay between two uses of the same port, for the
    /// [`WATCHED`] destinations that were connected to first.
    pub reuse: Histogram,
    /// How many ports each successful search looked at.
    pub search: Histogram,
    /// How often each port was handed out, by its number.
    pub heat: Vec<u32>,
    /// The state at equal distances in time.
    pub curve: Vec<Sample>,
    /// What the hosts of the first workload can use.
    pub usable: u32,
}

/// So many pairs of source and destination are watched for reuse.
pub const WATCHED: usize = 16;

/// One connection, and how things stood before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Nanos,
    /// Index of its workload.
    pub workload: usize,
    /// Its number among all attempts of all workloads, from 1.
    pub number: u64,
    /// The ports that were held where its port had to be unique.
    pub held: u32,
}

/// A connection that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When, and how things stood.
    pub moment: Moment,
    /// The call that failed: `connect()`, `bind()`.
    pub call: &'static str,
    /// What it said; `ETIMEDOUT` where a NAT had no port.
    pub error: &'static str,
}

/// What one workload got.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// Attempts to get a port.
    pub attempted: u64,
    /// Those that got one.
    pub opened: u64,
    /// Those that got none.
    pub failed: u64,
    /// The first attempt that failed, by its number within the workload, from 1.
    pub first_failed: Option<u64>,
    /// Slow ones.
    pub slow: u64,
    /// Files of FTP or requests that were done.
    pub done: u64,
    /// For a prediction: the victim's connections that were guessed at.
    pub guessed: u64,
    /// Those whose port was among the guesses.
    pub hit: u64,
    /// What pure chance would hit.
    pub by_chance: f64,
}

/// What went through within one TIME_WAIT.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Window {
    /// The TIME_WAIT of the first workload's hosts, or a minute where there is none.
    pub length: Nanos,
    /// The most connections that one source and destination opened in a window.
    pub most_opened: u32,
    /// The rate that can go on forever towards one destination, by the arithmetic of ports and the
    /// time that each is held; infinite where nothing is held.
    pub sustainable: f64,
}

/// The state at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    /// When.
    pub at: Nanos,
    /// Open connections.
    pub live: u64,
    /// Ports in TIME_WAIT on the hosts.
    pub time_wait: u64,
    /// The ports held in the fullest place where a port has to be unique.
    pub fullest: u32,
    /// Attempts that have failed so far.
    pub failed: u64,
    /// Connections opened so far.
    pub opened: u64,
    /// Mappings that the NAT keeps.
    pub mapped: u64,
}
