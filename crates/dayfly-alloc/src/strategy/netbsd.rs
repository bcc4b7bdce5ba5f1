//! NetBSD: `sys/netinet/portalgo.c`, chosen with `net.inet.ip.anonportalgo.selected`.

use dayfly_ports::{Port, PortRange};

use super::{Request, Strategy, at, keyed_hash, secret};
use crate::Random;

/// The algorithms by NetBSD's names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetBsdAlgorithm {
    /// The default: one counter for all, downwards from the high end.
    Bsd,
    /// Upwards from a new random start.
    RandomStart,
    /// A new draw for every probe.
    RandomPick,
    /// Hash plus counter; see [`NetBsd`].
    Hash,
    /// Hash plus one of eight counters; see [`NetBsd`].
    DoubleHash,
    /// Increments of 1 to 500.
    RandInc,
}

/// NetBSD's choice, 49152-65535 by default.
///
/// `hash` and `doublehash` are not RFC 6056's algorithms 3 and 4: their hash function draws a new
/// secret every time it is called, so the place of a destination is new for every connection, and
/// only the walk past taken ports tells them from a random start. Counters have 16 bits, as in the
/// source. When an algorithm other than `bsd` fails, NetBSD falls back on the port below the last
/// one without testing it; that is left out.
#[derive(Clone, Debug)]
pub struct NetBsd {
    range: PortRange,
    algorithm: NetBsdAlgorithm,
    next: u16,
    table: Option<[u16; 8]>,
}

impl NetBsd {
    /// Over this range.
    #[must_use]
    pub const fn new(range: PortRange, algorithm: NetBsdAlgorithm) -> Self {
        NetBsd { range, algorithm, next: 0, table: None }
    }

    /// As many probes as the range has ports, from a counter that each of them increments.
    fn count_up(
        range: PortRange,
        request: &Request<'_>,
        from: u16,
        next: &mut u16,
    ) -> Option<Port> {
        let len = range.len();
        for _ in 0..len {
            // The sum of the two 16-bit numbers is an int in C and does not wrap.
            let port = at(range, (u32::from(*next) + u32::from(from)) % len);
            *next = next.wrapping_add(1);
            if request.free.is_free(port) {
                return Some(port);
            }
        }
        None
    }
}

impl Strategy for NetBsd {
    fn name(&self) -> &'static str {
        match self.algorithm {
            NetBsdAlgorithm::Bsd => "netbsd-bsd",
            NetBsdAlgorithm::RandomStart => "netbsd-random-start",
            NetBsdAlgorithm::RandomPick => "netbsd-random-pick",
            NetBsdAlgorithm::Hash => "netbsd-hash",
            NetBsdAlgorithm::DoubleHash => "netbsd-doublehash",
            NetBsdAlgorithm::RandInc => "netbsd-randinc",
        }
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let (range, len) = (self.range, self.range.len());
        match self.algorithm {
            NetBsdAlgorithm::Bsd => {
                for _ in 0..len {
                    let inside = range.contains(Port::new(self.next));
                    let port = if inside { Port::new(self.next) } else { range.high() };
                    self.next = port.number().wrapping_sub(1);
                    if request.free.is_free(port) {
                        return Some(port);
                    }
                }
                None
            }
            NetBsdAlgorithm::RandomStart => request.free.first_free(range, random.below(len), 1),
            NetBsdAlgorithm::RandomPick => (0..len)
                .map(|_| at(range, random.below(len)))
                .find(|port| request.free.is_free(*port)),
            NetBsdAlgorithm::Hash => {
                let offset = keyed_hash(request.key, secret(random)) as u16;
                NetBsd::count_up(range, request, offset, &mut self.next)
            }
            NetBsdAlgorithm::DoubleHash => {
                let table = self
                    .table
                    .get_or_insert_with(|| core::array::from_fn(|_| random.next_u32() as u16));
                let offset = keyed_hash(request.key, secret(random)) as u16;
                let counter = keyed_hash(request.key, secret(random)) as usize % table.len();
                NetBsd::count_up(range, request, offset, &mut table[counter])
            }
            NetBsdAlgorithm::RandInc => {
                if self.next == 0 {
                    self.next = random.next_u32() as u16;
                }
                for _ in 0..len {
                    self.next = self.next.wrapping_add(random.below(500) as u16 + 1);
                    let port = at(range, u32::from(self.next) % len);
                    if request.free.is_free(port) {
                        return Some(port);
                    }
                }
                None
            }
        }
    }
}
