//! Linux, automatic port of a TCP `connect()`: `__inet_hash_connect` in
//! `net/ipv4/inet_hashtables.c`.

use dayfly_ports::{Port, PortRange};

use super::counters::Counters;
use super::{Request, Strategy, at, keyed_hash, secret};
use crate::{Availability, Key, Random, Tick};

/// How the choice developed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinuxVersion {
    /// Before 4.2: one counter, steps of 1, no regard for parity.
    Before4_2,
    /// 4.2 to 4.5: the same walk from an even distance above the low end (07f4c90062f8).
    From4_2,
    /// 4.6 to 5.11: ports of the low end's parity first, in steps of 2 from one counter
    /// (1580ab63fc9a).
    From4_6,
    /// 5.12 to 5.17: the counter comes from a table of 256, by destination (190cc82489f4), and one
    /// time in 16 it moves a step further (c579bd1b4021).
    From5_12,
    /// 5.18 and later, and the stable kernels of 2022: a table of 65,536 (4c2c8f03a5ab), and 0 to 7
    /// further steps at random (ca7af0402550).
    From5_18,
}

/// The automatic port of a TCP `connect()`.
///
/// A keyed hash of the destination and a counter give the place to start; the ports of the low
/// end's parity are tried upwards from there, then the others. The counter moves past what was tried,
/// by at least one step and, on current kernels, by up to eight. Since 5.18 the secret changes
/// every ten seconds for all destinations at once (`ts_secret` in `net/core/secure_seq.c`).
///
/// Approximations: the hash is SipHash-1-3 of addresses and port where the kernel uses SipHash-2-4;
/// a port with a bucket that belongs to a bound socket, which `connect()` skips for every
/// destination, must be passed as not free; TIME_WAIT reuse is the caller's; with a step width, the
/// kernel's search for a step that reaches every port may settle on another one.
#[derive(Clone, Debug)]
pub struct LinuxConnect {
    range: PortRange,
    version: LinuxVersion,
    step: u32,
    width: u32,
    period: Option<Tick>,
    secret: Option<Secret>,
    renewals: u64,
    table: Counters,
}

/// A secret, and when it is in force.
#[derive(Clone, Debug)]
struct Secret {
    keys: (u64, u64),
    first: Tick,
    last: Tick,
}

/// What a destination hashes to while one secret is in force ([`LinuxConnect::place`]).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    hash: u64,
    /// The secret's number, from 1.
    renewal: u64,
}

impl LinuxConnect {
    /// Over `net.ipv4.ip_local_port_range`. The secret changes every `period` ticks: 10 s, or none
    /// to keep it.
    #[must_use]
    pub fn new(range: PortRange, version: LinuxVersion, period: Option<Tick>) -> Self {
        let counters = match version {
            LinuxVersion::Before4_2 | LinuxVersion::From4_2 | LinuxVersion::From4_6 => 1,
            LinuxVersion::From5_12 => 1 << 8,
            LinuxVersion::From5_18 => 1 << 16,
        };
        let old = matches!(version, LinuxVersion::Before4_2 | LinuxVersion::From4_2);
        let step = if old { 1 } else { 2 };
        let period = period.filter(|period| *period > 0);
        let table = Counters::new(counters);
        LinuxConnect { range, version, step, width: 0, period, secret: None, renewals: 0, table }
    }

    /// With a table of so many counters, at least one: a kernel's own choice
    /// (`INET_TABLE_PERTURB_ORDER`), or the part of a table that some of all destinations use.
    #[must_use]
    pub fn with_table(self, counters: u32) -> Self {
        LinuxConnect { table: Counters::new(counters.max(1)), ..self }
    }

    /// For a socket with `IP_LOCAL_PORT_RANGE`, since 6.8 (207184853dbd): steps of 1, whatever the
    /// parity.
    #[must_use]
    pub fn with_own_range(self) -> Self {
        LinuxConnect { step: 1, ..self }
    }

    /// With `net.ipv4.ip_local_port_step_width` (7da62262ec96, in 7.2): every search walks in steps of
    /// its own, drawn from 1 to this many and then increased until no port is missed; 0 is off.
    #[must_use]
    pub fn with_step_width(self, width: u32) -> Self {
        LinuxConnect { width, ..self }
    }

