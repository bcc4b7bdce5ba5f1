//! The ports of one place: a bitmap that yields a uniformly chosen free port at bounded cost.
//!
//! While the pool is roomy, it draws candidates until one is free; when it gets crowded, it keeps a
//! list of the free ports and draws an entry. Should all draws of a roomy pool fail, it draws a rank
//! and looks for the free port of that rank. All three are exactly uniform over the free ports, and
//! so is any mixture of them: rejecting a draw says nothing about the ones that follow. A pool with
//! one free port costs no more than a pool with a tenth of them free, and finding it exhausted is
//! one comparison.
//!
//! | range | bitmap | list of free ports (only while crowded) |
//! |---|---|---|
//! | 16,384 ports | 2 KiB | up to 10 KiB |
//! | 65,536 ports | 8 KiB | up to 40 KiB |

use alloc::boxed::Box;
use alloc::vec;

use dayfly_ports::{Port, PortRange};

use crate::free_list::FreeList;
use crate::{Availability, Random, bits};

/// Batches of four draws before the exact search, while the pool is roomy. At least an eighth of
/// the draws hit a free port, so 64 draws fail at most once in 5,000 times.
const BATCHES: u32 = 16;

/// The ports of a range, each free or taken.
///
/// ```
/// use dayfly_alloc::{Pool, Xoshiro};
/// use dayfly_ports::PortRange;
///
/// let mut random = Xoshiro::seeded(1);
/// let mut pool = Pool::new(PortRange::DYNAMIC);
/// let port = pool.take_any(&mut random).expect("16,384 ports are free");
/// assert!(PortRange::DYNAMIC.contains(port));
/// assert_eq!(pool.free(), 16_383);
/// assert!(pool.put(port) && !pool.put(port));
/// ```
#[derive(Clone, Debug)]
pub struct Pool {
    range: PortRange,
    /// One bit per port from the low end, set when taken. The length is a power of two, so that a
    /// draw is a mask away from an index; what lies past the range is taken for ever.
    taken: Box<[u64]>,
    free: u32,
    list: Option<Box<FreeList>>,
}

impl Pool {
    /// A pool with every port of the range free.
    #[must_use]
    pub fn new(range: PortRange) -> Self {
        let mut pool =
            Pool { range, taken: vec![0; words_of(range)].into(), free: range.len(), list: None };
        clear_tail(&mut pool.taken, range);
        pool.watch_crowding();
        pool
    }

    /// The range that the pool was made for.
    #[must_use]
    pub const fn range(&self) -> PortRange {
        self.range
    }

    /// How many ports are free: 0 to 65,536.
    #[must_use]
    pub const fn free(&self) -> u32 {
        self.free
    }

    /// Whether the port is in the range and free.
    #[must_use]
    #[inline]
    pub fn is_free(&self, port: Port) -> bool {
        self.index(port).is_some_and(|index| !bits::get(&self.taken, index))
    }

    /// A free port, each exactly as likely as the others; none only if none is free.
    #[inline]
    pub fn pick(&self, random: &mut (impl Random + ?Sized)) -> Option<Port> {
        self.pick_index(random).map(|index| self.port(index))
    }

    /// Picks a free port and takes it.
    #[inline]
    pub fn take_any(&mut self, random: &mut (impl Random + ?Sized)) -> Option<Port> {
        self.take_index(random).map(|index| self.port(index))
    }

    /// Takes a port; false if it was taken before or is outside the range.
    #[inline]
    pub fn take(&mut self, port: Port) -> bool {
        match self.index(port) {
            Some(index) if !bits::get(&self.taken, index) => {
                self.mark_taken(index);
                true
            }
            _ => false,
        }
    }

    /// Gives a port back; false if it was free before or is outside the range.
    #[inline]
    pub fn put(&mut self, port: Port) -> bool {
        match self.index(port) {
            Some(index) if bits::get(&self.taken, index) => {
                self.mark_free(index);
                true
            }
            _ => false,
        }
    }

    /// The free port that has exactly `rank` free ports below it; none if too few are free.
    #[must_use]
    pub fn select(&self, rank: u32) -> Option<Port> {
        (rank < self.free).then(|| self.port(self.select_index(rank)))
    }

