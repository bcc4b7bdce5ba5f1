//! Windows' netstat: `TCP    10.0.0.5:49700    192.0.2.1:443    ESTABLISHED    1234`.
//!
//! Nothing is cut off. The states are translated on some systems, and Windows writes port 0 for
//! "no peer". With -q, sockets that are bound and nothing else are listed as BOUND.

use dayfly_ports::Protocol;

use super::{End, Row, socket};

pub(super) fn row(protocol: Protocol, local: &str, remote: &str, state: &str) -> Option<Row> {
    let end = |word: &str| {
        let (address, port) = word.rsplit_once(':')?;
        End::new(address, port).ok()
    };
    Some(socket(protocol, &end(local)?, &end(remote)?, false, state))
}
