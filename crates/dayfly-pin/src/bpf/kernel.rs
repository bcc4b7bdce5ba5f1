//! bpf(2): maps, programs, links. The attributes are laid out by hand (`union bpf_attr` in
//! `include/uapi/linux/bpf.h`); what is left out is zero, and older kernels accept that.

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use super::assembler::Instruction;
use crate::error::Error;
use crate::sys::checked;

const MAP_CREATE: i64 = 0;
const MAP_LOOKUP_ELEM: i64 = 1;
const MAP_UPDATE_ELEM: i64 = 2;
const PROG_LOAD: i64 = 5;
const LINK_CREATE: i64 = 28;

const ARRAY: u32 = 2;
const RINGBUF: u32 = 27;
const CGROUP_SOCK_ADDR: u32 = 18;

/// `enum bpf_attach_type`.
pub(crate) const INET4_CONNECT: u32 = 10;
/// `enum bpf_attach_type`.
pub(crate) const INET6_CONNECT: u32 = 11;

/// An array map with one value.
pub(crate) fn value_map(value: &[u8]) -> Result<OwnedFd, Error> {
    let map = create(ARRAY, 4, value.len() as u32, 1, "the BPF map cannot be made")?;
    element(MAP_UPDATE_ELEM, &map, value.as_ptr() as u64)
        .map_err(|error| Error::Bpf { doing: "the BPF map cannot be filled", error })?;
    Ok(map)
}

/// The value of such a map.
pub(crate) fn value_in(map: &OwnedFd, length: usize) -> io::Result<Vec<u8>> {
    let mut value = vec![0; length];
    element(MAP_LOOKUP_ELEM, map, value.as_mut_ptr() as u64)?;
    Ok(value)
}

/// A ring buffer of so many bytes, a power of two and at least a page.
pub(crate) fn ring(bytes: u32) -> Result<OwnedFd, Error> {
    create(RINGBUF, 0, 0, bytes, "the BPF ring buffer cannot be made")
}

/// Has the kernel verify a program.
pub(crate) fn load(program: &[Instruction], attach: u32) -> Result<OwnedFd, Error> {
    let mut attributes = Attributes::default();
    attributes.word(0, CGROUP_SOCK_ADDR);
    attributes.word(4, program.len() as u32);
    attributes.double(8, program.as_ptr() as u64);
    // Helpers that the kernel lets only such programs call.
    attributes.double(16, c"GPL".as_ptr() as u64);
    attributes.bytes(48, b"dayfly_pin");
    attributes.word(68, attach);
    let doing = "the BPF program cannot be loaded";
    attributes.descriptor(PROG_LOAD).map_err(|error| Error::Bpf { doing, error })
}

/// What the verifier says to a program, for tests. Level 1: what is wrong with it; 4: how much work
/// it was.
#[cfg(test)]
pub(crate) fn words_of_verifier(program: &[Instruction], attach: u32, level: u32) -> String {
    let mut text = vec![0_u8; 1 << 22];
    let mut attributes = Attributes::default();
    attributes.word(0, CGROUP_SOCK_ADDR);
    attributes.word(4, program.len() as u32);
    attributes.double(8, program.as_ptr() as u64);
    attributes.double(16, c"GPL".as_ptr() as u64);
    attributes.word(24, level);
    attributes.word(28, text.len() as u32);
    attributes.double(32, text.as_mut_ptr() as u64);
    attributes.word(68, attach);
    let result = attributes.descriptor(PROG_LOAD);
    let length = text.iter().position(|byte| *byte == 0).unwrap_or(0);
    format!("{result:?}\n{}", String::from_utf8_lossy(&text[length.saturating_sub(3000)..length]))
}

/// Attaches a program to a cgroup for as long as the link is open. Other programs there stay.
pub(crate) fn attach(program: &OwnedFd, group: &OwnedFd, attach: u32) -> Result<OwnedFd, Error> {
    let mut attributes = Attributes::default();
    attributes.word(0, program.as_raw_fd() as u32);
    attributes.word(4, group.as_raw_fd() as u32);
    attributes.word(8, attach);
    let doing = "the BPF program cannot be attached to the cgroup";
    attributes.descriptor(LINK_CREATE).map_err(|error| Error::Bpf { doing, error })
}

fn create(
    kind: u32,
    key: u32,
    value: u32,
    entries: u32,
    doing: &'static str,
) -> Result<OwnedFd, Error> {
    let mut attributes = Attributes::default();
    for (index, number) in [kind, key, value, entries].into_iter().enumerate() {
        attributes.word(4 * index, number);
    }
    attributes.descriptor(MAP_CREATE).map_err(|error| Error::Bpf { doing, error })
}

/// Reads or writes the first value of a map.
fn element(command: i64, map: &OwnedFd, value: u64) -> io::Result<()> {
    let key = 0_u32;
    let mut attributes = Attributes::default();
    attributes.word(0, map.as_fd().as_raw_fd() as u32);
    attributes.double(8, &raw const key as u64);
    attributes.double(16, value);
    attributes.call(command).map(|_| ())
}

/// The beginning of `union bpf_attr`.
#[derive(Default)]
#[repr(C, align(8))]
struct Attributes([u8; 32], [u8; 32], [u8; 32], [u8; 24]);

impl Attributes {
    const SIZE: usize = 120;

    fn word(&mut self, at: usize, value: u32) {
        self.bytes(at, &value.to_ne_bytes());
    }

    fn double(&mut self, at: usize, value: u64) {
        self.bytes(at, &value.to_ne_bytes());
    }

    fn bytes(&mut self, at: usize, value: &[u8]) {
        let parts = [&mut self.0[..], &mut self.1[..], &mut self.2[..], &mut self.3[..]];
        for (place, byte) in parts.into_iter().flatten().skip(at).zip(value) {
            *place = *byte;
        }
    }

    #[expect(unsafe_code, reason = "bpf(2) has no safe wrapper")]
    fn call(&self, command: i64) -> io::Result<i64> {
        // SAFETY: the attributes are as long as is said; what they point to is of the length that
        // they or the map announce, and lives until the call returns.
        let result = unsafe {
            libc::syscall(libc::SYS_bpf, command, std::ptr::from_ref(self), Attributes::SIZE)
        };
        Ok(checked(result)?)
    }

    #[expect(unsafe_code, reason = "the descriptor comes from a raw system call")]
    fn descriptor(&self, command: i64) -> io::Result<OwnedFd> {
        let number = self.call(command)?;
        // SAFETY: the kernel has just made this descriptor, for us alone.
        Ok(unsafe { OwnedFd::from_raw_fd(number as i32) })
    }
}
