//! The caller of a stopped call: its socket, and its memory as a hint.

use std::fs;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::OwnedFd;

use rustix::io::{Errno, Result};
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::notification::Listener;
use crate::sys::checked;

/// `PIDFD_THREAD` (`include/uapi/linux/pidfd.h`, since 6.9): notifications name threads.
const PIDFD_THREAD: PidfdFlags = PidfdFlags::from_bits_retain(libc::O_EXCL as u32);

/// The thread that was last asked for a descriptor. A handle stays with its thread: when the number
/// goes to another thread, the old handle answers `ESRCH`.
#[derive(Debug, Default)]
pub(crate) struct Callers {
    last: Option<(u32, OwnedFd)>,
}

impl Callers {
    /// A duplicate of the descriptor `number` of the thread that waits in notification `id`.
    ///
    /// # Errors
    /// `EPERM` when the thread may not be looked into (ptrace(2), access mode checking): a program
    /// that is setuid, or that may be run and not read. `EBADF` when there is no such descriptor.
    /// `ESRCH` when the thread is gone.
    pub(crate) fn descriptor(
        &mut self,
        listener: &Listener,
        id: u64,
        thread: u32,
        number: i32,
    ) -> Result<OwnedFd> {
        if let Some((last, handle)) = &self.last
            && *last == thread
        {
            match pidfd_getfd(handle, number, PidfdGetfdFlags::empty()) {
                Err(Errno::SRCH) => {}
                result => return result,
            }
        }
        let handle = open(thread)?;
        // The number belonged to the caller as long as the caller waits.
        if !listener.still_waits(id) {
            return Err(Errno::SRCH);
        }
        let descriptor = pidfd_getfd(&handle, number, PidfdGetfdFlags::empty());
        self.last = Some((thread, handle));
        descriptor
    }
}

fn open(thread: u32) -> Result<OwnedFd> {
    let pid = |number: u32| Pid::from_raw(number as i32).ok_or(Errno::SRCH);
    match pidfd_open(pid(thread)?, PIDFD_THREAD) {
        // Before 6.9 a handle is for processes only, by the number of their first thread.
        Err(Errno::INVAL | Errno::NOENT) => {
            let leader = thread_group(thread).ok_or(Errno::SRCH)?;
            pidfd_open(pid(leader)?, PidfdFlags::empty())
        }
        result => result,
    }
}

/// The process that a thread belongs to.
pub(crate) fn thread_group(thread: u32) -> Option<u32> {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("Tgid:"))?.trim().parse().ok()
}

/// What the caller's memory says about where it wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hint {
    /// A place; IPv4-mapped addresses as they are.
    Place(SocketAddr),
    /// `AF_UNSPEC`: the connection is to be dissolved.
    Dissolve,
    /// Not readable, or nothing that this crate knows.
    Unknown,
}

/// Reads a socket address. The caller can change it afterwards: never more than a hint.
pub(crate) fn address(thread: u32, at: u64, length: u64) -> Hint {
    let mut bytes = [0; size_of::<libc::sockaddr_in6>()];
    let length = (length as usize).min(bytes.len());
    if !read(thread, at, &mut bytes[..length]) {
        return Hint::Unknown;
    }
    parse(&bytes[..length])
}

/// A `sockaddr` of the internet families (ip(7), ipv6(7)).
pub(crate) fn parse(bytes: &[u8]) -> Hint {
    let family = match bytes {
        [low, high, ..] => u16::from_ne_bytes([*low, *high]),
        _ => return Hint::Unknown,
    };
    let half = |at: usize| [bytes[at], bytes[at + 1]];
    let word = |at: usize| [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]];
    match i32::from(family) {
        libc::AF_UNSPEC => Hint::Dissolve,
        libc::AF_INET if bytes.len() >= 8 => {
            let port = u16::from_be_bytes(half(2));
            Hint::Place(SocketAddrV4::new(word(4).into(), port).into())
        }
        // Up to 24 bytes: without the scope, as RFC 2133 had it.
        libc::AF_INET6 if bytes.len() >= 24 => {
            let mut address = [0; 16];
            address.copy_from_slice(&bytes[8..24]);
            let scope = if bytes.len() >= 28 { u32::from_ne_bytes(word(24)) } else { 0 };
            let port = u16::from_be_bytes(half(2));
            let flow = u32::from_be_bytes(word(4));
            Hint::Place(SocketAddrV6::new(Ipv6Addr::from(address), port, flow, scope).into())
        }
        _ => Hint::Unknown,
    }
}

