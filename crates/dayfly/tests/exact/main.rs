//! The report's numbers are the kernel's: on scenarios made up at random, `free` is how many more
//! connections are granted, and `fast_free` how many before the search turns slow.
//!
//! A failure prints the seed and the smallest scenario that was found to fail.

#![expect(clippy::unwrap_used, reason = "what cannot be prepared fails the test")]

mod report;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use dayfly_testkit::{
    ACCEPTED_CLIENTS_FROM, Action, Ending, Kind, Scenario, Server, SocketOptions, Stage,
    check_many, drain, drain_bind, privileged, scenarios,
};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::report::{Destination, Room, UdpSource, show};

type Checked = Result<(), TestCaseError>;

/// How near the numbers must come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    /// All are the kernel's; what may be hidden widens only the least.
    Exact,
    /// All are the kernel's, and nothing is left open.
    Settled,
    /// The kernel's lie between the least and the most.
    Bounds,
    /// The range is odd and each call overlooks one end: the kernel's may be one less.
    OneEnd,
}

#[test]
fn what_a_snapshot_shows_is_counted_exactly() {
    privileged!();
    check_many(101, 100, &scenarios(Kind::Open), |scenario| check(scenario, &[], Precision::Exact));
}

#[test]
fn what_the_ports_give_away_lies_between_the_bounds() {
    privileged!();
    check_many(102, 60, &scenarios(Kind::Suspicious), |scenario| {
        check(scenario, &[], Precision::Bounds)
    });
}

#[test]
fn the_probe_finds_what_a_snapshot_hides() {
    privileged!();
    check_many(103, 60, &scenarios(Kind::Hidden), |scenario| {
        check(scenario, &["--probe"], Precision::Settled)
    });
}

#[test]
fn odd_ranges_may_grant_one_less() {
    privileged!();
    check_many(104, 40, &scenarios(Kind::Odd), |scenario| check(scenario, &[], Precision::OneEnd));
}

#[test]
fn thousands_of_ports_are_counted_exactly() {
    privileged!();
    check_many(105, 3, &scenarios(Kind::Large), |scenario| check(scenario, &[], Precision::Exact));
}

#[test]
fn udp_is_counted_exactly() {
    privileged!();
    check_many(106, 60, &scenarios(Kind::Datagram), |scenario| {
        let stage = Stage::play(scenario);
        let room = show(stage.namespace(), &[]);
        for source in stage.datagram_sources() {
            let found = room.udp_sources.iter().any(|row| row.source == source);
            prop_assert!(found, "no row for {}", source);
        }
        room.udp_sources.iter().try_for_each(|row| check_datagram(&stage, row))
    });
}

#[test]
fn a_destination_without_connections_is_counted_exactly() {
    privileged!();
    let place: SocketAddr = "127.0.0.5:90".parse().unwrap();
    check_many(107, 20, &scenarios(Kind::Hidden), |scenario| {
        let stage = Stage::play(scenario);
        let _server = stage.namespace().run(|| Server::open(&SocketOptions::tcp(), place)).unwrap();
        let room = show(stage.namespace(), &["--probe", "--destination", &place.to_string()]);
        prop_assert_eq!(room.destinations.len(), 1, "{:?}", room);
        prop_assert_eq!(room.destinations[0].place(), place);
        check_row(&stage, &room.destinations[0], Precision::Settled)
    });
}

#[test]
fn ports_that_can_be_reused_are_granted_as_well() {
    privileged!();
    let place: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let connect =
        |count, ending| Action::Connect { options: SocketOptions::tcp(), to: place, count, ending };
    let actions = vec![connect(7, Ending::TimeWait), connect(4, Ending::Open)];
    let scenario = Scenario { range: (40_000, 40_019), reserved: BTreeSet::new(), actions };
    let stages = [("0", 0), ("1", 7), ("2", 7)].map(|settings| (settings, Stage::play(&scenario)));
    // Longer than tcp_tw_reuse_delay.
    std::thread::sleep(Duration::from_millis(1200));
    for ((reuse, reusable), stage) in stages {
        stage.namespace().sysctl("net.ipv4.tcp_tw_reuse", reuse);
        let room = show(stage.namespace(), &[]);
        let row = &room.destinations[0];
        assert_eq!((row.time_wait, row.reusable, row.free), (7, reusable, 9), "{reuse}: {row:?}");
        let (granted, _) = stage.granted(row.source, place);
        assert_eq!(granted, row.free + row.reusable, "{reuse}: {row:?}");
    }
}

