//! The classic format: one header, then a record for each packet
//! (draft-ietf-opsawg-pcap, pcap-savefile(5)).

use super::bytes::Order;
use super::link::LinkType;
use super::reader::{Fault, Frame, LONGEST, Step};

const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const HEADER: usize = 24;
const RECORD: usize = 16;
/// What every reader takes, whatever the header promises (`MAXIMUM_SNAPLEN` of libpcap).
const USUAL: u32 = 262_144;

/// What the header said.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    /// Nanoseconds in the unit that the record's second number counts.
    unit: u64,
    longest: u32,
    link: LinkType,
}

impl Pcap {
    /// None if the stream is not of this format; no [`Pcap`] yet if it is and more is needed.
    pub(super) fn begin<'a>(bytes: &[u8]) -> Result<Option<(Option<Pcap>, Step<'a>)>, Fault> {
        let magic = |order: Order| order.u32(bytes, 0);
        let known = |number: Option<u32>| match number {
            Some(MICROSECONDS) => Some(1000),
            Some(NANOSECONDS) => Some(1),
            _ => None,
        };
        let found = [Order::Little, Order::Big]
            .into_iter()
            .find_map(|order| known(magic(order)).map(|unit| (order, unit)));
        let Some((order, unit)) = found else { return Ok(None) };
        let (Some(major), Some(snap), Some(link)) =
            (order.u16(bytes, 4), order.u32(bytes, 16), order.u32(bytes, 20))
        else {
            return Ok(Some((None, Step::More(HEADER))));
        };
        if major != 2 {
            return Err(Fault::Damage("a version of pcap that nobody wrote"));
        }
        // The upper bits tell of frame check sequences.
        let link = LinkType(link & 0xffff);
        let longest = snap.clamp(USUAL, LONGEST);
        Ok(Some((Some(Pcap { order, unit, longest, link }), Step::Skip(HEADER as u64))))
    }

    #[inline]
    pub(super) fn next<'a>(&mut self, bytes: &'a [u8]) -> Result<Step<'a>, Fault> {
        let order = self.order;
        let Some((record, rest)) = bytes.split_first_chunk::<RECORD>() else {
            return Ok(Step::More(RECORD));
        };
        let number = |at: usize| order.u32(record, at).unwrap_or(0);
        let length = number(8);
        if length > self.longest {
            return Err(Fault::Damage("a packet longer than the capture can hold"));
        }
        let length = length as usize;
        let Some(packet) = rest.get(..length) else { return Ok(Step::More(RECORD + length)) };
        let time = u64::from(number(0)) * 1_000_000_000 + u64::from(number(4)) * self.unit;
        let frame = Frame { time: Some(time), link: self.link, bytes: packet };
        Ok(Step::Frame { consumed: RECORD + length, frame })
    }
}
