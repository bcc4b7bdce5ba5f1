//! One destination with many connections: a bitmap of its own.

use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec;

use dayfly_ports::PortRange;

use crate::generations::Generations;
use crate::scope::Scope;
use crate::{Pool, bits, pool};

/// A port that waits for reuse.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held {
    pub(crate) index: u16,
    pub(crate) generation: u32,
    /// How many ports the destination had been given when this one came back.
    pub(crate) given: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Dense {
    pub(crate) fingerprint: u64,
    pub(crate) scope: u32,
    /// Taken: used or held here, or closed for the whole scope.
    pub(crate) pool: Pool,
    /// Used or held here.
    own: Box<[u64]>,
    /// Odd while in use, even afterwards.
    generations: Generations,
    /// The state of the scope that `pool` has taken in.
    version: u64,
    pub(crate) in_use: u32,
    pub(crate) held: u32,
    /// What is held, oldest first; entries whose port has moved on are stale.
    order: VecDeque<Held>,
    /// How many ports the destination has been given.
    pub(crate) given: u64,
}

impl Dense {
    pub(crate) fn new(fingerprint: u64, scope: u32, range: PortRange) -> Self {
        Dense {
            fingerprint,
            scope,
            pool: Pool::new(range),
            own: vec![0; pool::words_of(range)].into(),
            generations: Generations::new(range.len() as usize),
            version: 0,
            in_use: 0,
            held: 0,
            order: VecDeque::new(),
            given: 0,
        }
    }

    /// Takes in what changed for the whole scope since the last time.
    #[inline]
    pub(crate) fn follow(&mut self, scope: &Scope) {
        if self.version != scope.version {
            self.pool.refill(&self.own, scope.shared.words());
            self.version = scope.version;
        }
    }

    /// Marks a port that the pool has already given as in use.
    #[inline]
    pub(crate) fn occupy(&mut self, index: usize, generation: u32) {
        bits::set(&mut self.own, index);
        self.generations.set(index, generation);
        self.in_use += 1;
        self.given += 1;
    }

    /// Adopts a port from the sparse table.
    pub(crate) fn adopt(&mut self, index: usize, generation: u32) {
        if !bits::get(self.pool.words(), index) {
            self.pool.mark_taken(index);
        }
        bits::set(&mut self.own, index);
        self.generations.set(index, generation);
        if generation & 1 == 1 {
            self.in_use += 1;
        } else {
            self.held += 1;
            self.order.push_back(Held { index: index as u16, generation, given: self.given });
        }
    }

    pub(crate) fn is_own(&self, index: usize) -> bool {
        bits::get(&self.own, index)
    }

    pub(crate) fn generation(&self, index: usize) -> u32 {
        self.generations.get(index)
    }

    /// A port in use becomes free.
    #[inline]
    pub(crate) fn vacate(&mut self, index: usize, scope: &Scope) {
        self.in_use -= 1;
        self.open(index, scope);
    }

    /// A port in use is held back.
    #[inline]
    pub(crate) fn hold(&mut self, index: usize, generation: u32) {
        self.in_use -= 1;
        self.held += 1;
        self.generations.set(index, generation);
        self.order.push_back(Held { index: index as u16, generation, given: self.given });
    }

    /// A held port becomes free.
    pub(crate) fn unhold(&mut self, index: usize, scope: &Scope) {
        self.held -= 1;
        self.open(index, scope);
        self.skip_stale();
    }

    /// A held port is in use again, without having been free.
    pub(crate) fn reoccupy(&mut self, index: usize, generation: u32) {
        self.held -= 1;
        self.in_use += 1;
        self.given += 1;
        self.generations.set(index, generation);
        self.skip_stale();
    }

    /// What is held, oldest first.
    pub(crate) fn held(&self) -> impl Iterator<Item = Held> + '_ {
        self.order.iter().copied().filter(|held| self.holds(held))
    }

    fn holds(&self, held: &Held) -> bool {
        let index = usize::from(held.index);
        bits::get(&self.own, index) && self.generations.get(index) == held.generation
    }

    #[inline]
    fn open(&mut self, index: usize, scope: &Scope) {
        bits::clear(&mut self.own, index);
        self.generations.forget(index);
        // The pool may not have followed the scope yet; following rebuilds it from `own` anyway.
        if !bits::get(scope.shared.words(), index) && bits::get(self.pool.words(), index) {
            self.pool.mark_free(index);
        }
    }

    fn skip_stale(&mut self) {
        while self.order.front().is_some_and(|held| !self.holds(held)) {
            self.order.pop_front();
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.pool.bytes()
            + size_of_val(&*self.own)
            + self.generations.bytes()
            + self.order.capacity() * size_of::<Held>()
    }
}
