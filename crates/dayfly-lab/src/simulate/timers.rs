//! What is due when: a calendar for things of any length, a line for things of one length.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};

use crate::scenario::Nanos;

/// Something that is due at a time.
pub(super) trait Due {
    /// When.
    fn due(&self) -> Nanos;
}

/// How many buckets a calendar has, if nothing is known of what it has to reach.
const BUCKETS: usize = 1 << 13;
/// And how many if something is.
const LEAST_BUCKETS: u64 = 1 << 8;
const MOST_BUCKETS: u64 = 1 << 16;

/// A calendar queue (Brown, 1988): buckets of equal width round the clock, what lies beyond one
/// round in a heap. Adding and taking costs the same however many are waiting.
#[derive(Debug)]
pub(super) struct Calendar<T> {
    /// A bucket is 2 to this many nanoseconds wide.
    shift: u32,
    /// The bucket that is being emptied, by its number since time 0.
    current: u64,
    buckets: Vec<Vec<T>>,
    /// How many there are once something was added: a power of two.
    round: usize,
    /// What is left of the current bucket, the next one last.
    open: Vec<T>,
    /// Room of buckets that were emptied, for the next ones: used again while it is in the cache,
    /// and no more of it than was ever needed at a time.
    spare: Vec<Vec<T>>,
    waiting: usize,
    beyond: BinaryHeap<Reverse<Beyond<T>>>,
    added: u64,
}

#[derive(Debug)]
struct Beyond<T> {
    order: (Nanos, u64),
    thing: T,
}

impl<T> PartialEq for Beyond<T> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<T> Eq for Beyond<T> {}

impl<T> PartialOrd for Beyond<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Beyond<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.order.cmp(&other.order)
    }
}

impl<T: Due> Calendar<T> {
    /// With buckets of this width, or up to twice as wide: of a power of two, so that nothing has to
    /// be divided.
    pub(super) fn new(width: Nanos) -> Self {
        Calendar {
            shift: width.clamp(1, 1 << 62).next_power_of_two().trailing_zeros(),
            current: 0,
            buckets: Vec::new(),
            round: BUCKETS,
            open: Vec::new(),
            spare: Vec::new(),
            waiting: 0,
            beyond: BinaryHeap::new(),
            added: 0,
        }
    }

    /// With buckets of about this width, as many as it takes to reach so far.
    pub(super) fn reaching(width: Nanos, reach: Nanos) -> Self {
        let buckets = (reach / width.max(1)).clamp(LEAST_BUCKETS, MOST_BUCKETS);
        let width = width.max(reach / MOST_BUCKETS);
        Calendar { round: buckets.next_power_of_two() as usize, ..Calendar::new(width) }
    }

    /// Adds something that is not due before what was taken last.
    pub(super) fn add(&mut self, thing: T) {
        if self.buckets.is_empty() {
            self.buckets.resize_with(self.round, Vec::new);
        }
        let bucket = thing.due() >> self.shift;
        if bucket <= self.current {
            // Behind all that are due at the same time.
            let place = self.open.partition_point(|other| other.due() > thing.due());
            self.open.insert(place, thing);
        } else if bucket < self.current + self.round as u64 {
            self.put(bucket, thing);
        } else {
            self.added += 1;
            self.beyond.push(Reverse(Beyond { order: (thing.due(), self.added), thing }));
        }
    }

    /// Into a bucket of this round.
    #[inline]
    fn put(&mut self, bucket: u64, thing: T) {
        let bucket = &mut self.buckets[bucket as usize & (self.round - 1)];
        if bucket.capacity() == 0 {
            *bucket = self.spare.pop().unwrap_or_default();
        }
        bucket.push(thing);
        self.waiting += 1;
    }

    /// When the next one is due, if by this time.
    #[inline]
    pub(super) fn next_due(&mut self, until: Nanos) -> Option<Nanos> {
        if self.open.is_empty() {
            self.advance(until);
        }
        self.open.last().map(Due::due).filter(|due| *due <= until)
    }

    /// The one that [`Calendar::next_due`] spoke of.
    #[inline]
    pub(super) fn take(&mut self) -> Option<T> {
        self.open.pop()
    }

