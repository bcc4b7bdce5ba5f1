//! Made-up hosts: programs of every habit, on destinations that they share.

use std::collections::BTreeMap;

use dayfly_ports::Protocol;
use proptest::prelude::*;

use super::*;
use crate::RangeSetting;

/// What a made-up program does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Plain,
    /// Plain, with the whole range as an option.
    WholeRange,
    Binds,
    BindsReusing,
    /// A part of the range, in percent of it: where it starts, how long it is.
    OwnRange(u16, u16),
    Pins(u16),
}

/// A kernel reduced to the order in which it hands out ports.
struct Host {
    range: PortRange,
    random: u64,
    used: BTreeMap<DestinationKey, PortSet>,
    bound: PortSet,
    offsets: BTreeMap<DestinationKey, u32>,
}

impl Host {
    fn new(range: PortRange, seed: u64) -> Self {
        let (used, offsets) = (BTreeMap::new(), BTreeMap::new());
        Host { range, random: seed | 1, used, bound: PortSet::EMPTY, offsets }
    }

    fn below(&mut self, bound: u32) -> u32 {
        // xorshift64*
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        ((self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as u32) % bound
    }

    /// connect(): upwards from a place of the destination, one parity after the other.
    fn connect(&mut self, key: DestinationKey, within: PortRange, step: u32) -> Option<Port> {
        let jump = 1 + self.below(8);
        let start = match self.offsets.get(&key) {
            Some(offset) => offset + jump * step,
            None => self.below(u32::MAX),
        };
        self.offsets.insert(key, start);
        let length = within.len() & !(step - 1);
        let low = u32::from(within.low().number());
        let start = (start % length) & !(step - 1);
        for parity in 0..step {
            for index in 0..length / step {
                let port = low + (start + index * step) % length + parity;
                let port = Port::new(port as u16);
                let used = self.used.entry(key).or_default();
                if !self.bound.contains(port) && used.insert(port) {
                    return Some(port);
                }
            }
        }
        None
    }

    /// bind(ADDRESS, 0): at random, the other parity first, with SO_REUSEADDR the lower half first.
    fn bind(&mut self, key: DestinationKey, reuse: bool) -> Option<Port> {
        let low = u32::from(self.range.low().number());
        let length = self.range.len();
        let half = (length - 1) / 4 * 2;
        let parts = if reuse { vec![(0, half), (half, length)] } else { vec![(0, length)] };
        for (from, to) in parts {
            for parity in [1, 0] {
                let slots = (to - from) / 2;
                let start = self.below(slots);
                for index in 0..slots {
                    let place = from + (start + index) % slots * 2 + parity;
                    let port = Port::new((low + place) as u16);
                    if self.used.values().all(|used| !used.contains(port)) {
                        self.bound.insert(port);
                        self.used.entry(key).or_default().insert(port);
                        return Some(port);
                    }
                }
            }
        }
        None
    }

    fn open(&mut self, does: Does, key: DestinationKey) -> Option<Port> {
        let range = self.range;
        match does {
            Does::Plain => self.connect(key, range, 2),
            Does::WholeRange => self.connect(key, range, 1),
            Does::Binds => self.bind(key, false),
            Does::BindsReusing => self.bind(key, true),
            Does::OwnRange(from, length) => {
                let share = |percent: u16| (range.len() * u32::from(percent) / 100) as u16;
                let low = range.low().number() + share(from);
                let own = PortRange::new(low, low + share(length)).unwrap();
                self.connect(key, own, 1)
            }
            Does::Pins(place) => {
                let port = Port::new(range.low().number() + place);
                let free = self.used.entry(key).or_default().insert(port);
                self.bound.insert(port);
                free.then_some(port)
            }
        }
    }
}

fn key(number: u16) -> DestinationKey {
    DestinationKey::tcp([10, 0, 0, 1].into(), ([10, 0, 1, 1], 1000 + number).into())
}

fn settings() -> Settings {
    let range = PortRange::LINUX_DEFAULT;
    let mut settings = Settings::linux_defaults();
    settings.ranges = vec![RangeSetting { protocol: Protocol::Tcp, range }];
    settings
}

fn any_habit() -> impl Strategy<Value = Does> {
    prop_oneof![
        4 => Just(Does::Plain),
        1 => Just(Does::WholeRange),
        2 => Just(Does::Binds),
        1 => Just(Does::BindsReusing),
        1 => (0u16..60, 5u16..35).prop_map(|(from, length)| Does::OwnRange(from, length)),
        1 => (0u16..20_000).prop_map(Does::Pins),
    ]
}

/// A program: what it does, its connections, the first of its destinations and how many it has.
fn any_program() -> impl Strategy<Value = (Does, u16, u16, u16)> {
    (any_habit(), 200u16..600, 0u16..12, 1u16..5).prop_map(|(does, count, first, spread)| {
        // Every connection of a pinned port needs a destination of its own.
        if matches!(does, Does::Pins(_)) {
            (does, count, 100, count)
        } else {
            (does, count, first, spread)
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(60) })]
    #[test]
    fn the_guilty_are_named_and_nobody_else(
        programs in prop::collection::vec(any_program(), 1..=20),
        seed: u64,
    ) {
        let mut host = Host::new(PortRange::LINUX_DEFAULT, seed);
        let mut docket = Docket::new(&settings());
        let most = programs.iter().map(|(_, count, ..)| *count).max().unwrap_or(0);
        let mut observed = vec![0; programs.len()];
        // They take turns, as programs do.
        for turn in 0..most {
            for (index, &(does, count, first, spread)) in programs.iter().enumerate() {
                if turn >= count {
                    continue;
                }
                let key = key(first + turn % spread);
                if let Some(port) = host.open(does, key) {
                    docket.add(Some(&format!("program {index}")), key, port);
                    observed[index] += 1;
                }
            }
        }
        let accusations = docket.accusations();
        for (index, (does, ..)) in programs.iter().enumerate() {
            let name = format!("program {index}");
            let found = accusations.iter().find(|found| found.program == name);
            if observed[index] < 200 {
                continue;
            }
            let habit = found.map(|found| found.habit);
            let as_it_is = match does {
                Does::Plain | Does::WholeRange => {
                    // A range of its own it is, if it keeps near one place.
                    habit.is_none_or(|habit| matches!(habit, Habit::OwnRange(_)) && *does == Does::WholeRange)
                }
                Does::Binds => habit == Some(Habit::BindsFirst),
                Does::BindsReusing => habit == Some(Habit::BindsFirstReusing),
                Does::OwnRange(..) => matches!(habit, Some(Habit::OwnRange(_))),
                Does::Pins(_) => habit == Some(Habit::PinsPorts),
            };
            prop_assert!(as_it_is, "{:?}: {:?}", does, found);
            if let Some(found) = found {
                prop_assert!(found.confidence > 0.95 && found.confidence <= 1.0);
                prop_assert!(found.connections >= 20);
            }
        }
    }
}

#[test]
fn a_destination_past_the_cliff_is_no_evidence() {
    let mut docket = Docket::new(&settings());
    let full = PortRange::LINUX_DEFAULT;
    for port in full.iter().filter(|port| !port.is_odd()) {
        docket.add(None, key(1), port);
    }
    for port in full.iter().filter(|port| port.is_odd()).take(500) {
        docket.add(Some("late"), key(1), port);
    }
    assert_eq!(docket.accusations(), []);
}

#[test]
fn few_connections_are_no_evidence() {
    let mut docket = Docket::new(&settings());
    for place in 0..19 {
        docket.add(Some("small"), key(1), Port::new(40001 + 2 * place));
    }
    assert_eq!(docket.accusations(), []);
    docket.add(Some("small"), key(1), Port::new(50001));
    let accusations = docket.accusations();
    assert_eq!((accusations.len(), accusations[0].program.as_str()), (1, "small"));
    assert!(accusations[0].confidence > 0.99 && accusations[0].confidence < 1.0);
    assert_eq!((accusations[0].connections, accusations[0].other_parity), (20, 20));
}

#[test]
fn the_kernel_confirms_or_clears() {
    let mut docket = Docket::new(&settings());
    for place in 0..100 {
        docket.add(Some("program"), key(1), Port::new(33001 + 2 * place * 100));
    }
    let mut accusation = docket.accusations().remove(0);
    assert_eq!(accusation.habit, Habit::BindsFirst);
    assert_eq!(accusation.clone().judge(&PortSet::EMPTY), Judgement::Cleared);
    let ports = accusation.ports.clone();
    assert_eq!(accusation.judge(&ports), Judgement::Confirmed);
}

#[test]
fn one_that_does_both_is_named_for_what_it_binds() {
    let mut host = Host::new(PortRange::LINUX_DEFAULT, 7);
    let mut docket = Docket::new(&settings());
    for _ in 0..300 {
        for (does, key) in [(Does::Plain, key(1)), (Does::Binds, key(2))] {
            let port = host.open(does, key).unwrap();
            docket.add(Some("both"), key, port);
        }
    }
    let accusation = docket.accusations().remove(0);
    assert_eq!((accusation.habit, accusation.connections), (Habit::BindsFirst, 300));
}
