//! Linux NAT: `nf_nat_l4proto_unique_tuple` in `net/netfilter/nf_nat_core.c`.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at};
use crate::Random;

/// The source port that netfilter gives a connection whose own port cannot be kept.
///
/// A random start and up to 128 ports from there, then a new start and 64, then 32, 16 and 8: 248
/// probes, then the packet is dropped, free ports or not. A range of at most 128 ports is tried
/// whole. Keeping the original port where possible is the caller's.
#[derive(Clone, Debug)]
pub struct Netfilter {
    range: PortRange,
}

impl Netfilter {
    /// Over this range: that of the rule, or else 1024-65535 for source ports above 1023, 600-1023
    /// for those from 512, 1-511 below.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        Netfilter { range }
    }
}

impl Strategy for Netfilter {
    fn name(&self) -> &'static str {
        "netfilter"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        let mut attempts = len.min(128);
        loop {
            // The offset is a 16-bit number that wraps.
            let start = random.next_u32() as u16;
            for step in 0..attempts as u16 {
                let port = at(self.range, u32::from(start.wrapping_add(step)) % len);
                if request.free.is_free(port) {
                    return Some(port);
                }
            }
            if attempts >= len || attempts < 16 {
                return None;
            }
            attempts /= 2;
        }
    }
}
