//! One port after the other, from one counter for all destinations.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy};
use crate::Random;

/// The global counter that RFC 6056 was written against: the next port, wrapping, first free wins.
///
/// | constructor | of |
/// |---|---|
/// | [`Sequential::traditional_bsd`] | 4.4BSD `in_pcbbind`: 1024-5000, from the low end |
/// | [`Sequential::xnu`] | XNU's TCP (`bsd/netinet/in_pcb.c`): 49152-65535, random start |
/// | [`Sequential::lwip`] | lwIP's TCP (`src/core/tcp.c`, `tcp_new_port`): 49152-65534, random start |
///
/// XNU picks a random start anew for every UDP socket, which is [`super::FreeBsd`]'s way. lwIP holds
/// a port back from all destinations while any connection uses it: pass it what no destination
/// uses as free.
#[derive(Clone, Debug)]
pub struct Sequential {
    range: PortRange,
    name: &'static str,
    next: Option<u32>,
}

impl Sequential {
    /// Over this range, from its low end.
    #[must_use]
    pub const fn from_low_end(range: PortRange) -> Self {
        Sequential { range, name: "sequential", next: Some(0) }
    }

    /// Over this range, from a place drawn once.
    #[must_use]
    pub const fn from_random_place(range: PortRange) -> Self {
        Sequential { range, name: "sequential", next: None }
    }

    /// 1024-5000 from the low end, as 4.4BSD and its many heirs.
    #[must_use]
    pub fn traditional_bsd() -> Self {
        Sequential { name: "traditional-bsd", ..Self::from_low_end(span(1024, 5000)) }
    }

    /// XNU's TCP.
    #[must_use]
    pub fn xnu() -> Self {
        Sequential { name: "xnu-tcp", ..Self::from_random_place(PortRange::DYNAMIC) }
    }

    /// lwIP's TCP. Its counter wraps one before 65535, which is therefore never handed out.
    #[must_use]
    pub fn lwip() -> Self {
        Sequential { name: "lwip", ..Self::from_random_place(span(49152, 65534)) }
    }
}

/// A range whose ends are known to be in order.
fn span(low: u16, high: u16) -> PortRange {
    PortRange::new(low, high).unwrap_or(PortRange::ALL)
}

impl Strategy for Sequential {
    fn name(&self) -> &'static str {
        self.name
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        let next = self.next.get_or_insert_with(|| random.below(len));
        let found = request.free.first_free(self.range, *next, 1)?;
        *next = (u32::from(found.number() - self.range.low().number()) + 1) % len;
        Some(found)
    }
}
