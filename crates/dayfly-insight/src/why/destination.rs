//! Every usable port towards one destination, classed by what stands in its way.

use std::collections::BTreeMap;
use std::net::IpAddr;

use dayfly_ports::{Port, PortSet};

use super::remedy::{self, Remedy, Useless};
use super::{Holder, HolderKind, Shell};
use crate::headroom::Listener;
use crate::{Destination, DestinationKey, Fold, Settings, Socket, State};

/// Takes sockets in and keeps who holds which port towards one destination.
///
/// Feed them in the kernel's order, listeners first, as for [`Fold`].
#[derive(Debug)]
pub struct DestinationStudy {
    key: DestinationKey,
    usable: Box<PortSet>,
    fold: Fold,
    holders: BTreeMap<Port, Holder>,
    listeners: BTreeMap<Port, Vec<Listener>>,
    claimed: Box<PortSet>,
    /// The first connection to another destination from each port, and those ports.
    elsewhere: Vec<Socket>,
    elsewhere_ports: Box<PortSet>,
    bound_elsewhere: Box<PortSet>,
}

impl DestinationStudy {
    /// A study without sockets; `seed` as in [`Fold::new`].
    #[must_use]
    pub fn new(settings: Settings, key: DestinationKey, seed: u64) -> Self {
        let usable = Box::new(settings.usable(key.protocol));
        let mut fold = Fold::new(settings, seed);
        fold.include(key);
        DestinationStudy {
            key,
            usable,
            fold,
            holders: BTreeMap::new(),
            listeners: BTreeMap::new(),
            claimed: Box::default(),
            elsewhere: Vec::new(),
            elsewhere_ports: Box::default(),
            bound_elsewhere: Box::default(),
        }
    }

    /// Takes one socket in.
    pub fn add(&mut self, socket: &Socket) {
        self.fold.add(socket);
        let tuple = socket.tuple.canonical();
        let port = tuple.local_port;
        if tuple.protocol != self.key.protocol || !self.usable.contains(port) {
            return;
        }
        let kind = HolderKind::of(socket.state);
        let holder = Holder { kind, socket: *socket };
        match kind {
            HolderKind::Listener => {
                let listener = Listener { address: tuple.local_address, v6_only: socket.v6_only };
                self.listeners.entry(port).or_default().push(listener);
                self.claimed.insert(port);
                self.holders.entry(port).or_insert(holder);
            }
            HolderKind::Bound => {
                self.claimed.insert(port);
                self.holders.entry(port).or_insert(holder);
            }
            HolderKind::Connection | HolderKind::TimeWait | HolderKind::Elsewhere => {
                let accepted = self.listeners.get(&port).is_some_and(|all| {
                    all.iter().any(|listener| listener.hears(tuple.local_address))
                });
                if accepted {
                    return;
                }
                if self.is_there(tuple.local_address, tuple.remote_address, tuple.remote_port) {
                    // The tuple itself is the stronger reason.
                    self.holders.insert(port, holder);
                } else if self.elsewhere_ports.insert(port) {
                    self.elsewhere.push(*socket);
                }
            }
        }
    }

    /// The ports that a probe has to ask the kernel about: those of [`Fold::unsettled`] that have no
    /// connection to this destination, which is reason enough.
    #[must_use]
    pub fn unsettled(&self) -> PortSet {
        let mut unsettled = self.fold.unsettled();
        for port in self.holders.keys() {
            unsettled.remove(*port);
        }
        unsettled
    }

    /// Takes the kernel's answer in, as [`Fold::settle`].
    pub fn settle(&mut self, bound: &PortSet) {
        self.fold.settle(bound);
        *self.bound_elsewhere |= bound;
    }

    /// The answer.
    #[must_use]
    pub fn finish(mut self) -> DestinationAnswer {
        for &socket in &self.elsewhere {
            let port = socket.tuple.local_port;
            if self.bound_elsewhere.contains(port) {
                let holder = Holder { kind: HolderKind::Elsewhere, socket };
                self.holders.entry(port).or_insert(holder);
            }
        }
        let headroom = self.fold.finish();
        let same = |row: &&Destination| {
            let (key, own) = (row.key, self.key);
            (key.protocol, key.destination, key.port) == (own.protocol, own.destination, own.port)
                && key.source != own.source
        };
        let others = headroom.destinations.iter().filter(same).copied().collect();
        let row = headroom.destinations.iter().find(|row| row.key == self.key);
        // The key was included, so the row is there; an unconfigured protocol has no ports.
        let row = row.copied().unwrap_or(Destination {
            key: self.key,
            usable: 0,
            used: 0,
            time_wait: 0,
            reusable: 0,
            blocked: 0,
            suspected: 0,
            free: 0,
            free_min: 0,
            fast_free: 0,
        });
        let of = |kind| self.holders.values().filter(|holder| holder.kind == kind).count() as u32;
        let settings = headroom.settings;
        let range = settings.range(self.key.protocol);
        let classes = Classes {
            usable: row.usable,
            connection: of(HolderKind::Connection),
            time_wait: of(HolderKind::TimeWait),
            reusable: row.reusable,
            listener: of(HolderKind::Listener),
            bound_inactive: of(HolderKind::Bound),
            bound_elsewhere: of(HolderKind::Elsewhere),
            suspected: row.suspected,
            reserved: range.map_or(0, |range| range.len() - row.usable),
            free: row.free,
            fast_free: row.fast_free,
        };
        let in_state = |state| {
            let held = self.holders.values().filter(|holder| {
                holder.kind == HolderKind::Connection && holder.socket.state == state
            });
            held.count() as u32
        };
        let (close_wait, unanswered) = (in_state(State::CloseWait), in_state(State::SynSent));
        let mut open = self.usable;
        *open -= &self.claimed;
        *open -= &self.bound_elsewhere;
        for (port, holder) in &self.holders {
            if !settings.reuses(&holder.socket) {
                open.remove(*port);
            }
        }
        DestinationAnswer {
            row,
            classes,
            others,
            open,
            close_wait,
            unanswered,
            holders: self.holders.into_values().collect(),
            settings,
        }
    }

