//! Sockets with the options that decide which port they get.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use rustix::net::{
    self, AddressFamily, RecvFlags, Shutdown, SocketFlags, SocketType, ipproto, sockopt,
};

/// `ip(7)`: leave the port to connect() although the address is bound. In the kernel since 4.2.
const IP_BIND_ADDRESS_NO_PORT: libc::c_int = 24;
/// `include/uapi/linux/in.h`, since 6.3: high port << 16 | low port.
const IP_LOCAL_PORT_RANGE: libc::c_int = 51;
/// Longer than any queue: the kernel cuts it to `net.core.somaxconn`.
const BACKLOG: i32 = 65535;

/// What to set on a socket before it is used. A plain value: copy it, change it, use it often.
#[derive(Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct SocketOptions {
    tcp: bool,
    reuse_address: bool,
    reuse_port: bool,
    address_no_port: bool,
    local_port_range: Option<(u16, u16)>,
    v6_only: Option<bool>,
    bind: Option<SocketAddr>,
}

impl SocketOptions {
    /// A TCP socket, nothing set.
    pub const fn tcp() -> Self {
        SocketOptions {
            tcp: true,
            reuse_address: false,
            reuse_port: false,
            address_no_port: false,
            local_port_range: None,
            v6_only: None,
            bind: None,
        }
    }

    /// A UDP socket, nothing set.
    pub const fn udp() -> Self {
        SocketOptions { tcp: false, ..SocketOptions::tcp() }
    }

    /// `SO_REUSEADDR`.
    pub const fn reuse_address(self) -> Self {
        SocketOptions { reuse_address: true, ..self }
    }

    /// `SO_REUSEPORT`.
    pub const fn reuse_port(self) -> Self {
        SocketOptions { reuse_port: true, ..self }
    }

    /// `IP_BIND_ADDRESS_NO_PORT`.
    pub const fn address_no_port(self) -> Self {
        SocketOptions { address_no_port: true, ..self }
    }

    /// `IP_LOCAL_PORT_RANGE`, both ends included.
    pub const fn local_port_range(self, low: u16, high: u16) -> Self {
        SocketOptions { local_port_range: Some((low, high)), ..self }
    }

    /// `IPV6_V6ONLY`.
    pub const fn v6_only(self, on: bool) -> Self {
        SocketOptions { v6_only: Some(on), ..self }
    }

    /// bind() to this before connect(); port 0 asks for any.
    pub const fn bind(self, local: SocketAddr) -> Self {
        SocketOptions { bind: Some(local), ..self }
    }

    /// Whether it is TCP.
    #[must_use]
    pub const fn is_tcp(&self) -> bool {
        self.tcp
    }

    /// Whether bind() rather than connect() settles the port, which leaves the port closed to
    /// automatic connections.
    #[must_use]
    pub const fn binds_port(&self) -> bool {
        match self.bind {
            Some(local) => local.port() != 0 || !self.address_no_port,
            None => false,
        }
    }

    /// Opens a socket and connects it. A v4-mapped destination makes an IPv6 socket, and an
    /// IPv4 address to bind to is mapped along.
    ///
    /// # Errors
    /// The kernel's: `EADDRNOTAVAIL` when TCP has no port left, `EAGAIN` when UDP has none,
    /// `EADDRINUSE` from bind().
    pub fn connect(&self, destination: SocketAddr) -> io::Result<Socket> {
        let socket = self.open(destination)?;
        net::connect(&socket, &destination)?;
        Ok(socket)
    }

    /// Opens a listener that never refuses for want of queue (see [`Namespace`](crate::Namespace)).
    ///
    /// # Errors
    /// The kernel's, such as `EADDRINUSE`.
    pub fn listen(&self, local: SocketAddr) -> io::Result<Socket> {
        let socket = self.bind(local).open(local)?;
        net::listen(&socket, BACKLOG)?;
        Ok(socket)
    }

