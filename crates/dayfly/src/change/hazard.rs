//! What a change would cut off.
//!
//! No change of a range or of the reserved ports touches a socket that is open: connections keep
//! their ports, listeners go on listening, and the ssh session through which the command was given
//! stays. What can be cut off is the future. A service whose port becomes one that the kernel hands
//! out comes up today and may not come up after its next restart, when an outgoing connection has
//! its port: its bind() fails with EADDRINUSE. For sshd that means that nobody gets in any more. And
//! where no port is left, nothing goes out.

use std::env;
use std::net::SocketAddr;

use dayfly_insight::{Settings, State};
use dayfly_linux::observe::{ObserveError, sweep};
use dayfly_linux::owners;
use dayfly_ports::{PortSet, Protocol};

use super::draft::{Hazard, Wish, named};

/// A socket that waits for others.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Service {
    pub(crate) address: SocketAddr,
    pub(crate) protocol: Protocol,
    pub(crate) uid: u32,
    /// `nginx (pid 71)`; none if nobody could be found.
    pub(crate) owner: Option<String>,
}

/// Whoever waits on one of these ports in the calling thread's namespace: listeners, and UDP sockets
/// that are bound and not connected.
pub(crate) fn services_on(
    ports: &PortSet,
    settings: &Settings,
) -> Result<Vec<Service>, ObserveError> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    let (found, _) = sweep(settings, Vec::new, |found, socket| {
        let waits = match socket.state {
            State::Listen => true,
            State::Close => socket.tuple.protocol == Protocol::Udp,
            _ => false,
        };
        if waits && ports.contains(socket.tuple.local_port) {
            found.push(*socket);
        }
    })?;
    let owners = owners::find(found.iter().map(|socket| socket.inode));
    let mut services: Vec<Service> = found
        .iter()
        .map(|socket| Service {
            address: SocketAddr::new(socket.tuple.local_address, socket.tuple.local_port.number()),
            protocol: socket.tuple.protocol,
            uid: socket.uid,
            owner: owners
                .of(socket.inode)
                .map(|owner| format!("{} (pid {})", owner.name, owner.pid)),
        })
        .collect();
    services.sort_by_key(|service| (service.address.port(), service.address.ip()));
    services.dedup();
    Ok(services)
}

/// Services whose ports the kernel would hand out from now on.
pub(crate) fn exposed(
    services: &[Service],
    why: &str,
    hint: impl Fn(&PortSet) -> String,
) -> Option<Hazard> {
    let first = services.first()?;
    let ports: PortSet = services.iter().map(|service| service.address.port().into()).collect();
    let mut text = format!("{} {why}", said(first));
    let others = services.len() - 1;
    if others > 0 {
        text += &format!(
            ", and so {} {others} other{} ({})",
            if others == 1 { "does" } else { "do" },
            if others == 1 { "" } else { "s" },
            named(&ports)
        );
    }
    text += ". It keeps the port while it runs; after a restart an outgoing connection may have it, \
             and the bind fails with EADDRINUSE";
    if let Some(port) = ssh_port().filter(|port| ports.contains((*port).into())) {
        text += &format!(
            ". Your own ssh session came in through port {port}: it stays open, but a new one may \
             find no sshd"
        );
    }
    Some(Hazard { text, hint: hint(&ports) })
}

/// The sshd of another host, if the new range holds the port that it is reached through. Of what
/// else listens there nothing is known.
pub(crate) fn of_ssh(wish: &Wish, port: Option<u16>) -> Option<Hazard> {
    let port = port.unwrap_or(22);
    let Wish::Range { range, .. } = wish else { return None };
    range.contains(port.into()).then(|| Hazard {
        text: format!(
            "its sshd is reached through port {port}, which lies in {range}: it keeps the port while \
             it runs; after a restart an outgoing connection may have it, and nobody gets in"
        ),
        hint: format!("choose a range without {port}"),
    })
}

/// The port of this host through which the caller's ssh session came in (`ssh(1)`,
/// `SSH_CONNECTION`). sudo takes it away unless told otherwise.
fn ssh_port() -> Option<u16> {
    env::var("SSH_CONNECTION").ok()?.split_whitespace().nth(3)?.parse().ok()
}

fn said(service: &Service) -> String {
    let owner = service.owner.as_deref().unwrap_or("a process that may not be looked at");
    let does = if service.protocol == Protocol::Udp { "receives on udp" } else { "listens on" };
    format!("{owner} {does} {}, a port", service.address)
}
