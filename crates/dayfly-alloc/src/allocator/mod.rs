//! The allocator: keys in, ports out.
//!
//! This file holds the state and the everyday path, `allocate` and `release`. The rest has files of
//! its own: [`choose`] finds a port that meets conditions, [`reuse`] decides about ports that are
//! held back, [`claims`] blocks ports for all destinations, [`explain`] answers questions.

mod choose;
mod claims;
mod config;
mod explain;
mod reuse;

#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::fmt;

use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use crate::dense::Dense;
use crate::index::Index;
use crate::key::Fingerprints;
use crate::scope::{Claims, Scope};
use crate::sparse::{Entry, Sparse};
use crate::{Handle, Key, Options, Place, Random, ReleaseError};

pub use claims::{ClaimError, Sharing};
pub use config::{Config, Reuse};
pub use explain::{Status, Usage};

/// A moment, in any unit the caller likes, as long as it is the unit of [`Config::hold`].
pub type Tick = u64;

/// Connections of one destination in the sparse table before it gets a bitmap of its own. Past
/// this, walking the destination's entries costs more than a bitmap look-up.
pub(crate) const SPARSE_LIMIT: usize = 24;

/// Hands out ports so that no two connections share a tuple.
///
/// See the [crate's page](crate) for a tour. Time never runs backwards in here: a tick that is
/// earlier than one seen before counts as that one.
#[derive(Clone, Debug)]
pub struct Allocator<R> {
    config: Config,
    random: R,
    id: u16,
    fingerprints: Fingerprints,
    reserved: Box<PortSet>,
    claims: Claims,
    live_claims: BTreeMap<u64, (Protocol, Place)>,
    next_claim: u64,
    scopes: Vec<Scope>,
    by_address: BTreeMap<(Protocol, u128), u32>,
    sparse: Sparse,
    /// Destinations with a bitmap; vacant places are listed in `vacant`.
    dense: Vec<Option<Dense>>,
    vacant: Vec<u32>,
    by_fingerprint: Index,
    waiting: VecDeque<Waiting>,
    held: usize,
    generation: u32,
    latest: Tick,
}

/// A port that is held back until a tick.
#[derive(Clone, Copy, Debug)]
struct Waiting {
    until: Tick,
    fingerprint: u64,
    generation: u32,
    scope: u32,
    port: u16,
}

/// No port could be handed out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exhausted {
    /// How many ports of the destination are only held back and will be free again in time.
    pub held: u32,
}

impl fmt::Display for Exhausted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no port is free for this destination: all are in use, claimed or reserved")?;
        match self.held {
            0 => f.write_str("; widen the range or use another local address"),
            1 => f.write_str("; 1 is held back and will be free again"),
            held => write!(f, "; {held} are held back and will be free again"),
        }
    }
}

impl core::error::Error for Exhausted {}

