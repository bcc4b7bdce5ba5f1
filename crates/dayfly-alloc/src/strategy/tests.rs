//! Strategies against their sources: known draws, known sequences, and what holds for all of them.

extern crate std;

use std::boxed::Box;
use std::collections::BTreeSet;
use std::vec;
use std::vec::Vec;

use dayfly_ports::{PortSet, Protocol};
use proptest::prelude::{Just, ProptestConfig, prop_assert, prop_oneof, proptest};

use super::*;
use crate::{Counting, Pool, Xoshiro, random};

fn key(remote: u8) -> Key {
    let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, remote].into());
    Key::new(Protocol::Tcp, local, remote, Port::new(443))
}

fn range(low: u16, high: u16) -> PortRange {
    PortRange::new(low, high).unwrap()
}

/// All ports of the range but these.
fn all_but(range: PortRange, taken: &[u16]) -> PortSet {
    let mut free = PortSet::from(range);
    for port in taken {
        free.remove(Port::new(*port));
    }
    free
}

/// A source from which `below(bound)` yields these numbers, given as pairs of number and bound.
fn draws(numbers: &[(u32, u32)]) -> impl Random {
    let words: Vec<u64> = numbers
        .iter()
        .map(|(number, bound)| (((u64::from(*number) << 32) + (1 << 31)) / u64::from(*bound)) << 32)
        .collect();
    let mut words = words.into_iter();
    random::from_fn(move || words.next().expect("no more draws than the script has"))
}

/// One pick for the first key.
fn pick(strategy: &mut dyn Strategy, free: &PortSet, random: &mut dyn Random) -> Option<u16> {
    let request = Request { key: &key(1), now: 0, free };
    strategy.pick(&request, random).map(Port::number)
}

/// Picks that take the port, until there is none.
fn drain(strategy: &mut dyn Strategy, range: PortRange, seed: u64) -> Vec<u16> {
    let (mut pool, mut random) = (Pool::new(range), Xoshiro::seeded(seed));
    let mut ports = Vec::new();
    while let Some(port) =
        strategy.pick(&Request { key: &key(1), now: 0, free: &pool }, &mut random)
    {
        assert!(pool.take(port), "{} picked {port}, which is taken", strategy.name());
        ports.push(port.number());
    }
    ports
}

