//! Telling what happened: a record in the ring buffer.

use super::frame::{
    AT, CAUSE, CONTEXT, DETAIL, GET_CURRENT_COMM, GET_CURRENT_PID_TGID, PLACE, PLACE_PORT,
    RINGBUF_RESERVE, RINGBUF_SUBMIT, TABLE, USER_PORT,
};
use super::table;
use super::{FRAME, Family, R, Width, Writer};
use crate::event::{PINNED, RECORD};

impl Writer<'_> {
    /// Sends a record (`event::Event::to_record`).
    pub(super) fn tell(&mut self, kind: u8) {
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
