//! Who stands in the way of one port, in short: for verbs that name a holder in passing.

use std::net::SocketAddr;

use dayfly_insight::why::{Holder, HolderKind, PortStudy};
use dayfly_linux::observe::sweep;
use dayfly_linux::settings;
use dayfly_ports::{Port, Protocol};

use super::report::{HeldBy, with_owners};

/// The socket of this namespace that most stands in the way of the port: towards this destination
/// if one is given, else a listener before a bound socket before connections. None if no socket
/// does, or none can be seen.
pub(crate) fn of_port(
    protocol: Protocol,
    port: Port,
    destination: Option<SocketAddr>,
) -> Option<HeldBy> {
    let settings = settings::read().ok()?;
    let start = || PortStudy::new(settings.clone(), port, vec![protocol]);
    let (study, _) = sweep(&settings, start, PortStudy::add).ok()?;
    let holders = study.finish(Vec::new()).holders;
    let towards = |holder: &&Holder| {
        let tuple = holder.socket.tuple.canonical();
        let there = SocketAddr::new(tuple.remote_address, tuple.remote_port.number());
        destination.is_none_or(|destination| there == destination)
    };
    let worst = holders.iter().find(towards)?;
    with_owners(std::slice::from_ref(worst)).0.pop()
}

impl HeldBy {
    /// `nginx (pid 812, LISTEN 0.0.0.0:63999)`.
    pub(crate) fn sentence(&self) -> String {
        let socket = &self.holder.socket;
        let tuple = socket.tuple.canonical();
        let state = socket.state.name();
        let local = SocketAddr::new(tuple.local_address, tuple.local_port.number());
        let remote = SocketAddr::new(tuple.remote_address, tuple.remote_port.number());
        let place = match self.holder.kind {
            HolderKind::Listener | HolderKind::Bound => format!("{state} {local}"),
            _ => format!("{state} to {remote}"),
        };
        let left = self.holder.frees_in_seconds().map(|seconds| format!(" for {seconds} s"));
        let left = left.unwrap_or_default();
        match &self.owner {
            Some(owner) => format!("{} (pid {}, {place}{left})", owner.executable(), owner.pid),
            None if socket.inode == 0 => {
                format!("a connection that no process has ({place}{left})")
            }
            None => format!("a process that is gone or cannot be seen ({place}{left})"),
        }
    }
}
