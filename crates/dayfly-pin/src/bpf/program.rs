//! The programs that bind inside `connect()`.
//!
//! In words: unless the protocol or the destination is another, or the program has bound the socket
//! itself, go through the ports from where the last one was found. First without `SO_REUSEADDR`,
//! which succeeds only on a port that nobody has. If there is none, once more with it, passing over
//! ports that have a live connection between the same two ends. It is what `choose` does for seccomp.
//!
//! The start of every pinned command waits for the kernel's verifier, which costs about a microsecond
//! for each instruction on each way through the program. So there is one loop for both rounds, lists
//! are gone through in loops as well, and what one way leaves behind differs from what another does
//! only in values that the verifier does not follow: it takes for the same what it does not follow.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::RawFd;

use super::assembler::{Assembler, FRAME, Instruction, Label, R, Width};
use super::table;
use crate::event::{MISSED, PINNED, RECORD, REFUSED};
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

// `struct bpf_sock_addr` and `struct bpf_sock` (`include/uapi/linux/bpf.h`).
const USER_IP4: i16 = 4;
const USER_IP6: i16 = 8;
const USER_PORT: i16 = 24;
const PROTOCOL: i16 = 36;
const SOCKET: i16 = 64;
const SOURCE_IP4: i16 = 24;
const SOURCE_IP6: i16 = 28;
const SOURCE_PORT: i16 = 44;

/// `state` of `struct bpf_sock`, and the one of a listener (`include/net/tcp_states.h`).
const SOCK_STATE: i16 = 72;
const TCP_LISTEN: u32 = 10;

// Helpers, by number.
const GET_CURRENT_PID_TGID: i32 = 14;
const GET_CURRENT_COMM: i32 = 16;
const SETSOCKOPT: i32 = 49;
const BIND: i32 = 64;
const SK_LOOKUP_TCP: i32 = 84;
const SK_RELEASE: i32 = 86;
const RINGBUF_RESERVE: i32 = 131;
const RINGBUF_SUBMIT: i32 = 132;
const SET_RETVAL: i32 = 187;

// The stack. The verifier keeps no values of what does not begin at a multiple of eight.
const NUMBER: i16 = -4;
const CAUSE: i16 = -5;
const HERE: i16 = -6;
const DETAIL: i16 = -12;
/// A `sockaddr_in` or `sockaddr_in6`.
const PLACE: i16 = -48;
const PLACE_PORT: i16 = PLACE + 2;
/// A `struct bpf_sock_tuple` for each family.
const TUPLE6: i16 = -88;
const TUPLE4: i16 = -104;

const CONTEXT: R = R(6);
/// What is looked at: the socket, a place in a list, an event.
const AT: R = R(7);
/// The value of the table's map.
const TABLE: R = R(8);
/// Attempts left.
const LEFT: R = R(9);

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

/// A kind of connection.
#[derive(Clone, Copy)]
struct Kind {
    /// How many words an address has.
    count: i16,
    /// Where the destination's address is in the context.
    destination: i16,
    /// Where the tuple is on the stack.
    tuple: i16,
    /// The addresses of this host.
    list: table::List,
}

