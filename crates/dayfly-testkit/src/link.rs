//! Interfaces.

use std::io;
use std::os::fd::AsRawFd;

use rustix::net::{AddressFamily, SocketType, socket};

/// Switches an interface of the calling thread's namespace on, as `ip link set NAME up` does.
pub(crate) fn up(interface: &str) -> io::Result<()> {
    let control = socket(AddressFamily::INET, SocketType::DGRAM, None)?;
    let mut request = request(interface)?;
    ioctl(&control, libc::SIOCGIFFLAGS, &mut request)?;
    #[expect(unsafe_code, reason = "ifreq is a C union")]
    // SAFETY: SIOCGIFFLAGS has just filled in the flags, and any bits are a valid c_short.
    unsafe {
        request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
    }
    ioctl(&control, libc::SIOCSIFFLAGS, &mut request)
}

fn request(interface: &str) -> io::Result<libc::ifreq> {
    #[expect(unsafe_code, reason = "ifreq has no constructor")]
    // SAFETY: ifreq is made of integers and pointers, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    // One byte stays for the zero at the end.
    if interface.len() >= request.ifr_name.len() {
        return Err(io::Error::other(format!("{interface}: too long for an interface")));
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    Ok(request)
}

fn ioctl(control: &impl AsRawFd, what: libc::Ioctl, request: &mut libc::ifreq) -> io::Result<()> {
    #[expect(unsafe_code, reason = "rustix has no ioctl for interfaces")]
    // SAFETY: both requests read and write one ifreq, which lives until the call returns.
    let result = unsafe { libc::ioctl(control.as_raw_fd(), what, std::ptr::from_mut(request)) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
