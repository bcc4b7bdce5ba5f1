//! Ports by the block: a carrier NAT gives each subscriber a few blocks, and logs blocks instead of
//! connections.
//!
//! [`Blocks`] assigns blocks on demand (RFC 6888 REQ-4 and section 4; RFC 7422 calls it "dynamic");
//! [`Deterministic`] computes them, so that nothing has to be logged at all (RFC 7422). A block is a
//! [`PortRange`]; pass it to [`Options::within`] to allocate inside it.
//!
//! [`Options::within`]: crate::Options::within

use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::fmt;

use dayfly_ports::{Port, PortRange};

use crate::{Pool, Random};

/// Blocks of one external address, assigned to subscribers when they ask.
///
/// ```
/// use dayfly_alloc::{Blocks, Xoshiro};
/// use dayfly_ports::PortRange;
///
/// let mut random = Xoshiro::seeded(1);
/// let mut blocks = Blocks::new(PortRange::new(1024, 65535)?, 512, 2);
/// let block = blocks.assign(7, &mut random).expect("nobody has a block yet");
/// assert_eq!(block.len(), 512);
/// assert_eq!(blocks.owner(block.low()), Some(7));
/// # Ok::<(), dayfly_ports::EmptyRangeError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Blocks {
    range: PortRange,
    size: u16,
    limit: usize,
    free: Pool,
    owners: BTreeMap<u16, u64>,
    owned: BTreeMap<u64, Vec<u16>>,
}

impl Blocks {
    /// Blocks of `size` ports (at least one) from the low end of the range on; what is left at the
    /// high end belongs to no block. A subscriber gets at most `limit` of them (RFC 6888 REQ-4).
    #[must_use]
    pub fn new(range: PortRange, size: u16, limit: usize) -> Self {
        let size = size.max(1);
        let count = range.len() / u32::from(size);
        // Blocks are numbered like ports, so that a pool can choose among them.
        let numbers = PortRange::new(0, count.saturating_sub(1).min(0xFFFF) as u16);
        let mut free = Pool::new(numbers.unwrap_or(PortRange::single(Port::MIN)));
        if count == 0 {
            free.take(Port::MIN);
        }
        Blocks { range, size, limit, free, owners: BTreeMap::new(), owned: BTreeMap::new() }
    }

    /// Assigns one more block, each free one exactly as likely as the others.
    ///
    /// # Errors
    /// [`BlockError`] if the subscriber has as many as it may have, or no block is free.
    pub fn assign(
        &mut self,
        subscriber: u64,
        random: &mut impl Random,
    ) -> Result<PortRange, BlockError> {
        let owned = self.owned.get(&subscriber).map_or(0, Vec::len);
        if owned >= self.limit {
            return Err(BlockError::LimitReached { limit: self.limit });
        }
        let number = self.free.take_any(random).ok_or(BlockError::Exhausted)?.number();
        self.owners.insert(number, subscriber);
        self.owned.entry(subscriber).or_default().push(number);
        Ok(self.span(number))
    }

    /// Takes the block that this port belongs to back; false if nobody has it.
    pub fn give_back(&mut self, port: Port) -> bool {
        let Some(number) = self.number(port) else { return false };
        let Some(subscriber) = self.owners.remove(&number) else { return false };
        if let Some(numbers) = self.owned.get_mut(&subscriber) {
            numbers.retain(|own| *own != number);
            if numbers.is_empty() {
                self.owned.remove(&subscriber);
            }
        }
        self.free.put(Port::new(number))
    }

    /// The blocks of a subscriber, in the order in which they were assigned.
    pub fn of(&self, subscriber: u64) -> impl Iterator<Item = PortRange> + '_ {
        self.owned.get(&subscriber).into_iter().flatten().map(|number| self.span(*number))
    }

    /// Who has the block that this port belongs to: what an abuse report asks.
    #[must_use]
    pub fn owner(&self, port: Port) -> Option<u64> {
        self.owners.get(&self.number(port)?).copied()
    }

    /// How many blocks are free.
    #[must_use]
    pub const fn free(&self) -> u32 {
        self.free.free()
    }

    fn number(&self, port: Port) -> Option<u16> {
        let offset = port.number().checked_sub(self.range.low().number())?;
        let number = offset / self.size;
        self.free.range().contains(Port::new(number)).then_some(number)
    }

    fn span(&self, number: u16) -> PortRange {
        block(self.range, self.size, u32::from(number))
    }
}

/// Block `number` of `size` ports, cut off at the range's end.
fn block(range: PortRange, size: u16, number: u32) -> PortRange {
    let low = u32::from(range.low().number()) + number * u32::from(size);
    let high = (low + u32::from(size) - 1).min(u32::from(range.high().number()));
    PortRange::new(low as u16, high as u16).unwrap_or(range)
}

/// Why a subscriber got no block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockError {
    /// It has as many as it may have.
    LimitReached {
        /// How many that is.
        limit: usize,
    },
    /// Every block is assigned.
    Exhausted,
}

