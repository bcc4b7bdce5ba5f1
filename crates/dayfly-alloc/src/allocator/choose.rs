//! Finding a free port: in the sparse table, and under conditions.

use core::ops::Range;

use dayfly_ports::{Port, PortRange};

use super::{Allocator, Exhausted, Reuse, SPARSE_LIMIT, Tick, reuse};
use crate::sparse::{Entry, Sparse};
use crate::strategy::{Request, Strategy};
use crate::{Availability, Handle, Key, Options, Pool, Random, bits};

/// Draws before the exact search.
const DRAWS: u32 = 16;

impl<R: Random> Allocator<R> {
    /// Lets another strategy choose among the ports that are free for the key.
    ///
    /// # Errors
    /// [`Exhausted`] if the strategy finds none, which for many of them does not mean that none is
    /// free.
    pub fn allocate_by(
        &mut self,
        strategy: &mut dyn Strategy,
        key: &Key,
        now: Tick,
    ) -> Result<Handle, Exhausted> {
        self.pass(now);
        let fingerprint = self.fingerprints.of(key);
        if let Some(slot) = self.dense_slot(fingerprint) {
            let Some(dense) = &mut self.dense[slot] else { return Err(Exhausted { held: 0 }) };
            dense.follow(&self.scopes[dense.scope as usize]);
            let request = Request { key, now: self.latest, free: &dense.pool };
            let picked = strategy.pick(&request, &mut self.random);
            let picked = picked.filter(|port| dense.pool.is_free(*port));
            let held = dense.held;
            let port = picked.ok_or(Exhausted { held })?;
            return self.allocate_dense(slot, &only(port));
        }
        let scope = self.scope_of(key);
        let view =
            SparseView { shared: &self.scopes[scope].shared, table: &self.sparse, fingerprint };
        let request = Request { key, now: self.latest, free: &view };
        let picked = strategy.pick(&request, &mut self.random);
        let port = picked.filter(|port| view.is_free(*port));
        let port = port.ok_or_else(|| Exhausted { held: self.held_sparsely(fingerprint) })?;
        self.allocate_sparse(key, fingerprint, &only(port))
    }

    pub(super) fn allocate_dense(
        &mut self,
        slot: usize,
        options: &Options<'_>,
    ) -> Result<Handle, Exhausted> {
        let Some(dense) = &mut self.dense[slot] else { return Err(Exhausted { held: 0 }) };
        let scope = &mut self.scopes[dense.scope as usize];
        dense.follow(scope);
        self.held -= reuse::give_up_distant(dense, scope, self.config.reuse);
        let pool = &dense.pool;
        let chosen = choose(
            pool,
            options,
            &mut self.random,
            |port| pool.is_free(port),
            |word| !pool.words()[word],
        );
        let Some(port) = chosen else { return self.reuse_oldest(slot, options) };
        let generation = self.generation | 1;
        self.generation = super::next(self.generation);
        dense.pool.take(port);
        let index = usize::from(port.number().wrapping_sub(self.config.range.low().number()));
        dense.occupy(index, generation);
        scope.add_use(index);
        Ok(Handle::new(dense.fingerprint, port.number(), generation, self.id, dense.scope))
    }