    fn is_there(&self, local: IpAddr, remote: IpAddr, port: Port) -> bool {
        (local, remote, port) == (self.key.source, self.key.destination, self.key.port)
    }
}

/// How many usable ports stand in which class. Without a range of three ports (where one is never
/// handed out) `usable` is the sum of `connection`, `time_wait`, `listener`, `bound_inactive`,
/// `bound_elsewhere` and `free`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Classes {
    /// The range without the reserved ports.
    pub usable: u32,
    /// A connection from the source to the destination has it.
    pub connection: u32,
    /// Such a connection is over and in TIME_WAIT.
    pub time_wait: u32,
    /// Those of `time_wait` that the kernel would take over now.
    pub reusable: u32,
    /// Somebody listens there.
    pub listener: u32,
    /// Somebody bound it and does nothing else.
    pub bound_inactive: u32,
    /// A connection to another destination bound it first; known only after a probe.
    pub bound_elsewhere: u32,
    /// Counted in `free`, but perhaps bound by a connection to another destination.
    pub suspected: u32,
    /// Ports of the range that are reserved; not part of `usable`.
    pub reserved: u32,
    /// What is left.
    pub free: u32,
    /// Those of `free` that the kernel tries first.
    pub fast_free: u32,
}

/// What became of a [`DestinationStudy`].
#[derive(Clone, Debug, PartialEq)]
pub struct DestinationAnswer {
    /// The totals, as `show` prints them.
    pub row: Destination,
    /// The usable ports by class.
    pub classes: Classes,
    /// Connections that the peer has closed and this host's program has not.
    pub close_wait: u32,
    /// Connections that the destination has not answered yet (SYN_SENT).
    pub unanswered: u32,
    /// One holder for every port that is not free, by port.
    pub holders: Vec<Holder>,
    /// The same destination from other source addresses, fullest first.
    pub others: Vec<Destination>,
    open: Box<PortSet>,
    settings: Settings,
}

impl DestinationAnswer {
    /// What it comes to.
    #[must_use]
    pub fn verdict(&self) -> DestinationVerdict {
        let row = &self.row;
        match (row.free, row.reusable) {
            (0, 0) => DestinationVerdict::Full,
            (0, _) => DestinationVerdict::OnlyReuse,
            _ if row.past_cliff() => DestinationVerdict::PastCliff,
            _ if row.fill() >= NEAR_FULL => DestinationVerdict::NearFull,
            _ => DestinationVerdict::Room,
        }
    }

    /// Whether an automatic `connect()` would find a port now, as far as the model knows.
    #[must_use]
    pub fn connects(&self) -> bool {
        self.row.free > 0 || self.row.reusable > 0
    }

    /// Whether the model has this port down as one that `connect()` could choose.
    #[must_use]
    pub fn allows(&self, port: Port) -> bool {
        self.open.contains(port)
    }

    /// What helps, most effective first. Empty when there is room.
    #[must_use]
    pub fn remedies(&self, shell: &Shell) -> Vec<Remedy> {
        remedy::of_destination(self, &self.settings, shell)
    }

    /// What people try and what does not help here.
    #[must_use]
    pub fn useless(&self) -> Vec<Useless> {
        remedy::useless_for_destination(self, &self.settings)
    }
}

/// From this share of the usable ports on a destination is called nearly full.
const NEAR_FULL: f64 = 0.9;

/// What the state of a destination comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DestinationVerdict {
    /// `connect()` fails with `EADDRNOTAVAIL`.
    Full,
    /// No port is free; each `connect()` takes a TIME_WAIT over.
    OnlyReuse,
    /// Every `connect()` walks half the range before it finds a port.
    PastCliff,
    /// At least nine ports of ten are taken, although the fast half is not.
    NearFull,
    /// Nothing is wrong.
    Room,
}

