//! Linux, `bind()` to port 0 for TCP: `inet_csk_find_open_port` in
//! `net/ipv4/inet_connection_sock.c`.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy};
use crate::Random;

/// The port of a TCP `bind()` to port 0.
///
/// A random start; the ports of the parity that `connect()` leaves for last are tried upwards from
/// there, then the others. With `SO_REUSEADDR` the lower half of the range comes first.
///
/// Approximation: what a conflict is (addresses, `SO_REUSEADDR`, `SO_REUSEPORT`,
/// `ip_autobind_reuse`) is the caller's: pass what would conflict as not free.
#[derive(Clone, Debug)]
pub struct LinuxBind {
    range: PortRange,
    reuse_address: bool,
}

impl LinuxBind {
    /// Over `net.ipv4.ip_local_port_range` or the socket's own range.
    #[must_use]
    pub const fn new(range: PortRange, reuse_address: bool) -> Self {
        LinuxBind { range, reuse_address }
    }
}

impl Strategy for LinuxBind {
    fn name(&self) -> &'static str {
        "linux-bind"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let low = u32::from(self.range.low().number());
        let end = u32::from(self.range.high().number()) + 1;
        if !self.reuse_address || end - low < 4 {
            return half(request, random, low, end);
        }
        let middle = low + ((end - low) >> 2 << 1);
        half(request, random, low, middle).or_else(|| half(request, random, middle, end))
    }
}

/// One half, or all, of the range: `low` included, `end` not.
fn half(request: &Request<'_>, random: &mut dyn Random, low: u32, end: u32) -> Option<Port> {
    let mut remaining = end - low;
    if remaining > 1 {
        remaining &= !1;
    }
    let odd = random.below(remaining) | 1;
    if remaining == end - low
        && let Ok(even_length) = PortRange::new(low as u16, (end - 1) as u16)
    {
        let mut passes = [odd, odd - 1].into_iter();
        return passes.find_map(|start| request.free.first_free(even_length, start, 2));
    }
    // An odd number of ports: the wrap goes one port past the last one it looks at.
    for offset in [odd, odd - 1] {
        let mut port = low + offset;
        for _ in (0..remaining).step_by(2) {
            if port >= end {
                port -= remaining;
            }
            if request.free.is_free(Port::new(port as u16)) {
                return Some(Port::new(port as u16));
            }
            port += 2;
        }
    }
    None
}
