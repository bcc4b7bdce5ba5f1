//! The programs that bind inside `connect()`.
//!
//! In words: unless the protocol or the destination is another, or the program has bound the socket
//! itself, go through the ports from where the last one was found. First, for the next few, without
//! `SO_REUSEADDR`, which succeeds only on a port that nobody has. Then through all of them with it,
//! passing over ports that have a live connection between the same two ends. It is what `choose` does
//! for seccomp.
//!
//! The start of every pinned command waits for the kernel's verifier, which costs about a microsecond
//! for each instruction on each way through the program. So there is one loop for both rounds, lists
//! are gone through in loops as well, and what one way leaves behind differs from what another does
//! only in values that the verifier does not follow: it takes for the same what it does not follow.

mod frame;
mod search;
mod tell;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;

use frame::{
    AT, BIND, CAUSE, CONTEXT, DETAIL, HERE, NUMBER, PLACE, PLACE_PORT, PROTOCOL, SET_RETVAL,
    SETSOCKOPT, SOCKET, SOURCE_IP4, SOURCE_IP6, SOURCE_PORT, TABLE, USER_IP4, USER_IP6, USER_PORT,
};

use super::assembler::{Assembler, FRAME, Instruction, Label, R, Width};
use super::table;
use crate::event::{MISSED, PINNED, REFUSED};
use crate::pin::Destination;

/// What the programs are made from.
#[derive(Debug)]
pub(crate) struct Recipe<'a> {
    /// The array map with ports and addresses; see [`table`].
    pub(crate) table: RawFd,
    /// The ring buffer for events.
    pub(crate) events: RawFd,
    /// How many ports there are; 0: any port, only the address is fixed.
    pub(crate) count: u32,
    pub(crate) address: Option<IpAddr>,
    pub(crate) destinations: &'a [Destination],
    pub(crate) udp: bool,
    pub(crate) strict: bool,
    pub(crate) report: bool,
}

/// Which of the two programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

/// The program for one family.
pub(crate) fn assemble(family: Family, recipe: &Recipe<'_>) -> Vec<Instruction> {
    Writer { asm: Assembler::default(), family, recipe }.write()
}

struct Writer<'a> {
    asm: Assembler,
    family: Family,
    recipe: &'a Recipe<'a>,
}

/// Where the attempts end.
struct Ends {
    found: Label,
    missed: Label,
    failed: Label,
}

