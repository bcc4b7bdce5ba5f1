//! Connections that are over but keep their port.

use std::io;
use std::net::SocketAddr;

use crate::{Socket, SocketOptions};

/// Connects to a listener of this test and accepts: the client's end and the server's.
///
/// The listener must have no other connection waiting.
///
/// # Errors
/// The kernel's, as for [`SocketOptions::connect`].
pub fn connected_pair(
    options: &SocketOptions,
    listener: &Socket,
    destination: SocketAddr,
) -> io::Result<(Socket, Socket)> {
    let client = options.connect(destination)?;
    let server = listener.accept()?;
    Ok((client, server))
}

/// Opens a connection and closes it from the client first: its local port stays in TIME_WAIT for a
/// minute, towards this destination. Returns the port.
///
/// # Errors
/// The kernel's, as for [`SocketOptions::connect`].
pub fn leave_time_wait(
    options: &SocketOptions,
    listener: &Socket,
    destination: SocketAddr,
) -> io::Result<u16> {
    let (client, server) = connected_pair(options, listener, destination)?;
    let port = client.port();
    client.finish();
    server.finish();
    Ok(port)
}
