//! VPP's NAT44 in endpoint-dependent mode: `nat44_ed_alloc_i2o_port` and its older kin in
//! `src/plugins/nat/nat44-ed/nat44_ed_in2out.c`.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at};
use crate::Random;

/// The outside port that VPP gives a connection: ten random draws from the slice of ports that the
/// worker thread owns, then failure (`ED_PORT_ALLOC_ATTEMPTS`).
///
/// The slices are the ports from 1024 on, divided by the number of workers. Older releases tried the
/// inside port first; keeping it is the caller's.
#[derive(Clone, Debug)]
pub struct Vpp {
    slice: PortRange,
}

impl Vpp {
    /// The slice of `thread`, counted from 0, of `threads`. None if there is no such thread or its
    /// slice is empty.
    #[must_use]
    pub fn new(thread: u16, threads: u16) -> Option<Self> {
        let per_thread = 64_512_u32.checked_div(u32::from(threads))?;
        let low = 1024 + u32::from(thread) * per_thread;
        let high = u16::try_from((low + per_thread).checked_sub(1)?).ok()?;
        let slice = PortRange::new(u16::try_from(low).ok()?, high).ok()?;
        (thread < threads).then_some(Vpp { slice })
    }

    /// Over these ports, whichever thread owns them.
    #[must_use]
    pub const fn over(slice: PortRange) -> Self {
        Vpp { slice }
    }

    /// The ports that the thread owns.
    #[must_use]
    pub const fn slice(&self) -> PortRange {
        self.slice
    }
}

impl Strategy for Vpp {
    fn name(&self) -> &'static str {
        "vpp"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        (0..10)
            .map(|_| at(self.slice, random.below(self.slice.len())))
            .find(|port| request.free.is_free(*port))
    }
}
