//! Sets of ports that are looked up and searched all the time: a few as a list, many as bits.

use std::cell::Cell;

use dayfly_alloc::Availability;
use dayfly_ports::{Port, PortRange, PortSet};

/// So many are kept as a list.
const FEW: usize = 11;

/// So many words are counted together.
const BLOCK: u32 = 8;

/// The span that the bitmaps of one group of hosts cover: whole words of 64 ports round a range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    first: usize,
    words: usize,
}

impl Span {
    pub(super) fn of(range: PortRange) -> Span {
        let first = usize::from(range.low().number()) / 64;
        Span { first, words: usize::from(range.high().number()) / 64 - first + 1 }
    }

    fn index(self, port: u16) -> Option<usize> {
        (usize::from(port) / 64).checked_sub(self.first).filter(|word| *word < self.words)
    }
}

/// Bits of a span.
#[derive(Clone, Debug)]
pub(super) struct Bits(Box<[u64]>);

impl Bits {
    pub(super) fn empty(span: Span) -> Bits {
        Bits(vec![0; span.words].into())
    }

    pub(super) fn of(span: Span, set: &PortSet) -> Bits {
        let mut bits = Bits::empty(span);
        for port in set {
            bits.insert(span, port.number());
        }
        bits
    }

    /// Ports outside the span are not kept.
    pub(super) fn insert(&mut self, span: Span, port: u16) {
        if let Some(word) = span.index(port) {
            self.0[word] |= 1 << (port % 64);
        }
    }

    pub(super) fn remove(&mut self, span: Span, port: u16) {
        if let Some(word) = span.index(port) {
            self.0[word] &= !(1 << (port % 64));
        }
    }

    pub(super) fn contains(&self, span: Span, port: u16) -> bool {
        span.index(port).is_some_and(|word| self.0[word] & (1 << (port % 64)) != 0)
    }
}

/// Ports that are taken within one domain.
#[derive(Clone, Debug)]
pub(super) enum Taken {
    Few { count: u8, ports: [u16; FEW] },
    Many { count: u32, bits: Bits },
}

impl Taken {
    pub(super) const EMPTY: Taken = Taken::Few { count: 0, ports: [0; FEW] };

    #[inline]
    pub(super) fn len(&self) -> u32 {
        match self {
            Taken::Few { count, .. } => u32::from(*count),
            Taken::Many { count, .. } => *count,
        }
    }

    #[inline]
    pub(super) fn contains(&self, span: Span, port: u16) -> bool {
        match self {
            Taken::Few { count, ports } => ports[..usize::from(*count)].contains(&port),
            Taken::Many { bits, .. } => bits.contains(span, port),
        }
    }

    /// The port must not be there yet.
    #[inline]
    pub(super) fn insert(&mut self, span: Span, port: u16) {
        match self {
            Taken::Few { count, ports } if usize::from(*count) < FEW => {
                ports[usize::from(*count)] = port;
                *count += 1;
            }
            Taken::Few { ports, .. } => {
                let mut bits = Bits::empty(span);
                for port in *ports {
                    bits.insert(span, port);
                }
                bits.insert(span, port);
                *self = Taken::Many { count: FEW as u32 + 1, bits };
            }
            Taken::Many { count, bits } => {
                bits.insert(span, port);
                *count += 1;
            }
        }
    }

    /// The port must be there.
    #[inline]
    pub(super) fn remove(&mut self, span: Span, port: u16) {
        match self {
            Taken::Few { count, ports } => {
                let last = usize::from(*count).saturating_sub(1);
                if let Some(place) = ports[..=last].iter().position(|known| *known == port) {
                    ports[place] = ports[last];
                    *count = last as u8;
                }
            }
            Taken::Many { count, bits } => {
                bits.remove(span, port);
                *count -= 1;
                if *count == 0 {
                    *self = Taken::EMPTY;
                }
            }
        }
    }
}

/// What is free for one connection, and how often that was asked.
pub(super) struct View<'a> {
    pub(super) span: Span,
    /// What the tuple, the address or the host has in use.
    pub(super) taken: Option<&'a Taken>,
    /// What nobody of the group gets: reserved ports and listeners.
    pub(super) fixed: &'a Bits,
    /// What other sockets of this host keep from everybody.
    pub(super) more: Option<&'a Bits>,
    /// The free ports of the whole range, if it is known and without `more`.
    pub(super) free: Option<(PortRange, u32)>,
    pub(super) probes: Cell<u32>,
}