fn check(scenario: &Scenario, words: &[&str], precision: Precision) -> Checked {
    let stage = Stage::play(scenario);
    let room = show(stage.namespace(), words);
    for (source, place) in stage.destinations() {
        let row = room.destinations.iter().find(|row| (row.source, row.place()) == (source, place));
        match row {
            Some(row) => check_row(&stage, row, precision)?,
            None => {
                let used = stage.used(source, place);
                prop_assert!(
                    used.ports == used.on_listener,
                    "no row: {source} to {place}, {used:?}"
                );
            }
        }
    }
    check_strangers(&stage, &room)
}

fn check_row(stage: &Stage, row: &Destination, precision: Precision) -> Checked {
    let place = row.place();
    let (granted, fast) = stage.granted(row.source, place);
    prop_assert_eq!(row.protocol.as_str(), "tcp");
    prop_assert_eq!(row.usable, stage.usable().count(), "usable: {:?}", row);
    let used = stage.used(row.source, place);
    for (told, ports) in [(row.used, used.ports), (row.time_wait, used.time_wait)] {
        prop_assert!(told <= ports && told + used.on_listener >= ports, "{used:?}: {row:?}");
    }
    prop_assert_eq!(row.reusable, 0, "tcp_tw_reuse is 0: {:?}", row);
    prop_assert_eq!(row.used + row.blocked + row.free, row.usable, "the sum: {:?}", row);
    check_fill(row.fill, row.free, row.usable)?;
    match precision {
        Precision::Exact | Precision::Settled => {
            prop_assert_eq!(row.free, granted, "free: {:?}", row);
            prop_assert_eq!(row.fast_free, fast, "fast_free: {:?}", row);
            prop_assert!(row.free_min <= granted, "{} granted: {:?}", granted, row);
        }
        Precision::Bounds | Precision::OneEnd => {
            prop_assert!(row.free_min <= granted, "{} granted: {:?}", granted, row);
            prop_assert!(granted <= row.free, "{} granted: {:?}", granted, row);
            prop_assert!(fast <= row.fast_free, "{} granted fast: {:?}", fast, row);
        }
    }
    if precision == Precision::Settled {
        prop_assert_eq!((row.free_min, row.suspected), (row.free, 0), "{:?}", row);
    }
    if precision == Precision::OneEnd {
        prop_assert!(row.free <= granted + 1, "{} granted: {:?}", granted, row);
        prop_assert!(row.fast_free <= fast + 1, "{} granted fast: {:?}", fast, row);
    }
    Ok(())
}

/// Rows that no action asked for: only the far ends of accepted connections.
fn check_strangers(stage: &Stage, room: &Room) -> Checked {
    for row in &room.destinations {
        let known = stage.destinations().any(|known| known == (row.source, row.place()));
        prop_assert!(known || row.port >= ACCEPTED_CLIENTS_FROM, "nobody made {:?}", row);
    }
    Ok(())
}

fn check_datagram(stage: &Stage, row: &UdpSource) -> Checked {
    let local = SocketAddr::new(row.source, 0);
    let bound = stage.namespace().run(|| drain_bind(&SocketOptions::udp(), local).ports().len());
    prop_assert_eq!(row.free, bound, "{:?}", row);
    prop_assert_eq!(row.usable, stage.usable().count(), "{:?}", row);
    prop_assert_eq!(row.used + row.free, row.usable, "the sum: {:?}", row);
    check_fill(row.fill, row.free, row.usable)?;
    if row.source.is_unspecified() {
        // connect() chooses the port before it knows the address.
        let to = if row.source.is_ipv4() { "127.0.0.1:53" } else { "[::1]:53" };
        let to = to.parse().unwrap();
        let connected = stage.namespace().run(|| drain(&SocketOptions::udp(), to));
        let (granted, refusal) = (connected.ports().len(), connected.refusal());
        prop_assert_eq!(row.free, granted, "connect() ends with {:?}: {:?}", refusal, row);
    }
    Ok(())
}

/// The share of the usable ports that is not free; full when nothing is usable.
fn check_fill(fill: f64, free: usize, usable: usize) -> Checked {
    let expected = if usable == 0 { 1.0 } else { 1.0 - free as f64 / usable as f64 };
    prop_assert!((fill - expected).abs() < 0.001, "fill {}, expected {}", fill, expected);
    Ok(())
}