/// Every strategy over a range, with whether it finds the last free port for certain.
fn everything(range: PortRange) -> Vec<(Box<dyn Strategy>, bool)> {
    use LinuxVersion::{Before4_2, From4_2, From4_6, From5_12};
    use NetBsdAlgorithm::{Bsd, DoubleHash as Double, Hash, RandInc, RandomPick, RandomStart};
    let versions = [Before4_2, From4_2, From4_6, From5_12];
    let even = range.len().is_multiple_of(2) || range.len() == 1;
    let mut all: Vec<(Box<dyn Strategy>, bool)> = vec![
        (Box::new(UniformFree::new(range)), true),
        (Box::new(OldestFree::new(range, 4)), true),
        (Box::new(SimpleRandomStart::new(range)), true),
        (Box::new(SimpleRandom::new(range)), false),
        (Box::new(SimpleHash::new(range)), true),
        (Box::new(DoubleHash::new(range, 10)), true),
        (Box::new(RandomIncrements::new(range, 500)), false),
        (Box::new(Sequential::from_low_end(range)), true),
        (Box::new(Sequential::from_random_place(range)), true),
        (Box::new(LinuxConnect::new(range, LinuxVersion::From5_18, None)), even),
        (Box::new(LinuxConnect::new(range, LinuxVersion::From5_18, None).with_own_range()), true),
        (Box::new(LinuxConnect::new(range, LinuxVersion::From5_18, None).with_step_width(7)), even),
        (Box::new(LinuxBind::new(range, false)), even),
        (Box::new(LinuxBind::new(range, true)), even),
        (Box::new(LinuxUdp::new(range, 256)), true),
        (Box::new(Netfilter::new(range)), range.len() <= 128),
        (Box::new(FreeBsd::new(range, true)), true),
        (Box::new(FreeBsd::new(range, false)), true),
        (Box::new(OpenBsd::new(range)), true),
        (Box::new(Illumos::new(range)), true),
        (Box::new(Windows::new(range)), true),
    ];
    for version in versions {
        let whole = even || matches!(version, Before4_2 | From4_2);
        all.push((Box::new(LinuxConnect::new(range, version, Some(10))), whole));
    }
    for (algorithm, whole) in [
        (Bsd, true),
        (RandomStart, true),
        (RandomPick, false),
        (Hash, true),
        (Double, true),
        (RandInc, false),
    ] {
        all.push((Box::new(NetBsd::new(range, algorithm)), whole));
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    /// Whatever is picked is free and inside; complete strategies find the last free port.
    #[test]
    fn picks_are_free_and_complete_strategies_miss_none(
        low in prop_oneof![Just(0_u16), Just(65400), 1024_u16..60000],
        len in prop_oneof![0_u16..4, 4_u16..140],
        seed: u64,
        share in 0.0_f64..=1.0,
    ) {
        let range = range(low, low.saturating_add(len));
        let mut random = Xoshiro::seeded(seed);
        for (mut strategy, complete) in everything(range) {
            let mut free = PortSet::from(range);
            for port in range.iter() {
                if f64::from(random.below(1000)) < share * 1000.0 {
                    free.remove(port);
                }
            }
            for now in 0..30 {
                let key = key(random.below(3) as u8);
                let got = strategy.pick(&Request { key: &key, now, free: &free }, &mut random);
                if let Some(port) = got {
                    prop_assert!(free.contains(port), "{} picked {}", strategy.name(), port);
                    free.remove(port);
                } else if complete {
                    prop_assert!(free.is_empty(), "{} missed {}", strategy.name(), free);
                }
            }
        }
    }
}

#[test]
fn names_are_told_apart() {
    let strategies = everything(range(50000, 50099));
    let names: BTreeSet<&str> = strategies.iter().map(|(strategy, _)| strategy.name()).collect();
    assert!(names.len() >= 20 && names.contains("netbsd-randinc"));
}

#[test]
fn rfc6056_1_walks_up_from_a_random_start() {
    let span = range(100, 109);
    let free = all_but(span, &[103, 104, 109, 100]);
    let mut strategy = SimpleRandomStart::new(span);
    assert_eq!(pick(&mut strategy, &free, &mut draws(&[(2, 10)])), Some(102));
    assert_eq!(pick(&mut strategy, &free, &mut draws(&[(3, 10)])), Some(105));
    assert_eq!(pick(&mut strategy, &free, &mut draws(&[(9, 10)])), Some(101), "it wraps");
}

#[test]
fn rfc6056_2_draws_anew_and_may_give_up() {
    let span = range(100, 103);
    let free = all_but(span, &[100, 101]);
    let mut strategy = SimpleRandom::new(span);
    let script = [(0, 4), (1, 4), (0, 4), (3, 4)];
    assert_eq!(pick(&mut strategy, &free, &mut draws(&script)), Some(103));
    assert_eq!(pick(&mut strategy, &free, &mut draws(&[(1, 4); 4])), None, "two ports are free");
}

#[test]
fn rfc6056_3_counts_every_probe_for_all_destinations() {
    let span = range(50000, 50999);
    let free = PortSet::from(span);
    let mut strategy = SimpleHash::new(span);
    let mut random = Xoshiro::seeded(1);
    let mut next = |remote: u8, free: &PortSet| {
        let key = key(remote);
        let request = Request { key: &key, now: 0, free };
        u32::from(strategy.pick(&request, &mut random).unwrap().number() - 50000)
    };
    let first = next(1, &free);
    assert_eq!(next(1, &free), (first + 1) % 1000);
    let other = next(2, &free);
    assert_eq!(next(1, &free), (first + 3) % 1000, "the other destination's probe counts");
    assert_eq!(next(2, &free), (other + 2) % 1000);
    // Two taken ports in the way are two more probes, which the other destination skips too.
    let way = [(first + 5) % 1000 + 50000, (first + 6) % 1000 + 50000].map(|port| port as u16);
    assert_eq!(next(1, &all_but(span, &way)), (first + 7) % 1000);
    assert_eq!(next(2, &free), (other + 6) % 1000);
}

#[test]
fn rfc6056_4_counts_by_groups_of_destinations() {
    let span = range(50000, 50999);
    let free = PortSet::from(span);
    let mut strategy = DoubleHash::new(span, 10);
    let mut random = Xoshiro::seeded(1);
    let mut next = |remote: u8| {
        let key = key(remote);
        let request = Request { key: &key, now: 0, free: &free };
        u32::from(strategy.pick(&request, &mut random).unwrap().number() - 50000)
    };
    // For each other destination: does its connection move the first one's counter?
    let mut moved = 0;
    for remote in 2..202 {
        let before = next(1);
        next(remote);
        match (next(1) + 1000 - before) % 1000 {
            1 => {}
            2 => moved += 1,
            step => panic!("a counter moved by {step}"),
        }
    }
    assert!((5..50).contains(&moved), "a tenth of 200 share the counter: {moved}");
}

#[test]
fn rfc6056_5_moves_by_random_increments() {
    let span = range(1000, 1999);
    let free = all_but(span, &[1012]);
    let mut strategy = RandomIncrements::new(span, 500);
    // The start is the raw draw, modulo the range; then 1 to 500 are added for each probe.
    let start = (7_u64 << 32).wrapping_add(0);
    let mut first = true;
    let mut rest = draws(&[(4, 500), (499, 500), (0, 500)]);
    let mut source =
        random::from_fn(|| if core::mem::take(&mut first) { start } else { rest.next_u64() });
    assert_eq!(pick(&mut strategy, &free, &mut source), Some(1512), "7 + 5 is taken, 12 + 500");
    assert_eq!(pick(&mut strategy, &free, &mut source), Some(1513));
    let mut random = Xoshiro::seeded(1);
    let free = PortSet::from(PortRange::DYNAMIC);
    let mut strategy = RandomIncrements::new(PortRange::DYNAMIC, 500);
    let mut last = pick(&mut strategy, &free, &mut random).unwrap();
    let mut sum = 0;
    for _ in 0..1000 {
        let port = pick(&mut strategy, &free, &mut random).unwrap();
        let step = (u32::from(port) + 16384 - u32::from(last)) % 16384;
        assert!((1..=500).contains(&step));
        (last, sum) = (port, sum + step);
    }
    assert!((230_000..270_000).contains(&sum), "16,384 ports last about 65 connections");
}

#[test]
fn sequential_strategies_count_up_and_wrap() {
    let mut random = Xoshiro::seeded(1);
    let mut bsd = Sequential::traditional_bsd();
    let free = all_but(range(1024, 5000), &[1025]);
    let first: Vec<_> = (0..3).map(|_| pick(&mut bsd, &free, &mut random)).collect();
    assert_eq!(first, [Some(1024), Some(1026), Some(1027)]);
    for _ in 0..3973 {
        pick(&mut bsd, &free, &mut random);
    }
    assert_eq!(pick(&mut bsd, &free, &mut random), Some(1024));
    for (mut strategy, high) in [(Sequential::xnu(), 65535), (Sequential::lwip(), 65534)] {
        let free = PortSet::FULL;
        let mut last = pick(&mut strategy, &free, &mut random).unwrap();
        for _ in 0..20_000 {
            let port = pick(&mut strategy, &free, &mut random).unwrap();
            assert_eq!(port, if last == high { 49152 } else { last + 1 });
            last = port;
        }
    }
}

#[test]
fn linux_connect_uses_up_the_low_ends_parity_first() {
    for (low, high) in [(40000, 40399), (40001, 40400)] {
        for version in [LinuxVersion::From4_6, LinuxVersion::From5_12, LinuxVersion::From5_18] {
            let ports =
                drain(&mut LinuxConnect::new(range(low, high), version, None), range(low, high), 1);
            assert_eq!(ports.len(), 400);
            let parity = |port: &u16| port % 2 == low % 2;
            assert!(ports[..200].iter().all(parity) && !ports[200..].iter().any(parity));
        }
    }
    // An odd number of ports loses the last one.
    let ports = drain(
        &mut LinuxConnect::new(range(100, 110), LinuxVersion::From5_18, None),
        range(100, 110),
        1,
    );
    assert_eq!((ports.len(), ports.contains(&110)), (10, false));
    let own = LinuxConnect::new(range(100, 110), LinuxVersion::From5_18, None).with_own_range();
    assert_eq!(drain(&mut { own }, range(100, 110), 1).len(), 11);
}

#[test]
fn linux_connect_moves_by_what_its_version_says() {
    let span = range(32768, 60999);
    let free = PortSet::from(span);
    let steps = |version, own: bool| {
        let mut strategy = LinuxConnect::new(span, version, None);
        if own {
            strategy = strategy.with_own_range();
        }
        let mut random = Xoshiro::seeded(2);
        let ports: Vec<u32> = (0..3000)
            .map(|_| u32::from(pick(&mut strategy, &free, &mut random).unwrap()))
            .collect();
        ports.windows(2).map(|pair| (pair[1] + 28232 - pair[0]) % 28232).collect::<Vec<u32>>()
    };
    assert!(steps(LinuxVersion::Before4_2, false).iter().all(|step| *step == 1));
    assert!(steps(LinuxVersion::From4_2, false).iter().all(|step| *step == 2));
    assert!(steps(LinuxVersion::From4_6, false).iter().all(|step| *step == 2));
    let noisy = steps(LinuxVersion::From5_12, false);
    let skips = noisy.iter().filter(|step| **step == 4).count();
    assert!(noisy.iter().all(|step| [2, 4].contains(step)));
    assert!((120..260).contains(&skips), "one in sixteen of 3,000: {skips}");
    // Without taken ports 4.2 looks like 4.6; with the even ones taken it walks on to odd ones.
    let span = range(40000, 40009);
    let evens = all_but(span, &[40000, 40002, 40004]);
    let mut strategy = LinuxConnect::new(span, LinuxVersion::From4_2, None);
    let mut random = Xoshiro::seeded(4);
    let ports: BTreeSet<u16> =
        (0..50).filter_map(|_| pick(&mut strategy, &evens, &mut random)).collect();
    assert_eq!(ports, BTreeSet::from([40001, 40003, 40005, 40006, 40008]));
    let current = steps(LinuxVersion::From5_18, false);
    let seen: BTreeSet<u32> = current.iter().copied().collect();
    assert_eq!(seen, BTreeSet::from([2, 4, 6, 8, 10, 12, 14, 16]));
    // 14,116 ports of one parity at 4.5 steps a connection: a port returns after 3,137 of them.
    let mean = f64::from(current.iter().sum::<u32>()) / current.len() as f64;
    assert!((8.6..9.4).contains(&mean), "{mean}");
    let own: BTreeSet<u32> = steps(LinuxVersion::From5_18, true).into_iter().collect();
    assert_eq!(own, (1..=8).collect());
}

#[test]
fn linux_connect_changes_its_secret_on_a_grid() {
    let span = range(32768, 60999);
    let free = PortSet::from(span);
    let mut strategy = LinuxConnect::new(span, LinuxVersion::From5_18, Some(10));
    let mut random = Xoshiro::seeded(3);
    let mut jumps = Vec::new();
    let mut last = None;
    for now in 95..131 {
        let port = strategy
            .pick(&Request { key: &key(1), now, free: &free }, &mut random)
            .map(|port| u32::from(port.number()));
        if let (Some(last), Some(port)) = (last, port)
            && (port + 28232_u32 - last) % 28232 > 16
        {
            jumps.push(now);
        }
        last = port;
    }
    assert_eq!(jumps, [100, 110, 120, 130]);
}

#[test]
fn linux_bind_leaves_connects_ports_for_last() {
    let ports = drain(&mut LinuxBind::new(range(40000, 40099), false), range(40000, 40099), 1);
    assert!(
        ports[..50].iter().all(|port| port % 2 == 1)
            && ports[50..].iter().all(|port| port % 2 == 0)
    );
    let ports = drain(&mut LinuxBind::new(range(40000, 40099), true), range(40000, 40099), 1);
    assert!(ports[..50].iter().all(|port| *port < 40050), "SO_REUSEADDR: the lower half first");
    assert!(ports[..25].iter().all(|port| port % 2 == 1));
    assert_eq!(drain(&mut LinuxBind::new(range(100, 102), false), range(100, 102), 1).len(), 2);
    // The draw is made odd: 4 becomes 5, which is taken.
    let free = all_but(range(100, 109), &[105]);
    let mut strategy = LinuxBind::new(range(100, 109), false);
    assert_eq!(pick(&mut strategy, &free, &mut draws(&[(4, 10)])), Some(107));
    assert_eq!(
        pick(&mut strategy, &all_but(range(100, 109), &[109]), &mut draws(&[(9, 10)])),
        Some(101)
    );
}

#[test]
fn linux_udp_strides_through_a_slot() {
    // 0x8000_0000 halves the range and, made odd, gives the stride 1 x 256.
    let mut source = random::from_fn(|| 0x8000_0000_u64 << 32);
    let mut strategy = LinuxUdp::new(range(32768, 60999), 256);
    let first = 32768 + 14116;
    let free = all_but(range(32768, 60999), &[first, first + 256]);
    assert_eq!(pick(&mut strategy, &free, &mut source), Some(first + 512));
}

#[test]
fn netfilter_gives_up_after_248_probes() {
    let nothing = PortSet::EMPTY;
    let counting = Counting::new(&nothing);
    let request = Request { key: &key(1), now: 0, free: &counting };
    let mut random = Xoshiro::seeded(1);
    assert_eq!(Netfilter::new(range(1024, 65535)).pick(&request, &mut random), None);
    assert_eq!(counting.probes(), 128 + 64 + 32 + 16 + 8);
    assert_eq!(Netfilter::new(range(40000, 40019)).pick(&request, &mut random), None);
    assert_eq!(counting.probes(), 248 + 20, "a small range is tried whole");
}

#[test]
fn freebsd_and_openbsd_never_start_with_the_first_port() {
    let span = range(100, 107);
    let free = PortSet::from(span);
    let mut random = Xoshiro::seeded(1);
    let (mut freebsd, mut openbsd) = (FreeBsd::new(span, true), OpenBsd::new(span));
    let strategies: [&mut dyn Strategy; 2] = [&mut freebsd, &mut openbsd];
    for strategy in strategies {
        let seen: BTreeSet<_> =
            (0..500).filter_map(|_| pick(strategy, &free, &mut random)).collect();
        assert_eq!(seen, (101..=107).collect());
        assert_eq!(pick(strategy, &free, &mut draws(&[(6, 7)])), Some(107));
        assert_eq!(pick(strategy, &all_but(span, &[107]), &mut draws(&[(6, 7)])), Some(100));
    }
    let mut sequential = FreeBsd::new(span, false);
    let first: Vec<_> = (0..9).filter_map(|_| pick(&mut sequential, &free, &mut random)).collect();
    assert_eq!(first, [101, 102, 103, 104, 105, 106, 107, 100, 101]);
}

#[test]
fn netbsd_counts_down_and_its_hash_is_none() {
    let span = range(50000, 50999);
    let free = all_but(span, &[50998]);
    let mut random = Xoshiro::seeded(1);
    let mut bsd = NetBsd::new(span, NetBsdAlgorithm::Bsd);
    let first: Vec<_> = (0..3).map(|_| pick(&mut bsd, &free, &mut random)).collect();
    assert_eq!(first, [Some(50999), Some(50997), Some(50996)]);
    // RFC 6056's algorithm 3 would step by one; a new secret for each port makes it jump.
    for algorithm in [NetBsdAlgorithm::Hash, NetBsdAlgorithm::DoubleHash] {
        let mut strategy = NetBsd::new(span, algorithm);
        let ports: Vec<u16> =
            (0..200).filter_map(|_| pick(&mut strategy, &free, &mut random)).collect();
        let steps = ports.windows(2).filter(|pair| pair[1] == pair[0] + 1).count();
        assert!(steps < 10, "{algorithm:?}: {steps}");
    }
}

#[test]
fn illumos_folds_the_lower_numbers_onto_the_range() {
    let span = range(32768, 65535);
    let free = PortSet::from(span);
    let mut strategy = Illumos::new(span);
    // The port is the lower half of the upper 32 bits.
    for (draw, port) in
        [(40000_u64, 40000), (65535, 65535), (5, 32773), (32767, 32768), (32766, 65534)]
    {
        let mut source = random::from_fn(|| draw << 32);
        assert_eq!(pick(&mut strategy, &free, &mut source), Some(port), "{draw}");
    }
    let single = range(7, 7);
    assert_eq!(drain(&mut Illumos::new(single), single, 1), [7]);
}

#[test]
fn vpp_tries_ten_ports_of_its_slice() {
    assert_eq!(Vpp::new(0, 4).unwrap().slice(), range(1024, 17151));
    assert_eq!(Vpp::new(3, 4).unwrap().slice(), range(49408, 65535));
    assert!(Vpp::new(4, 4).is_none() && Vpp::new(0, 0).is_none());
    let counting = Counting::new(&PortSet::EMPTY);
    let request = Request { key: &key(1), now: 0, free: &counting };
    assert_eq!(Vpp::new(0, 1).unwrap().pick(&request, &mut Xoshiro::seeded(1)), None);
    assert_eq!(counting.probes(), 10);
}

#[test]
fn oldest_free_is_a_queue() {
    let span = range(100, 119);
    let mut strategy = OldestFree::new(span, 1);
    let first = drain(&mut strategy, span, 1);
    assert_eq!(first.iter().collect::<BTreeSet<_>>().len(), 20);
    assert_ne!(first, (100..120).collect::<Vec<u16>>(), "the first round is shuffled");
    for port in &first {
        strategy.released(&key(1), Port::new(*port));
    }
    assert_eq!(drain(&mut strategy, span, 2), first);
    // Among four, no port is passed over for long, and the order is not the same again.
    let mut strategy = OldestFree::new(span, 4);
    let first = drain(&mut strategy, span, 1);
    for port in &first {
        strategy.released(&key(1), Port::new(*port));
    }
    let second = drain(&mut strategy, span, 2);
    assert_ne!(first, second);
    assert!(second[..17].iter().enumerate().all(|(at, port)| first[..at + 4].contains(port)));
}

#[test]
fn windows_goes_on_where_it_stopped() {
    let mut strategy = Windows::new(PortRange::DYNAMIC);
    let free = PortSet::from(PortRange::DYNAMIC);
    let mut source = draws(&[(16383, 16384)]);
    let ports: Vec<_> = (0..3).map(|_| pick(&mut strategy, &free, &mut source)).collect();
    assert_eq!(ports, [Some(65535), Some(49152), Some(49153)]);
}
