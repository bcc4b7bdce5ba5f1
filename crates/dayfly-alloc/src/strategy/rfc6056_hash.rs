//! RFC 6056 algorithms 3 and 4: a secret place per destination, and a counter.

use alloc::boxed::Box;
use alloc::vec;

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at, keyed_hash, secret};
use crate::Random;

/// RFC 6056 section 3.3.3, "Simple Hash-Based Port Selection Algorithm": the port is a keyed hash of
/// the destination plus one counter for all destinations, which every probe increments.
///
/// The secrets are drawn with the first port. F is SipHash-1-3 where the RFC suggests MD5.
#[derive(Clone, Debug)]
pub struct SimpleHash {
    range: PortRange,
    secret: Option<(u64, u64)>,
    next: u32,
}

impl SimpleHash {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        SimpleHash { range, secret: None, next: 0 }
    }
}

impl Strategy for SimpleHash {
    fn name(&self) -> &'static str {
        "rfc6056-3"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let secret = *self.secret.get_or_insert_with(|| secret(random));
        let offset = keyed_hash(request.key, secret) as u32;
        probe(request, self.range, offset, &mut self.next)
    }
}

/// RFC 6056 section 3.3.4, "Double-Hash Port Selection Algorithm": as [`SimpleHash`], with a counter
/// chosen from a table by a second keyed hash. The RFC calls a table of ten an improvement already.
#[derive(Clone, Debug)]
pub struct DoubleHash {
    range: PortRange,
    secrets: Option<[(u64, u64); 2]>,
    table: Box<[u32]>,
}

impl DoubleHash {
    /// Over this range, with this many counters; 0 counts as 1. Counters start at random.
    #[must_use]
    pub fn new(range: PortRange, counters: usize) -> Self {
        DoubleHash { range, secrets: None, table: vec![0; counters.max(1)].into() }
    }
}

impl Strategy for DoubleHash {
    fn name(&self) -> &'static str {
        "rfc6056-4"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let [f, g] = match self.secrets {
            Some(secrets) => secrets,
            None => {
                self.table.iter_mut().for_each(|counter| *counter = random.next_u32());
                *self.secrets.insert([secret(random), secret(random)])
            }
        };
        let offset = keyed_hash(request.key, f) as u32;
        let counter = (keyed_hash(request.key, g) % self.table.len() as u64) as usize;
        probe(request, self.range, offset, &mut self.table[counter])
    }
}

/// As many probes as the range has ports, from hash plus counter on; each increments the counter.
fn probe(request: &Request<'_>, range: PortRange, offset: u32, next: &mut u32) -> Option<Port> {
    // Taken modulo the range before they are added, so that the sum never wraps at 2^32, where
    // ranges that do not divide it would jump.
    let len = range.len();
    for _ in 0..len {
        let port = at(range, (*next % len + offset % len) % len);
        *next = next.wrapping_add(1);
        if request.free.is_free(port) {
            return Some(port);
        }
    }
    None
}
