//! BPF instructions and labels (`Documentation/bpf/standardization/instruction-set.rst`).

use std::os::fd::RawFd;

/// One instruction: opcode, registers, offset, immediate value, as the kernel reads them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Instruction {
    code: u8,
    /// Destination in the low four bits, source in the high ones.
    registers: u8,
    offset: i16,
    immediate: i32,
}

/// A register. R0 takes results, R1 to R5 arguments, which calls destroy; R6 to R9 are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct R(pub(crate) u8);

/// The end of the stack, which grows downwards.
pub(crate) const FRAME: R = R(10);

/// The width of a load or a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Byte,
    Half,
    Word,
    Double,
}

/// A place in the program that jumps go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Label(usize);

/// A program under construction.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    program: Vec<Instruction>,
    /// Where each label is.
    labels: Vec<Option<usize>>,
    /// Jumps and the labels that they go to.
    jumps: Vec<(usize, Label)>,
}

impl Width {
    /// `BPF_SIZE` and `BPF_MEM`.
    const fn bits(self) -> u8 {
        0x60 | match self {
            Width::Word => 0x00,
            Width::Half => 0x08,
            Width::Byte => 0x10,
            Width::Double => 0x18,
        }
    }
}

impl Assembler {
    /// A label without a place yet.
    pub(crate) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label is here.
    pub(crate) fn place(&mut self, label: Label) {
        self.labels[label.0] = Some(self.program.len());
    }

    /// A label that is here.
    pub(crate) fn here(&mut self) -> Label {
        let label = self.label();
        self.place(label);
        label
    }

    pub(crate) fn copy(&mut self, to: R, from: R) {
        self.push(0xbf, to, from, 0, 0);
    }

    pub(crate) fn set(&mut self, to: R, value: i32) {
        self.push(0xb7, to, R(0), 0, value);
    }

    pub(crate) fn add(&mut self, to: R, value: i32) {
        self.push(0x07, to, R(0), 0, value);
    }

    pub(crate) fn add_register(&mut self, to: R, from: R) {
        self.push(0x0f, to, from, 0, 0);
    }

    pub(crate) fn or_register(&mut self, to: R, from: R) {
        self.push(0x4f, to, from, 0, 0);
    }

    /// The low 32 bits; the others become 0.
    pub(crate) fn exclusive_or(&mut self, to: R, value: u32) {
        self.push(0xa4, to, R(0), 0, value as i32);
    }

    pub(crate) fn and(&mut self, to: R, value: i32) {
        self.push(0x57, to, R(0), 0, value);
    }

    /// Unsigned, all 64 bits.
    pub(crate) fn remainder(&mut self, of: R, divisor: i32) {
        self.push(0x97, of, R(0), 0, divisor);
    }

    pub(crate) fn shift_left(&mut self, to: R, bits: i32) {
        self.push(0x67, to, R(0), 0, bits);
    }

    pub(crate) fn negate(&mut self, to: R) {
        self.push(0x87, to, R(0), 0, 0);
    }

    /// Between network order and the machine's: both architectures are little-endian.
    pub(crate) fn swap_half(&mut self, to: R) {
        self.push(0xdc, to, R(0), 0, 16);
    }

    pub(crate) fn load(&mut self, width: Width, to: R, base: R, offset: i16) {
        self.push(0x01 | width.bits(), to, base, offset, 0);
    }

    pub(crate) fn store(&mut self, width: Width, base: R, offset: i16, from: R) {
        self.push(0x03 | width.bits(), base, from, offset, 0);
    }

    pub(crate) fn store_value(&mut self, width: Width, base: R, offset: i16, value: i32) {
        self.push(0x02 | width.bits(), base, R(0), offset, value);
    }

    /// The map itself, for helpers.
    pub(crate) fn map(&mut self, to: R, map: RawFd) {
        self.push(0x18, to, R(1), 0, map);
        self.push(0, R(0), R(0), 0, 0);
    }

    /// The first value of an array map.
    pub(crate) fn map_value(&mut self, to: R, map: RawFd) {
        self.push(0x18, to, R(2), 0, map);
        self.push(0, R(0), R(0), 0, 0);
    }

    /// Calls a helper by its number (`__BPF_FUNC_MAPPER`, `include/uapi/linux/bpf.h`).
    pub(crate) fn call(&mut self, helper: i32) {
        self.push(0x85, R(0), R(0), 0, helper);
    }

    pub(crate) fn exit(&mut self) {
        self.push(0x95, R(0), R(0), 0, 0);
    }

