//! illumos and Solaris: `tcp_update_next_port` and `tcp_bindi` in
//! `usr/src/uts/common/inet/tcp/tcp_bind.c`.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at};
use crate::Random;

/// The anonymous port of illumos, 32768-65535 by default.
///
/// A random 16-bit number is the start if it lies in the range, otherwise the low end plus that
/// number modulo one less than the range's length: the low ports are favoured, and the last one is
/// hit only directly. From there upwards, wrapping. Ports of `extra_priv_ports` and labelled zones
/// are left out: pass them as not free.
#[derive(Clone, Debug)]
pub struct Illumos {
    range: PortRange,
}

impl Illumos {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        Illumos { range }
    }
}

impl Strategy for Illumos {
    fn name(&self) -> &'static str {
        "illumos"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        let mut start = Port::new(random.next_u32() as u16);
        if !self.range.contains(start) {
            start = at(self.range, u32::from(start.number()).checked_rem(len - 1).unwrap_or(0));
        }
        let offset = start.number() - self.range.low().number();
        request.free.first_free(self.range, u32::from(offset), 1)
    }
}
