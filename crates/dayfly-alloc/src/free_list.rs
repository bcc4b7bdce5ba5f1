//! The free ports of a crowded pool, one entry each: draw an entry and it is a free port.
//!
//! The list is in no order, so a port that was drawn is replaced by the last entry, as in a
//! Fisher-Yates shuffle. A port that is taken by its number, rather than drawn, stays in the list as
//! a stale entry until a draw meets it; a second bitmap remembers what is listed, so that a port
//! never stands in the list twice and stays exactly as likely as the others.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use crate::{Random, bits};

#[derive(Clone, Debug)]
pub(crate) struct FreeList {
    indices: Vec<u16>,
    listed: Box<[u64]>,
    stale: usize,
}

impl FreeList {
    /// The free ports of this bitmap, in which a set bit is a taken port.
    pub(crate) fn new(taken: &[u64]) -> Self {
        let mut list =
            FreeList { indices: Vec::new(), listed: vec![0; taken.len()].into(), stale: 0 };
        list.rebuild(taken);
        list
    }

    fn rebuild(&mut self, taken: &[u64]) {
        self.indices.clear();
        self.stale = 0;
        for (position, (&word, listed)) in taken.iter().zip(&mut self.listed).enumerate() {
            let mut free = !word;
            *listed = free;
            while free != 0 {
                self.indices.push((position * 64) as u16 + free.trailing_zeros() as u16);
                free &= free - 1;
            }
        }
    }

    /// A free port, uniformly; the list is left as it is. Some port must be free.
    #[inline]
    pub(crate) fn peek(&self, taken: &[u64], random: &mut (impl Random + ?Sized)) -> usize {
        loop {
            let draw = random.below(self.indices.len() as u32) as usize;
            let index = usize::from(self.indices[draw]);
            if !bits::get(taken, index) {
                return index;
            }
        }
    }

    /// Takes a free port out of the list, uniformly. Some port must be free.
    #[inline(never)]
    pub(crate) fn draw(&mut self, taken: &[u64], random: &mut (impl Random + ?Sized)) -> usize {
        loop {
            let draw = random.below(self.indices.len() as u32) as usize;
            let index = usize::from(self.indices.swap_remove(draw));
            bits::clear(&mut self.listed, index);
            if !bits::get(taken, index) {
                return index;
            }
            self.stale -= 1;
        }
    }

    /// A port was taken by its number.
    pub(crate) fn taken(&mut self, taken: &[u64]) {
        self.stale += 1;
        if self.stale * 2 > self.indices.len() {
            self.rebuild(taken);
        }
    }

    /// A port became free.
    #[inline]
    pub(crate) fn freed(&mut self, index: usize) {
        if bits::get(&self.listed, index) {
            self.stale -= 1;
        } else {
            bits::set(&mut self.listed, index);
            self.indices.push(index as u16);
        }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.indices.capacity() * 2 + size_of_val(&*self.listed) + size_of::<Self>()
    }
}