/// A number of its own for each allocator, so that handles of another one are known as such.
#[cfg(target_has_atomic = "16")]
fn next_id(_random: u32) -> u16 {
    use core::sync::atomic::{AtomicU16, Ordering};

    static NEXT: AtomicU16 = AtomicU16::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Where processors cannot count atomically, a random one has to do.
#[cfg(not(target_has_atomic = "16"))]
fn next_id(random: u32) -> u16 {
    (random >> 8) as u16
}

impl<R: Random> Allocator<R> {
    /// An allocator without connections, claims or reserved ports.
    pub fn new(config: Config, mut random: R) -> Self {
        let fingerprints = Fingerprints::new(&mut random);
        let generation = random.next_u32() & 0xFF_FFFE;
        let sparse = Sparse::with_capacity(config.connections);
        Allocator {
            config,
            random,
            id: next_id(generation),
            fingerprints,
            reserved: Box::new(PortSet::EMPTY),
            claims: Claims::new(),
            live_claims: BTreeMap::new(),
            next_claim: 0,
            scopes: Vec::new(),
            by_address: BTreeMap::new(),
            sparse,
            dense: Vec::new(),
            vacant: Vec::new(),
            by_fingerprint: Index::new(),
            waiting: VecDeque::new(),
            held: 0,
            generation,
            latest: 0,
        }
    }

    /// The range that ports are handed out from.
    #[must_use]
    pub const fn range(&self) -> PortRange {
        self.config.range
    }

    /// Hands out a port for a connection of this key: each free one exactly as likely as the
    /// others.
    ///
    /// # Errors
    /// [`Exhausted`] if and only if no port is free for the key, or may be reused under
    /// [`Config::reuse`].
    pub fn allocate(&mut self, key: &Key, now: Tick) -> Result<Handle, Exhausted> {
        self.pass(now);
        let fingerprint = self.fingerprints.of(key);
        let Some(slot) = self.dense_slot(fingerprint) else {
            return self.allocate_sparse(key, fingerprint, &Options::default());
        };
        let (Some(dense), generation) = (&mut self.dense[slot], self.generation) else {
            return Err(Exhausted { held: 0 });
        };
        let scope = &mut self.scopes[dense.scope as usize];
        dense.follow(scope);
        if matches!(self.config.reuse, Reuse::AfterDistance(_)) {
            self.held -= reuse::give_up_distant(dense, scope, self.config.reuse);
        }
        if let Some(index) = dense.pool.take_index(&mut self.random) {
            let generation = generation | 1;
            dense.occupy(index, generation);
            scope.add_use(index);
            let port = self.config.range.low().number().wrapping_add(index as u16);
            let handle = Handle::new(fingerprint, port, generation, self.id, dense.scope);
            self.generation = next(self.generation);
            return Ok(handle);
        }
        self.reuse_oldest(slot, &Options::default())
    }

    /// Hands out a port that meets conditions; see [`Options`].
    ///
    /// # Errors
    /// [`Exhausted`] if and only if no port that meets the conditions is free for the key, or may be
    /// reused under [`Config::reuse`].
    pub fn allocate_with(
        &mut self,
        key: &Key,
        now: Tick,
        options: &Options<'_>,
    ) -> Result<Handle, Exhausted> {
        self.pass(now);
        let fingerprint = self.fingerprints.of(key);
        match self.dense_slot(fingerprint) {
            Some(slot) => self.allocate_dense(slot, options),
            None => self.allocate_sparse(key, fingerprint, options),
        }
    }

    /// Takes one given port for a connection of this key.
    ///
    /// # Errors
    /// The port's [`Status`] if it is not free for the key.
    pub fn take(&mut self, key: &Key, port: Port, now: Tick) -> Result<Handle, Status> {
        let wanted = Options { within: Some(PortRange::single(port)), ..Options::default() };
        // A held port is not free, whatever the policy for exhaustion says.
        match self.explain(key, port, now) {
            Status::Free => self.allocate_with(key, now, &wanted).map_err(|_| Status::InUse),
            status => Err(status),
        }
    }

    /// Gives a port back. It is held back for [`Config::hold`] ticks, as in TIME_WAIT, and then
    /// free again; at once if the hold is 0.
    ///
    /// # Errors
    /// [`ReleaseError`] if the handle was given back before or is another allocator's; nothing
    /// changes.
    pub fn release(&mut self, handle: Handle, now: Tick) -> Result<(), ReleaseError> {
        self.pass(now);
        self.let_go(handle, self.config.hold)
    }

    /// Gives a port back that needs no holding back: the connection was reset, or the peer holds
    /// TIME_WAIT.
    ///
    /// # Errors
    /// As [`Allocator::release`].
    pub fn release_at_once(&mut self, handle: Handle, now: Tick) -> Result<(), ReleaseError> {
        self.pass(now);
        self.let_go(handle, 0)
    }

    /// Frees what has been held back for long enough, and says how many ports that were. Every
    /// other call that takes a tick does so first; call it to spread the work, or after a pause.
    pub fn expire(&mut self, now: Tick) -> usize {
        let before = self.held;
        self.pass(now);
        before - self.held
    }

    #[inline]
    fn pass(&mut self, now: Tick) {
        self.latest = self.latest.max(now);
        if self.waiting.front().is_some_and(|front| front.until <= self.latest) {
            self.end_holds();
        }
    }

    #[inline]
    fn dense_slot(&self, fingerprint: u64) -> Option<usize> {
        self.by_fingerprint.find(fingerprint)
    }

    #[inline]
    fn next_generation(&mut self) -> u32 {
        let generation = self.generation;
        self.generation = next(generation);
        generation
    }

    fn let_go(&mut self, handle: Handle, hold: Tick) -> Result<(), ReleaseError> {
        if handle.allocator() != self.id {
            return Err(ReleaseError::Foreign);
        }
        let (fingerprint, port) = (handle.fingerprint(), handle.port().number());
        let index = usize::from(port.wrapping_sub(self.config.range.low().number()));
        let generation = self.generation;
        if let Some(slot) = self.dense_slot(fingerprint) {
            let Some(dense) = &mut self.dense[slot] else { return Err(ReleaseError::Stale) };
            if !dense.is_own(index) || dense.generation(index) != handle.generation() {
                return Err(ReleaseError::Stale);
            }
            let scope = &mut self.scopes[dense.scope as usize];
            if hold == 0 {
                dense.vacate(index, scope);
                scope.drop_use(index);
                if dense.in_use + dense.held == 0 {
                    self.demote(slot);
                }
                return Ok(());
            }
            dense.hold(index, generation);
        } else {
            let slot = self.sparse.find(fingerprint, port).ok_or(ReleaseError::Stale)?;
            if self.sparse.entry(slot).generation != handle.generation() {
                return Err(ReleaseError::Stale);
            }
            if hold == 0 {
                self.sparse.remove(slot);
                self.scopes[handle.scope as usize].drop_use(index);
                return Ok(());
            }
            self.sparse.set_generation(slot, generation);
        }
        self.generation = next(generation);
        self.held += 1;
        let until = self.latest.saturating_add(hold);
        let scope = handle.scope;
        self.waiting.push_back(Waiting { until, fingerprint, generation, scope, port });
        Ok(())
    }

    /// Removes a destination's bitmap once nothing is left in it.
    fn demote(&mut self, slot: usize) {
        let Some(dense) = self.dense[slot].take() else { return };
        self.vacant.push(slot as u32);
        self.by_fingerprint.remove(dense.fingerprint);
    }

    /// Moves a destination's entries from the sparse table into a bitmap of its own.
    fn promote(&mut self, fingerprint: u64, scope: u32) -> usize {
        let mut dense = Dense::new(fingerprint, scope, self.config.range);
        let run = self.sparse.run(fingerprint);
        let mut entries: Vec<Entry> = run.map(|slot| self.sparse.entry(slot)).collect();
        for entry in &entries {
            if let Some(slot) = self.sparse.find(fingerprint, entry.port) {
                self.sparse.remove(slot);
            }
        }
        // Generations rise with time, and a held port got its own when it was released: adopting in
        // their order keeps the oldest first.
        let newest = self.generation;
        entries.sort_by_key(|entry| {
            core::cmp::Reverse(newest.wrapping_sub(entry.generation) & 0xFF_FFFF)
        });
        let low = self.config.range.low().number();
        for entry in entries {
            dense.adopt(usize::from(entry.port.wrapping_sub(low)), entry.generation);
        }
        let slot = match self.vacant.pop() {
            Some(slot) => slot as usize,
            None => {
                self.dense.push(None);
                self.dense.len() - 1
            }
        };
        self.dense[slot] = Some(dense);
        self.by_fingerprint.insert(fingerprint, slot);
        slot
    }

    /// The scope of a key, made if there is none yet.
    fn scope_of(&mut self, key: &Key) -> usize {
        let next = self.scopes.len() as u32;
        let found = self.by_address.entry(key.scope()).or_insert(next);
        if *found == next {
            self.scopes.push(Scope::new(key, self.config.range, &self.reserved, &self.claims));
        }
        *found as usize
    }
}

/// In-use generations are odd, the others even; 24 bits in all.
const fn next(generation: u32) -> u32 {
    (generation + 2) & 0xFF_FFFF
}
