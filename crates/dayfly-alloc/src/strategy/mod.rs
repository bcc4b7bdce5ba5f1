//! Every published way to choose a port, behind one trait.
//!
//! A [`Strategy`] sees which ports are free through [`Availability`] and gets its randomness and its
//! clock passed in, so the same code runs in the allocator, in a simulation and in a classifier.
//! Each strategy names its source and says what it leaves out. What all of them leave out: locks,
//! rights, and the look-ups by which a real stack finds out that a port is taken. Where a source
//! draws `random() % n`, the strategies draw without its tiny bias unless the bias is the point.
//!
//! | strategy | of | gives up with ports free? |
//! |---|---|---|
//! | [`UniformFree`], [`OldestFree`] | this crate | no |
//! | [`SimpleRandomStart`] | RFC 6056 algorithm 1, gVisor | no |
//! | [`SimpleRandom`] | RFC 6056 algorithm 2 | yes |
//! | [`SimpleHash`], [`DoubleHash`] | RFC 6056 algorithms 3 and 4 | no |
//! | [`RandomIncrements`] | RFC 6056 algorithm 5 | yes |
//! | [`Sequential`] | traditional BSD, XNU for TCP, lwIP | no |
//! | [`LinuxConnect`], [`LinuxBind`], [`LinuxUdp`] | Linux | no |
//! | [`Netfilter`] | Linux NAT | yes |
//! | [`FreeBsd`], [`OpenBsd`], [`NetBsd`], [`Illumos`] | those systems | NetBSD, in two of its algorithms |
//! | [`Windows`] | what is documented of it | no |
//! | [`Vpp`] | VPP's NAT44 | yes |

mod counters;
mod illumos;
mod linux_bind;
mod linux_connect;
mod linux_udp;
mod netbsd;
mod netfilter;
mod oldest_free;
mod random_start;
mod rfc6056_hash;
mod rfc6056_random;
mod sequential;
mod uniform_free;
mod vpp;

#[cfg(test)]
mod tests;

use dayfly_ports::{Port, PortRange};

use crate::{Availability, Key, Random, Tick};

pub use illumos::Illumos;
pub use linux_bind::LinuxBind;
pub use linux_connect::{LinuxConnect, LinuxVersion, Place};
pub use linux_udp::LinuxUdp;
pub use netbsd::{NetBsd, NetBsdAlgorithm};
pub use netfilter::Netfilter;
pub use oldest_free::OldestFree;
pub use random_start::{FreeBsd, OpenBsd, SimpleRandomStart, Windows};
pub use rfc6056_hash::{DoubleHash, SimpleHash};
pub use rfc6056_random::{RandomIncrements, SimpleRandom};
pub use sequential::Sequential;
pub use uniform_free::UniformFree;
pub use vpp::Vpp;

/// What a port is wanted for.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The connection that the port is for.
    pub key: &'a Key,
    /// The time; strategies that change their secret take the period in the same unit.
    pub now: Tick,
    /// Which ports are free for that connection.
    pub free: &'a dyn Availability,
}

/// A way to choose a port.
pub trait Strategy {
    /// A short name, in lower case with hyphens.
    fn name(&self) -> &'static str;

    /// A free port, or none if the strategy gives up. The caller takes the port; until then a
    /// second call may name it again.
    fn pick(&mut self, request: &Request<'_>, random: &mut dyn Random) -> Option<Port>;

    /// Hears that a port is free again. Strategies that do not keep an order ignore it.
    fn released(&mut self, _key: &Key, _port: Port) {}
}

/// The port `offset` above the low end of a range.
fn at(range: PortRange, offset: u32) -> Port {
    Port::new(range.low().number().wrapping_add(offset as u16))
}

/// A keyed hash of a key's addresses and remote port, SipHash-1-3: the F and G of RFC 6056.
fn keyed_hash(key: &Key, secret: (u64, u64)) -> u64 {
    siphasher::sip::SipHasher13::new_with_keys(secret.0, secret.1).hash(&key.bytes())
}

fn secret<R: Random + ?Sized>(random: &mut R) -> (u64, u64) {
    (random.next_u64(), random.next_u64())
}
