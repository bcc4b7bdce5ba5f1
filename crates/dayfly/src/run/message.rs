//! What a person reads when a connection could not have one of the ports.
//!
//! The library tells what happened; who is in the way, and for how long, is found the way `why`
//! finds it, at the moment that it is said.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};

use dayfly_pin::{Cause, Event, Outcome, Pinned, Via};

use super::args::RunArgs;
use crate::render;
use crate::render::run::Miss;
use crate::why::holder;

/// So many different messages are printed.
const MOST: usize = 20;

/// What makes two messages the same: the cause's name, the port, and where to.
type Key = (&'static str, Option<u16>, Option<SocketAddr>);

/// Prints each message once, on standard error.
pub(super) struct Messages {
    quiet: bool,
    /// Whether there is but one port to choose from.
    single: bool,
    address: Option<IpAddr>,
    said: BTreeSet<Key>,
    more: u64,
}

impl Messages {
    pub(super) fn new(args: &RunArgs) -> Self {
        Messages {
            quiet: args.quiet,
            single: args.port.is_some(),
            address: args.address,
            said: BTreeSet::new(),
            more: 0,
        }
    }

    /// Says what the way that was asked for does not reach: nothing else would.
    pub(super) fn started(&self, pinned: &Pinned, args: &RunArgs) {
        if args.udp && !self.quiet && pinned.via() == Via::Bpf {
            let _ = writeln!(
                anstream::stderr(),
                "dayfly: BPF reaches the UDP sockets that connect(); sendto(), sendmsg() and \
                 sendmmsg() go out from other ports\nhint: --via seccomp reaches them all"
            );
        }
    }

    pub(super) fn missed(&mut self, event: &Event) {
        let Outcome::Missed { cause, port, refused } = event.outcome else { return };
        if self.quiet {
            return;
        }
        // Of many ports, which one was tried last says nothing; nor does the destination of what
        // does not depend on it.
        let by_destination = matches!(cause, Cause::SameDestination | Cause::TimeWait { .. });
        let key = (
            cause.name(),
            port.filter(|_| self.single).map(Into::into),
            event.destination.filter(|_| by_destination),
        );
        if self.said.len() >= MOST || !self.said.insert(key) {
            self.more += 1;
            return;
        }
        let held = port.and_then(|port| match cause {
            Cause::InUse => holder::of_port(event.protocol, port, None),
            Cause::SameDestination | Cause::TimeWait { .. } => {
                holder::of_port(event.protocol, port, event.destination)
            }
            _ => None,
        });
        let miss = Miss {
            event,
            cause,
            port,
            refused,
            single: self.single,
            address: self.address,
            held: held.map(|held| held.sentence()),
        };
        let _ = writeln!(anstream::stderr(), "{}", render::run::missed(&miss));
    }

    pub(super) fn end(&self) {
        if self.more > 0 {
            let more = render::counted(self.more, "more connection");
            let _ = writeln!(anstream::stderr(), "dayfly: {more} went the same way");
        }
    }
}
