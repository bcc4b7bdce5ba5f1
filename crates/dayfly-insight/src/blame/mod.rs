//! Which programs take ports in a way that costs the others: read from the ports alone.
//!
//! A plain `connect()` takes the ports of the range's low parity first, `bind(ADDRESS, 0)` the
//! others, and with `SO_REUSEADDR` those of the lower half of the range first
//! (`inet_csk_find_open_port` in `net/ipv4/inet_connection_sock.c`); a socket with
//! `IP_LOCAL_PORT_RANGE` takes any parity (`__inet_hash_connect`, Linux 6.8). So the share of the
//! other parity, and where the ports lie, tell how a program asks for them.
//!
//! The signs hold while the destination has first-parity ports left, so destinations past the cliff
//! say nothing. One thing ports alone cannot exclude: connections that are left over from a time
//! past the cliff. An [`Accusation`] therefore rests on a count, carries a confidence, and can be
//! put before the kernel ([`Accusation::judge`]): a port that was bound first is bound for every
//! destination.

mod fixes;

use std::collections::BTreeMap;

use dayfly_ports::{Port, PortRange, PortSet};

pub use fixes::{Fix, fixes_for};

use crate::port_bag::PortBag;
use crate::{DestinationKey, Settings};

/// A program with fewer connections than this is not judged.
const FEWEST: u32 = 20;
/// From this share of the other parity on, the ports were chosen by bind().
const BOUND: f64 = 0.95;
/// Between these shares the parity was not looked at.
const MIXED: std::ops::Range<f64> = 0.3..0.7;
/// Ports that a range of the program's own confines to at most this share of the usable ones.
const CONFINED: f64 = 0.5;

/// Collects who holds which port towards whom.
#[derive(Debug)]
pub struct Docket {
    range: PortRange,
    fast: PortSet,
    slow: PortSet,
    programs: BTreeMap<String, BTreeMap<DestinationKey, PortBag>>,
    connections: BTreeMap<String, u32>,
    taken: BTreeMap<DestinationKey, PortBag>,
}

/// A program and its habit.
#[derive(Clone, Debug, PartialEq)]
pub struct Accusation {
    /// The program, as it was named to [`Docket::add`].
    pub program: String,
    /// What it does.
    pub habit: Habit,
    /// How sure that is, 0 to 1: 1 minus the chance that ports taken without regard to parity
    /// would look so.
    pub confidence: f64,
    /// How many connections it rests on.
    pub connections: u32,
    /// How many of their ports are of the parity that connect() takes last.
    pub other_parity: u32,
    /// The ports that it rests on.
    pub ports: PortSet,
}

/// How a program asks for its ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habit {
    /// It binds an address before it connects, without `IP_BIND_ADDRESS_NO_PORT`: each of its
    /// connections takes its port from every destination.
    BindsFirst,
    /// The same with `SO_REUSEADDR`: the lower half of the range goes first.
    BindsFirstReusing,
    /// It sets `IP_LOCAL_PORT_RANGE` to a part of the range; the span of the ports seen.
    OwnRange(PortRange),
    /// It connects from few ports of its own choice.
    PinsPorts,
}

impl Habit {
    /// What the program does, as the rest of a sentence that begins with its name.
    #[must_use]
    pub fn sentence(self) -> String {
        match self {
            Habit::BindsFirst => {
                "binds before it connects, without IP_BIND_ADDRESS_NO_PORT".to_owned()
            }
            Habit::BindsFirstReusing => {
                "binds with SO_REUSEADDR before it connects, without IP_BIND_ADDRESS_NO_PORT"
                    .to_owned()
            }
            Habit::OwnRange(range) => {
                format!("keeps to a port range of its own, seen: {range}")
            }
            Habit::PinsPorts => "connects from a few fixed ports".to_owned(),
        }
    }

    /// Whether each connection takes its port from every destination.
    #[must_use]
    pub const fn binds_first(self) -> bool {
        matches!(self, Habit::BindsFirst | Habit::BindsFirstReusing)
    }
}

