//! Asking the kernel how much room is left by taking all of it.

use std::io;
use std::net::SocketAddr;

use crate::{Socket, SocketOptions};

/// The sockets that were granted before the kernel refused; dropping them gives the ports back.
#[derive(Debug)]
pub struct Drained {
    sockets: Vec<Socket>,
    ports: Vec<u16>,
    refusal: Option<io::Error>,
}

impl Drained {
    /// The local ports in the order in which they were granted.
    #[must_use]
    pub fn ports(&self) -> &[u16] {
        &self.ports
    }

    /// How many were granted before the first port of the other parity than `low`: before the
    /// kernel's search turned slow.
    #[must_use]
    pub fn before_other_parity(&self, low: u16) -> usize {
        self.ports.iter().take_while(|port| **port % 2 == low % 2).count()
    }

    /// What the kernel said in the end.
    #[must_use]
    pub fn refusal(&self) -> Option<&io::Error> {
        self.refusal.as_ref()
    }

    /// The open sockets, to keep some of them.
    #[must_use]
    pub fn into_sockets(self) -> Vec<Socket> {
        self.sockets
    }
}

/// Connects to the destination until there is no port left.
///
/// # Panics
/// When a connection fails for any other reason than that.
#[must_use]
pub fn drain(options: &SocketOptions, destination: SocketAddr) -> Drained {
    until_refused(|| options.connect(destination), "connect to", destination)
}

/// Binds sockets to the address and any port until there is none left.
///
/// # Panics
/// When bind() fails for any other reason than that.
#[must_use]
pub fn drain_bind(options: &SocketOptions, local: SocketAddr) -> Drained {
    until_refused(|| options.hold(local), "bind to", local)
}

fn until_refused(
    mut open: impl FnMut() -> io::Result<Socket>,
    what: &str,
    address: SocketAddr,
) -> Drained {
    let mut drained = Drained { sockets: Vec::new(), ports: Vec::new(), refusal: None };
    loop {
        match open() {
            Ok(socket) => {
                drained.ports.push(socket.port());
                drained.sockets.push(socket);
            }
            Err(error) if is_exhaustion(&error) => {
                drained.refusal = Some(error);
                return drained;
            }
            Err(error) => {
                panic!("cannot {what} {address} after {} times: {error}", drained.ports.len())
            }
        }
    }
}

/// TCP's connect() says `EADDRNOTAVAIL`, UDP's `EAGAIN`, bind() `EADDRINUSE`.
pub(crate) fn is_exhaustion(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::EAGAIN | libc::EADDRINUSE))
}