    /// Bytes of memory, what it points to included.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let list = self.list.as_ref().map_or(0, |list| list.bytes());
        size_of::<Self>() + size_of_val(&*self.taken) + list
    }

    /// The bitmap: bit `i` of word `j` is the port `64 * j + i` above the low end, set if taken.
    pub(crate) fn words(&self) -> &[u64] {
        &self.taken
    }

    /// Takes over the union of two bitmaps of the same range.
    pub(crate) fn refill(&mut self, one: &[u64], other: &[u64]) {
        let mut free = 0;
        for ((word, a), b) in self.taken.iter_mut().zip(one).zip(other) {
            *word = a | b;
            free += word.count_zeros();
        }
        self.free = free;
        self.list = None;
        self.watch_crowding();
    }

    /// Where a port of the range stands in the bitmap.
    #[inline]
    pub(crate) fn index(&self, port: Port) -> Option<usize> {
        let index = port.number().checked_sub(self.range.low().number())?;
        (u32::from(index) < self.range.len()).then_some(usize::from(index))
    }

    #[inline]
    fn port(&self, index: usize) -> Port {
        Port::new(self.range.low().number().wrapping_add(index as u16))
    }

    #[inline]
    fn pick_index(&self, random: &mut (impl Random + ?Sized)) -> Option<usize> {
        if self.free == 0 {
            return None;
        }
        Some(match &self.list {
            Some(list) => list.peek(&self.taken, random),
            None => self.draw(random),
        })
    }

    /// Picks a free port, takes it and says where it stands in the bitmap.
    #[inline]
    pub(crate) fn take_index(&mut self, random: &mut (impl Random + ?Sized)) -> Option<usize> {
        if self.free == 0 {
            return None;
        }
        let index = match &mut self.list {
            Some(list) => list.draw(&self.taken, random),
            None => self.draw(random),
        };
        bits::set(&mut self.taken, index);
        self.free -= 1;
        self.watch_crowding();
        Some(index)
    }

    #[inline]
    fn draw(&self, random: &mut (impl Random + ?Sized)) -> usize {
        let mask = self.taken.len() * 64 - 1;
        // Mostly empty: the first draw succeeds so often that its branch is worth it.
        if self.free as usize * 8 > self.taken.len() * (64 * 5) {
            let index = random.next_u64() as usize & mask;
            if !bits::get(&self.taken, index) {
                return index;
            }
        }
        self.draw_by_fours(mask, random)
    }

    #[inline(never)]
    fn draw_by_fours(&self, mask: usize, random: &mut (impl Random + ?Sized)) -> usize {
        for _ in 0..BATCHES {
            // Four draws from one number, looked up without a branch: at half occupancy the first
            // free one is as good as random, and a wrong prediction would cost more than the rest.
            let draw = random.next_u64();
            let candidate = |lane: u32| (draw >> (16 * lane)) as usize & mask;
            let free = |lane| u32::from(!bits::get(&self.taken, candidate(lane)));
            let found = free(0) | free(1) << 1 | free(2) << 2 | free(3) << 3;
            if found != 0 {
                return candidate(found.trailing_zeros());
            }
        }
        self.select_index(random.below(self.free))
    }

    #[cold]
    fn select_index(&self, mut rank: u32) -> usize {
        for (index, word) in self.taken.iter().enumerate() {
            let free = word.count_zeros();
            if rank < free {
                return index * 64 + bits::select(!word, rank) as usize;
            }
            rank -= free;
        }
        0
    }

    #[inline]
    pub(crate) fn mark_taken(&mut self, index: usize) {
        bits::set(&mut self.taken, index);
        self.free -= 1;
        match &mut self.list {
            Some(list) => list.taken(&self.taken),
            None => self.watch_crowding(),
        }
    }

    #[inline]
    pub(crate) fn mark_free(&mut self, index: usize) {
        bits::clear(&mut self.taken, index);
        self.free += 1;
        if self.list.is_some() {
            self.list_freed(index);
        }
    }

    #[inline(never)]
    fn list_freed(&mut self, index: usize) {
        if let Some(list) = &mut self.list {
            list.freed(index);
        }
        // The gap between an eighth and a quarter keeps a pool on the edge from building and
        // dropping its list with every port.
        if self.free as usize > self.taken.len() * 16 {
            self.list = None;
        }
    }

    #[inline]
    fn watch_crowding(&mut self) {
        if (self.free as usize) < self.taken.len() * 8 && self.list.is_none() {
            self.crowd();
        }
    }

    #[cold]
    #[inline(never)]
    fn crowd(&mut self) {
        self.list = Some(Box::new(FreeList::new(&self.taken)));
    }
}