/// The address that a `struct msghdr` names, without a place when it names none.
pub(crate) fn message(thread: u32, at: u64, narrow: bool) -> Hint {
    let mut bytes = [0; 16];
    if !read(thread, at, &mut bytes[..if narrow { 8 } else { 16 }]) {
        return Hint::Unknown;
    }
    let (name, length) = if narrow {
        (u64::from(read_u32(&bytes, 0)), read_u32(&bytes, 4))
    } else {
        (u64::from(read_u32(&bytes, 4)) << 32 | u64::from(read_u32(&bytes, 0)), read_u32(&bytes, 8))
    };
    if name == 0 { Hint::Unknown } else { address(thread, name, length.into()) }
}

/// The arguments of a `socketcall`, 32 bits each.
pub(crate) fn multiplexed(thread: u32, at: u64) -> Option<[u64; 6]> {
    let mut bytes = [0; 24];
    // Calls with fewer arguments may end where the memory ends.
    let whole = read(thread, at, &mut bytes) || read(thread, at, &mut bytes[..12]);
    whole.then(|| std::array::from_fn(|index| read_u32(&bytes, 4 * index).into()))
}

fn read_u32(bytes: &[u8], at: usize) -> u32 {
    u32::from_ne_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Copies from the caller's memory; false if not all of it is there.
#[expect(unsafe_code, reason = "process_vm_readv(2) has no safe wrapper")]
fn read(thread: u32, at: u64, into: &mut [u8]) -> bool {
    let local = libc::iovec { iov_base: into.as_mut_ptr().cast(), iov_len: into.len() };
    let remote = libc::iovec { iov_base: at as *mut libc::c_void, iov_len: into.len() };
    // SAFETY: `local` is this slice, and `remote` is another process's memory, where the kernel
    // checks every byte.
    let result = unsafe {
        libc::process_vm_readv(thread as i32, &raw const local, 1, &raw const remote, 1, 0)
    };
    checked(result as libc::c_long) == Ok(into.len() as libc::c_long)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_read_as_the_kernel_reads_them() {
        let v4 = [2, 0, 0x01, 0xbb, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(parse(&v4), Hint::Place("192.0.2.1:443".parse().unwrap()));
        let mut v6 = [0; 28];
        v6[0] = 10;
        v6[3] = 80;
        v6[23] = 1;
        v6[24] = 7;
        assert_eq!(parse(&v6), Hint::Place("[::1%7]:80".parse().unwrap()));
        assert_eq!(parse(&v6[..24]), Hint::Place("[::1]:80".parse().unwrap()));
        assert_eq!(parse(&[0, 0]), Hint::Dissolve);
        assert_eq!(parse(&[1, 0, b'/']), Hint::Unknown);
    }

    #[test]
    fn own_memory_is_readable_and_its_end_is_seen() {
        let v4 = [2_u8, 0, 0, 80, 127, 0, 0, 1];
        let own = std::process::id();
        let place = Hint::Place("127.0.0.1:80".parse().unwrap());
        assert_eq!(address(own, v4.as_ptr() as u64, 8), place);
        assert_eq!(address(own, 8, 16), Hint::Unknown);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            bytes in prop::collection::vec(prop_oneof![any::<u8>(), 0_u8..12], 0..40),
        ) {
            parse(&bytes);
        }
    }
}
