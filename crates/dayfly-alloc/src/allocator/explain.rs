//! Answers: is this port free, and if not, why; how many are; how much memory all that takes.

use core::fmt;

use dayfly_ports::Port;

use super::choose::SparseView;
use super::{Allocator, Tick};
use crate::{Availability, Key, Place, Random};

/// What stands in the way of a port, seen from one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// Nothing: it may be handed out.
    Free,
    /// A connection of this key uses it.
    InUse,
    /// A connection of this key used it, and it is held back.
    Held {
        /// When the hold ends.
        until: Tick,
    },
    /// It does not belong to the range, or is port 0.
    OutsideRange,
    /// It is claimed in a place that the key's local address belongs to.
    Claimed(Place),
    /// It is in the reserved set.
    Reserved,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Status::Free => f.write_str("the port is free for this destination"),
            Status::InUse => f.write_str("a connection to the same destination uses the port"),
            Status::Held { until } => {
                write!(f, "the port is held back after a connection, until tick {until}")
            }
            Status::OutsideRange => f.write_str("the port lies outside the range"),
            Status::Claimed(Place::Address(address)) => {
                write!(f, "the port is claimed on {address}: release the claim first")
            }
            Status::Claimed(_) => {
                f.write_str("the port is claimed on every address: release the claim first")
            }
            Status::Reserved => {
                f.write_str("the port is reserved: take it out of the reserved set")
            }
        }
    }
}

impl core::error::Error for Status {}

/// What an allocator holds, and in how much memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Ports handed out and not given back.
    pub connections: usize,
    /// Ports held back.
    pub held: usize,
    /// Destinations that have a bitmap of their own.
    pub bitmaps: usize,
    /// Bytes of the table that all other destinations share.
    pub sparse_bytes: usize,
    /// Bytes of the bitmaps and what belongs to them.
    pub bitmap_bytes: usize,
    /// Bytes of what destinations share: claims, reserved ports, counts per port.
    pub shared_bytes: usize,
    /// Bytes of the queue of ports that are held back.
    pub queue_bytes: usize,
}

impl<R: Random> Allocator<R> {
    /// Says whether a port is free for a key and, if not, why. Slow for a held port, whose place in
    /// the queue has to be looked for.
    pub fn explain(&mut self, key: &Key, port: Port, now: Tick) -> Status {
        self.pass(now);
        let fingerprint = self.fingerprints.of(key);
        let own = match self.dense_slot(fingerprint).and_then(|slot| self.dense[slot].as_ref()) {
            Some(dense) => dense
                .pool
                .index(port)
                .and_then(|index| dense.is_own(index).then(|| dense.generation(index))),
            None => {
                let slot = self.sparse.find(fingerprint, port.number());
                slot.map(|slot| self.sparse.entry(slot).generation)
            }
        };
        if let Some(generation) = own {
            let waiting = self.waiting.iter().find(|waiting| {
                waiting.generation == generation
                    && waiting.fingerprint == fingerprint
                    && waiting.port == port.number()
            });
            return waiting.map_or(Status::InUse, |waiting| Status::Held { until: waiting.until });
        }
        let address = key.local_address();
        let claims = self.claims.get(&(key.protocol(), port.number()));
        let place = claims.and_then(|claims| {
            claims.by_place.keys().copied().find(|place| place.contains(address))
        });
        if let Some(place) = place {
            Status::Claimed(place)
        } else if port == Port::MIN || !self.config.range.contains(port) {
            Status::OutsideRange
        } else if self.reserved.contains(port) {
            Status::Reserved
        } else {
            Status::Free
        }
    }

    /// How many ports are free for a key: as many allocations without conditions will succeed
    /// before the first has to reuse a held port or fail.
    pub fn free_count(&mut self, key: &Key, now: Tick) -> u32 {
        self.pass(now);
        let fingerprint = self.fingerprints.of(key);
        if let Some(slot) = self.dense_slot(fingerprint)
            && let Some(dense) = &mut self.dense[slot]
        {
            dense.follow(&self.scopes[dense.scope as usize]);
            return dense.pool.free();
        }
        let scope = self.scope_of(key);
        let shared = &self.scopes[scope].shared;
        let ports = self.sparse.ports(self.sparse.run(fingerprint));
        shared.free() - ports.filter(|port| shared.is_free(Port::new(*port))).count() as u32
    }

    /// Calls `look` with what is free for a key, for instance to run a strategy over it without
    /// taking the port.
    pub fn inspect<T>(
        &mut self,
        key: &Key,
        now: Tick,
        look: impl FnOnce(&dyn Availability) -> T,
    ) -> T {
        self.pass(now);
        let fingerprint = self.fingerprints.of(key);
        if let Some(slot) = self.dense_slot(fingerprint)
            && let Some(dense) = &mut self.dense[slot]
        {
            dense.follow(&self.scopes[dense.scope as usize]);
            return look(&dense.pool);
        }
        let scope = self.scope_of(key);
        let shared = &self.scopes[scope].shared;
        look(&SparseView { shared, table: &self.sparse, fingerprint })
    }

    /// What the allocator holds now, and in how much memory.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let bitmaps = || self.dense.iter().flatten();
        let dense: usize = bitmaps().map(|dense| (dense.in_use + dense.held) as usize).sum();
        Usage {
            connections: self.sparse.len() + dense - self.held,
            held: self.held,
            bitmaps: bitmaps().count(),
            sparse_bytes: self.sparse.bytes(),
            bitmap_bytes: bitmaps().map(|dense| dense.bytes()).sum::<usize>()
                + self.by_fingerprint.bytes(),
            shared_bytes: self.scopes.iter().map(|scope| scope.bytes()).sum(),
            queue_bytes: self.waiting.capacity() * size_of::<super::Waiting>(),
        }
    }
}
