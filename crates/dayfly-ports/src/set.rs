//! A set of ports: one bit for each of the 65,536.

use core::fmt;
use core::ops::{BitAnd, BitAndAssign, BitOr, BitOrAssign, Not, Sub, SubAssign};

use crate::{Port, PortRange};

const WORDS: usize = 1024;

/// Any set of ports, as 64 Ki bits (8 KiB).
///
/// Set algebra works on whole words (`|`, `&`, `-`, `!`), membership is one bit test. The text
/// form is the Linux kernel's list: `8080,9000-9010` (see [`PortSet::from_str`]).
///
/// [`PortSet::from_str`]: core::str::FromStr::from_str
#[derive(Clone, PartialEq, Eq)]
pub struct PortSet {
    words: [u64; WORDS],
}

impl PortSet {
    /// The set without a member.
    pub const EMPTY: PortSet = PortSet { words: [0; WORDS] };
    /// The set of every port, 0 included.
    pub const FULL: PortSet = PortSet { words: [u64::MAX; WORDS] };

    /// Whether the port is a member.
    #[must_use]
    pub const fn contains(&self, port: Port) -> bool {
        self.words[word(port)] & bit(port) != 0
    }

    /// Adds a port; true if it was not a member before.
    pub const fn insert(&mut self, port: Port) -> bool {
        let added = !self.contains(port);
        self.words[word(port)] |= bit(port);
        added
    }

    /// Takes a port out; true if it was a member before.
    pub const fn remove(&mut self, port: Port) -> bool {
        let removed = self.contains(port);
        self.words[word(port)] &= !bit(port);
        removed
    }

    /// Adds every port of a range.
    pub fn insert_range(&mut self, range: PortRange) {
        for (index, mask) in words_of(range) {
            self.words[index] |= mask;
        }
    }

    /// Takes every port of a range out.
    pub fn remove_range(&mut self, range: PortRange) {
        for (index, mask) in words_of(range) {
            self.words[index] &= !mask;
        }
    }

    /// Whether any port of the range is a member.
    #[must_use]
    pub fn intersects(&self, range: PortRange) -> bool {
        words_of(range).any(|(index, mask)| self.words[index] & mask != 0)
    }

    /// The members that lie in one of the ranges.
    #[must_use]
    pub fn within(&self, ranges: &[PortRange]) -> PortSet {
        let mut inside = PortSet::EMPTY;
        for (index, mask) in ranges.iter().flat_map(|&range| words_of(range)) {
            inside.words[index] |= self.words[index] & mask;
        }
        inside
    }

    /// How many members: 0 to 65536.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.words.iter().map(|word| word.count_ones()).sum()
    }

    /// Whether there is no member.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// How many members are below `port`.
    #[must_use]
    pub fn rank(&self, port: Port) -> u32 {
        let index = word(port);
        let below: u32 = self.words[..index].iter().map(|word| word.count_ones()).sum();
        below + (self.words[index] & (bit(port) - 1)).count_ones()
    }

    /// The member that has exactly `rank` members below it; none if the set is too small.
    /// The inverse of [`PortSet::rank`].
    #[must_use]
    pub fn select(&self, mut rank: u32) -> Option<Port> {
        for (index, &members) in self.words.iter().enumerate() {
            let count = members.count_ones();
            if rank < count {
                let mut members = members;
                for _ in 0..rank {
                    members &= members - 1;
                }
                return Some(Port::new((index * 64) as u16 + members.trailing_zeros() as u16));
            }
            rank -= count;
        }
        None
    }

    /// The members in ascending order.
    #[must_use]
    pub fn iter(&self) -> Iter<'_> {
        Iter { words: &self.words, index: 0, rest: self.words[0] }
    }

    /// The members as maximal spans, in ascending order.
    #[must_use]
    pub fn ranges(&self) -> Ranges<'_> {
        Ranges { set: self, next: 0 }
    }

    /// How many members the two sets share, without building the intersection.
    #[must_use]
    pub fn intersection_len(&self, other: &PortSet) -> u32 {
        self.words.iter().zip(&other.words).map(|(a, b)| (a & b).count_ones()).sum()
    }

    /// The members of the parity of `like`: all even ports or all odd ones.
    #[must_use]
    pub fn of_parity(&self, like: Port) -> PortSet {
        let mask = if like.is_odd() { 0xAAAA_AAAA_AAAA_AAAA } else { 0x5555_5555_5555_5555 };
        PortSet { words: self.words.map(|word| word & mask) }
    }

    /// The lowest port at or above `from` whose membership is `member`.
    fn find(&self, from: u32, member: bool) -> Option<Port> {
        let mut index = (from / 64) as usize;
        let mut mask = u64::MAX << (from % 64);
        while index < WORDS {
            let word = if member { self.words[index] } else { !self.words[index] };
            if word & mask != 0 {
                let low = (word & mask).trailing_zeros();
                return Some(Port::new((index as u32 * 64 + low) as u16));
            }
            mask = u64::MAX;
            index += 1;
        }
        None
    }
}

