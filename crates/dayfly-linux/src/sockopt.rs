//! The few socket options that rustix does not know.
//!
//! All three take one 32-bit value, so one unsafe call serves them.

use std::ffi::c_int;
use std::os::fd::{AsFd, AsRawFd};

use dayfly_ports::PortRange;
use rustix::io::{Errno, Result};

/// Turns `TCP_REPAIR` on (tcp(7); `do_tcp_setsockopt` in `net/ipv4/tcp.c`).
///
/// # Errors
/// `EPERM` without `CAP_NET_ADMIN` in the user namespace that owns the socket's network namespace.
pub fn set_tcp_repair(socket: impl AsFd) -> Result<()> {
    set(socket, libc::IPPROTO_TCP, libc::TCP_REPAIR, 1)
}

/// Restricts the socket's automatic port to `range` (`IP_LOCAL_PORT_RANGE`, Linux 6.3). The level
/// is `IPPROTO_IP` for IPv6 sockets too.
///
/// What lies outside `net.ipv4.ip_local_port_range` is not an error: the kernel drops the end that
/// does (`inet_sk_get_local_port_range` in `net/ipv4/inet_connection_sock.c`).
///
/// # Errors
/// `ENOPROTOOPT` before Linux 6.3.
pub fn set_ip_local_port_range(socket: impl AsFd, range: PortRange) -> Result<()> {
    // include/uapi/linux/in.h: IP_LOCAL_PORT_RANGE; libc has no name for it.
    const IP_LOCAL_PORT_RANGE: c_int = 51;
    let low = u32::from(range.low().number());
    let high = u32::from(range.high().number());
    set(socket, libc::IPPROTO_IP, IP_LOCAL_PORT_RANGE, high << 16 | low)
}

/// Lets `bind(address, 0)` fix the address and leave the port to `connect()`
/// (`IP_BIND_ADDRESS_NO_PORT`, Linux 4.2, ip(7)).
///
/// # Errors
/// `ENOPROTOOPT` before Linux 4.2.
pub fn set_ip_bind_address_no_port(socket: impl AsFd) -> Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_BIND_ADDRESS_NO_PORT, 1)
}

#[expect(unsafe_code, reason = "rustix offers no setsockopt for options that it does not name")]
fn set(socket: impl AsFd, level: c_int, option: c_int, value: u32) -> Result<()> {
    // SAFETY: the descriptor is borrowed for the call, and the kernel reads exactly the four bytes
    // of `value` that the length announces.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 {
        return Ok(());
    }
    let error = std::io::Error::last_os_error();
    Err(Errno::from_io_error(&error).unwrap_or(Errno::INVAL))
}