impl DestinationVerdict {
    /// The name in JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            DestinationVerdict::Full => "full",
            DestinationVerdict::OnlyReuse => "only_reuse",
            DestinationVerdict::PastCliff => "past_cliff",
            DestinationVerdict::NearFull => "near_full",
            DestinationVerdict::Room => "room",
        }
    }
}

#[cfg(test)]
mod tests {
    use dayfly_ports::{PortRange, Protocol, Tuple};
    use proptest::prelude::*;

    use super::*;
    use crate::RangeSetting;

    fn settings() -> Settings {
        let range = PortRange::new(40000, 40009).unwrap();
        let mut settings = Settings::linux_defaults();
        settings.ranges = vec![RangeSetting { protocol: Protocol::Tcp, range }];
        settings
    }

    fn key() -> DestinationKey {
        DestinationKey::tcp("10.0.0.1".parse().unwrap(), "10.0.0.2:80".parse().unwrap())
    }

    fn socket(port: u16, to: (u8, u16), state: State) -> Socket {
        let listens = matches!(state, State::Listen | State::BoundInactive);
        Socket::new(
            Tuple {
                protocol: Protocol::Tcp,
                local_address: "10.0.0.1".parse().unwrap(),
                local_port: Port::new(port),
                remote_address: if listens { [0; 4] } else { [10, 0, 0, to.0] }.into(),
                remote_port: Port::new(if listens { 0 } else { to.1 }),
            },
            state,
        )
    }

    fn study(sockets: &[Socket]) -> DestinationAnswer {
        let mut study = DestinationStudy::new(settings(), key(), 0);
        sockets.iter().for_each(|socket| study.add(socket));
        study.finish()
    }

    #[test]
    fn every_class_and_its_holder() {
        let answer = study(&[
            socket(40000, (0, 0), State::Listen),
            socket(40001, (0, 0), State::BoundInactive),
            socket(40000, (2, 80), State::Established),
            socket(40002, (2, 80), State::Established),
            socket(40003, (2, 80), State::TimeWait),
            socket(40004, (3, 80), State::Established),
            socket(40002, (3, 80), State::Established),
        ]);
        let classes = answer.classes;
        assert_eq!((classes.usable, classes.listener, classes.bound_inactive), (10, 1, 1));
        assert_eq!((classes.connection, classes.time_wait, classes.free), (1, 1, 6));
        let kinds: Vec<_> = answer.holders.iter().map(|holder| holder.kind).collect();
        let expected =
            [HolderKind::Listener, HolderKind::Bound, HolderKind::Connection, HolderKind::TimeWait];
        assert_eq!(kinds, expected);
        assert_eq!(answer.verdict(), DestinationVerdict::Room);
        assert!(answer.allows(Port::new(40004)) && !answer.allows(Port::new(40003)));
        assert!(!answer.allows(Port::new(39999)));
    }

    #[test]
    fn verdicts() {
        let live = |ports: &mut dyn Iterator<Item = u16>| {
            ports.map(|port| socket(port, (2, 80), State::Established)).collect::<Vec<_>>()
        };
        let evens = live(&mut (40000..40010).step_by(2));
        assert_eq!(study(&evens).verdict(), DestinationVerdict::PastCliff);
        let mut all = live(&mut (40000..40010));
        assert_eq!(study(&all).verdict(), DestinationVerdict::Full);
        all.swap_remove(0);
        assert_eq!(study(&all).verdict(), DestinationVerdict::NearFull);
    }

    #[test]
    fn what_a_probe_settled_is_held_by_the_connection_elsewhere() {
        let mut study = DestinationStudy::new(settings(), key(), 0);
        study.add(&socket(40005, (3, 80), State::Established));
        let unsettled = study.unsettled();
        assert!(unsettled.contains(Port::new(40005)));
        study.settle(&unsettled);
        let answer = study.finish();
        assert_eq!((answer.classes.bound_elsewhere, answer.classes.free), (1, 9));
        assert_eq!(answer.holders[0].kind, HolderKind::Elsewhere);
    }

    fn any_state() -> impl Strategy<Value = State> {
        prop::sample::select(vec![
            State::Listen,
            State::BoundInactive,
            State::Established,
            State::CloseWait,
            State::TimeWait,
        ])
    }

    proptest! {
        #[test]
        fn the_classes_add_up_to_what_show_says(
            sockets in prop::collection::vec((39998u16..40012, 2u8..4, any_state()), 0..40)
        ) {
            let mut sockets: Vec<Socket> = sockets
                .into_iter()
                .map(|(port, to, state)| socket(port, (to, 80), state))
                .collect();
            sockets.sort_by_key(|socket| HolderKind::of(socket.state));
            let answer = study(&sockets);
            let (row, classes) = (answer.row, answer.classes);
            prop_assert_eq!(classes.connection + classes.time_wait, row.used);
            prop_assert_eq!(classes.listener + classes.bound_inactive, row.blocked);
            prop_assert_eq!(classes.usable, row.used + row.blocked + classes.free);
            let allowed = PortRange::ALL.iter().filter(|port| answer.allows(*port)).count();
            prop_assert_eq!(allowed as u32, row.free + row.reusable);
        }
    }
}