impl Default for PortSet {
    fn default() -> Self {
        PortSet::EMPTY
    }
}

impl From<PortRange> for PortSet {
    fn from(range: PortRange) -> Self {
        let mut set = PortSet::EMPTY;
        set.insert_range(range);
        set
    }
}

impl FromIterator<Port> for PortSet {
    fn from_iter<I: IntoIterator<Item = Port>>(ports: I) -> Self {
        let mut set = PortSet::EMPTY;
        set.extend(ports);
        set
    }
}

impl Extend<Port> for PortSet {
    fn extend<I: IntoIterator<Item = Port>>(&mut self, ports: I) {
        for port in ports {
            self.insert(port);
        }
    }
}

impl<'a> IntoIterator for &'a PortSet {
    type Item = Port;
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortSet({self})")
    }
}

macro_rules! word_by_word {
    ($Assign:ident, $assign:ident, $Op:ident, $op:ident, $join:expr) => {
        impl $Assign<&PortSet> for PortSet {
            fn $assign(&mut self, other: &PortSet) {
                let join: fn(u64, u64) -> u64 = $join;
                for (mine, theirs) in self.words.iter_mut().zip(&other.words) {
                    *mine = join(*mine, *theirs);
                }
            }
        }

        impl $Op<&PortSet> for &PortSet {
            type Output = PortSet;

            fn $op(self, other: &PortSet) -> PortSet {
                let mut result = self.clone();
                result.$assign(other);
                result
            }
        }
    };
}

word_by_word!(BitOrAssign, bitor_assign, BitOr, bitor, |a, b| a | b);
word_by_word!(BitAndAssign, bitand_assign, BitAnd, bitand, |a, b| a & b);
word_by_word!(SubAssign, sub_assign, Sub, sub, |a, b| a & !b);

impl Not for &PortSet {
    type Output = PortSet;

    fn not(self) -> PortSet {
        PortSet { words: self.words.map(|word| !word) }
    }
}

/// The members of a [`PortSet`] in ascending order; see [`PortSet::iter`].
#[derive(Clone, Debug)]
pub struct Iter<'a> {
    words: &'a [u64; WORDS],
    index: usize,
    rest: u64,
}

impl Iterator for Iter<'_> {
    type Item = Port;

    fn next(&mut self) -> Option<Port> {
        while self.rest == 0 {
            self.index += 1;
            self.rest = *self.words.get(self.index)?;
        }
        let low = self.rest.trailing_zeros() as u16;
        self.rest &= self.rest - 1;
        Some(Port::new((self.index * 64) as u16 + low))
    }
}

/// The maximal spans of a [`PortSet`]; see [`PortSet::ranges`].
#[derive(Clone, Debug)]
pub struct Ranges<'a> {
    set: &'a PortSet,
    next: u32,
}

impl Iterator for Ranges<'_> {
    type Item = PortRange;

    fn next(&mut self) -> Option<PortRange> {
        let low = self.set.find(self.next, true)?;
        let end = self.set.find(u32::from(low.number()), false);
        let high = end.map_or(u16::MAX, |end| end.number() - 1);
        self.next = u32::from(high) + 1;
        PortRange::new(low.number(), high).ok()
    }
}

/// The words that hold a range, each with the range's bits in it.
fn words_of(range: PortRange) -> impl Iterator<Item = (usize, u64)> {
    let (first, last) = (word(range.low()), word(range.high()));
    (first..=last).map(move |index| {
        let mut mask = u64::MAX;
        if index == first {
            mask &= u64::MAX << (range.low().number() % 64);
        }
        if index == last {
            mask &= u64::MAX >> (63 - range.high().number() % 64);
        }
        (index, mask)
    })
}

const fn word(port: Port) -> usize {
    port.number() as usize / 64
}

