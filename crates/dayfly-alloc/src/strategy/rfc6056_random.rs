//! RFC 6056 algorithms 2 and 5: a new random number for every probe.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at};
use crate::Random;

/// RFC 6056 section 3.3.2, "Another Simple Port Randomization Algorithm": a new draw for every
/// probe, as many probes as the range has ports, then failure, free ports or not.
#[derive(Clone, Debug)]
pub struct SimpleRandom {
    range: PortRange,
}

impl SimpleRandom {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        SimpleRandom { range }
    }
}

impl Strategy for SimpleRandom {
    fn name(&self) -> &'static str {
        "rfc6056-2"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        (0..self.range.len())
            .map(|_| at(self.range, random.below(self.range.len())))
            .find(|port| request.free.is_free(*port))
    }
}

/// RFC 6056 section 3.3.5, "Random-Increments Port Selection Algorithm": every probe adds 1 to N to
/// one global counter. The RFC proposes N = 500.
///
/// The counter starts at random. It has 32 bits here; the RFC leaves its width open, and a 16-bit
/// counter would favour the low ports of a range that does not divide 65,536.
#[derive(Clone, Debug)]
pub struct RandomIncrements {
    range: PortRange,
    largest: u32,
    next: Option<u32>,
}

impl RandomIncrements {
    /// Over this range, with increments of 1 to `largest`; 0 counts as 1.
    #[must_use]
    pub fn new(range: PortRange, largest: u32) -> Self {
        RandomIncrements { range, largest: largest.max(1), next: None }
    }
}

impl Strategy for RandomIncrements {
    fn name(&self) -> &'static str {
        "rfc6056-5"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        let mut next = self.next.unwrap_or_else(|| random.next_u32() & 0xFFFF);
        let found = (0..len)
            .map(|_| {
                next = next.wrapping_add(random.below(self.largest) + 1);
                at(self.range, next % len)
            })
            .find(|port| request.free.is_free(*port));
        self.next = Some(next);
        found
    }
}
