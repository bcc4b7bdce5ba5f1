//! The newer format: a stream of blocks, in sections with an order of bytes each
//! (draft-ietf-opsawg-pcapng).

use super::bytes::{Order, array};
use super::link::LinkType;
use super::reader::{Fault, Frame, LONGEST, Step};

const SECTION: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const OBSOLETE_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const ENHANCED_PACKET: u32 = 6;
const ORDER_MAGIC: u32 = 0x1a2b_3c4d;
/// Type, length, and the length again.
const SHORTEST: u32 = 12;
/// More interfaces than any machine has are damage.
const MOST_INTERFACES: usize = 4096;
/// Options of an interface, section 4.2.
const TIME_RESOLUTION: u16 = 9;
const TIME_OFFSET: u16 = 14;

/// What the section's blocks said so far.
#[derive(Debug, Default)]
pub(super) struct Pcapng {
    /// None before the first section.
    order: Option<Order>,
    interfaces: Vec<Interface>,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snap: u32,
    /// Units of time in a second.
    per_second: u64,
    /// Seconds to add.
    offset: i64,
}

impl Pcapng {
    pub(super) fn begins(bytes: &[u8]) -> bool {
        Order::Big.u32(bytes, 0) == Some(SECTION)
    }

    #[inline]
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Fault> {
        let Some(head) = array::<12>(bytes, 0) else { return Ok(Step::More(12)) };
        // The type of a section reads the same in both orders.
        if Order::Big.u32(&head, 0) == Some(SECTION) {
            let order = [Order::Little, Order::Big]
                .into_iter()
                .find(|order| order.u32(&head, 8) == Some(ORDER_MAGIC))
                .ok_or(Fault::Damage("a section of unknown byte order"))?;
            self.order = Some(order);
            self.interfaces.clear();
        }
        let order = self.order.ok_or(Fault::Damage("a block before the first section"))?;
        let kind = order.u32(&head, 0).unwrap_or(0);
        let length = order.u32(&head, 4).unwrap_or(0);
        if length < SHORTEST || !length.is_multiple_of(4) {
            return Err(Fault::Damage("a block of impossible length"));
        }
        if !matches!(kind, INTERFACE | OBSOLETE_PACKET | SIMPLE_PACKET | ENHANCED_PACKET) {
            return Ok(Step::Skip(u64::from(length)));
        }
        if length > LONGEST {
            return Err(Fault::Damage("a block longer than any packet"));
        }
        let Some(block) = bytes.get(..length as usize) else {
            return Ok(Step::More(length as usize));
        };
        if order.u32(block, block.len() - 4) != Some(length) {
            return Err(Fault::Damage("a block whose two lengths differ"));
        }
        let body = &block[8..block.len() - 4];
        if kind == INTERFACE {
            if self.interfaces.len() == MOST_INTERFACES {
                return Err(Fault::Damage("more interfaces than any machine has"));
            }
            let interface = interface(order, body);
            self.interfaces.push(interface.ok_or(Fault::Damage("an interface cut short"))?);
            return Ok(Step::Skip(u64::from(length)));
        }
        let frame = self.packet(order, kind, body).ok_or(Fault::Damage("a packet cut short"))?;
        Ok(Step::Frame { consumed: block.len(), frame })
    }

    fn packet<'a>(&self, order: Order, kind: u32, body: &'a [u8]) -> Option<Frame<'a>> {
        let interface_of = |index: u32| self.interfaces.get(index as usize);
        let link_of = |found: Option<&Interface>| found.map_or(LinkType::UNKNOWN, |i| i.link);
        if kind == SIMPLE_PACKET {
            let interface = interface_of(0);
            let snap = interface.map_or(0, |interface| interface.snap);
            let kept = order.u32(body, 0)?.min(if snap == 0 { u32::MAX } else { snap });
            let bytes = &body[4..];
            let bytes = bytes.get(..kept as usize).unwrap_or(bytes);
            return Some(Frame { time: None, link: link_of(interface), bytes });
        }
        let index = if kind == ENHANCED_PACKET {
            order.u32(body, 0)?
        } else {
            u32::from(order.u16(body, 0)?)
        };
        let interface = interface_of(index);
        let ticks = u64::from(order.u32(body, 4)?) << 32 | u64::from(order.u32(body, 8)?);
        let kept = order.u32(body, 12)? as usize;
        let bytes = body.get(20..)?.get(..kept)?;
        let time = interface.and_then(|interface| interface.nanoseconds(ticks));
        Some(Frame { time, link: link_of(interface), bytes })
    }
}

impl Interface {
    #[inline]
    fn nanoseconds(&self, ticks: u64) -> Option<u64> {
        let since = match self.per_second {
            1_000_000 if self.offset == 0 => return ticks.checked_mul(1000),
            1_000_000_000 if self.offset == 0 => return Some(ticks),
            per_second => u128::from(ticks) * 1_000_000_000 / u128::from(per_second),
        };
        let offset = i128::from(self.offset) * 1_000_000_000;
        u64::try_from(i128::try_from(since).ok()? + offset).ok()
    }
}

fn interface(order: Order, body: &[u8]) -> Option<Interface> {
    let mut found = Interface {
        link: LinkType(u32::from(order.u16(body, 0)?)),
        snap: order.u32(body, 4)?,
        per_second: 1_000_000,
        offset: 0,
    };
    let mut options = body.get(8..)?;
    // A damaged list of options ends early; what they would have said stays at its default.
    while let (Some(code), Some(length)) = (order.u16(options, 0), order.u16(options, 2)) {
        let length = usize::from(length);
        let Some(value) = options.get(4..4 + length) else { break };
        match code {
            0 => break,
            TIME_RESOLUTION => {
                let power = value.first().copied().unwrap_or(6);
                let per_second = if power & 0x80 == 0 {
                    10_u64.checked_pow(power.into())
                } else {
                    1_u64.checked_shl((power & 0x7f).into())
                };
                found.per_second = per_second?;
            }
            TIME_OFFSET => {
                found.offset = order.u64(value, 0).map_or(0, u64::cast_signed);
            }
            _ => {}
        }
        options = options.get(4 + length.next_multiple_of(4)..).unwrap_or(&[]);
    }
    Some(found)
}