const fn bit(port: Port) -> u64 {
    1 << (port.number() % 64)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    fn set_of(numbers: &BTreeSet<u16>) -> PortSet {
        numbers.iter().map(|&number| Port::new(number)).collect()
    }

    fn numbers_of(set: &PortSet) -> BTreeSet<u16> {
        set.iter().map(Port::number).collect()
    }

    /// Sets with members at both ends and in runs, where off-by-one errors live.
    fn any_numbers() -> impl Strategy<Value = BTreeSet<u16>> {
        let port = prop_oneof![0u16..130, 65400u16..=65535, any::<u16>()];
        let run = (port, 0u16..70).prop_map(|(low, len)| (low..=low.saturating_add(len)).collect());
        prop::collection::vec(run, 0..8)
            .prop_map(|runs: Vec<Vec<u16>>| runs.into_iter().flatten().collect())
    }

    proptest! {
        #[test]
        fn agrees_with_a_plain_set(a in any_numbers(), b in any_numbers(), probe: u16) {
            let (left, right) = (set_of(&a), set_of(&b));
            prop_assert_eq!(numbers_of(&(&left | &right)), &a | &b);
            prop_assert_eq!(numbers_of(&(&left & &right)), &a & &b);
            prop_assert_eq!(numbers_of(&(&left - &right)), &a - &b);
            prop_assert_eq!((!&left).len(), 65536 - a.len() as u32);
            prop_assert_eq!(left.intersection_len(&right) as usize, (&a & &b).len());
            prop_assert_eq!(left.len() as usize, a.len());
            prop_assert_eq!(left.is_empty(), a.is_empty());
            prop_assert_eq!(left.contains(Port::new(probe)), a.contains(&probe));
            let ranges: Vec<PortRange> = right.ranges().collect();
            prop_assert_eq!(numbers_of(&left.within(&ranges)), &a & &b);
            prop_assert_eq!(left.rank(Port::new(probe)) as usize, a.range(..probe).count());
        }

        #[test]
        fn rank_and_select_are_inverse(numbers in any_numbers()) {
            let set = set_of(&numbers);
            for (rank, &number) in numbers.iter().enumerate() {
                prop_assert_eq!(set.select(rank as u32), Some(Port::new(number)));
                prop_assert_eq!(set.rank(Port::new(number)) as usize, rank);
            }
            prop_assert_eq!(set.select(set.len()), None);
        }

        #[test]
        fn ranges_rebuild_the_set_and_never_touch(numbers in any_numbers()) {
            let set = set_of(&numbers);
            let mut rebuilt = PortSet::EMPTY;
            let mut end = None;
            for range in set.ranges() {
                prop_assert!(end.is_none_or(|end| u32::from(range.low().number()) > end + 1));
                end = Some(u32::from(range.high().number()));
                rebuilt.insert_range(range);
            }
            prop_assert_eq!(rebuilt, set);
        }

        #[test]
        fn parities_partition(numbers in any_numbers()) {
            let set = set_of(&numbers);
            let (even, odd) = (set.of_parity(Port::new(0)), set.of_parity(Port::new(1)));
            prop_assert!(even.iter().all(|port| !port.is_odd()));
            prop_assert!(odd.iter().all(Port::is_odd));
            prop_assert_eq!(&even | &odd, set);
        }
    }

    #[test]
    fn ranges_are_taken_out_as_they_are_put_in() {
        let range = |text: &str| text.parse::<PortRange>().unwrap();
        let mut set = PortSet::from(range("10-200"));
        set.remove_range(range("64-127"));
        set.remove_range(range("200-65535"));
        assert_eq!(set.ranges().collect::<Vec<_>>(), [range("10-63"), range("128-199")]);
        assert!(set.intersects(range("60-90")) && set.intersects(range("0-10")));
        assert!(!set.intersects(range("64-127")) && !set.intersects(range("200-200")));
    }

    #[test]
    fn insert_and_remove_say_what_changed() {
        let mut set = PortSet::EMPTY;
        assert!(set.insert(Port::MAX) && !set.insert(Port::MAX));
        assert!(set.remove(Port::MAX) && !set.remove(Port::MAX));
        assert!(set.is_empty());
    }

    #[test]
    fn a_full_set_has_one_range() {
        assert_eq!(PortSet::from(PortRange::ALL), PortSet::FULL);
        assert_eq!(PortSet::FULL.ranges().collect::<Vec<_>>(), [PortRange::ALL]);
        assert_eq!(PortSet::FULL.select(65535), Some(Port::MAX));
    }
}
