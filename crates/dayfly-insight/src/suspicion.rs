//! Which ports were probably bound by hand before they were connected.
//!
//! A connected socket that had been bound explicitly (`bind(ip, 0)` or a fixed port, without
//! `IP_BIND_ADDRESS_NO_PORT`) keeps its port's bucket bound, and no automatic connect to *any
//! other* destination can take that port. sock_diag does not show it; the port's parity does:
//! `connect()` takes the ports of the range's low parity first, `bind(ip, 0)` the others
//! (`inet_csk_find_open_port`). So the other parity, on a destination that still has first-parity
//! ports, was bound by hand.
//!
//! With `SO_REUSEADDR`, or once half the range is gone, `bind(ip, 0)` falls back to the first
//! parity. Where the other parity makes up at least half of a destination's ports, all of them
//! are suspected.
//!
//! A connection that was *accepted* keeps its port bound as well, even after its listener has
//! closed; while the listener is there, the port is blocked anyway. What gives it away is the
//! peer's port: it lies in the ephemeral range, and no second connection goes there.
//!
//! Some leave no trace: a *fixed* port of the first parity, a minority that binds with
//! `SO_REUSEADDR` among connections that do not, whatever goes to a destination past its cliff.
//! Only asking the kernel settles that.

use dayfly_ports::{PortRange, PortSet};

use crate::headroom::Table;

/// The ports that the parity rule looks at.
pub(crate) struct Suspects<'a> {
    range: PortRange,
    open: &'a PortSet,
    /// Open ports of the parity that connect() tries first.
    fast: PortSet,
    /// The other open ports.
    slow: PortSet,
}

impl<'a> Suspects<'a> {
    /// `open` are the usable ports that nobody is seen to have claimed.
    pub(crate) fn new(range: PortRange, open: &'a PortSet) -> Self {
        let fast = open.of_parity(range.low());
        Suspects { slow: open - &fast, fast, open, range }
    }

    /// The ports that look bound by hand in the eyes of any destination.
    pub(crate) fn of(&self, all: &Table) -> PortSet {
        let mut suspects = PortSet::EMPTY;
        for (key, found) in all {
            let slow_used = found.ports.intersection_len(&self.slow);
            let fast_used = found.ports.intersection_len(&self.fast);
            let past_cliff = fast_used == self.fast.len();
            let by_hand = slow_used > 0 && !past_cliff;
            let accepted = found.used == 1 && self.range.contains(key.port);
            if !by_hand && !accepted {
                continue;
            }
            let all_of_them = accepted || slow_used >= fast_used;
            let mut ports = PortSet::EMPTY;
            found.ports.add_to(&mut ports);
            ports &= if all_of_them { self.open } else { &self.slow };
            suspects |= &ports;
        }
        suspects
    }
}