    /// Opens a socket, binds it and leaves it at that.
    ///
    /// # Errors
    /// The kernel's, such as `EADDRINUSE`.
    pub fn hold(&self, local: SocketAddr) -> io::Result<Socket> {
        self.bind(local).open(local)
    }

    fn open(&self, family_of: SocketAddr) -> io::Result<Socket> {
        let v6 = family_of.is_ipv6();
        let family = if v6 { AddressFamily::INET6 } else { AddressFamily::INET };
        let (kind, protocol) = if self.tcp {
            (SocketType::STREAM, ipproto::TCP)
        } else {
            (SocketType::DGRAM, ipproto::UDP)
        };
        let fd = net::socket_with(family, kind, SocketFlags::CLOEXEC, Some(protocol))?;
        let socket = Socket { fd, orderly: false };
        if self.reuse_address {
            sockopt::set_socket_reuseaddr(&socket, true)?;
        }
        if self.reuse_port {
            sockopt::set_socket_reuseport(&socket, true)?;
        }
        if let Some(only) = self.v6_only
            && v6
        {
            sockopt::set_ipv6_v6only(&socket, only)?;
        }
        if self.address_no_port {
            set_ip_option(&socket, IP_BIND_ADDRESS_NO_PORT, 1)?;
        }
        if let Some((low, high)) = self.local_port_range {
            let value = u32::from(high) << 16 | u32::from(low);
            set_ip_option(&socket, IP_LOCAL_PORT_RANGE, value)?;
        }
        if let Some(local) = self.bind {
            let local = if v6 { mapped(local) } else { local };
            net::bind(&socket, &local)?;
        }
        Ok(socket)
    }
}

impl fmt::Debug for SocketOptions {
    /// One line with what is set, since a scenario that fails is printed with all of its sockets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tcp { "tcp" } else { "udp" })?;
        for (set, name) in [
            (self.reuse_address, "reuse_address"),
            (self.reuse_port, "reuse_port"),
            (self.address_no_port, "address_no_port"),
        ] {
            if set {
                write!(f, "+{name}")?;
            }
        }
        if let Some((low, high)) = self.local_port_range {
            write!(f, "+local_port_range({low}-{high})")?;
        }
        if let Some(only) = self.v6_only {
            write!(f, "+v6_only({only})")?;
        }
        if let Some(local) = self.bind {
            write!(f, "+bind({local})")?;
        }
        Ok(())
    }
}

/// An open socket. Dropping it resets the connection, so that nothing stays behind;
/// [`finish_before`](Socket::finish_before) and [`finish`](Socket::finish) close it in the orderly
/// way.
#[derive(Debug)]
pub struct Socket {
    fd: OwnedFd,
    orderly: bool,
}

impl Socket {
    /// The local address and port.
    ///
    /// # Panics
    /// When the kernel does not know it, which does not happen to IP sockets.
    #[must_use]
    pub fn local(&self) -> SocketAddr {
        net::getsockname(&self.fd)
            .ok()
            .and_then(|address| SocketAddr::try_from(address).ok())
            .expect("an IP socket has a local address")
    }

