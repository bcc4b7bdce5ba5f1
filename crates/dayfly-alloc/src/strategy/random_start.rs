//! A random start, then one port after the other: the family of RFC 6056 algorithm 1.
//!
//! All of them hand the first free port after a run of taken ones out more often than others: the
//! port behind a run of 99 is 100 times as likely as a port whose predecessor is free.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at};
use crate::Random;

/// RFC 6056 section 3.3.1, "Simple Port Randomization Algorithm": a random port of the range, then
/// upwards, wrapping, until one is free or all have been tried.
///
/// gVisor (`pkg/tcpip/ports`, `PortManager.PickEphemeralPort`) does the same over 16000-65535, and
/// NetBSD's `random_start`.
#[derive(Clone, Debug)]
pub struct SimpleRandomStart {
    range: PortRange,
}

impl SimpleRandomStart {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        SimpleRandomStart { range }
    }
}

impl Strategy for SimpleRandomStart {
    fn name(&self) -> &'static str {
        "rfc6056-1"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        request.free.first_free(self.range, random.below(len), 1)
    }
}

/// FreeBSD (`sys/netinet/in_pcb.c`, `in_pcb_lport_dest`): 10000-65535 by default.
///
/// The start is drawn below `last - first` and incremented before the first test, so the first port
/// of the range is never the one that a walk starts with. With randomisation off
/// (`net.inet.ip.portrange.randomized=0`) the walk goes on from the port handed out last. Left out:
/// the ranges `high` and `low`, which a socket chooses with `IP_PORTRANGE`: pass them as `range`.
#[derive(Clone, Debug)]
pub struct FreeBsd {
    range: PortRange,
    randomized: bool,
    last: u32,
}

impl FreeBsd {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange, randomized: bool) -> Self {
        FreeBsd { range, randomized, last: 0 }
    }
}

impl Strategy for FreeBsd {
    fn name(&self) -> &'static str {
        "freebsd"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        if self.randomized {
            self.last = random.below(len - 1);
        }
        let found = request.free.first_free(self.range, self.last + 1, 1)?;
        self.last = u32::from(found.number() - self.range.low().number());
        Some(found)
    }
}

/// OpenBSD (`sys/netinet/in_pcb.c`, `in_pcbpickport`): 1024-49151 by default.
///
/// As on FreeBSD, the start is drawn below `upper - lower` and incremented before the first test.
/// Ports of `net.inet.*.baddynamic` are skipped; pass them as not free.
#[derive(Clone, Debug)]
pub struct OpenBsd {
    range: PortRange,
}

impl OpenBsd {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        OpenBsd { range }
    }
}

impl Strategy for OpenBsd {
    fn name(&self) -> &'static str {
        "openbsd"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        request.free.first_free(self.range, random.below(len - 1) + 1, 1)
    }
}

/// Windows since Vista: 49152-65535 by default (`netsh int ipv4 show dynamicport tcp`).
///
/// Its algorithm is not published, only the range is; before Vista that was 1025-5000. This strategy
/// walks upwards from where it left off, from a start that is drawn once: an approximation, good
/// for capacity and not for fingerprints.
#[derive(Clone, Debug)]
pub struct Windows {
    range: PortRange,
    next: Option<u32>,
}

impl Windows {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange) -> Self {
        Windows { range, next: None }
    }
}

impl Strategy for Windows {
    fn name(&self) -> &'static str {
        "windows"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let len = self.range.len();
        let start = self.next.unwrap_or_else(|| random.below(len));
        let found = request.free.first_free(self.range, start, 1)?;
        let offset = found.number() - at(self.range, 0).number();
        self.next = Some(u32::from(offset) + 1);
        Some(found)
    }
}