impl Writer<'_> {
    fn write(mut self) -> Vec<Instruction> {
        let allow = self.asm.label();
        let ends =
            Ends { found: self.asm.label(), missed: self.asm.label(), failed: self.asm.label() };
        self.asm.copy(CONTEXT, R(1));
        self.only_wanted(allow);
        self.asm.map_value(TABLE, self.recipe.table);
        self.nothing_yet();
        self.address(ends.missed);
        if self.recipe.count == 0 {
            self.bind();
            self.asm.if_equal(R(0), 0, ends.found);
            self.asm.jump(ends.failed);
        } else {
            self.begin_tuples();
            self.note_here();
            self.attempts(&ends);
        }
        self.found(&ends, allow);
        self.failed(&ends);
        self.missed(&ends);
        self.asm.place(allow);
        self.asm.set(R(0), 1);
        self.asm.exit();
        self.asm.finish()
    }

    /// Leaves everything alone but unbound sockets of the wanted protocols and destinations.
    fn only_wanted(&mut self, allow: Label) {
        let wanted = self.asm.label();
        self.asm.load(Width::Word, R(1), CONTEXT, PROTOCOL);
        if self.recipe.udp {
            self.asm.if_equal(R(1), libc::IPPROTO_UDP as u32, wanted);
        }
        self.asm.if_not_equal(R(1), libc::IPPROTO_TCP as u32, allow);
        self.asm.place(wanted);
        self.asm.load(Width::Double, AT, CONTEXT, SOCKET);
        self.asm.load(Width::Word, R(1), AT, SOURCE_PORT);
        self.asm.if_not_equal(R(1), 0, allow);
        // An IPv6 socket that is given an IPv4 address comes by here too, for UDP.
        let family = match self.family {
            Family::V4 => libc::AF_INET,
            Family::V6 => libc::AF_INET6,
        };
        self.asm.load(Width::Word, R(1), AT, 4);
        self.asm.if_not_equal(R(1), family as u32, allow);
        if self.recipe.destinations.is_empty() {
            return;
        }
        let concerned = self.asm.label();
        for destination in self.recipe.destinations {
            let Some(address) = self.in_family(destination.address) else { continue };
            let other = self.asm.label();
            self.unless_destination(&address, other);
            if let Some(port) = destination.port {
                self.asm.load(Width::Word, R(1), CONTEXT, USER_PORT);
                self.asm.if_not_equal(R(1), port.number().to_be().into(), other);
            }
            self.asm.jump(concerned);
            self.asm.place(other);
        }
        self.asm.jump(allow);
        self.asm.place(concerned);
    }

    /// The words of an address as this family has it; none if it has not.
    fn in_family(&self, address: IpAddr) -> Option<Vec<u32>> {
        match (self.family, address) {
            (Family::V4, IpAddr::V4(address)) => Some(vec![word(address)]),
            (Family::V4, IpAddr::V6(_)) => None,
            (Family::V6, IpAddr::V4(address)) => Some(words(address.to_ipv6_mapped())),
            (Family::V6, IpAddr::V6(address)) => Some(words(address)),
        }
    }

    /// Jumps unless the destination is this address.
    fn unless_destination(&mut self, address: &[u32], other: Label) {
        let base = self.user_ip();
        for (index, word) in address.iter().enumerate() {
            self.asm.load(Width::Word, R(1), CONTEXT, base + 4 * index as i16);
            self.asm.if_not_equal(R(1), *word, other);
        }
    }

    const fn user_ip(&self) -> i16 {
        match self.family {
            Family::V4 => USER_IP4,
            Family::V6 => USER_IP6,
        }
    }

    /// How many words an address has, where it is in a socket and where in a `sockaddr`.
    const fn layout(&self) -> (i16, i16, i16) {
        match self.family {
            Family::V4 => (1, SOURCE_IP4, 4),
            Family::V6 => (4, SOURCE_IP6, 8),
        }
    }

    /// Clears what is noted on the way, with a zero of which the verifier does not know that it is
    /// one.
    fn nothing_yet(&mut self) {
        self.asm.load(Width::Word, R(1), TABLE, table::ZERO);
        self.asm.store(Width::Byte, FRAME, CAUSE, R(1));
        self.asm.store(Width::Byte, FRAME, HERE, R(1));
        self.asm.store(Width::Word, FRAME, DETAIL, R(1));
        self.asm.store(Width::Word, FRAME, NUMBER, R(1));
        for at in (0..32).step_by(8) {
            self.asm.store_value(Width::Double, FRAME, PLACE + at, 0);
        }
        self.asm.store(Width::Half, FRAME, PLACE_PORT, R(1));
    }

    /// The `sockaddr` to bind to: the address that the program chose, else the one that is wanted,
    /// else any. The socket is in AT.
    fn address(&mut self, missed: Label) {
        let (count, source, within) = self.layout();
        let family = if count == 1 { libc::AF_INET } else { libc::AF_INET6 };
        self.asm.store_value(Width::Half, FRAME, PLACE, family);
        self.asm.set(R(2), 0);
        for index in 0..count {
            self.asm.load(Width::Word, R(1), AT, source + 4 * index);
            self.asm.store(Width::Word, FRAME, PLACE + within + 4 * index, R(1));
            self.asm.or_register(R(2), R(1));
        }
        let Some(wanted) = self.recipe.address else { return };
        let done = self.asm.label();
        self.asm.if_not_equal(R(2), 0, done);
        let fits = self.asm.label();
        let unfit = self.asm.label();
        match (self.family, wanted) {
            (Family::V4, IpAddr::V4(_)) => self.asm.jump(fits),
            (Family::V4, IpAddr::V6(_)) => self.asm.jump(unfit),
            // Through an IPv6 socket to an IPv4-mapped destination, or to a real one.
            (Family::V6, IpAddr::V4(_)) => {
                self.unless_mapped(unfit);
                self.asm.jump(fits);
            }
            (Family::V6, IpAddr::V6(_)) => {
                self.unless_mapped(fits);
                self.asm.jump(unfit);
            }
        }
        self.asm.place(fits);
        for (index, word) in self.in_family(wanted).into_iter().flatten().enumerate() {
            let at = PLACE + within + 4 * index as i16;
            self.asm.store_value(Width::Word, FRAME, at, word as i32);
        }
        self.asm.jump(done);
        self.asm.place(unfit);
        self.asm.store_value(Width::Byte, FRAME, CAUSE, 6);
        self.asm.jump(missed);
        self.asm.place(done);
    }

    /// Jumps unless the destination is an IPv4 address in an IPv6 one. One jump for three words: the
    /// verifier goes on from each.
    fn unless_mapped(&mut self, other: Label) {
        self.asm.load(Width::Word, R(1), CONTEXT, USER_IP6 + 8);
        self.asm.exclusive_or(R(1), u32::from_ne_bytes([0, 0, 0xff, 0xff]));
        for at in [0, 4] {
            self.asm.load(Width::Word, R(2), CONTEXT, USER_IP6 + at);
            self.asm.or_register(R(1), R(2));
        }
        self.asm.if_not_equal(R(1), 0, other);
    }

    fn unless_udp(&mut self, stream: Label) {
        if self.recipe.udp {
            self.asm.load(Width::Word, R(1), CONTEXT, PROTOCOL);
            self.asm.if_not_equal(R(1), libc::IPPROTO_UDP as u32, stream);
        } else {
            self.asm.jump(stream);
        }
    }

    fn bind(&mut self) {
        self.asm.copy(R(1), CONTEXT);
        self.asm.copy(R(2), FRAME);
        self.asm.add(R(2), PLACE.into());
        self.asm.set(R(3), if self.family == Family::V4 { 16 } else { 28 });
        self.asm.call(BIND);
    }

    /// To the number that is on the stack.
    fn set_reuse_address(&mut self) {
        self.asm.copy(R(1), CONTEXT);
        self.asm.set(R(2), libc::SOL_SOCKET);
        self.asm.set(R(3), libc::SO_REUSEADDR);
        self.asm.copy(R(4), FRAME);
        self.asm.add(R(4), NUMBER.into());
        self.asm.set(R(5), 4);
        self.asm.call(SETSOCKOPT);
    }

    fn found(&mut self, ends: &Ends, allow: Label) {
        self.asm.place(ends.found);
        if self.recipe.count > 0 {
            let stream = self.asm.label();
            let bound = self.asm.label();
            self.unless_udp(stream);
            self.asm.jump(bound);
            self.asm.place(stream);
            // For the next one to share with.
            self.asm.store_value(Width::Word, FRAME, NUMBER, 1);
            self.set_reuse_address();
            self.asm.place(bound);
            if self.recipe.report {
                self.tell(PINNED);
            }
        }
        self.asm.jump(allow);
    }

    /// `bind()` said something else than that the port is in use: R0.
    fn failed(&mut self, ends: &Ends) {
        self.asm.place(ends.failed);
        for (errno, cause) in [(libc::EACCES, 4), (libc::EADDRNOTAVAIL, 5), (libc::EADDRINUSE, 0)] {
            let other = self.asm.label();
            self.asm.if_not_equal(R(0), -errno as u32, other);
            self.asm.set(R(1), cause);
            self.asm.store(Width::Byte, FRAME, CAUSE, R(1));
            self.asm.jump(ends.missed);
            self.asm.place(other);
        }
        self.asm.negate(R(0));
        self.asm.store(Width::Word, FRAME, DETAIL, R(0));
        self.asm.store_value(Width::Byte, FRAME, CAUSE, 8);
    }

    /// No port: falls through to letting it go, unless that is not wanted.
    fn missed(&mut self, ends: &Ends) {
        self.asm.place(ends.missed);
        self.tell(if self.recipe.strict { REFUSED } else { MISSED });
        if self.recipe.strict {
            self.asm.load(Width::Byte, R(2), FRAME, CAUSE);
            let call = self.asm.label();
            for (cause, errno) in
                [(4, libc::EACCES), (5, libc::EADDRNOTAVAIL), (6, libc::EADDRNOTAVAIL)]
            {
                self.asm.set(R(1), -errno);
                self.asm.if_equal(R(2), cause, call);
            }
            self.asm.set(R(1), -libc::EADDRINUSE);
            self.asm.place(call);
            self.asm.call(SET_RETVAL);
            self.asm.set(R(0), 0);
            self.asm.exit();
        }
    }
}

fn word(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

fn words(address: Ipv6Addr) -> Vec<u32> {
    let octets = address.octets();
    octets.chunks(4).map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]])).collect()
}
