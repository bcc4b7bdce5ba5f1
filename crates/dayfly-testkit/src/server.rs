//! The other end of a connection, in the same process.

use std::io;
use std::net::SocketAddr;
use std::sync::Mutex;

use crate::{Socket, SocketOptions, mapped};

/// A listener and the connections it has accepted.
///
/// Connections need not be accepted: they wait in the queue. When one of them is wanted, those
/// before it are accepted too and kept open, except when their client has gone.
#[derive(Debug)]
pub struct Server {
    listener: Socket,
    accepted: Mutex<Vec<Socket>>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// The kernel's, such as `EADDRINUSE`.
    pub fn open(options: &SocketOptions, local: SocketAddr) -> io::Result<Server> {
        Ok(Server { listener: options.listen(local)?, accepted: Mutex::default() })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.listener.local()
    }

    /// The other end of this client's connection.
    ///
    /// # Errors
    /// The kernel's.
    ///
    /// # Panics
    /// When another thread panicked while it accepted.
    pub fn accept(&self, client: &Socket) -> io::Result<Socket> {
        let wanted = mapped(client.local());
        let mut accepted = self.accepted.lock().expect("no thread panicked here");
        let is_wanted = |socket: &Socket| socket.peer().map(mapped) == Some(wanted);
        if let Some(place) = accepted.iter().position(is_wanted) {
            return Ok(accepted.swap_remove(place));
        }
        loop {
            let next = self.listener.accept()?;
            if is_wanted(&next) {
                return Ok(next);
            }
            // One that was reset while it waited has no peer any more.
            if next.peer().is_some() {
                accepted.push(next);
            }
        }
    }

    /// Connects to this server: the client's end and the server's.
    ///
    /// # Errors
    /// The kernel's, as for [`SocketOptions::connect`].
    pub fn connected_pair(&self, options: &SocketOptions) -> io::Result<(Socket, Socket)> {
        let client = options.connect(self.address())?;
        let server = self.accept(&client)?;
        Ok((client, server))
    }

    /// Opens a connection and closes it from the client first: its local port stays in TIME_WAIT
    /// for a minute, towards this server. Returns the port.
    ///
    /// # Errors
    /// The kernel's, as for [`SocketOptions::connect`].
    pub fn leave_time_wait(&self, options: &SocketOptions) -> io::Result<u16> {
        let (client, server) = self.connected_pair(options)?;
        let port = client.port();
        client.finish_before(&server);
        server.finish();
        Ok(port)
    }
}
