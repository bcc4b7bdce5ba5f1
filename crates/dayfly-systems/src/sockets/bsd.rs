//! BSD's netstat: `tcp4  0  0  10.0.0.5.49152  10.0.0.1.443  ESTABLISHED`.
//!
//! The port stands after the last dot, of IPv6 addresses as well. Without `-W` (FreeBSD, DragonFly,
//! macOS) or `-v` (NetBSD, OpenBSD) an address has 16 characters at most, so most of IPv6 loses its
//! end, while the port is whole (`inetprint` in usr.bin/netstat/inet.c).

use dayfly_ports::Protocol;

use super::{End, NoEnd, Row, socket};

pub(super) fn row(protocol: Protocol, local: &str, remote: &str, state: &str) -> Option<Row> {
    let ends = (end(local), end(remote));
    match ends {
        (Ok(local), Ok(remote)) => Some(socket(protocol, &local, &remote, false, state)),
        (Err(NoEnd::Cut), _) | (_, Err(NoEnd::Cut)) => Some(Row::Cut),
        _ => None,
    }
}

pub(super) fn end(word: &str) -> Result<End, NoEnd> {
    let (address, port) = word.rsplit_once('.').ok_or(NoEnd::Other)?;
    End::new(address, port)
}
