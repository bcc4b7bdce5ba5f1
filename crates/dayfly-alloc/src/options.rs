//! What a caller may ask of the port beyond being free.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use dayfly_ports::{Port, PortRange};

use crate::{Random, bits, pool};

/// Wishes for one allocation. The default has none.
///
/// `parity`, `within` and `queue` are conditions: only ports that meet them are handed out, each
/// exactly as likely as the others. `preferred` is a wish: the port is taken if it is free and
/// meets the conditions, otherwise another is chosen.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options<'a> {
    /// Keep this port if it is free, as a NAT does (RFC 4787 section 4.2.1).
    pub preferred: Option<Port>,
    /// Only ports of this parity (RFC 4787 REQ-4: RTP on even ports, RTCP on odd ones).
    pub parity: Option<Parity>,
    /// Only ports of this range: a subscriber's block, or a socket's own port range.
    pub within: Option<PortRange>,
    /// Only ports whose packets arrive at this queue.
    pub queue: Option<&'a QueueMask>,
}

/// Whether a port number is even or odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parity {
    /// 0, 2, 4...
    Even,
    /// 1, 3, 5...
    Odd,
}

impl Parity {
    /// The parity of a port.
    #[must_use]
    pub const fn of(port: Port) -> Self {
        if port.is_odd() { Parity::Odd } else { Parity::Even }
    }
}

/// The ports that a network card delivers to one receive queue, for one destination.
///
/// Receive-side scaling hashes the tuple, so a stack that wants replies on the core that sends has
/// to choose among the ports that hash there. The caller supplies the hash: one bit per port.
#[derive(Clone, Debug)]
pub struct QueueMask {
    range: PortRange,
    words: Box<[u64]>,
    indices: Vec<u16>,
}

impl QueueMask {
    /// The ports of the range for which `arrives` is true. An allocator uses a mask that was made
    /// for another range as if it were empty.
    #[must_use]
    pub fn new(range: PortRange, mut arrives: impl FnMut(Port) -> bool) -> Self {
        let mut mask =
            QueueMask { range, words: vec![0; pool::words_of(range)].into(), indices: Vec::new() };
        for (index, port) in range.iter().enumerate() {
            if arrives(port) {
                bits::set(&mut mask.words, index);
                mask.indices.push(index as u16);
            }
        }
        mask
    }

    /// How many ports arrive at the queue.
    #[must_use]
    pub fn len(&self) -> u32 {
        self.indices.len() as u32
    }

    /// Whether no port arrives at the queue.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

impl Options<'_> {
    /// Whether every port will do.
    pub(crate) fn unconditional(&self) -> bool {
        self.parity.is_none() && self.within.is_none() && self.queue.is_none()
    }

    /// Whether a port of `range` meets the conditions.
    pub(crate) fn admits(&self, range: PortRange, port: Port) -> bool {
        let queue = |queue: &QueueMask| {
            let index = usize::from(port.number().wrapping_sub(range.low().number()));
            queue.range == range && range.contains(port) && bits::get(&queue.words, index)
        };
        self.parity.is_none_or(|parity| parity == Parity::of(port))
            && self.within.is_none_or(|within| within.contains(port))
            && self.queue.is_none_or(queue)
    }

    /// A candidate, uniformly from a set that holds every port that meets the conditions.
    pub(crate) fn draw(&self, range: PortRange, random: &mut impl Random) -> Option<Port> {
        let low = range.low().number();
        if let Some(queue) = self.queue {
            let drawn = random.below(queue.len()) as usize;
            return queue.indices.get(drawn).map(|index| Port::new(low.wrapping_add(*index)));
        }
        let span = self.within.map_or(Some(range), |within| within.intersection(range))?;
        let offset = random.below(span.len()) as u16;
        Some(Port::new(span.low().number().wrapping_add(offset)))
    }

    /// The conditions as bits: which ports of the 64 from `64 * word` above the low end of `range`
    /// are admitted.
    pub(crate) fn word(&self, range: PortRange, word: usize) -> u64 {
        let mut admitted = u64::MAX;
        let low = range.low().number();
        if let Some(parity) = self.parity {
            let like_low = parity == Parity::of(range.low());
            admitted &= if like_low { 0x5555_5555_5555_5555 } else { 0xAAAA_AAAA_AAAA_AAAA };
        }
        if let Some(within) = self.within {
            let first = u32::from(low) + word as u32 * 64;
            let bound = |port: u16| (i64::from(port) - i64::from(first)).clamp(-1, 64);
            let (from, to) = (bound(within.low().number()).max(0), bound(within.high().number()));
            let below = |end: i64| if end >= 64 { u64::MAX } else { (1_u64 << end.max(0)) - 1 };
            admitted &= below(to + 1) & !below(from);
        }
        if let Some(queue) = self.queue {
            let mine = if queue.range == range { queue.words.get(word) } else { None };
            admitted &= mine.copied().unwrap_or(0);
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Xoshiro;

    proptest! {
        #[test]
        fn bits_draws_and_test_agree(
            low: u16, len in 0_u16..500, from: u16, width in 0_u16..600, odd: Option<bool>,
            modulus in 0_u16..5, seed: u64,
        ) {
            let range = PortRange::new(low, low.saturating_add(len)).unwrap();
            let near = low.saturating_sub(200).saturating_add(from % 800);
            let within = PortRange::new(near, near.saturating_add(width)).unwrap();
            let queue = QueueMask::new(range, |port| modulus == 0 || port.number() % modulus == 0);
            let options = Options {
                preferred: None,
                parity: odd.map(|odd| if odd { Parity::Odd } else { Parity::Even }),
                within: (from % 3 > 0).then_some(within),
                queue: (modulus > 0).then_some(&queue),
            };
            let admitted = range.iter().filter(|port| options.admits(range, *port)).count();
            let mut ones = 0;
            for (index, port) in range.iter().enumerate() {
                let bit = options.word(range, index / 64) >> (index % 64) & 1 == 1;
                prop_assert_eq!(bit, options.admits(range, port), "{}", port);
                ones += usize::from(bit);
            }
            prop_assert_eq!(ones, admitted);
            let mut random = Xoshiro::seeded(seed);
            if let Some(port) = options.draw(range, &mut random) {
                prop_assert!(range.contains(port));
            } else {
                prop_assert_eq!(admitted, 0);
            }
        }
    }
}