    /// Opens the next bucket that is not empty, but none that begins after that time: what is added
    /// before it would have to be put in its place in the open one.
    fn advance(&mut self, until: Nanos) {
        let last = until >> self.shift;
        while self.open.is_empty() && self.current < last {
            if self.waiting == 0 {
                let Some(Reverse(next)) = self.beyond.peek() else { return };
                self.current = (next.order.0 >> self.shift).min(last);
            } else {
                self.current += 1;
            }
            if !self.buckets.is_empty() {
                let bucket = &mut self.buckets[self.current as usize & (self.round - 1)];
                if !bucket.is_empty() {
                    self.waiting -= bucket.len();
                    let emptied = std::mem::replace(&mut self.open, std::mem::take(bucket));
                    self.spare.push(emptied);
                }
            }
            while let Some(Reverse(next)) = self.beyond.peek()
                && next.order.0 >> self.shift < self.current + self.round as u64
                && let Some(Reverse(next)) = self.beyond.pop()
            {
                let bucket = next.order.0 >> self.shift;
                if bucket == self.current {
                    self.open.push(next.thing);
                } else {
                    self.put(bucket, next.thing);
                }
            }
            // Reversed first, so that among those due together the one added first is last.
            self.open.reverse();
            self.open.sort_by_key(|thing| Reverse(thing.due()));
        }
    }
}

/// A port that is held for a time of its own: TIME_WAIT, a NAT's mapping.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) until: Nanos,
    pub(super) domain: u32,
    pub(super) space: u32,
    pub(super) port: u16,
    /// Whether a socket that was bound left it.
    pub(super) bound: bool,
}

/// What is held for the same length of time ends in the order in which it began.
#[derive(Debug, Default)]
pub(super) struct Line {
    held: VecDeque<Held>,
    /// Ports that were taken over before their time: so many of their entries no longer count.
    revoked: HashMap<(u32, u16), u32, foldhash::fast::FixedState>,
}

impl Line {
    pub(super) fn add(&mut self, held: Held) {
        self.held.push_back(held);
    }

    /// The oldest entry of this port no longer counts.
    pub(super) fn revoke(&mut self, domain: u32, port: u16) {
        *self.revoked.entry((domain, port)).or_default() += 1;
    }

    /// The next one that has ended by now.
    #[inline]
    pub(super) fn ended(&mut self, now: Nanos) -> Option<Held> {
        while let Some(first) = self.held.front()
            && first.until <= now
        {
            let held = self.held.pop_front()?;
            if !self.revoked.is_empty()
                && let Some(times) = self.revoked.get_mut(&(held.domain, held.port))
            {
                *times -= 1;
                if *times == 0 {
                    self.revoked.remove(&(held.domain, held.port));
                }
                continue;
            }
            return Some(held);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use dayfly_alloc::{Random, Xoshiro};

    use super::*;

    #[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Clone, Copy)]
    struct Thing(Nanos, u32);

    impl Due for Thing {
        fn due(&self) -> Nanos {
            self.0
        }
    }

    #[test]
    fn comes_out_in_order_of_time_then_of_adding() {
        for width in [1, 7, 1000] {
            let mut random = Xoshiro::seeded(width);
            let mut calendar = Calendar::new(width);
            let mut plain = std::collections::BTreeSet::new();
            let (mut now, mut number) = (0, 0);
            for _ in 0..60_000 {
                if random.below(5) < 3 {
                    let reach = [3, 500, 100_000, 50_000_000][random.below(4) as usize];
                    let thing = Thing(now + u64::from(random.below(reach)), number);
                    number += 1;
                    calendar.add(thing);
                    plain.insert(thing);
                } else {
                    let until = now + u64::from(random.below(200_000));
                    let due = plain.first().map(|thing| thing.0).filter(|due| *due <= until);
                    assert_eq!(calendar.next_due(until), due);
                    if due.is_some() {
                        assert_eq!(calendar.take(), plain.pop_first());
                    }
                    now = due.unwrap_or(until);
                }
            }
        }
    }

    #[test]
    fn a_port_that_was_taken_over_does_not_end() {
        let mut line = Line::default();
        let held = |until, port| Held { until, domain: 1, space: 0, port, bound: false };
        for one in [held(10, 5), held(11, 6), held(20, 5)] {
            line.add(one);
        }
        line.revoke(1, 5);
        assert_eq!(line.ended(15).map(|held| held.port), Some(6));
        assert!(line.ended(15).is_none());
        assert_eq!(line.ended(20).map(|held| held.port), Some(5));
    }
}
