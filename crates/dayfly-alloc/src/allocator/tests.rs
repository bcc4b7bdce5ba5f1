//! The allocator against a model that remembers everything, and its answers to bad input.

extern crate std;

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::ToString;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::{Parity, QueueMask, Xoshiro};

fn key(local: u8, remote: u8) -> Key {
    let (local, remote) = ([192, 0, 2, local].into(), [198, 51, 100, remote].into());
    Key::new(Protocol::Tcp, local, remote, Port::new(443))
}

fn range(low: u16, high: u16) -> PortRange {
    PortRange::new(low, high).unwrap()
}

fn allocator(config: Config, seed: u64) -> Allocator<Xoshiro> {
    Allocator::new(config, Xoshiro::seeded(seed))
}

fn tcp_claim(
    allocator: &mut Allocator<Xoshiro>,
    place: Place,
    port: u16,
    now: Tick,
) -> Result<crate::Claim, ClaimError> {
    allocator.claim(Protocol::Tcp, place, Port::new(port), Sharing::Exclusive, now)
}

/// What a model of an allocator knows: nothing clever, only lists.
#[derive(Default)]
struct Model {
    live: Vec<(Key, Handle)>,
    /// Key, port, end of the hold.
    held: Vec<(Key, Port, Tick)>,
    reserved: BTreeSet<Port>,
    claims: Vec<(crate::Claim, Place)>,
}

impl Model {
    fn is_free(&self, key: &Key, port: Port) -> bool {
        port != Port::MIN
            && !self.reserved.contains(&port)
            && !self
                .claims
                .iter()
                .any(|(claim, place)| claim.port() == port && place.contains(key.local_address()))
            && !self.live.iter().any(|(k, handle)| k == key && handle.port() == port)
            && !self.held.iter().any(|(k, p, _)| k == key && *p == port)
    }

    fn free(&self, key: &Key, range: PortRange) -> BTreeSet<Port> {
        range.iter().filter(|port| self.is_free(key, *port)).collect()
    }

