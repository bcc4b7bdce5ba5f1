//! Linux, automatic port of UDP: `udp_lib_get_port` in `net/ipv4/udp.c`.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy};
use crate::Random;

/// The automatic port of a UDP socket.
///
/// A random first port; then all ports that share its hash slot, by a random odd multiple of the
/// table's size, wrapping at 65,536; then the next slot, and so on for every slot.
///
/// Approximation: the slot of a port is its number modulo the table's size, which the kernel offsets
/// by a constant per namespace; the order of ports is the same.
#[derive(Clone, Debug)]
pub struct LinuxUdp {
    range: PortRange,
    slots: u32,
}

impl LinuxUdp {
    /// Over `net.ipv4.ip_local_port_range`, with a hash table of this many slots: a power of two from
    /// 256 to 65,536, which the kernel prints when it starts; other numbers are rounded to one.
    #[must_use]
    pub fn new(range: PortRange, slots: u32) -> Self {
        LinuxUdp { range, slots: slots.clamp(1 << 8, 1 << 16).next_power_of_two() }
    }
}

impl Strategy for LinuxUdp {
    fn name(&self) -> &'static str {
        "linux-udp"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let draw = random.next_u32();
        let scaled = ((u64::from(draw) * u64::from(self.range.len())) >> 32) as u16;
        let first = self.range.low().number().wrapping_add(scaled);
        let stride = (draw | 1).wrapping_mul(self.slots) as u16;
        for slot in 0..self.slots {
            let start = first.wrapping_add(slot as u16);
            let mut port = start;
            loop {
                let candidate = Port::new(port);
                if self.range.contains(candidate) && request.free.is_free(candidate) {
                    return Some(candidate);
                }
                port = port.wrapping_add(stride);
                if port == start {
                    break;
                }
            }
        }
        None
    }
}
