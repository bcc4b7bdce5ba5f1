//! The search for a port: one loop, passing over what would fail.

use super::frame::{
    AT, CAUSE, CONTEXT, HERE, Kind, LEFT, MAPPED, NUMBER, PLACE_PORT, PLAIN4, PLAIN6,
    SK_LOOKUP_TCP, SK_RELEASE, SOCK_STATE, TABLE, TCP_LISTEN, USER_IP4, USER_PORT,
};
use super::table;
use super::{Ends, FRAME, Family, Label, R, Width, Writer};

impl Writer<'_> {
    /// Which kinds of connections come by.
    const fn kinds(&self) -> &'static [Kind] {
        match self.family {
            Family::V4 => &[PLAIN4],
            Family::V6 => &[PLAIN6, MAPPED],
        }
    }

    /// Notes whether the destination is this host.
    pub(super) fn note_here(&mut self) {
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
    pub(super) fn begin_tuples(&mut self) {
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

    /// Tries one port after the other: the next few only if nobody has them, then every one.
    pub(super) fn attempts(&mut self, ends: &Ends) {
        let stream = self.asm.label();
        let begin = self.asm.label();
        self.unless_udp(stream);
        self.asm.jump(begin);
        self.asm.place(stream);
        // Off: the number on the stack is still 0.
        self.set_reuse_address();
        self.asm.place(begin);
        // A number that the verifier does not know, or it would go through every pass.
        self.asm.load(Width::Word, LEFT, TABLE, table::ATTEMPTS);
        let next = self.asm.here();
        self.asm.if_zero(LEFT, ends.missed);
        self.asm.leave_some_time(ends.missed);
        self.asm.add(LEFT, -1);
        self.pick(ends.missed);
        self.pass_over_itself(next);
        let ready = self.asm.label();
        self.asm.load(Width::Word, R(1), TABLE, table::COUNT);
        self.asm.if_not_below_register(LEFT, R(1), ready);
        // Of UDP sockets, the other one would get the replies: they share no port.
        let stream = self.asm.label();
        self.unless_udp(stream);
        self.asm.jump(ready);
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
}
