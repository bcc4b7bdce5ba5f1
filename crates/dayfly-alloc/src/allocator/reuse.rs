//! Ports that are held back after use: when the hold ends, and what may be reused before.

use dayfly_ports::Port;

use super::{Allocator, Exhausted, Reuse, Tick};
use crate::dense::Dense;
use crate::scope::Scope;
use crate::{Handle, Key, Options, Random};

impl<R: Random> Allocator<R> {
    /// Like [`Allocator::allocate_with`], but when no port is free, asks `may_reuse` about the held
    /// ones, the one held longest first, and hands out the first that it agrees to.
    ///
    /// This is the place for RFC 6191: a port in TIME_WAIT may be reused if the new connection's
    /// timestamp will be greater than the last one seen on the old connection.
    ///
    /// # Errors
    /// [`Exhausted`] if no port is free and `may_reuse` refuses all that are held.
    pub fn allocate_or_reuse(
        &mut self,
        key: &Key,
        now: Tick,
        options: &Options<'_>,
        may_reuse: impl FnMut(Port) -> bool,
    ) -> Result<Handle, Exhausted> {
        let error = match self.allocate_with(key, now, options) {
            Ok(handle) => return Ok(handle),
            Err(error) if error.held == 0 => return Err(error),
            Err(error) => error,
        };
        let fingerprint = self.fingerprints.of(key);
        let slot = match self.dense_slot(fingerprint) {
            Some(slot) => slot,
            None => {
                let scope = self.scope_of(key) as u32;
                self.promote(fingerprint, scope)
            }
        };
        self.take_held(slot, options, may_reuse).ok_or(error)
    }

    /// Frees the ports whose hold has ended.
    #[cold]
    pub(super) fn end_holds(&mut self) {
        while let Some(front) = self.waiting.front().copied() {
            if front.until > self.latest {
                break;
            }
            self.waiting.pop_front();
            let index = usize::from(front.port.wrapping_sub(self.config.range.low().number()));
            // Whatever has been reused in the meantime carries another generation.
            if let Some(slot) = self.dense_slot(front.fingerprint) {
                let Some(dense) = &mut self.dense[slot] else { continue };
                if dense.is_own(index) && dense.generation(index) == front.generation {
                    let scope = &mut self.scopes[dense.scope as usize];
                    dense.unhold(index, scope);
                    scope.drop_use(index);
                    self.held -= 1;
                    if dense.in_use + dense.held == 0 {
                        self.demote(slot);
                    }
                }
            } else if let Some(slot) = self.sparse.find(front.fingerprint, front.port)
                && self.sparse.entry(slot).generation == front.generation
            {
                self.sparse.remove(slot);
                self.scopes[front.scope as usize].drop_use(index);
                self.held -= 1;
            }
        }
    }

    /// What is left when no port is free.
    #[cold]
    pub(super) fn reuse_oldest(
        &mut self,
        slot: usize,
        options: &Options<'_>,
    ) -> Result<Handle, Exhausted> {
        let held = self.dense[slot].as_ref().map_or(0, |dense| dense.held);
        if self.config.reuse != Reuse::OldestFirst || held == 0 {
            return Err(Exhausted { held });
        }
        self.take_held(slot, options, |_| true).ok_or(Exhausted { held })
    }

    /// Takes the first held port, oldest first, that meets the conditions and that `agrees` to.
    fn take_held(
        &mut self,
        slot: usize,
        options: &Options<'_>,
        mut agrees: impl FnMut(Port) -> bool,
    ) -> Option<Handle> {
        let range = self.config.range;
        let generation = self.next_generation() | 1;
        let dense = self.dense[slot].as_mut()?;
        let scope = &self.scopes[dense.scope as usize];
        let port_of = |index: u16| Port::new(range.low().number().wrapping_add(index));
        let taken = dense.held().map(|held| held.index).find(|index| {
            let port = port_of(*index);
            scope.shared.is_free(port) && options.admits(range, port) && agrees(port)
        })?;
        dense.reoccupy(usize::from(taken), generation);
        self.held -= 1;
        let port = port_of(taken).number();
        Some(Handle::new(dense.fingerprint, port, generation, self.id, dense.scope))
    }
}

/// Frees the held ports that the destination has been given enough others since, and says how many
/// they were.
pub(super) fn give_up_distant(dense: &mut Dense, scope: &mut Scope, reuse: Reuse) -> usize {
    let Reuse::AfterDistance(distance) = reuse else { return 0 };
    let mut freed = 0;
    loop {
        let Some(oldest) = dense.held().next() else { break };
        if oldest.given.saturating_add(u64::from(distance)) > dense.given {
            break;
        }
        let index = usize::from(oldest.index);
        dense.unhold(index, scope);
        scope.drop_use(index);
        freed += 1;
    }
    freed
}