    /// Where a destination stands: what it is hashed to with the secret that is in force. A place
    /// that was kept is given back as long as it is right, so that not every search has to hash.
    pub fn place<R: Random + ?Sized>(
        &mut self,
        kept: Place,
        key: impl FnOnce() -> Key,
        now: Tick,
        random: &mut R,
    ) -> Place {
        self.table.begin(random);
        let keys = match &self.secret {
            Some(secret) if (secret.first..=secret.last).contains(&now) => secret.keys,
            _ => self.renew(now, random),
        };
        if kept.renewal == self.renewals {
            return kept;
        }
        Place { hash: keyed_hash(&key(), keys), renewal: self.renewals }
    }

    /// A free port for a destination that stands there, or none.
    #[inline]
    pub fn pick_from<A, R>(&mut self, place: Place, free: &A, random: &mut R) -> Option<Port>
    where
        A: Availability + ?Sized,
        R: Random + ?Sized,
    {
        let hash = place.hash;
        let counter = *self.table.of(hash, random);
        // A range of an odd number of ports loses its last one, unless steps of 1 reach it.
        let mut remaining = self.range.len();
        let step = self.step.min(remaining);
        if step > 1 && remaining > 1 {
            remaining -= remaining % 2;
        }
        let sum = counter.wrapping_add((hash >> 32) as u32);
        let even = self.version == LinuxVersion::From4_2;
        let start = if even { sum & !1 } else { sum } % remaining;
        let stride = self.stride(remaining, step, random);
        let (low, last) = (self.range.low().number(), at(self.range, remaining - 1).number());
        let looked_at = PortRange::new(low, last).unwrap_or(self.range);
        // With steps of 2 the first pass has the low end's parity and the second the other.
        for pass in 0..step {
            let first = start - start % step + pass;
            let found = if stride == step {
                free.first_free(looked_at, first, step).map(|port| {
                    let offset = u32::from(port.number() - low);
                    (
                        port,
                        if offset >= first { offset - first } else { offset + remaining - first },
                    )
                })
            } else {
                self.in_strides(free, first, stride, step, remaining)
            };
            if let Some((port, tried)) = found {
                let moved = tried + step;
                let moved = match self.version {
                    LinuxVersion::Before4_2 | LinuxVersion::From4_6 => moved,
                    LinuxVersion::From4_2 => (tried + 2) & !1,
                    LinuxVersion::From5_12 if random.below(16) == 0 => moved + step,
                    LinuxVersion::From5_12 => moved,
                    LinuxVersion::From5_18 => tried.max(random.below(8) * step) + step,
                };
                let counter = self.table.of(hash, random);
                *counter = counter.wrapping_add(moved);
                return Some(port);
            }
        }
        None
    }

    #[cold]
    fn renew<R: Random + ?Sized>(&mut self, now: Tick, random: &mut R) -> (u64, u64) {
        self.table.forget();
        let (first, last) = match self.period {
            Some(period) => (now - now % period, (now - now % period).saturating_add(period - 1)),
            None => (0, Tick::MAX),
        };
        self.renewals += 1;
        let keys = secret(random);
        self.secret = Some(Secret { keys, first, last });
        keys
    }

    /// One pass of a search whose step width is not 1: the port, and how far the counter moves.
    fn in_strides<A: Availability + ?Sized>(
        &self,
        free: &A,
        first: u32,
        stride: u32,
        step: u32,
        remaining: u32,
    ) -> Option<(Port, u32)> {
        let (mut offset, mut tried) = (first, 0);
        while tried < remaining {
            if offset >= remaining {
                offset -= remaining;
            }
            let port = at(self.range, offset);
            if free.is_free(port) {
                return Some((port, tried));
            }
            tried += step;
            offset += stride;
        }
        None
    }

    /// How far one search moves from probe to probe.
    fn stride<R: Random + ?Sized>(&self, remaining: u32, step: u32, random: &mut R) -> u32 {
        let places = remaining / step;
        if self.width == 0 || places < 2 {
            return step;
        }
        let first = random.below(self.width.min(places)) + 1;
        let stride = (first..first + places).find(|stride| coprime(*stride, places));
        stride.map_or(1, |stride| stride % places) * step
    }
}

fn coprime(a: u32, b: u32) -> bool {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a == 1
}

impl Strategy for LinuxConnect {
    fn name(&self) -> &'static str {
        "linux-connect"
    }

    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port> {
        let place = self.place(Place::default(), || *request.key, request.now, random);
        self.pick_from(place, request.free, random)
    }
}
