//! One program, one way to force its port, and what the server saw.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::time::Duration;

use dayfly_testkit::{Finished, Seen, finish};

use crate::mechanism::Mechanism;
use crate::program::{Call, Program};
use crate::stand::{Stand, Who};

/// What is tried.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    pub(crate) who: Who,
    pub(crate) mechanism: Mechanism,
    pub(crate) ports: RangeInclusive<u16>,
    pub(crate) call: Call,
    pub(crate) program: Program,
    /// Connections to make, at the same time where the program can.
    pub(crate) count: usize,
    pub(crate) patience: Duration,
}

impl Attempt {
    /// Fine if the program ended well and every connection that it makes came to the server from
    /// one of the ports; otherwise what was different.
    pub(crate) fn make(&self, stand: &Stand) -> Result<(), String> {
        let start = stand.new_file();
        let words = self.program.words(stand, self.call, self.count, &start);
        let (words, _undo) = self.mechanism.apply(stand, &self.ports, self.call.is_udp(), words);
        let _ = stand.witness.take();
        let done = finish(&mut stand.command(self.who, &words), self.patience);
        if self.program == Program::Daemon {
            let early = stand.witness.take();
            if !early.is_empty() {
                return Err(format!("the daemon connected before it was told: {early:?}"));
            }
            std::fs::write(&start, "").unwrap();
        }
        let wanted = self.program.connections(self.call, self.count);
        let seen = match done.success() {
            true => stand.witness.wait_for(wanted),
            false => stand.witness.take(),
        };
        if self.is_fine(wanted, &seen) && done.success() {
            return Ok(());
        }
        let ports: Vec<u16> = seen.iter().map(|seen| seen.client.port()).collect();
        let (low, high) = (self.ports.start(), self.ports.end());
        Err(format!("wanted {wanted} from {low}-{high}, the server saw {ports:?} ({})", end(&done)))
    }

    fn is_fine(&self, wanted: usize, seen: &[Seen]) -> bool {
        let distinct: BTreeSet<u16> = seen.iter().map(|seen| seen.client.port()).collect();
        seen.len() == wanted
            && distinct.iter().all(|port| self.ports.contains(port))
            && seen.iter().all(|seen| seen.tcp != self.call.is_udp())
            && (!self.program.needs_distinct_ports(self.call) || distinct.len() == wanted)
    }
}

fn end(done: &Finished) -> String {
    let status = done.status.map_or("did not end".to_owned(), |status| status.to_string());
    format!("{status}; stderr: {}", done.stderr.trim_end())
}