    pub(super) fn allocate_sparse(
        &mut self,
        key: &Key,
        fingerprint: u64,
        options: &Options<'_>,
    ) -> Result<Handle, Exhausted> {
        let scope = self.scope_of(key);
        if options.unconditional() && options.preferred.is_none() {
            // The usual case: the first draw is free, and one pass over the destination's entries
            // shows it. Otherwise the draw is forgotten, which leaves the next one as fair.
            let drawn = self.scopes[scope].shared.pick(&mut self.random);
            let run = drawn.and_then(|port| {
                self.sparse.run_without(fingerprint, port.number()).map(|run| (port, run))
            });
            if let Some((port, run)) = run
                && run.len() < SPARSE_LIMIT
            {
                return Ok(self.enter(scope, run, fingerprint, port));
            }
        }
        let table = &self.sparse;
        let run = table.run(fingerprint);
        if run.len() >= SPARSE_LIMIT {
            let slot = self.promote(fingerprint, scope as u32);
            return self.allocate_dense(slot, options);
        }
        let shared = &self.scopes[scope].shared;
        let low = self.config.range.low().number();
        let mine = |port: Port| table.ports(run.clone()).any(|used| used == port.number());
        let is_free = |port| shared.is_free(port) && !mine(port);
        let chosen = choose(shared, options, &mut self.random, is_free, |word| {
            let mut free = !shared.words()[word];
            for port in table.ports(run.clone()) {
                let index = usize::from(port.wrapping_sub(low));
                if index / 64 == word {
                    free &= !(1 << (index % 64));
                }
            }
            free
        });
        let Some(port) = chosen else {
            if self.config.reuse == Reuse::AfterHold || self.held_sparsely(fingerprint) == 0 {
                return Err(Exhausted { held: self.held_sparsely(fingerprint) });
            }
            // Only a bitmap remembers which of the held ports is the oldest.
            let slot = self.promote(fingerprint, scope as u32);
            return self.reuse_oldest(slot, options);
        };
        Ok(self.enter(scope, run, fingerprint, port))
    }

    /// Enters a free port into the sparse table, behind the entries of its destination.
    fn enter(&mut self, scope: usize, run: Range<usize>, fingerprint: u64, port: Port) -> Handle {
        let generation = self.next_generation() | 1;
        let port = port.number();
        self.sparse.insert_behind(run, Entry { fingerprint, port, generation });
        let low = self.config.range.low().number();
        self.scopes[scope].add_use(usize::from(port.wrapping_sub(low)));
        Handle::new(fingerprint, port, generation, self.id, scope as u32)
    }

    pub(super) fn held_sparsely(&self, fingerprint: u64) -> u32 {
        let run = self.sparse.run(fingerprint);
        run.filter(|slot| self.sparse.entry(*slot).generation & 1 == 0).count() as u32
    }
}

fn only(port: Port) -> Options<'static> {
    Options { preferred: Some(port), within: Some(PortRange::single(port)), ..Options::default() }
}

/// A free port that meets the conditions, each exactly as likely as the others; the preferred one
/// if it is among them.
///
/// `pool` spans the range; its own free ports must include all that `is_free` admits. `free_word`
/// gives the free ports of 64 at a time.
fn choose(
    pool: &Pool,
    options: &Options<'_>,
    random: &mut impl Random,
    is_free: impl Fn(Port) -> bool,
    free_word: impl Fn(usize) -> u64,
) -> Option<Port> {
    let range = pool.range();
    let preferred = options.preferred.filter(|port| options.admits(range, *port) && is_free(*port));
    if preferred.is_some() || pool.free() == 0 {
        return preferred;
    }
    for _ in 0..DRAWS {
        let drawn =
            if options.unconditional() { pool.pick(random) } else { options.draw(range, random) }?;
        if is_free(drawn) && options.admits(range, drawn) {
            return Some(drawn);
        }
    }
    let words = 0..pool.words().len();
    let word = |index: usize| free_word(index) & options.word(range, index);
    let admitted: u32 = words.clone().map(|index| word(index).count_ones()).sum();
    if admitted == 0 {
        return None;
    }
    let mut rank = random.below(admitted);
    for index in words {
        let free = word(index);
        if rank < free.count_ones() {
            let index = index * 64 + bits::select(free, rank) as usize;
            return Some(Port::new(range.low().number().wrapping_add(index as u16)));
        }
        rank -= free.count_ones();
    }
    None
}

/// What is free for a destination without a bitmap.
pub(super) struct SparseView<'a> {
    pub(super) shared: &'a Pool,
    pub(super) table: &'a Sparse,
    pub(super) fingerprint: u64,
}

impl Availability for SparseView<'_> {
    fn is_free(&self, port: Port) -> bool {
        self.shared.is_free(port) && self.table.find(self.fingerprint, port.number()).is_none()
    }
}