const PLAIN4: Kind = Kind { count: 1, destination: USER_IP4, tuple: TUPLE4, list: table::V4 };
const PLAIN6: Kind = Kind { count: 4, destination: USER_IP6, tuple: TUPLE6, list: table::V6 };
/// From an IPv6 socket to an IPv4 destination.
const MAPPED: Kind = Kind { destination: USER_IP6 + 12, ..PLAIN4 };

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

    /// Notes whether the destination is this host.
    fn note_here(&mut self) {
        let noted = self.asm.label();
        let here = self.asm.label();
        if self.family == Family::V4 {
            self.asm.load(Width::Word, R(1), CONTEXT, USER_IP4);
            self.asm.and(R(1), 0xff);
            self.asm.if_equal(R(1), 127, here);
        }
        let kind = self.kinds()[0];
        let next = self.each_address(kind.list, kind.list.here, noted);
        for at in (0..4 * kind.count).step_by(4) {
            self.asm.load(Width::Word, R(2), CONTEXT, kind.destination + at);
            self.asm.load(Width::Word, R(3), R(1), at);
            self.asm.if_registers_differ(R(2), R(3), next);
        }
        self.asm.place(here);
        self.asm.store_value(Width::Byte, FRAME, HERE, 1);
        self.asm.place(noted);
    }

    /// What of the tuples is the same for all attempts. The rest is written as well: inside of the
    /// loop the verifier takes written and never written for two different states.
    fn begin_tuples(&mut self) {
        for kind in self.kinds() {
            let size = 4 * kind.count;
            for at in (0..size).step_by(4) {
                self.asm.load(Width::Word, R(1), CONTEXT, kind.destination + at);
                self.asm.store(Width::Word, FRAME, kind.tuple + at, R(1));
                self.asm.store(Width::Word, FRAME, kind.tuple + size + at, R(1));
            }
            self.asm.load(Width::Word, R(1), CONTEXT, USER_PORT);
            self.asm.store(Width::Half, FRAME, kind.tuple + 2 * size, R(1));
            self.asm.store(Width::Half, FRAME, kind.tuple + 2 * size + 2, R(1));
        }
    }

    /// Which kinds of connections come by.
    const fn kinds(&self) -> &'static [Kind] {
        match self.family {
            Family::V4 => &[PLAIN4],
            Family::V6 => &[PLAIN6, MAPPED],
        }
    }

    /// Tries one port after the other, twice: while all are left to try once more, only ports that
    /// nobody has.
    fn attempts(&mut self, ends: &Ends) {
        let stream = self.asm.label();
        let begin = self.asm.label();
        self.unless_udp(stream);
        self.asm.jump(begin);
        self.asm.place(stream);
        self.set_reuse_address();
        self.asm.place(begin);
        // A number that the verifier does not know, or it would go through every pass.
        self.asm.load(Width::Word, LEFT, TABLE, table::COUNT);
        self.asm.shift_left(LEFT, 1);
        let next = self.asm.here();
        self.asm.if_zero(LEFT, ends.missed);
        self.asm.leave_some_time(ends.missed);
        self.asm.add(LEFT, -1);
        self.pick(ends.missed);
        self.pass_over_itself(next);
        let ready = self.asm.label();
        self.asm.load(Width::Word, R(1), TABLE, table::COUNT);
        self.asm.if_not_below_register(LEFT, R(1), ready);
        // The other socket would get the replies.
        let stream = self.asm.label();
        self.unless_udp(stream);
        self.asm.jump(ends.missed);
        self.asm.place(stream);
        self.asm.store_value(Width::Word, FRAME, NUMBER, 1);
        self.set_reuse_address();
        self.pass_over_live(next, ready);
        self.asm.place(ready);
        self.bind();
        self.asm.if_equal(R(0), 0, ends.found);
        self.asm.if_equal(R(0), -libc::EADDRINUSE as u32, next);
        self.asm.jump(ends.failed);
    }

    /// The next port in the list, in network order in R2 and in its place.
    fn pick(&mut self, end: Label) {
        // Kept in the map: in a register the verifier would follow it from pass to pass.
        self.asm.load(Width::Word, AT, TABLE, table::NEXT);
        self.asm.remainder(AT, self.recipe.count as i32);
        // For the verifier, which does not know what a remainder is.
        self.asm.if_not_below(AT, self.recipe.count as i32, end);
        self.asm.copy(R(1), AT);
        self.asm.shift_left(R(1), 1);
        self.asm.add_register(R(1), TABLE);
        self.asm.load(Width::Half, R(2), R(1), table::PORTS);
        self.asm.add(AT, 1);
        self.asm.store(Width::Word, TABLE, table::NEXT, AT);
        self.asm.store(Width::Half, FRAME, PLACE_PORT, R(2));
    }

    fn unless_udp(&mut self, stream: Label) {
        if self.recipe.udp {
            self.asm.load(Width::Word, R(1), CONTEXT, PROTOCOL);
            self.asm.if_not_equal(R(1), libc::IPPROTO_UDP as u32, stream);
        } else {
            self.asm.jump(stream);
        }
    }

    /// A connection from this port to the same port of this host would be one to itself.
    fn pass_over_itself(&mut self, next: Label) {
        let fine = self.asm.label();
        self.asm.load(Width::Word, R(1), CONTEXT, USER_PORT);
        self.asm.if_registers_differ(R(1), R(2), fine);
        self.asm.load(Width::Byte, R(1), FRAME, HERE);
        self.asm.if_equal(R(1), 0, fine);
        self.asm.store_value(Width::Byte, FRAME, CAUSE, 3);
        self.asm.jump(next);
        self.asm.place(fine);
    }

    /// Passes over the port if a live connection has the same two ends. Which source address the
    /// kernel will choose is not known yet: every one of this host's counts.
    fn pass_over_live(&mut self, next: Label, ready: Label) {
        if self.family == Family::V4 {
            return self.pass_over_live_of(PLAIN4, next, ready);
        }
        let real = self.asm.label();
        self.unless_mapped(real);
        self.pass_over_live_of(MAPPED, next, ready);
        self.asm.place(real);
        self.pass_over_live_of(PLAIN6, next, ready);
    }

    fn pass_over_live_of(&mut self, kind: Kind, next: Label, ready: Label) {
        let size = 4 * kind.count;
        self.asm.load(Width::Half, R(1), FRAME, PLACE_PORT);
        self.asm.store(Width::Half, FRAME, kind.tuple + 2 * size + 2, R(1));
        let another = self.each_address(kind.list, kind.list.sources, ready);
        for at in (0..size).step_by(4) {
            self.asm.load(Width::Word, R(2), R(1), at);
            self.asm.store(Width::Word, FRAME, kind.tuple + size + at, R(2));
        }
        self.asm.copy(R(1), CONTEXT);
        self.asm.copy(R(2), FRAME);
        self.asm.add(R(2), kind.tuple.into());
        self.asm.set(R(3), i32::from(2 * size) + 4);
        // BPF_F_CURRENT_NETNS.
        self.asm.set(R(4), -1);
        self.asm.set(R(5), 0);
        self.asm.call(SK_LOOKUP_TCP);
        self.asm.if_zero(R(0), another);
        self.asm.load(Width::Word, R(1), R(0), SOCK_STATE);
        self.asm.store(Width::Word, FRAME, NUMBER, R(1));
        self.asm.copy(R(1), R(0));
        self.asm.call(SK_RELEASE);
        // The kernel falls back to a listener on the port: no tuple. `bind()` decides.
        self.asm.load(Width::Word, R(1), FRAME, NUMBER);
        self.asm.if_equal(R(1), TCP_LISTEN, another);
        self.asm.store_value(Width::Byte, FRAME, CAUSE, 1);
        self.asm.jump(next);
    }

    /// Begins a loop over the first addresses of a list, as many as the number at `count` in the
    /// table says; each one in turn is where R1 points to. Returns where the next pass begins.
    fn each_address(&mut self, list: table::List, count: i16, end: Label) -> Label {
        self.asm.load(Width::Word, AT, TABLE, count);
        let next = self.asm.here();
        self.asm.if_zero(AT, end);
        self.asm.leave_some_time(end);
        self.asm.add(AT, -1);
        // For the verifier, which does not know what the number is.
        self.asm.if_not_below(AT, table::MOST_ADDRESSES as i32, end);
        self.asm.copy(R(1), AT);
        self.asm.shift_left(R(1), list.shift);
        self.asm.add_register(R(1), TABLE);
        self.asm.add(R(1), list.addresses.into());
        next
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

    /// Sends a record (`event::Event::to_record`).
    fn tell(&mut self, kind: u8) {
        let sent = self.asm.label();
        let lost = self.asm.label();
        self.asm.map(R(1), self.recipe.events);
        self.asm.set(R(2), RECORD as i32);
        self.asm.set(R(3), 0);
        self.asm.call(RINGBUF_RESERVE);
        self.asm.if_zero(R(0), lost);
        self.asm.copy(AT, R(0));
        for at in (0..RECORD as i16).step_by(8) {
            self.asm.store_value(Width::Double, AT, at, 0);
        }
        self.asm.store_value(Width::Byte, AT, 0, kind.into());
        if kind != PINNED {
            self.asm.load(Width::Byte, R(1), FRAME, CAUSE);
            self.asm.store(Width::Byte, AT, 1, R(1));
            self.asm.load(Width::Word, R(1), FRAME, DETAIL);
            self.asm.store(Width::Word, AT, 4, R(1));
        }
        let stream = self.asm.label();
        self.unless_udp(stream);
        self.asm.store_value(Width::Byte, AT, 2, 1);
        self.asm.place(stream);
        self.asm.load(Width::Half, R(1), FRAME, PLACE_PORT);
        self.asm.swap_half(R(1));
        self.asm.store(Width::Half, AT, 12, R(1));
        self.asm.load(Width::Word, R(1), CONTEXT, USER_PORT);
        self.asm.swap_half(R(1));
        self.asm.store(Width::Half, AT, 14, R(1));
        self.tell_addresses();
        self.asm.call(GET_CURRENT_PID_TGID);
        self.asm.store(Width::Word, AT, 8, R(0));
        self.asm.store_value(Width::Byte, AT, 48, 16);
        self.asm.copy(R(1), AT);
        self.asm.add(R(1), 49);
        self.asm.set(R(2), 16);
        self.asm.call(GET_CURRENT_COMM);
        self.asm.copy(R(1), AT);
        self.asm.set(R(2), 0);
        self.asm.call(RINGBUF_SUBMIT);
        self.asm.jump(sent);
        self.asm.place(lost);
        self.asm.load(Width::Word, R(2), TABLE, table::LOST_EVENTS);
        self.asm.add(R(2), 1);
        self.asm.store(Width::Word, TABLE, table::LOST_EVENTS, R(2));
        self.asm.place(sent);
    }

    /// The addresses of a record, as IPv6 has them, and which of them there are.
    fn tell_addresses(&mut self) {
        let (count, _, within) = self.layout();
        let skipped = 4 * (4 - count);
        self.asm.set(R(2), 0);
        for at in (0..4 * count).step_by(4) {
            self.asm.load(Width::Word, R(1), CONTEXT, self.user_ip() + at);
            self.asm.store(Width::Word, AT, 16 + skipped + at, R(1));
            self.asm.load(Width::Word, R(1), FRAME, PLACE + within + at);
            self.asm.store(Width::Word, AT, 32 + skipped + at, R(1));
            self.asm.or_register(R(2), R(1));
        }
        if self.family == Family::V4 {
            let mapped = u32::from_ne_bytes([0, 0, 0xff, 0xff]) as i32;
            for start in [16, 32] {
                self.asm.store_value(Width::Word, AT, start + 8, mapped);
            }
        }
        let any = self.asm.label();
        self.asm.store_value(Width::Byte, AT, 3, 1);
        self.asm.if_equal(R(2), 0, any);
        self.asm.store_value(Width::Byte, AT, 3, 3);
        self.asm.place(any);
    }
}

fn word(address: Ipv4Addr) -> u32 {
    u32::from_ne_bytes(address.octets())
}

fn words(address: Ipv6Addr) -> Vec<u32> {
    let octets = address.octets();
    octets.chunks(4).map(|four| u32::from_ne_bytes([four[0], four[1], four[2], four[3]])).collect()
}