    fn pass(&mut self, now: Tick) {
        self.held.retain(|(_, _, until)| *until > now);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Allocation succeeds if and only if a port is free; whatever is handed out was free; counts,
    /// answers and releases agree with the model at every step.
    #[test]
    fn agrees_with_the_model(
        seed: u64,
        len in prop_oneof![0_u16..6, 30_u16..70, 100_u16..300],
        low in prop_oneof![Just(0_u16), Just(65000), 1024_u16..60000],
        hold in prop_oneof![Just(0_u64), 1_u64..200],
        steps in prop::collection::vec((0_u8..100, any::<u16>(), 0_u8..3, 0_u8..2), 1..1200),
    ) {
        let range = range(low, low.saturating_add(len));
        let mut allocator = allocator(Config { hold, ..Config::new(range) }, seed);
        let mut model = Model::default();
        let mut now = 0;
        for (what, pick, remote, local) in steps {
            now += u64::from(what % 3);
            model.pass(now);
            let key = key(local, remote);
            let port = Port::new(low.saturating_add(pick % (len + 2)));
            match what {
                0..50 => {
                    let free = model.free(&key, range);
                    let got = allocator.allocate(&key, now);
                    prop_assert_eq!(got.is_ok(), !free.is_empty());
                    if let Ok(handle) = got {
                        prop_assert!(free.contains(&handle.port()));
                        model.live.push((key, handle));
                    }
                }
                50..60 => {
                    let free = model.is_free(&key, port) && range.contains(port);
                    prop_assert_eq!(allocator.explain(&key, port, now) == Status::Free, free);
                    let got = allocator.take(&key, port, now);
                    prop_assert_eq!(got.is_ok(), free, "{:?}", got);
                    if let Ok(handle) = got {
                        prop_assert_eq!(handle.port(), port);
                        model.live.push((key, handle));
                    }
                }
                60..64 => {
                    let parity = if pick & 1 == 0 { Parity::Even } else { Parity::Odd };
                    let options = Options { parity: Some(parity), ..Options::default() };
                    let free = model.free(&key, range);
                    let fits = free.iter().filter(|port| Parity::of(**port) == parity).count();
                    let got = allocator.allocate_with(&key, now, &options);
                    prop_assert_eq!(got.is_ok(), fits > 0);
                    if let Ok(handle) = got {
                        prop_assert_eq!(Parity::of(handle.port()), parity);
                        prop_assert!(free.contains(&handle.port()));
                        model.live.push((key, handle));
                    }
                }
                64..88 if !model.live.is_empty() => {
                    let index = usize::from(pick) % model.live.len();
                    let (key, handle) = model.live.swap_remove(index);
                    let at_once = what % 2 == 0;
                    let done = if at_once {
                        allocator.release_at_once(handle, now)
                    } else {
                        allocator.release(handle, now)
                    };
                    prop_assert_eq!(done, Ok(()));
                    prop_assert_eq!(allocator.release(handle, now), Err(ReleaseError::Stale));
                    if !at_once && hold > 0 {
                        model.held.push((key, handle.port(), now + hold));
                    }
                }
                88..92 => {
                    let place = [Place::Any, Place::AnyV4, Place::AnyV6, Place::Address([192, 0, 2, local].into())]
                        [usize::from(pick >> 8) % 4];
                    let used = |k: &Key, p: Port| p == port && place.contains(k.local_address());
                    let in_use = model.live.iter().any(|(k, h)| used(k, h.port()))
                        || model.held.iter().any(|(k, p, _)| used(k, *p));
                    let claimed = model.claims.iter().any(|(claim, other)| {
                        claim.port() == port && place.overlaps(*other)
                    });
                    let got = tcp_claim(&mut allocator, place, port.number(), now);
                    prop_assert_eq!(got.is_ok(), !in_use && !claimed && port != Port::MIN, "{:?}", got);
                    if let Ok(claim) = got {
                        model.claims.push((claim, place));
                    }
                }
                92..96 if !model.claims.is_empty() => {
                    let index = usize::from(pick) % model.claims.len();
                    let (claim, _) = model.claims.swap_remove(index);
                    prop_assert_eq!(allocator.release_claim(claim), Ok(()));
                    prop_assert_eq!(allocator.release_claim(claim), Err(ReleaseError::Stale));
                }
                _ => {
                    if !model.reserved.insert(port) {
                        model.reserved.remove(&port);
                    }
                    allocator.reserve(&model.reserved.iter().copied().collect());
                }
            }
            let free = model.free(&key, range);
            prop_assert_eq!(allocator.free_count(&key, now) as usize, free.len());
        }
        let usage = allocator.usage();
        prop_assert_eq!(usage.connections, model.live.len());
        prop_assert_eq!(usage.held, model.held.len());
        for (_, handle) in model.live {
            prop_assert_eq!(allocator.release_at_once(handle, now), Ok(()));
        }
        allocator.expire(now + hold);
        let usage = allocator.usage();
        prop_assert_eq!((usage.connections, usage.held, usage.bitmaps), (0, 0, 0));
    }

    /// Under conditions too: success if and only if a port that meets them is free.
    #[test]
    fn conditions_never_miss_a_port(
        seed: u64, taken in 0.0_f64..1.0, from in 0_u16..300, width in 0_u16..100, modulus in 1_u16..40,
    ) {
        let range = range(50000, 50299);
        let mut allocator = allocator(Config::new(range), seed);
        let key = key(1, 1);
        let mut used = BTreeSet::new();
        for _ in 0..(300.0 * taken) as usize {
            used.insert(allocator.allocate(&key, 0).unwrap().port());
        }
        let within = PortRange::new(50000 + from, 50000 + from + width).unwrap();
        let queue = QueueMask::new(range, |port| port.number() % modulus == 0);
        let options = Options { within: Some(within), queue: Some(&queue), ..Options::default() };
        loop {
            let fits = range
                .iter()
                .filter(|port| within.contains(*port) && port.number() % modulus == 0)
                .find(|port| !used.contains(port));
            match (allocator.allocate_with(&key, 0, &options), fits) {
                (Ok(handle), Some(_)) => {
                    prop_assert!(options.admits(range, handle.port()));
                    prop_assert!(used.insert(handle.port()));
                }
                (Err(Exhausted { held: 0 }), None) => break,
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}

#[test]
fn a_held_port_comes_back_on_the_tick_and_not_before() {
    let mut allocator = allocator(Config { hold: 60, ..Config::new(range(5000, 5000)) }, 1);
    let handle = allocator.allocate(&key(1, 1), 100).unwrap();
    allocator.release(handle, 100).unwrap();
    let status = allocator.explain(&key(1, 1), Port::new(5000), 100);
    assert_eq!(status, Status::Held { until: 160 });
    assert_eq!(status.to_string(), "the port is held back after a connection, until tick 160");
    assert_eq!(allocator.allocate(&key(1, 1), 159), Err(Exhausted { held: 1 }));
    assert!(allocator.allocate(&key(1, 2), 159).is_ok(), "another destination is not concerned");
    // Time that runs backwards changes nothing.
    assert_eq!(allocator.allocate(&key(1, 1), 0), Err(Exhausted { held: 1 }));
    assert_eq!(allocator.expire(160), 1);
    assert!(allocator.allocate(&key(1, 1), 160).is_ok());
}

#[test]
fn a_tick_that_goes_backwards_does_not_shorten_a_hold() {
    let mut allocator = allocator(Config { hold: 10, ..Config::new(range(5000, 5000)) }, 1);
    let handle = allocator.allocate(&key(1, 1), 1000).unwrap();
    allocator.release(handle, 5).unwrap();
    assert!(allocator.allocate(&key(1, 1), 1009).is_err());
    assert!(allocator.allocate(&key(1, 1), 1010).is_ok());
}

#[test]
fn oldest_first_reuses_in_order_of_release() {
    for count in [5_u16, 100] {
        let config = Config {
            hold: 1000,
            reuse: Reuse::OldestFirst,
            ..Config::new(range(5000, 5000 + count - 1))
        };
        let mut allocator = allocator(config, 3);
        let handles: Vec<Handle> =
            (0..count).map(|_| allocator.allocate(&key(1, 1), 0).unwrap()).collect();
        assert_eq!(allocator.allocate(&key(1, 1), 0), Err(Exhausted { held: 0 }));
        for (tick, handle) in handles.iter().enumerate() {
            allocator.release(*handle, tick as Tick).unwrap();
        }
        for handle in &handles {
            let again = allocator.allocate(&key(1, 1), 200).unwrap();
            assert_eq!(again.port(), handle.port());
            assert_eq!(allocator.release(*handle, 200), Err(ReleaseError::Stale));
        }
        // The holds that were cut short end without consequences.
        assert_eq!(allocator.expire(5000), 0);
        assert_eq!(allocator.usage().connections, usize::from(count));
    }
}

#[test]
fn a_distance_keeps_a_port_out_for_that_many_others() {
    let config = Config {
        hold: Tick::MAX,
        reuse: Reuse::AfterDistance(40),
        ..Config::new(range(5000, 5099))
    };
    let mut allocator = allocator(config, 4);
    let first: Vec<Handle> = (0..50).map(|_| allocator.allocate(&key(1, 1), 0).unwrap()).collect();
    let mut last_seen = BTreeMap::new();
    for handle in first {
        allocator.release(handle, 0).unwrap();
    }
    let mut distances = Vec::new();
    for step in 0..5000_u32 {
        let handle = allocator.allocate(&key(1, 1), 0).unwrap();
        if let Some(before) = last_seen.insert(handle.port(), step) {
            distances.push(step - before);
        }
        allocator.release(handle, 0).unwrap();
    }
    // 40 others in between make the 41st the first that may be the same again.
    assert_eq!(distances.iter().min(), Some(&41));
}

#[test]
fn the_callers_predicate_decides_about_held_ports() {
    let config = Config { hold: 60, ..Config::new(range(5000, 5002)) };
    let mut allocator = allocator(config, 5);
    let handles: Vec<Handle> = (0..3).map(|_| allocator.allocate(&key(1, 1), 0).unwrap()).collect();
    let any = Options::default();
    assert!(allocator.allocate_or_reuse(&key(1, 1), 0, &any, |_| true).is_err(), "none is held");
    allocator.release(handles[2], 1).unwrap();
    allocator.release(handles[0], 2).unwrap();
    let mut asked = Vec::new();
    let refused = allocator.allocate_or_reuse(&key(1, 1), 3, &any, |port| {
        asked.push(port);
        false
    });
    assert_eq!(refused, Err(Exhausted { held: 2 }));
    assert_eq!(asked, [handles[2].port(), handles[0].port()]);
    let newer = handles[0].port();
    let reused = allocator.allocate_or_reuse(&key(1, 1), 3, &any, |port| port == newer).unwrap();
    assert_eq!(reused.port(), newer);
    assert_eq!(allocator.release(handles[0], 4), Err(ReleaseError::Stale));
    allocator.release(reused, 4).unwrap();
}

#[test]
fn a_preferred_port_is_kept_if_it_is_free() {
    let mut allocator = allocator(Config::new(range(5000, 5999)), 6);
    let keep = Options { preferred: Some(Port::new(5123)), ..Options::default() };
    assert_eq!(allocator.allocate_with(&key(1, 1), 0, &keep).unwrap().port(), Port::new(5123));
    assert_ne!(allocator.allocate_with(&key(1, 1), 0, &keep).unwrap().port(), Port::new(5123));
    assert_eq!(allocator.allocate_with(&key(1, 2), 0, &keep).unwrap().port(), Port::new(5123));
    let odd = Options { preferred: Some(Port::new(80)), parity: Some(Parity::Odd), ..keep };
    assert!(allocator.allocate_with(&key(1, 3), 0, &odd).unwrap().port().is_odd());
}

#[test]
fn handles_of_another_allocator_are_refused() {
    let mut one = allocator(Config::new(range(5000, 5010)), 7);
    let mut other = allocator(Config::new(range(5000, 5010)), 7);
    let handle = one.allocate(&key(1, 1), 0).unwrap();
    assert_eq!(other.allocate(&key(1, 1), 0).unwrap().port(), handle.port());
    assert_eq!(other.release(handle, 0), Err(ReleaseError::Foreign));
    let claim = tcp_claim(&mut one, Place::Any, 80, 0).unwrap();
    assert_eq!(other.release_claim(claim), Err(ReleaseError::Foreign));
    assert_eq!(size_of::<Handle>(), 16);
}

#[test]
fn a_port_that_is_reserved_while_in_use_does_not_come_back() {
    for connections in [1, 60] {
        let mut allocator = allocator(Config::new(range(5000, 5059)), 8);
        let handles: Vec<Handle> =
            (0..connections).map(|_| allocator.allocate(&key(1, 1), 0).unwrap()).collect();
        let port = handles[0].port();
        allocator.reserve(&[port].into_iter().collect());
        assert_eq!(allocator.explain(&key(1, 1), port, 0), Status::InUse);
        allocator.release(handles[0], 0).unwrap();
        assert_eq!(allocator.explain(&key(1, 1), port, 0), Status::Reserved);
        assert_eq!(allocator.take(&key(1, 1), port, 0), Err(Status::Reserved));
        assert_eq!(allocator.free_count(&key(1, 1), 0), 60 - connections);
        allocator.reserve(&PortSet::EMPTY);
        assert_eq!(allocator.take(&key(1, 1), port, 0).unwrap().port(), port);
    }
}

#[test]
fn everything_reserved_is_exhausted_at_once() {
    let mut allocator = allocator(Config::new(PortRange::ALL), 9);
    assert_eq!(allocator.free_count(&key(1, 1), 0), 65535, "port 0 is never handed out");
    allocator.reserve(&PortSet::FULL);
    let error = allocator.allocate(&key(1, 1), 0).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no port is free for this destination: all are in use, claimed or reserved; \
         widen the range or use another local address"
    );
    assert_eq!(allocator.claim_any(Protocol::Tcp, Place::Any, 0), None);
}

#[test]
fn conditions_that_nothing_meets_are_exhausted() {
    let mut allocator = allocator(Config::new(range(5000, 5099)), 9);
    let (none, elsewhere) =
        (QueueMask::new(range(5000, 5099), |_| false), QueueMask::new(range(5000, 5098), |_| true));
    assert!(none.is_empty() && elsewhere.len() == 99);
    for connections in [0, 30] {
        for _ in 0..connections {
            allocator.allocate(&key(1, 1), 0).unwrap();
        }
        for options in [
            Options { queue: Some(&none), ..Options::default() },
            Options { queue: Some(&elsewhere), ..Options::default() },
            Options { within: Some(range(80, 90)), ..Options::default() },
            Options { within: Some(range(5100, 65535)), ..Options::default() },
        ] {
            let refused = allocator.allocate_with(&key(1, 1), 0, &options);
            assert_eq!(refused, Err(Exhausted { held: 0 }), "{options:?}");
        }
    }
}

#[test]
fn a_destination_with_a_young_bitmap_is_light() {
    let mut allocator = allocator(Config::new(PortRange::DYNAMIC), 9);
    for _ in 0..40 {
        allocator.allocate(&key(1, 1), 0).unwrap();
    }
    let usage = allocator.usage();
    assert_eq!(usage.bitmaps, 1);
    assert!(usage.bitmap_bytes < 8192, "{usage:?}");
}

#[test]
fn claims_block_and_are_blocked() {
    let mut allocator = allocator(Config::new(range(5000, 5001)), 10);
    let here = Place::Address([192, 0, 2, 1].into());
    let listener = tcp_claim(&mut allocator, here, 5000, 0).unwrap();
    // A listener on one address blocks the port there and nowhere else.
    assert_eq!(allocator.explain(&key(1, 1), Port::new(5000), 0), Status::Claimed(here));
    assert_eq!(allocator.allocate(&key(1, 1), 0).unwrap().port(), Port::new(5001));
    assert!(allocator.allocate(&key(1, 1), 0).is_err());
    assert_eq!(allocator.free_count(&key(2, 1), 0), 2);
    // A wildcard bind meets the connection, whichever address it is on.
    let error = tcp_claim(&mut allocator, Place::Any, 5001, 0).unwrap_err();
    assert_eq!(error, ClaimError::InUse { port: Port::new(5001), connections: 1 });
    assert!(format!("{error}").contains("in use by 1 connections"));
    assert_eq!(
        tcp_claim(&mut allocator, Place::AnyV4, 5000, 0),
        Err(ClaimError::Claimed { port: Port::new(5000) })
    );
    assert!(tcp_claim(&mut allocator, Place::AnyV6, 5001, 0).is_ok());
    assert_eq!(tcp_claim(&mut allocator, Place::Any, 0, 0), Err(ClaimError::Zero));
    allocator.release_claim(listener).unwrap();
    assert!(allocator.allocate(&key(1, 1), 0).is_ok());
    // Shared claims share, with each other and with connections.
    let share = |allocator: &mut Allocator<Xoshiro>| {
        allocator.claim(Protocol::Tcp, Place::AnyV4, Port::new(5001), Sharing::Shared, 0)
    };
    assert!(share(&mut allocator).is_ok() && share(&mut allocator).is_ok());
    // Another protocol is another world.
    assert!(
        allocator.claim(Protocol::Udp, Place::Any, Port::new(5001), Sharing::Exclusive, 0).is_ok()
    );
}

#[test]
fn claim_any_finds_the_last_unused_port() {
    let mut allocator = allocator(Config::new(range(5000, 5999)), 11);
    let mut seen = BTreeSet::new();
    for _ in 0..1000 {
        let claim = allocator.claim_any(Protocol::Udp, Place::AnyV4, 0).unwrap();
        assert!(seen.insert(claim.port()));
    }
    assert_eq!(allocator.claim_any(Protocol::Udp, Place::AnyV4, 0), None);
    assert!(allocator.claim_any(Protocol::Udp, Place::AnyV6, 0).is_some());
}

#[test]
fn the_whole_space_to_one_destination_fits_its_budget() {
    let mut allocator = allocator(Config::new(range(1024, 65535)), 12);
    let mut seen = PortSet::EMPTY;
    for _ in 0..64512 {
        assert!(seen.insert(allocator.allocate(&key(1, 1), 0).unwrap().port()));
    }
    assert!(allocator.allocate(&key(1, 1), 0).is_err());
    let usage = allocator.usage();
    assert_eq!((usage.connections, usage.bitmaps), (64512, 1));
    assert!(usage.bitmap_bytes <= 16 * 64512, "{usage:?}");
}

#[test]
fn few_connections_to_many_destinations_own_no_object() {
    let mut allocator = allocator(Config::new(PortRange::DYNAMIC), 13);
    for destination in 0..20_000_u32 {
        let remote = std::net::Ipv4Addr::from_bits(0x0A00_0000 + destination).into();
        let key = Key::new(Protocol::Tcp, [192, 0, 2, 1].into(), remote, Port::new(443));
        for _ in 0..10 {
            allocator.allocate(&key, 0).unwrap();
        }
    }
    let usage = allocator.usage();
    assert_eq!((usage.connections, usage.bitmaps), (200_000, 0));
    assert!(usage.sparse_bytes <= 16 * 200_000, "{usage:?}");
}
