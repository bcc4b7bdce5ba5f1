//! The receipt for a port: what `release` takes back, and only once.

use core::fmt;

use dayfly_ports::Port;

/// A port that was handed out, to be given back with [`Allocator::release`].
///
/// A handle may be copied and stored; it is 16 bytes. It carries the generation that the port was
/// handed out under, so a second release is an error and not somebody else's loss. Generations
/// repeat after 8,388,608 hand-outs and releases of one allocator: only a handle that is released
/// twice and whose port is in use by the same destination again, exactly that many steps later,
/// would go unnoticed.
///
/// [`Allocator::release`]: crate::Allocator::release
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Handle {
    /// 40 bits of fingerprint, 16 of port, the upper 8 of the generation.
    head: u64,
    low: u16,
    allocator: u16,
    pub(crate) scope: u32,
}

impl Handle {
    pub(crate) fn new(
        fingerprint: u64,
        port: u16,
        generation: u32,
        allocator: u16,
        scope: u32,
    ) -> Self {
        let head = fingerprint << 24 | u64::from(port) << 8 | u64::from(generation >> 16 & 0xFF);
        Handle { head, low: generation as u16, allocator, scope }
    }

    /// The port that was handed out.
    #[must_use]
    #[inline]
    pub const fn port(&self) -> Port {
        Port::new((self.head >> 8) as u16)
    }

    pub(crate) const fn fingerprint(&self) -> u64 {
        self.head >> 24
    }

    pub(crate) const fn generation(&self) -> u32 {
        (self.head as u32 & 0xFF) << 16 | self.low as u32
    }

    pub(crate) const fn allocator(&self) -> u16 {
        self.allocator
    }
}

/// A port that was claimed, to be given back with [`Allocator::release_claim`].
///
/// [`Allocator::release_claim`]: crate::Allocator::release_claim
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Claim {
    pub(crate) serial: u64,
    pub(crate) port: Port,
    pub(crate) allocator: u16,
}

impl Claim {
    /// The port that was claimed.
    #[must_use]
    pub const fn port(&self) -> Port {
        self.port
    }
}

/// Why a handle or a claim could not be given back. Nothing has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReleaseError {
    /// It comes from another allocator.
    Foreign,
    /// It was given back before.
    Stale,
}

impl fmt::Display for ReleaseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReleaseError::Foreign => {
                "the port belongs to another allocator: give it back where it was handed out"
            }
            ReleaseError::Stale => "the port was given back before: drop the handle after release",
        })
    }
}

impl core::error::Error for ReleaseError {}