    /// The local port, 0 when it has none yet.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.local().port()
    }

    /// The other end, if connected.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        let address = net::getpeername(&self.fd).ok()??;
        SocketAddr::try_from(address).ok()
    }

    /// Takes the next waiting connection.
    ///
    /// # Errors
    /// The kernel's.
    pub fn accept(&self) -> io::Result<Socket> {
        Ok(Socket { fd: net::accept_with(&self.fd, SocketFlags::CLOEXEC)?, orderly: false })
    }

    /// Connects a socket that was opened with [`SocketOptions::hold`].
    ///
    /// # Errors
    /// The kernel's.
    pub fn connect(&self, destination: SocketAddr) -> io::Result<()> {
        Ok(net::connect(&self.fd, &destination)?)
    }

    /// Closes this end first, in the orderly way: FIN_WAIT2 is left here and CLOSE_WAIT there.
    ///
    /// It waits until both are in these states, because the kernel may deliver later when it is
    /// busy, and a dump taken in the meantime can miss a socket that changes its state.
    ///
    /// # Panics
    /// When the two are not the ends of one connection, so that this takes five seconds.
    pub fn finish_before(mut self, other: &Socket) {
        self.orderly = true;
        net::shutdown(&self.fd, Shutdown::Write).expect("the socket is connected");
        other.wait_for(TCP_CLOSE_WAIT);
        // Not after the 40 ms that an acknowledgement may be delayed; it is, as long as the FIN
        // has not been read.
        let read = net::recv(&other.fd, &mut [0; 1], RecvFlags::empty());
        assert!(matches!(read, Ok((0, _))), "the end of the stream, not {read:?}");
        sockopt::set_tcp_quickack(&other.fd, true).expect("TCP has this option");
        self.wait_for(TCP_FIN_WAIT2);
    }

    /// Closes this end after the other one has finished: nothing is left here, and TIME_WAIT
    /// there.
    ///
    /// # Panics
    /// When the other end has not finished, so that this takes five seconds.
    pub fn finish(mut self) {
        self.orderly = true;
        net::shutdown(&self.fd, Shutdown::Write).expect("the socket is connected");
        self.wait_for(TCP_CLOSE);
    }

    fn wait_for(&self, wanted: u8) {
        let begun = Instant::now();
        loop {
            let state = state(&self.fd).expect("the kernel knows the state");
            if state == wanted {
                return;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(5),
                "{} stays in state {state}, wanted {wanted}",
                self.local()
            );
            std::thread::yield_now();
        }
    }
}

/// States of a connection, `net/tcp_states.h`.
const TCP_FIN_WAIT2: u8 = 5;
const TCP_CLOSE: u8 = 7;
const TCP_CLOSE_WAIT: u8 = 8;

/// The first byte of `struct tcp_info`, tcp(7).
fn state(fd: &OwnedFd) -> io::Result<u8> {
    let mut state = 0_u8;
    let mut length = size_of::<u8>() as libc::socklen_t;
    #[expect(unsafe_code, reason = "rustix does not know TCP_INFO")]
    // SAFETY: the kernel writes no more than the length says: one byte, which lives until then.
    let result = unsafe {
        libc::getsockopt(
            fd.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut state).cast(),
            &raw mut length,
        )
    };
    if result == 0 { Ok(state) } else { Err(io::Error::last_os_error()) }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.orderly {
            return;
        }
        // Closing alone is not enough: a process that another thread starts has a copy of every
        // descriptor until it runs its program, and so would keep the port. A listener, and a
        // port that was asked for by number, go with the last copy all the same.
        let _ = net::connect_unspec(&self.fd);
        // UDP ignores it, and a socket that cannot be reset is merely closed.
        let _ = sockopt::set_socket_linger(&self.fd, Some(Duration::ZERO));
    }
}

/// The IPv6 form of an address: `127.0.0.1:80` becomes `[::ffff:127.0.0.1]:80`, `0.0.0.0` becomes
/// `::`, which on a dual-stack socket means the same.
#[must_use]
pub fn mapped(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv6Addr::UNSPECIFIED,
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    SocketAddr::new(ip.into(), address.port())
}

/// Both options live at the IPv4 level and are accepted there by IPv6 sockets too.
fn set_ip_option(socket: &Socket, option: libc::c_int, value: u32) -> io::Result<()> {
    #[expect(unsafe_code, reason = "rustix does not know these options")]
    // SAFETY: the value is four bytes long, as said, and lives until the call returns.
    let result = unsafe {
        libc::setsockopt(
            socket.fd.as_raw_fd(),
            libc::SOL_IP,
            option,
            std::ptr::from_ref(&value).cast(),
            size_of::<u32>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