impl Availability for Pool {
    fn is_free(&self, port: Port) -> bool {
        Pool::is_free(self, port)
    }

    fn free_in(&self, range: PortRange) -> u32 {
        if range == self.range { self.free } else { crate::availability::count(self, range) }
    }

    fn select_free(&self, range: PortRange, rank: u32) -> Option<Port> {
        if range == self.range {
            self.select(rank)
        } else {
            crate::availability::select(self, range, rank)
        }
    }
}

/// How many words the bitmap of a range has.
pub(crate) fn words_of(range: PortRange) -> usize {
    (range.len().next_power_of_two() as usize).div_ceil(64)
}

/// Marks what lies past the range as taken.
fn clear_tail(taken: &mut [u64], range: PortRange) {
    let len = range.len() as usize;
    for (index, word) in taken.iter_mut().enumerate() {
        let first = index * 64;
        if first >= len {
            *word = u64::MAX;
        } else if first + 64 > len {
            *word |= u64::MAX << (len - first);
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;
    use crate::Xoshiro;

    fn range(low: u16, high: u16) -> PortRange {
        PortRange::new(low, high).unwrap()
    }

    /// Ranges of every size class: below a word, odd lengths, powers of two, the whole space.
    fn any_range() -> impl Strategy<Value = PortRange> {
        prop_oneof![
            (any::<u16>(), 0_u16..300).prop_map(|(low, len)| range(low, low.saturating_add(len))),
            (0_u16..40000, 1000_u16..25000).prop_map(|(low, len)| range(low, low + len)),
            Just(PortRange::DYNAMIC),
            Just(PortRange::LINUX_DEFAULT),
            Just(PortRange::ALL),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn succeeds_exactly_while_a_port_is_free(
            range in any_range(), seed: u64, fill in 0.0_f64..=1.0, changes in 1_usize..2000,
        ) {
            let mut random = Xoshiro::seeded(seed);
            let mut pool = Pool::new(range);
            let mut held = Vec::new();
            for _ in 0..(f64::from(range.len()) * fill) as u32 {
                held.push(pool.take_any(&mut random).unwrap());
            }
            for _ in 0..changes {
                if random.below(2) == 0 {
                    let taken = pool.take_any(&mut random);
                    prop_assert_eq!(taken.is_some(), held.len() < range.len() as usize);
                    if let Some(port) = taken {
                        prop_assert!(range.contains(port));
                        held.push(port);
                    }
                } else if !held.is_empty() {
                    let port = held.swap_remove(random.below(held.len() as u32) as usize);
                    prop_assert!(!pool.is_free(port) && pool.put(port) && pool.is_free(port));
                }
                prop_assert_eq!(pool.free() as usize, range.len() as usize - held.len());
            }
            held.sort_unstable();
            let free: Vec<Port> = range.iter().filter(|port| pool.is_free(*port)).collect();
            prop_assert_eq!(free.len() as u32, pool.free());
            prop_assert!(free.iter().all(|port| held.binary_search(port).is_err()));
            for rank in [0, 1, pool.free() / 2, pool.free().saturating_sub(1), pool.free()] {
                prop_assert_eq!(pool.select(rank), free.get(rank as usize).copied());
            }
        }
    }

    #[test]
    fn a_range_of_one_has_one_port() {
        for port in [0, 1, 32768, 65535] {
            let mut pool = Pool::new(range(port, port));
            let mut random = Xoshiro::seeded(3);
            assert_eq!(pool.take_any(&mut random), Some(Port::new(port)));
            assert_eq!(pool.take_any(&mut random), None);
            assert!(pool.put(Port::new(port)) && !pool.put(Port::new(port)));
            assert!(!pool.take(Port::new(port.wrapping_add(1))));
        }
    }
}