impl View<'_> {
    /// The bits of a word that are not free, the list of a few left aside.
    #[inline]
    fn blocked(&self, word: usize) -> u64 {
        let mut blocked = self.fixed.0[word];
        if let Some(more) = self.more {
            blocked |= more.0[word];
        }
        if let Some(Taken::Many { bits, .. }) = self.taken {
            blocked |= bits.0[word];
        }
        blocked
    }

    /// How many ports of a block of words are free, where there is no list.
    fn free_in_block(&self, word: usize) -> u32 {
        let words = word..word + BLOCK as usize;
        let mut blocked = [0; BLOCK as usize];
        blocked.copy_from_slice(&self.fixed.0[words.clone()]);
        let taken = match self.taken {
            Some(Taken::Many { bits, .. }) => Some(bits),
            _ => None,
        };
        for more in taken.into_iter().chain(self.more) {
            for (word, more) in blocked.iter_mut().zip(&more.0[words.clone()]) {
                *word |= more;
            }
        }
        blocked.iter().map(|word| word.count_zeros()).sum()
    }

    /// Whether a port of the span is free.
    #[inline]
    fn is_open(&self, port: u32) -> bool {
        let blocked = self.blocked(port as usize / 64 - self.span.first);
        blocked & (1 << (port % 64)) == 0 && !self.in_list(port as u16)
    }

    const fn is_list(&self) -> bool {
        matches!(self.taken, Some(Taken::Few { .. }))
    }

    #[inline]
    fn in_list(&self, port: u16) -> bool {
        match self.taken {
            Some(Taken::Few { count, ports }) => ports[..usize::from(*count)].contains(&port),
            _ => false,
        }
    }

    /// The lowest free port from `from` to `last` whose bit is in the mask.
    fn lowest(&self, from: u32, last: u32, mask: u64) -> Option<u16> {
        if from > last {
            return None;
        }
        let (begin, end) = (from as usize / 64, last as usize / 64);
        for word in begin..=end {
            let mut free = !self.blocked(word - self.span.first) & mask;
            if word == begin {
                free &= u64::MAX << (from % 64);
            }
            if word == end {
                free &= u64::MAX >> (63 - last % 64);
            }
            while free != 0 {
                let port = (word * 64) as u16 + free.trailing_zeros() as u16;
                if !self.in_list(port) {
                    return Some(port);
                }
                free &= free - 1;
            }
        }
        None
    }

    fn asked(&self, times: u32) {
        self.probes.set(self.probes.get() + times);
    }
}

impl Availability for View<'_> {
    #[inline]
    fn is_free(&self, port: Port) -> bool {
        self.asked(1);
        let number = port.number();
        self.span.index(number).is_some_and(|word| {
            self.blocked(word) & (1 << (number % 64)) == 0 && !self.in_list(number)
        })
    }

    fn free_in(&self, range: PortRange) -> u32 {
        match self.free {
            Some((known, free)) if known == range => free,
            _ => (u32::from(range.low().number()) / 64..=u32::from(range.high().number()) / 64)
                .map(|word| self.free_word(word, range).count_ones())
                .sum(),
        }
    }

    fn select_free(&self, range: PortRange, mut rank: u32) -> Option<Port> {
        self.asked(1);
        let (first, last) =
            (u32::from(range.low().number()) / 64, u32::from(range.high().number()) / 64);
        let mut word = first;
        while word <= last {
            // Many words are passed over together: none of them is at an end of the range.
            if word % BLOCK == 0 && word > first && word + BLOCK <= last && !self.is_list() {
                let count = self.free_in_block(word as usize - self.span.first);
                if rank >= count {
                    rank -= count;
                    word += BLOCK;
                    continue;
                }
            }
            let mut free = self.free_word(word, range);
            let count = free.count_ones();
            if rank < count {
                for _ in 0..rank {
                    free &= free - 1;
                }
                return Some(Port::new((word * 64 + free.trailing_zeros()) as u16));
            }
            rank -= count;
            word += 1;
        }
        None
    }

    #[inline]
    fn first_free(&self, range: PortRange, start: u32, step: u32) -> Option<Port> {
        let (low, len) = (u32::from(range.low().number()), range.len());
        let start = low + if start < len { start } else { start % len };
        let mask = match step {
            0 | 1 => u64::MAX,
            2 if start.is_multiple_of(2) => 0x5555_5555_5555_5555,
            2 => 0xAAAA_AAAA_AAAA_AAAA,
            _ => return walk(self, range, start - low, step),
        };
        let last = low + len - 1;
        let step = step.max(1);
        // Most often the first one is free.
        if self.is_open(start) {
            self.asked(1);
            return Some(Port::new(start as u16));
        }
        let found = self.lowest(start, last, mask).or_else(|| self.lowest(low, start, mask));
        let tried = found.map_or(len, |port| (u32::from(port) + len - start) % len + step);
        self.asked(tried / step);
        found.map(Port::new)
    }
}

