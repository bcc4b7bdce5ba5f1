//! Hand out ephemeral ports: uniformly among the free ones, at bounded cost, at any occupancy.
//!
//! A stack, a NAT or a proxy needs a source port for every connection. The usual ways walk to the
//! next free port, redraw a few times, or keep a queue; close to exhaustion they take milliseconds
//! or fail with ports free, and what they choose can be guessed. This crate chooses each free port
//! with exactly the same probability, fails only when none is free, and takes about as long at
//! 99.9 % as at 50 %.
//!
//! `no_std` with `alloc`, no `unsafe`, no clock and no randomness of its own: time is a tick that
//! the caller passes in, randomness a [`Random`] source that the caller seeds.
//!
//! # The layers, from the bottom up
//!
//! **One place.** A [`Pool`] is the ports of one range, each free or taken. It knows nothing of
//! connections. A stack that talks to one peer needs no more:
//!
//! ```
//! use dayfly_alloc::{Pool, Xoshiro};
//! use dayfly_ports::PortRange;
//!
//! let mut random = Xoshiro::seeded(0x5eed);
//! let mut pool = Pool::new(PortRange::DYNAMIC);
//! let port = pool.take_any(&mut random).expect("all are free");
//! pool.put(port);
//! ```
//!
//! **Many destinations.** The same port can serve every destination once, because a connection is
//! its whole tuple. An [`Allocator`] takes a [`Key`], the tuple without the local port, and keeps
//! destinations with few connections in one common table, those with many in a bitmap each:
//!
//! ```
//! use dayfly_alloc::{Allocator, Config, Key, Xoshiro};
//! use dayfly_ports::{Port, PortRange, Protocol};
//!
//! let mut ports = Allocator::new(Config::new(PortRange::DYNAMIC), Xoshiro::seeded(0x5eed));
//! let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, 7].into());
//! let https = Key::new(Protocol::Tcp, local, remote, Port::new(443));
//! let handle = ports.allocate(&https, 0)?;
//! println!("connect from port {}", handle.port());
//! ports.release(handle, 10).expect("it was not given back before");
//! # Ok::<(), dayfly_alloc::Exhausted>(())
//! ```
//!
//! **What blocks a port for everybody.** Listeners and bound sockets are claims
//! ([`Allocator::claim`]), on one address or on all; [`Allocator::reserve`] keeps ports out for good.
//!
//! **What comes after a connection.** A released port is held back for [`Config::hold`] ticks, as in
//! TIME_WAIT. [`Reuse`] says what may happen before that: nothing, the oldest first when nothing
//! else is left, or reuse after so many other ports; [`Allocator::allocate_or_reuse`] asks the caller
//! (RFC 6191).
//!
//! **Wishes.** [`Options`] ask for a port to be kept, for a parity, for a range of one's own
//! ([`Blocks`] hands ranges to subscribers, [`Deterministic`] computes them), or for the ports that
//! arrive at one receive queue ([`QueueMask`]).
//!
//! **Many threads.** [`Sharded`] is an allocator behind shared references, one lock for each group of
//! destinations (feature `std`, on by default); [`SharedPool`] is one destination without any lock,
//! where processors have 64-bit atomics.
//!
//! **Everybody else's way.** [`strategy`] has the algorithms of RFC 6056 and of the systems and
//! stacks in use, over the same [`Availability`], for simulation, for comparison, and for
//! [`Allocator::allocate_by`]. [`predict`] says how well their choices can be guessed.
//!
//! # What is exact and what is not
//!
//! * Uniform: every free port that meets the conditions is equally likely, whatever the pattern of
//!   taken and reserved ports; chi-square tests hold it to that.
//! * No false exhaustion: an allocation fails if and only if no port is free, tested against a model.
//! * The hold is exact to the tick. A tick that goes backwards counts as the latest one seen.
//! * Two destinations are told apart by 40 bits of a keyed hash. Among 100,000 destinations, one
//!   run in 200 has a pair that shares a space of ports; a port is never handed out twice for that,
//!   the pair only runs out earlier.
//! * A [`Handle`] that is released twice is refused, up to the limit that its own page states.
//!
//! # Bad input
//!
//! | input | result |
//! |---|---|
//! | a range of one port | that port, then [`Exhausted`] |
//! | everything reserved, an empty [`QueueMask`], [`Options::within`] outside the range | [`Exhausted`] |
//! | port 0 in the range | never handed out |
//! | a range that ends at 65535 | its last port is handed out like any other |
//! | a tick going backwards | counts as the latest tick |
//! | a second release, another allocator's handle | [`ReleaseError`], nothing changes |
//! | release after the port was reserved | the port stays out |

#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

mod allocator;
#[cfg(target_has_atomic = "64")]
mod atomic;
mod availability;
mod bits;
mod blocks;
mod dense;
mod free_list;
mod generations;
mod handle;
mod index;
mod key;
mod options;
mod pool;
pub mod predict;
pub mod random;
mod scope;
#[cfg(feature = "std")]
mod sharded;
#[cfg(target_has_atomic = "64")]
mod shared_pool;
mod sparse;
pub mod strategy;

pub use allocator::{
    Allocator, ClaimError, Config, Exhausted, Reuse, Sharing, Status, Tick, Usage,
};
pub use availability::{Availability, Counting};
pub use blocks::{BlockError, Blocks, Deterministic};
pub use handle::{Claim, Handle, ReleaseError};
pub use key::Key;
pub use options::{Options, Parity, QueueMask};
pub use pool::Pool;
pub use random::{Random, Xoshiro};
pub use scope::Place;
#[cfg(feature = "std")]
pub use sharded::{Sharded, ShardedClaim, ShardedHandle};
#[cfg(target_has_atomic = "64")]
pub use shared_pool::{Lent, SharedPool};