impl fmt::Display for BlockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BlockError::LimitReached { limit } => write!(
                f,
                "the subscriber has {limit} blocks of ports, which is its limit: wait until \
                 connections end, or raise the limit"
            ),
            BlockError::Exhausted => f.write_str(
                "every block of ports is assigned: use smaller blocks or another external address",
            ),
        }
    }
}

impl core::error::Error for BlockError {}

/// Blocks that follow from the subscriber's number (RFC 7422 section 2.2, sequential algorithm).
///
/// Subscriber `n` gets external address `n / per_address` and there block `n % per_address`. Ports
/// that no block covers, for a remainder of the division, are the dynamic pool of section 2.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deterministic {
    range: PortRange,
    per_address: u16,
    size: u16,
}

impl Deterministic {
    /// Shares the range of every external address among `per_address` subscribers. None if there
    /// are more subscribers than ports, or no subscribers.
    #[must_use]
    pub fn new(range: PortRange, per_address: u16) -> Option<Self> {
        let size = range.len().checked_div(u32::from(per_address))?;
        let size = u16::try_from(size).unwrap_or(u16::MAX);
        (size > 0).then_some(Deterministic { range, per_address, size })
    }

    /// Which external address, counted from 0, and which block there.
    #[must_use]
    pub fn block(&self, subscriber: u64) -> (u64, PortRange) {
        let per_address = u64::from(self.per_address);
        let number = (subscriber % per_address) as u32;
        (subscriber / per_address, block(self.range, self.size, number))
    }

    /// Which subscriber an external address and port belong to, without a log. None for ports that
    /// belong to nobody.
    #[must_use]
    pub fn subscriber(&self, address: u64, port: Port) -> Option<u64> {
        let offset = port.number().checked_sub(self.range.low().number())?;
        let number = u64::from(offset / self.size);
        let mine = self.range.contains(port) && number < u64::from(self.per_address);
        mine.then(|| address.checked_mul(u64::from(self.per_address))?.checked_add(number))?
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Xoshiro;

    #[test]
    fn blocks_are_disjoint_and_come_back() {
        let mut random = Xoshiro::seeded(1);
        let range = PortRange::new(1024, 65535).unwrap();
        let mut blocks = Blocks::new(range, 1000, 3);
        assert_eq!(blocks.free(), 64);
        for subscriber in 0..64 {
            let block = blocks.assign(subscriber, &mut random).unwrap();
            assert!(
                block.len() == 1000 && range.contains(block.low()) && range.contains(block.high())
            );
            assert!(block.iter().all(|port| blocks.owner(port) == Some(subscriber)));
        }
        assert_eq!(blocks.assign(99, &mut random), Err(BlockError::Exhausted));
        let mine: Vec<PortRange> = blocks.of(5).collect();
        assert!(blocks.give_back(mine[0].high()) && !blocks.give_back(mine[0].low()));
        assert_eq!(blocks.assign(6, &mut random), Ok(mine[0]));
        assert_eq!(blocks.of(6).count(), 2);
        assert_eq!(blocks.owner(Port::new(65535)), None, "64 blocks leave 512 ports");
        assert_eq!(blocks.owner(Port::new(80)), None);
    }

    #[test]
    fn a_subscriber_cannot_have_more_than_its_limit() {
        let mut random = Xoshiro::seeded(1);
        let mut blocks = Blocks::new(PortRange::DYNAMIC, 64, 2);
        assert!(blocks.assign(1, &mut random).is_ok() && blocks.assign(1, &mut random).is_ok());
        assert_eq!(blocks.assign(1, &mut random), Err(BlockError::LimitReached { limit: 2 }));
    }

    #[test]
    fn a_range_smaller_than_a_block_has_none() {
        let mut blocks = Blocks::new(PortRange::new(10, 19).unwrap(), 11, 1);
        assert_eq!(blocks.assign(1, &mut Xoshiro::seeded(1)), Err(BlockError::Exhausted));
        assert_eq!(Deterministic::new(PortRange::new(10, 19).unwrap(), 11), None);
        assert_eq!(Deterministic::new(PortRange::ALL, 0), None);
    }

    proptest! {
        #[test]
        fn deterministic_blocks_can_be_traced_back(
            low: u16, len: u16, per_address in 1_u16..2000, subscriber in 0_u64..1_000_000,
        ) {
            let range = PortRange::new(low, low.saturating_add(len)).unwrap();
            if let Some(mapping) = Deterministic::new(range, per_address) {
                let (address, block) = mapping.block(subscriber);
                prop_assert!(range.contains(block.low()) && range.contains(block.high()));
                for port in [block.low(), block.high()] {
                    prop_assert_eq!(mapping.subscriber(address, port), Some(subscriber));
                }
                let (next_address, next) = mapping.block(subscriber + 1);
                prop_assert!(next_address > address || next.low() > block.high());
            }
        }
    }
}