impl View<'_> {
    /// The free ports of a word within a range, as bits.
    fn free_word(&self, word: u32, range: PortRange) -> u64 {
        let mut free = !self.blocked(word as usize - self.span.first);
        let (low, high) = (u32::from(range.low().number()), u32::from(range.high().number()));
        if word == low / 64 {
            free &= u64::MAX << (low % 64);
        }
        if word == high / 64 {
            free &= u64::MAX >> (63 - high % 64);
        }
        if let Some(Taken::Few { count, ports }) = self.taken {
            for port in &ports[..usize::from(*count)] {
                if u32::from(*port) / 64 == word {
                    free &= !(1 << (port % 64));
                }
            }
        }
        free
    }
}

/// As the trait does it by itself, for steps that no mask knows.
fn walk(view: &View<'_>, range: PortRange, start: u32, step: u32) -> Option<Port> {
    let len = range.len();
    (0..len.div_ceil(step))
        .map(|tried| (start + tried * step) % len)
        .map(|offset| Port::new(range.low().number() + offset as u16))
        .find(|port| view.is_free(*port))
}

#[cfg(test)]
mod tests {
    use dayfly_alloc::{Random, Xoshiro};

    use super::*;

    #[test]
    fn agrees_with_a_plain_set() {
        let mut random = Xoshiro::seeded(3);
        for round in 0..400 {
            let low = 1 + random.below(400) as u16;
            let width = if round % 10 == 0 { 1500 } else { 300 };
            let range = PortRange::new(low, low + 1 + random.below(width) as u16 * 2).unwrap();
            let span = Span::of(range);
            let mut free = PortSet::from(range);
            let (mut taken, mut fixed) = (Taken::EMPTY, Bits::empty(span));
            let most = if round % 2 == 0 { FEW as u32 } else { range.len() };
            for _ in 0..random.below(most + 1) {
                let port = low + random.below(range.len()) as u16;
                if free.remove(Port::new(port)) {
                    if random.below(4) == 0 {
                        fixed.insert(span, port);
                    } else {
                        taken.insert(span, port);
                    }
                }
            }
            let view = View {
                span,
                taken: Some(&taken),
                fixed: &fixed,
                more: None,
                free: None,
                probes: Cell::new(0),
            };
            assert_eq!(view.free_in(range), free.len());
            for rank in (0..=free.len()).step_by(1 + free.len() as usize / 9) {
                assert_eq!(view.select_free(range, rank), free.select(rank));
            }
            for start in 0..range.len() {
                assert_eq!(view.first_free(range, start, 1), free.first_free(range, start, 1));
                let even = PortRange::new(low, low + (range.len() & !1) as u16 - 1).unwrap();
                view.probes.set(0);
                let found = view.first_free(even, start, 2);
                assert_eq!(found, free.first_free(even, start, 2));
                let counting = dayfly_alloc::Counting::new(&free);
                counting.first_free(even, start, 2);
                assert_eq!(u64::from(view.probes.get()), counting.probes(), "{range} {start}");
            }
        }
    }

    #[test]
    fn a_list_becomes_bits_and_vanishes() {
        let range = PortRange::new(40000, 40999).unwrap();
        let span = Span::of(range);
        let mut taken = Taken::EMPTY;
        for port in 40000..40500 {
            taken.insert(span, port);
            assert!(taken.contains(span, port) && !taken.contains(span, port + 1));
        }
        for port in (40000..40500).rev() {
            assert_eq!(taken.len(), u32::from(port) - 40000 + 1);
            taken.remove(span, port);
        }
        assert!(matches!(taken, Taken::Few { count: 0, .. }));
    }
}
