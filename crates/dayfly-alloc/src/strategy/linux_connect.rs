//! Linux, automatic port of a TCP `connect()`: `__inet_hash_connect` in
//! `net/ipv4/inet_hashtables.c`.

use dayfly_ports::{Port, PortRange};

use super::counters::Counters;
use super::{Request, Strategy, at, keyed_hash, secret};
use crate::{Random, Tick};

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
    epoch: Tick,
    secret: Option<(u64, u64)>,
    table: Counters,
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
        LinuxConnect { range, version, step, width: 0, period, epoch: 0, secret: None, table }
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

    /// One pass of a search whose step width is not 1: the port, and how far the counter moves.
    fn in_strides(
        &self,
        request: &Request<'_>,
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
            if request.free.is_free(port) {
                return Some((port, tried));
            }
            tried += step;
            offset += stride;
        }
        None
    }

    /// How far one search moves from probe to probe.
    fn stride(&self, remaining: u32, step: u32, random: &mut dyn Random) -> u32 {
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
        self.table.begin(random);
        let epoch = self.period.map_or(0, |period| request.now / period);
        let secret = match self.secret {
            Some(secret) if self.epoch == epoch => secret,
            _ => {
                self.table.forget();
                *self.secret.insert(secret(random))
            }
        };
        self.epoch = epoch;
        let hash = keyed_hash(request.key, secret);
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
        // With steps of 2 the first pass has the low end's parity and the second the other.
        for pass in 0..step {
            let first = start - start % step + pass;
            let found = if stride == step {
                let looked_at = PortRange::new(
                    self.range.low().number(),
                    at(self.range, remaining - 1).number(),
                );
                let looked_at = looked_at.unwrap_or(self.range);
                request.free.first_free(looked_at, first, step).map(|port| {
                    let offset = u32::from(port.number() - self.range.low().number());
                    (port, (offset + remaining - first) % remaining)
                })
            } else {
                self.in_strides(request, first, stride, step, remaining)
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
}
