//! Blocking ports for every destination: listeners, exclusive binds, wildcard binds, the reserved
//! set.

use alloc::vec::Vec;
use core::fmt;

use dayfly_ports::{Port, PortSet, Protocol};

use super::{Allocator, Tick};
use crate::handle::Claim;
use crate::{Place, Random, ReleaseError};

/// Whether a claim tolerates others on its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Sharing {
    /// No other claim, and no connection that already uses the port: a plain `bind()`.
    Exclusive,
    /// Other shared claims, and connections that were there before: `SO_REUSEADDR` and
    /// `SO_REUSEPORT`.
    Shared,
}

/// Draws before the exact search for a port that nothing uses.
const DRAWS: u32 = 32;

impl<R: Random> Allocator<R> {
    /// Blocks a port for all destinations in a place: a listener or a bound socket. The port may
    /// lie outside the range, and it may be reserved, as it may with `bind()`.
    ///
    /// # Errors
    /// [`ClaimError`] if the port is 0, is claimed by someone who does not share, or, for an
    /// exclusive claim, is used by connections. Per port and address the allocator keeps a count, so
    /// the answer takes one look-up for every local address in the place.
    pub fn claim(
        &mut self,
        protocol: Protocol,
        place: Place,
        port: Port,
        sharing: Sharing,
        now: Tick,
    ) -> Result<Claim, ClaimError> {
        self.pass(now);
        if port == Port::MIN {
            return Err(ClaimError::Zero);
        }
        let shared = sharing == Sharing::Shared;
        let known = self.claims.get(&(protocol, port.number()));
        if known.is_some_and(|claims| claims.refuses(place, shared)) {
            return Err(ClaimError::Claimed { port });
        }
        let connections = self.uses(protocol, place, port);
        if !shared && connections > 0 {
            return Err(ClaimError::InUse { port, connections });
        }
        let claims = self.claims.entry((protocol, port.number())).or_default();
        let (count, sharing) = claims.by_place.entry(place).or_insert((0, shared));
        *count += 1;
        *sharing &= shared;
        self.refresh(protocol, place, port);
        let serial = self.next_claim;
        self.next_claim += 1;
        self.live_claims.insert(serial, (protocol, place));
        Ok(Claim { serial, port, allocator: self.id })
    }

    /// Claims a port of the range that nothing else uses, each such port exactly as likely as the
    /// others: `bind()` to port 0. None if there is no such port.
    pub fn claim_any(&mut self, protocol: Protocol, place: Place, now: Tick) -> Option<Claim> {
        self.pass(now);
        let range = self.config.range;
        let low = range.low().number();
        for _ in 0..DRAWS {
            let port = Port::new(low.wrapping_add(self.random.below(range.len()) as u16));
            if self.is_unused(protocol, place, port) {
                return self.claim(protocol, place, port, Sharing::Exclusive, now).ok();
            }
        }
        let unused: Vec<Port> =
            range.iter().filter(|port| self.is_unused(protocol, place, *port)).collect();
        let port = *unused.get(self.random.below(unused.len() as u32) as usize)?;
        self.claim(protocol, place, port, Sharing::Exclusive, now).ok()
    }

    /// Gives a claim back.
    ///
    /// # Errors
    /// [`ReleaseError`] if it was given back before or is another allocator's; nothing changes.
    pub fn release_claim(&mut self, claim: Claim) -> Result<(), ReleaseError> {
        if claim.allocator != self.id {
            return Err(ReleaseError::Foreign);
        }
        let (protocol, place) =
            self.live_claims.remove(&claim.serial).ok_or(ReleaseError::Stale)?;
        let number = claim.port.number();
        if let Some(claims) = self.claims.get_mut(&(protocol, number)) {
            if let Some((count, _)) = claims.by_place.get_mut(&place) {
                *count -= 1;
                if *count == 0 {
                    claims.by_place.remove(&place);
                }
            }
            if claims.by_place.is_empty() {
                self.claims.remove(&(protocol, number));
            }
        }
        self.refresh(protocol, place, claim.port);
        Ok(())
    }

    /// Sets the ports that are never handed out. Connections that use one keep it; once released,
    /// it does not come back until it is no longer reserved.
    pub fn reserve(&mut self, reserved: &PortSet) {
        *self.reserved = reserved.clone();
        for scope in &mut self.scopes {
            for port in self.config.range.iter() {
                scope.refresh(port, &self.reserved, &self.claims);
            }
        }
    }

    /// The ports that are never handed out.
    #[must_use]
    pub const fn reserved(&self) -> &PortSet {
        &self.reserved
    }

    fn is_unused(&self, protocol: Protocol, place: Place, port: Port) -> bool {
        let claims = self.claims.get(&(protocol, port.number()));
        port != Port::MIN
            && !self.reserved.contains(port)
            && claims.is_none_or(|claims| !claims.refuses(place, false))
            && self.uses(protocol, place, port) == 0
    }

    /// How many connections in a place use a port or hold it back.
    fn uses(&self, protocol: Protocol, place: Place, port: Port) -> u64 {
        let here = self
            .scopes
            .iter()
            .filter(|scope| scope.protocol() == protocol && place.contains(scope.address()));
        here.map(|scope| u64::from(scope.uses(port))).sum()
    }

    fn refresh(&mut self, protocol: Protocol, place: Place, port: Port) {
        for scope in &mut self.scopes {
            if scope.protocol() == protocol && place.contains(scope.address()) {
                scope.refresh(port, &self.reserved, &self.claims);
            }
        }
    }
}

/// Why a port could not be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClaimError {
    /// Port 0 is not a port to claim.
    Zero,
    /// Another claim holds the port and does not share it.
    Claimed {
        /// The port.
        port: Port,
    },
    /// Connections use the port.
    InUse {
        /// The port.
        port: Port,
        /// How many connections use it or hold it back.
        connections: u64,
    },
}

impl fmt::Display for ClaimError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClaimError::Zero => {
                f.write_str("port 0 cannot be claimed: name a port, or let one be chosen")
            }
            ClaimError::Claimed { port } => {
                write!(
                    f,
                    "port {port} is claimed already and not shared: claim it shared both times"
                )
            }
            ClaimError::InUse { port, connections } => write!(
                f,
                "port {port} is in use by {connections} connections: reserve it and wait until they \
                 end, or claim it shared"
            ),
        }
    }
}

impl core::error::Error for ClaimError {}