    pub(crate) fn jump(&mut self, to: Label) {
        self.jump_with(0x05, R(0), R(0), 0, to);
    }

    /// Compares the low 32 bits.
    pub(crate) fn if_equal(&mut self, register: R, value: u32, to: Label) {
        self.jump_with(0x16, register, R(0), value as i32, to);
    }

    /// Compares the low 32 bits.
    pub(crate) fn if_not_equal(&mut self, register: R, value: u32, to: Label) {
        self.jump_with(0x56, register, R(0), value as i32, to);
    }

    pub(crate) fn if_registers_differ(&mut self, one: R, other: R, to: Label) {
        self.jump_with(0x5d, one, other, 0, to);
    }

    /// Compares all 64 bits.
    pub(crate) fn if_zero(&mut self, register: R, to: Label) {
        self.jump_with(0x15, register, R(0), 0, to);
    }

    /// Unsigned, all 64 bits.
    pub(crate) fn if_not_below(&mut self, register: R, value: i32, to: Label) {
        self.jump_with(0x35, register, R(0), value, to);
    }

    /// Unsigned, all 64 bits.
    pub(crate) fn if_not_below_register(&mut self, one: R, other: R, to: Label) {
        self.jump_with(0x3d, one, other, 0, to);
    }

    /// `may_goto` (since 6.9): jumps after eight million passes at the latest, which is what makes a
    /// loop acceptable whose end the verifier cannot see.
    pub(crate) fn leave_some_time(&mut self, to: Label) {
        self.jump_with(0xe5, R(0), R(0), 0, to);
    }

    /// The program, its jumps resolved and without what no jump reaches: the kernel refuses that.
    ///
    /// # Panics
    /// When a label has no place or a jump is too far, which no input can cause.
    pub(crate) fn finish(self) -> Vec<Instruction> {
        let mut targets = vec![None; self.program.len()];
        for (at, label) in &self.jumps {
            targets[*at] = self.labels[label.0];
        }
        let reached = reached(&self.program, &targets);
        // Where each instruction ends up.
        let mut places = Vec::with_capacity(reached.len());
        let mut kept = 0;
        for reached in &reached {
            places.push(kept);
            kept += usize::from(*reached);
        }
        let instructions = self.program.iter().zip(&targets).zip(&reached).enumerate();
        instructions
            .filter(|(_, (_, reached))| **reached)
            .map(|(at, ((instruction, target), _))| {
                let Some(target) = target else { return *instruction };
                let distance = places[*target] as isize - places[at] as isize - 1;
                assert!(i16::try_from(distance).is_ok());
                Instruction { offset: distance as i16, ..*instruction }
            })
            .collect()
    }

    fn jump_with(&mut self, code: u8, one: R, other: R, value: i32, to: Label) {
        self.jumps.push((self.program.len(), to));
        self.push(code, one, other, 0, value);
    }

    fn push(&mut self, code: u8, to: R, from: R, offset: i16, immediate: i32) {
        let registers = from.0 << 4 | to.0;
        self.program.push(Instruction { code, registers, offset, immediate });
    }
}

/// Which instructions can be come to from the first.
fn reached(program: &[Instruction], targets: &[Option<usize>]) -> Vec<bool> {
    const JUMP: u8 = 0x05;
    const EXIT: u8 = 0x95;
    let mut reached = vec![false; program.len()];
    let mut waiting = vec![0];
    while let Some(at) = waiting.pop() {
        if std::mem::replace(&mut reached[at], true) {
            continue;
        }
        waiting.extend(targets[at]);
        if !matches!(program[at].code, JUMP | EXIT) {
            waiting.push(at + 1);
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_jump_reaches_is_left_out() {
        let mut asm = Assembler::default();
        let (end, never) = (asm.label(), asm.label());
        asm.set(R(0), 1);
        asm.jump(end);
        asm.place(never);
        asm.set(R(0), 2);
        asm.jump(never);
        asm.place(end);
        asm.exit();
        let program = asm.finish();
        assert_eq!(program.iter().map(|each| each.code).collect::<Vec<_>>(), [0xb7, 0x05, 0x95]);
        assert_eq!(program[1].offset, 0);
    }

    #[test]
    fn jumps_go_both_ways() {
        let mut asm = Assembler::default();
        let end = asm.label();
        let again = asm.here();
        asm.if_zero(R(1), end);
        asm.jump(again);
        asm.place(end);
        asm.exit();
        let offsets: Vec<_> = asm.finish().iter().map(|each| each.offset).collect();
        assert_eq!(offsets, [1, -2, 0]);
    }
}
