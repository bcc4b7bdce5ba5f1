//! Many threads, many destinations: allocators side by side, each destination in one of them.
//!
//! A destination's shard follows from a keyed hash, so threads that serve different destinations
//! rarely meet, and two that serve the same one are as exact as a single allocator. What concerns
//! all destinations, claims and the reserved set, is known to every shard; changing it locks them
//! all, always in the same order.

use alloc::boxed::Box;
use alloc::vec::Vec;

use dayfly_ports::{Port, PortSet, Protocol};

use crate::handle::{Claim, Handle, ReleaseError};
use crate::key::Fingerprints;
use crate::{
    Allocator, ClaimError, Config, Exhausted, Key, Options, Place, Random, Sharing, Status, Tick,
};

#[cfg(loom)]
use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
use std::sync::{Mutex, MutexGuard};

/// An allocator that threads share.
///
/// ```
/// use dayfly_alloc::{Config, Key, Sharded, Xoshiro};
/// use dayfly_ports::{Port, PortRange, Protocol};
///
/// let front = Sharded::new(Config::new(PortRange::DYNAMIC), 16, |shard| Xoshiro::seeded(shard));
/// let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
/// let key = Key::new(Protocol::Tcp, local, remote, Port::new(443));
/// let lent = front.allocate(&key, 0)?;
/// assert!(front.release(lent, 1).is_ok());
/// # Ok::<(), dayfly_alloc::Exhausted>(())
/// ```
#[derive(Debug)]
pub struct Sharded<R> {
    shards: Box<[Shard<R>]>,
    fingerprints: Fingerprints,
}

/// On cache lines of its own: two threads on neighbouring shards must not share one.
#[derive(Debug)]
#[repr(align(128))]
struct Shard<R>(Mutex<Allocator<R>>);

/// A port that a [`Sharded`] handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ShardedHandle {
    handle: Handle,
    shard: u32,
}

impl ShardedHandle {
    /// The port that was handed out.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.handle.port()
    }
}

/// A port that was claimed in every shard of a [`Sharded`].
#[derive(Clone, Debug)]
pub struct ShardedClaim {
    claims: Box<[Claim]>,
    port: Port,
}

impl ShardedClaim {
    /// The port that was claimed.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.port
    }
}

impl<R: Random> Sharded<R> {
    /// This many shards (at least one), each with the source of randomness that `random` makes for
    /// its number. Several times as many shards as threads keep threads from meeting by chance.
    pub fn new(config: Config, shards: usize, mut random: impl FnMut(u64) -> R) -> Self {
        let shards = shards.max(1);
        let fingerprints = Fingerprints::new(&mut random(shards as u64));
        let room = config.connections.div_ceil(shards);
        let config = Config { connections: room, ..config };
        let shard = |number| Shard(Mutex::new(Allocator::new(config, random(number as u64))));
        Sharded { shards: (0..shards).map(shard).collect(), fingerprints }
    }

    /// As [`Allocator::allocate`].
    ///
    /// # Errors
    /// As [`Allocator::allocate`].
    pub fn allocate(&self, key: &Key, now: Tick) -> Result<ShardedHandle, Exhausted> {
        let shard = self.shard_of(key);
        let handle = lock(&self.shards[shard].0).allocate(key, now)?;
        Ok(ShardedHandle { handle, shard: shard as u32 })
    }

    /// As [`Allocator::allocate_with`].
    ///
    /// # Errors
    /// As [`Allocator::allocate_with`].
    pub fn allocate_with(
        &self,
        key: &Key,
        now: Tick,
        options: &Options<'_>,
    ) -> Result<ShardedHandle, Exhausted> {
        let shard = self.shard_of(key);
        let handle = lock(&self.shards[shard].0).allocate_with(key, now, options)?;
        Ok(ShardedHandle { handle, shard: shard as u32 })
    }

    /// As [`Allocator::release`].
    ///
    /// # Errors
    /// As [`Allocator::release`].
    pub fn release(&self, handle: ShardedHandle, now: Tick) -> Result<(), ReleaseError> {
        let shard = self.shards.get(handle.shard as usize).ok_or(ReleaseError::Foreign)?;
        lock(&shard.0).release(handle.handle, now)
    }

    /// As [`Allocator::release_at_once`].
    ///
    /// # Errors
    /// As [`Allocator::release_at_once`].
    pub fn release_at_once(&self, handle: ShardedHandle, now: Tick) -> Result<(), ReleaseError> {
        let shard = self.shards.get(handle.shard as usize).ok_or(ReleaseError::Foreign)?;
        lock(&shard.0).release_at_once(handle.handle, now)
    }

    /// As [`Allocator::expire`], shard by shard.
    pub fn expire(&self, now: Tick) -> usize {
        self.shards.iter().map(|shard| lock(&shard.0).expire(now)).sum()
    }

    /// As [`Allocator::free_count`].
    pub fn free_count(&self, key: &Key, now: Tick) -> u32 {
        lock(&self.shards[self.shard_of(key)].0).free_count(key, now)
    }

    /// As [`Allocator::explain`].
    pub fn explain(&self, key: &Key, port: Port, now: Tick) -> Status {
        lock(&self.shards[self.shard_of(key)].0).explain(key, port, now)
    }