impl Docket {
    /// A docket for a namespace with these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let protocol = dayfly_ports::Protocol::Tcp;
        let range = settings.range(protocol).unwrap_or(PortRange::LINUX_DEFAULT);
        let usable = settings.usable(protocol);
        let fast = usable.of_parity(range.low());
        Docket {
            range,
            slow: &usable - &fast,
            fast,
            programs: BTreeMap::new(),
            connections: BTreeMap::new(),
            taken: BTreeMap::new(),
        }
    }

    /// Takes an outgoing connection in, whoever holds it; TIME_WAIT, which nobody holds, as well.
    /// Ports outside the range say nothing and are passed over.
    pub fn add(&mut self, program: Option<&str>, key: DestinationKey, port: Port) {
        if !self.fast.contains(port) && !self.slow.contains(port) {
            return;
        }
        self.taken.entry(key).or_insert(PortBag::new()).insert(port);
        if let Some(program) = program {
            let own = self.programs.entry(program.to_owned()).or_default();
            own.entry(key).or_insert(PortBag::new()).insert(port);
            *self.connections.entry(program.to_owned()).or_default() += 1;
        }
    }

    /// Everybody whose ports give a habit away, the surest and largest first.
    #[must_use]
    pub fn accusations(&self) -> Vec<Accusation> {
        let mut found: Vec<Accusation> =
            self.programs.iter().filter_map(|(program, own)| self.accuse(program, own)).collect();
        found.sort_by(|one, other| {
            let surer = other.confidence.total_cmp(&one.confidence);
            surer
                .then(other.connections.cmp(&one.connections))
                .then(one.program.cmp(&other.program))
        });
        found
    }

    fn accuse(&self, program: &str, own: &BTreeMap<DestinationKey, PortBag>) -> Option<Accusation> {
        let connections = self.connections.get(program).copied().unwrap_or(0);
        let accusation = |habit, confidence, connections, other_parity, ports| Accusation {
            program: program.to_owned(),
            habit,
            confidence,
            connections,
            other_parity,
            ports,
        };
        let mut all = PortSet::EMPTY;
        own.values().for_each(|ports| ports.add_to(&mut all));
        // One port towards several destinations happens by chance, but not as a rule. bind() hands
        // out no port twice, and connect() starts at another place for each destination.
        if connections >= FEWEST && all.len() * 4 <= connections {
            let other = all.intersection_len(&self.slow);
            return Some(accusation(Habit::PinsPorts, 0.99, connections, other, all));
        }

        // Destinations that still had first-parity ports to give.
        let clear = |key: &DestinationKey| {
            self.taken
                .get(key)
                .is_some_and(|taken| taken.intersection_len(&self.fast) < self.fast.len())
        };
        let (mut seen, mut mixed, mut bound) =
            (Tally::default(), Tally::default(), Tally::default());
        for (_, ports) in own.iter().filter(|(key, _)| clear(key)) {
            let mut tally = Tally::default();
            ports.add_to(&mut tally.ports);
            tally.count = tally.ports.len();
            tally.other = ports.intersection_len(&self.slow);
            if tally.count >= FEWEST && tally.share() >= BOUND {
                bound.add(&tally);
            }
            if tally.other > 0 {
                mixed.add(&tally);
            }
            seen.add(&tally);
        }
        // Of a program that does both, the destinations that are bound first.
        let guilty = if seen.count >= FEWEST && seen.share() >= BOUND { &seen } else { &bound };
        if guilty.count >= FEWEST {
            let habit = if self.in_lower_half(&guilty.ports) {
                Habit::BindsFirstReusing
            } else {
                Habit::BindsFirst
            };
            let ports = guilty.ports.clone();
            return Some(accusation(habit, guilty.confidence(), guilty.count, guilty.other, ports));
        }
        // bind() has taken every port of its own parity and goes on with the other.
        let exhausted =
            !self.slow.is_empty() && mixed.ports.intersection_len(&self.slow) == self.slow.len();
        if exhausted && mixed.count >= FEWEST {
            let ports = mixed.ports.clone();
            return Some(accusation(
                Habit::BindsFirst,
                mixed.confidence(),
                mixed.count,
                mixed.other,
                ports,
            ));
        }
        let span = span(&seen.ports)?;
        let usable = f64::from(self.fast.len() + self.slow.len());
        let confined = f64::from(span.len()) <= usable * CONFINED;
        if seen.count >= 2 * FEWEST && MIXED.contains(&seen.share()) && confined {
            // The chance that ports from all over the range lie so close together.
            let chance = CONFINED.powi(seen.count.min(1000).cast_signed() - 1);
            let habit = Habit::OwnRange(span);
            return Some(accusation(habit, 1.0 - chance, seen.count, seen.other, seen.ports));
        }
        None
    }

    fn in_lower_half(&self, ports: &PortSet) -> bool {
        let (low, high) = (self.range.low().number(), self.range.high().number());
        let middle = low + (high - low) / 4 * 2 + 1;
        span(ports).is_some_and(|span| span.high().number() <= middle)
    }
}

impl Accusation {
    /// Takes the kernel's answer in: `bound` are those of [`Accusation::ports`] that no automatic
    /// connection can take.
    pub fn judge(&mut self, bound: &PortSet) -> Judgement {
        if !self.habit.binds_first() || self.ports.is_empty() {
            return Judgement::Open;
        }
        let share = f64::from(self.ports.intersection_len(bound)) / f64::from(self.ports.len());
        if share >= BOUND {
            self.confidence = 1.0;
            Judgement::Confirmed
        } else if share >= 0.5 {
            Judgement::Open
        } else {
            Judgement::Cleared
        }
    }
}

/// What the kernel says to an [`Accusation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The ports are bound for every destination, as a program does that binds first.
    Confirmed,
    /// It does not settle the question.
    Open,
    /// The ports are not bound, so the program did not bind them.
    Cleared,
}

/// Ports of one program.
#[derive(Clone, Debug, Default)]
struct Tally {
    ports: PortSet,
    count: u32,
    other: u32,
}

impl Tally {
    fn add(&mut self, more: &Tally) {
        self.ports |= &more.ports;
        self.count += more.count;
        self.other += more.other;
    }

    fn share(&self) -> f64 {
        f64::from(self.other) / f64::from(self.count.max(1))
    }

    /// 1 minus a bound of the chance that a fair coin gives so much of the other parity (Hoeffding).
    fn confidence(&self) -> f64 {
        let excess = self.share() - 0.5;
        1.0 - (-2.0 * f64::from(self.count) * excess * excess).exp()
    }
}

fn span(ports: &PortSet) -> Option<PortRange> {
    let first = ports.iter().next()?;
    let last = ports.select(ports.len() - 1)?;
    PortRange::new(first.number(), last.number()).ok()
}

#[cfg(test)]
mod tests;
