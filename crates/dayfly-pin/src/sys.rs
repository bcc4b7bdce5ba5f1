//! The few system calls that rustix has no words for.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd};

use rustix::io::{Errno, Result};

/// The result of a system call of libc, which says -1 and leaves the reason in `errno`.
pub(crate) fn checked(result: libc::c_long) -> Result<libc::c_long> {
    if result >= 0 {
        return Ok(result);
    }
    let error = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}

/// Sets a socket option of 32 bits.
#[expect(unsafe_code, reason = "rustix offers no setsockopt for options that it does not name")]
pub(crate) fn set_option(socket: impl AsFd, level: c_int, name: c_int, value: u32) -> Result<()> {
    // SAFETY: the kernel reads exactly the four bytes of `value` that the length announces.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    checked(result.into()).map(|_| ())
}

/// Reads a socket option of 32 or 64 bits.
#[expect(unsafe_code, reason = "rustix offers no getsockopt for options that it does not name")]
pub(crate) fn option(socket: impl AsFd, level: c_int, name: c_int) -> Result<u64> {
    let mut value = 0_u64;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most the eight bytes that the length announces.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            name,
            (&raw mut value).cast(),
            &raw mut length,
        )
    };
    // Both architectures are little-endian: four bytes fill the low half.
    checked(result.into()).map(|_| value)
}