    /// As [`Allocator::claim`], for the destinations of all shards at once.
    ///
    /// # Errors
    /// As [`Allocator::claim`].
    pub fn claim(
        &self,
        protocol: Protocol,
        place: Place,
        port: Port,
        sharing: Sharing,
        now: Tick,
    ) -> Result<ShardedClaim, ClaimError> {
        let mut shards = self.lock_all();
        let mut claims = Vec::with_capacity(shards.len());
        for shard in 0..shards.len() {
            match shards[shard].claim(protocol, place, port, sharing, now) {
                Ok(claim) => claims.push(claim),
                Err(error) => {
                    // What the shards before have granted goes back; nobody has seen it, because
                    // all of them are locked.
                    for (shard, claim) in shards.iter_mut().zip(claims) {
                        shard.release_claim(claim).map_err(|_| error)?;
                    }
                    return Err(error);
                }
            }
        }
        Ok(ShardedClaim { claims: claims.into(), port })
    }

    /// As [`Allocator::release_claim`].
    ///
    /// # Errors
    /// As [`Allocator::release_claim`].
    pub fn release_claim(&self, claim: &ShardedClaim) -> Result<(), ReleaseError> {
        let mut shards = self.lock_all();
        if shards.len() != claim.claims.len() {
            return Err(ReleaseError::Foreign);
        }
        // All shards or none: they were claimed together, and nothing else gives one back.
        shards.iter_mut().zip(&claim.claims).try_for_each(|(s, claim)| s.release_claim(*claim))
    }

    /// As [`Allocator::reserve`].
    pub fn reserve(&self, reserved: &PortSet) {
        self.lock_all().iter_mut().for_each(|shard| shard.reserve(reserved));
    }

    fn shard_of(&self, key: &Key) -> usize {
        // The upper bits; the shard's own table is ordered by another hash.
        (((self.fingerprints.of(key) >> 8) * self.shards.len() as u64) >> 32) as usize
    }

    fn lock_all(&self) -> Vec<MutexGuard<'_, Allocator<R>>> {
        self.shards.iter().map(|shard| lock(&shard.0)).collect()
    }
}

/// What can panic under the lock is the caller's own source of randomness. At worst the draw that it
/// broke off costs one port; that is no reason to fail all other threads.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

#[cfg(test)]
#[cfg(not(loom))]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::{Barrier, Mutex};
    use std::thread;

    use dayfly_ports::PortRange;

    use super::*;
    use crate::Xoshiro;

    fn key(remote: u8) -> Key {
        let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, remote].into());
        Key::new(Protocol::Tcp, local, remote, Port::new(443))
    }

    #[test]
    fn a_claim_holds_in_every_shard_or_in_none() {
        let range = PortRange::new(5000, 5001).unwrap();
        let front = Sharded::new(Config::new(range), 8, Xoshiro::seeded);
        let (one, two) = (front.allocate(&key(1), 0).unwrap(), front.allocate(&key(1), 0).unwrap());
        let claim = |port| front.claim(Protocol::Tcp, Place::Any, port, Sharing::Exclusive, 0);
        assert!(matches!(claim(one.port()), Err(ClaimError::InUse { connections: 1, .. })));
        front.release(one, 0).unwrap();
        let claimed = claim(one.port()).unwrap();
        for remote in 2..40 {
            assert_eq!(front.allocate(&key(remote), 0).unwrap().port(), two.port());
            assert!(front.allocate(&key(remote), 0).is_err());
        }
        front.release_claim(&claimed).unwrap();
        assert_eq!(front.release_claim(&claimed), Err(ReleaseError::Stale));
        assert_eq!(front.allocate(&key(2), 0).unwrap().port(), one.port());
        front.reserve(&PortSet::FULL);
        assert!((1..40).all(|remote| front.free_count(&key(remote), 0) == 0));
    }

    /// Threads share destinations and come and go: no tuple is ever out twice, and in the end
    /// everything is free again.
    #[test]
    fn no_tuple_is_handed_out_twice_at_once() {
        let range = PortRange::new(40000, 40099).unwrap();
        let front = Sharded::new(Config { hold: 5, ..Config::new(range) }, 4, Xoshiro::seeded);
        let out = Mutex::new(BTreeSet::new());
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for seed in 0..4 {
                let (front, out, start) = (&front, &out, &start);
                scope.spawn(move || {
                    let mut random = Xoshiro::seeded(seed);
                    let mut mine = Vec::new();
                    start.wait();
                    for now in 0..20_000 {
                        let remote = random.below(6) as u8;
                        if random.below(100) < 60 {
                            if let Ok(lent) = front.allocate(&key(remote), now) {
                                assert!(out.lock().unwrap().insert((remote, lent.port())));
                                mine.push((remote, lent));
                            }
                        } else if !mine.is_empty() {
                            let index = random.below(mine.len() as u32) as usize;
                            let (remote, lent) = mine.swap_remove(index);
                            assert!(out.lock().unwrap().remove(&(remote, lent.port())));
                            front.release(lent, now).unwrap();
                            assert_eq!(front.release(lent, now), Err(ReleaseError::Stale));
                        }
                    }
                    mine.into_iter().for_each(|(_, lent)| front.release(lent, 20_000).unwrap());
                });
            }
        });
        front.expire(30_000);
        assert!((0..6).all(|remote| front.free_count(&key(remote), 30_000) == 100));
    }
}
