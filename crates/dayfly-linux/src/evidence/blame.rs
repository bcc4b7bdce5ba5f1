//! Who binds before connecting: owners joined with ports, where there is reason to ask.

use std::collections::BTreeSet;

use dayfly_insight::blame::{Accusation, Docket};
use dayfly_insight::{DestinationKey, Headroom, Settings, Socket};
use dayfly_ports::{PortSet, Protocol};

use crate::observe::{ObserveError, sweep};
use crate::owners;

/// The programs whose ports give them away. Looks at sockets and processes a second time, and only
/// if ports are suspected, or the kernel was asked and holds some back (`held_back`).
pub(super) fn accusations(
    settings: &Settings,
    headroom: &Headroom,
    held_back: Option<&PortSet>,
) -> Result<Vec<Accusation>, ObserveError> {
    let suspected = headroom.destinations.iter().any(|row| row.suspected > 0);
    if !suspected && held_back.is_none_or(PortSet::is_empty) {
        return Ok(Vec::new());
    }
    // Accepted connections are no destinations, so only opened ones are found again here.
    let known: BTreeSet<DestinationKey> = headroom.destinations.iter().map(|row| row.key).collect();
    let (sockets, _) = sweep(settings, Vec::new, |sockets, socket: &Socket| {
        if known.contains(&key_of(socket)) {
            sockets.push(*socket);
        }
    })?;
    let owners = owners::find(sockets.iter().map(|socket| socket.inode));
    let mut docket = Docket::new(settings);
    for socket in &sockets {
        let program = owners.of(socket.inode).map(|owner| owner.name.as_str());
        docket.add(program, key_of(socket), socket.tuple.local_port);
    }
    let mut accusations = docket.accusations();
    if let Some(bound) = held_back {
        accusations.retain_mut(|accusation| accusation.judge(bound));
    }
    accusations.retain(|accusation| accusation.habit.blocks_others());
    Ok(accusations)
}

fn key_of(socket: &Socket) -> DestinationKey {
    let tuple = socket.tuple.canonical();
    DestinationKey {
        protocol: Protocol::Tcp,
        source: tuple.local_address,
        destination: tuple.remote_address,
        port: tuple.remote_port,
    }
}
