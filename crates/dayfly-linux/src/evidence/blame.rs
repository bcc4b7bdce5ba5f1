//! Which programs take ports in a way that costs the others: connections, their owners, and what
//! the kernel says of the accused ports.

use std::collections::BTreeMap;

use dayfly_insight::blame::{Accusation, Docket, Judgement};
use dayfly_insight::doctor::Blamed;
use dayfly_insight::{DestinationKey, Settings, Socket, State};
use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use crate::owners::{self, Owner};
use crate::probe::Probe;

/// Outgoing TCP connections as they stream by.
#[derive(Clone, Debug)]
pub(super) struct Connections {
    settings: Settings,
    range: Option<PortRange>,
    usable: Box<PortSet>,
    listening: Box<PortSet>,
    /// Connections that a process holds, with the socket's inode.
    held: Vec<(u32, DestinationKey, Port)>,
    /// Connections that nobody holds any more; they say how full a destination is.
    left: Vec<(DestinationKey, Port)>,
}

impl Connections {
    pub(super) fn new(settings: &Settings) -> Self {
        Connections {
            range: settings.range(Protocol::Tcp),
            usable: Box::new(settings.usable(Protocol::Tcp)),
            listening: Box::default(),
            held: Vec::new(),
            left: Vec::new(),
            settings: settings.clone(),
        }
    }

    pub(super) fn add(&mut self, socket: &Socket) {
        let tuple = socket.tuple.canonical();
        if tuple.protocol != Protocol::Tcp || !self.usable.contains(tuple.local_port) {
            return;
        }
        match socket.state {
            State::Listen => {
                self.listening.insert(tuple.local_port);
            }
            State::BoundInactive | State::Close => {}
            // Accepted, perhaps by a listener that has gone: the peer chose *its* port freely.
            _ if self.listening.contains(tuple.local_port)
                || self.range.is_some_and(|range| range.contains(tuple.remote_port)) => {}
            _ => {
                let key = DestinationKey {
                    protocol: Protocol::Tcp,
                    source: tuple.local_address,
                    destination: tuple.remote_address,
                    port: tuple.remote_port,
                };
                if socket.inode == 0 {
                    self.left.push((key, tuple.local_port));
                } else {
                    self.held.push((socket.inode, key, tuple.local_port));
                }
            }
        }
    }

    /// Judges every program; the kernel, where it answers, has the last word.
    pub(super) fn blamed(self) -> Vec<Blamed> {
        let owners = owners::find(self.held.iter().map(|(inode, ..)| *inode));
        let mut docket = Docket::new(&self.settings);
        let mut programs: BTreeMap<String, &Owner> = BTreeMap::new();
        for (inode, key, port) in self.held {
            let owner = owners.of(inode);
            let name = owner.map(name_of);
            docket.add(name.as_deref(), key, port);
            if let (Some(name), Some(owner)) = (name, owner) {
                let first = programs.entry(name).or_insert(owner);
                if owner.pid < first.pid {
                    *first = owner;
                }
            }
        }
        for (key, port) in self.left {
            docket.add(None, key, port);
        }
        let probe = Probe::new().ok();
        let judged = docket.accusations().into_iter().filter_map(|mut accusation| {
            let owner = programs.get(&accusation.program)?;
            let confirmed = confirmed(probe.as_ref(), &mut accusation)?;
            Some(Blamed {
                accusation,
                pid: owner.pid,
                executable: owner.executable().to_owned(),
                confirmed,
            })
        });
        judged.collect()
    }
}

/// Whether the kernel confirms it; nothing if it clears the program.
fn confirmed(probe: Option<&Probe>, accusation: &mut Accusation) -> Option<bool> {
    let Some(bound) = probe.and_then(|probe| probe.buckets(&accusation.ports).ok()) else {
        return Some(false);
    };
    match accusation.judge(&bound) {
        Judgement::Confirmed => Some(true),
        Judgement::Open => Some(false),
        Judgement::Cleared => None,
    }
}

/// What people know the program by: its unit, else its command line and container.
fn name_of(owner: &Owner) -> String {
    match (&owner.unit, &owner.container) {
        (Some(unit), _) => unit.clone(),
        (None, Some(container)) => {
            let id: String = container.chars().take(12).collect();
            format!("container {id}: {}", owner.command)
        }
        (None, None) => owner.command.clone(),
    }
}
