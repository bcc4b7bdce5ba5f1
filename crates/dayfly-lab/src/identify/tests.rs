//! Answers to small, clear cases, and what is never done.

use std::net::IpAddr;

use dayfly_ports::{Port, Protocol, Tuple};
use proptest::prelude::*;

use super::*;
use crate::capture::{Frame, LinkType};

fn tuple(protocol: Protocol, port: u16, destination: u8) -> Tuple {
    Tuple {
        protocol,
        local_address: [192, 0, 2, 1].into(),
        local_port: Port::new(port),
        remote_address: [198, 51, 100, destination].into(),
        remote_port: Port::new(443),
    }
}

/// The verdict about these ports and destinations, a second apart.
fn verdict(seen: impl IntoIterator<Item = (u16, u8)>) -> Verdict {
    let mut collector = Collector::new(1);
    for (index, (port, destination)) in seen.into_iter().enumerate() {
        let time = Some(index as u64 * 1_000_000_000);
        collector.add_opening(tuple(Protocol::Tcp, port, destination), time);
    }
    identify(&collector.finish().0[0]).unwrap()
}

#[test]
fn a_counter_to_one_destination_may_be_either() {
    let one = verdict((0..50).map(|n| (50000 + n, 7)));
    assert_eq!(one.merged_because, Some("only one destination was seen"));
    assert!(one.group.contains(&Class::Upwards) && one.group.contains(&Class::HashedCounter));
    assert_eq!(one.guesses.unwrap().after_last, 1.0);
    let many = verdict((0..50).map(|n| (50000 + n, n as u8 % 5)));
    assert_eq!((many.group, many.merged_because), (vec![Class::Upwards], None));
    assert_eq!(many.more, Some(0));
}

#[test]
fn too_little_is_unknown() {
    let two = verdict([(40000, 1), (40010, 1)]);
    assert!(two.group.is_empty() && !two.is_settled() && two.guesses.is_none());
    assert!(two.more.is_none_or(|more| more > 0));
}

#[test]
fn one_port_again_and_again_is_fixed() {
    let fixed = verdict((0..30).map(|n| (40000, n % 9)));
    assert_eq!(fixed.group, [Class::Fixed]);
    assert_eq!(fixed.guesses.unwrap().after_last, 1.0);
}

#[test]
fn multiples_of_64_are_nobodys() {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 16) as u16 & 0xffc0
    };
    let strange = verdict((0..200).map(|n| (next().max(64), n as u8)));
    assert!(strange.group.is_empty(), "{:?}", strange.group);
    assert!(strange.unknown > 0.99);
}

#[test]
fn a_few_strays_do_not_overturn_it() {
    let stray = |n: u16| if n % 40 == 20 { 123 } else { 52000 + n };
    let answer = verdict((0..200).map(|n| (stray(n), n as u8 % 7)));
    assert_eq!(answer.group, [Class::Upwards]);
    assert_eq!(answer.ends.seen.to_string(), "52000-52199");
}

/// Numbers that look random, from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963);
        ((self.0 >> 33) % u64::from(bound)) as u32
    }
}

/// 200 openings to so many destinations that share one counter, as they do if the hash of a table of
/// counters happens to send them there: `percent` are not seen, and one time in `twice` the counter
/// moves another unit. In steps of 2 over Linux' range, in steps of 1 over one that is nobody's.
fn shared(seed: u64, destinations: u32, unit: u32, twice: Option<u32>, percent: u32) -> Verdict {
    let (low, len) = if unit == 2 { (32768, 28232) } else { (20000, 10000) };
    // Small seeds would begin alike.
    let mut numbers = Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let places: Vec<u32> = (0..destinations).map(|_| numbers.below(len) / unit * unit).collect();
    let mut counter = numbers.below(len) / unit * unit;
    let mut seen = Vec::new();
    while seen.len() < 200 {
        let destination = numbers.below(destinations);
        let port = low + (places[destination as usize] + counter) % len;
        counter += unit;
        if twice.is_some_and(|twice| numbers.below(twice) == 0) {
            counter += unit;
        }
        if numbers.below(100) >= percent {
            seen.push((port as u16, destination as u8));
        }
    }
    verdict(seen)
}

#[test]
fn two_destinations_may_share_one_of_256_counters() {
    for seed in 1..=30 {
        for percent in [0, 5, 20, 40] {
            // Linux 5.12 to 5.17.
            let answer = shared(seed, 2, 2, Some(16), percent);
            let of = format!("seed {seed}, {percent} % missed: {:?}", answer.classes);
            assert!(answer.group.contains(&Class::LinuxConnect512), "{of}");
            assert!(answer.group.contains(&Class::LinuxConnect46), "{of}");
            assert!(answer.merged_because.is_some_and(|why| why.contains("share")), "{of}");
            // RFC 6056 algorithm 4.
            let answer = shared(seed, 2, 1, None, percent);
            let of = format!("seed {seed}, {percent} % missed: {:?}", answer.classes);
            assert!(answer.group.contains(&Class::DestinationCounter), "{of}");
            assert!(answer.group.contains(&Class::HashedCounter), "{of}");
        }
    }
}

#[test]
fn a_single_counter_is_told_where_sharing_is_no_excuse() {
    // Two destinations, and no opening of 200 moved the counter twice: that is no 5.12.
    let answer = shared(1, 2, 2, None, 0);
    assert_eq!((answer.group.as_slice(), answer.more), (&[Class::LinuxConnect46][..], Some(0)));
    // Five destinations do not all share one of 256 counters.
    let answer = shared(1, 5, 2, None, 5);
    assert_eq!((answer.group.as_slice(), answer.more), (&[Class::LinuxConnect46][..], Some(0)));
    let answer = shared(1, 8, 1, None, 5);
    assert_eq!((answer.group.as_slice(), answer.more), (&[Class::HashedCounter][..], Some(0)));
}

/// A frame of an Ethernet-less TCP or UDP packet.
fn packet(source: [u8; 4], ports: (u16, u16), destination: [u8; 4], flags: Option<u8>) -> Vec<u8> {
    let protocol = if flags.is_some() { 6 } else { 17 };
    let mut bytes = vec![0x45, 0, 0, 40, 0, 0, 0, 0, 64, protocol, 0, 0];
    bytes.extend(source);
    bytes.extend(destination);
    bytes.extend(ports.0.to_be_bytes());
    bytes.extend(ports.1.to_be_bytes());
    bytes.extend([0, 0, 0, 1, 0, 0, 0, 2, 5 << 4, flags.unwrap_or(0), 0, 0, 0, 0, 0, 0]);
    bytes
}

#[test]
fn openings_are_counted_once() {
    let (a, b) = ([192, 0, 2, 1], [198, 51, 100, 7]);
    let mut collector = Collector::new(1);
    let mut add = |seconds: u64, bytes: Vec<u8>| {
        let time = Some(seconds * 1_000_000_000);
        collector.add(&Frame { time, link: LinkType::RAW, bytes: &bytes });
    };
    // A SYN, sent again, its answer, and what follows; then the answer to a SYN that was missed.
    add(1, packet(a, (40000, 443), b, Some(2)));
    add(2, packet(a, (40000, 443), b, Some(2)));
    add(2, packet(b, (443, 40000), a, Some(0x12)));
    add(3, packet(a, (40000, 443), b, Some(0x10)));
    add(4, packet(b, (443, 40002), a, Some(0x12)));
    // A question and its answer; an answer without its question; NTP between equal ports.
    add(5, packet(a, (50000, 53), b, None));
    add(5, packet(b, (53, 50000), a, None));
    add(6, packet(b, (53, 50001), a, None));
    add(7, packet(a, (123, 123), b, None));
    // The same flow after a long silence.
    add(200, packet(a, (50000, 53), b, None));
    let (hosts, tally) = collector.finish();
    assert_eq!((tally.packets, tally.openings, tally.continued, tally.symmetric), (10, 5, 1, 1));
    let ports = |protocol| {
        let host = hosts.iter().find(|host| host.protocol == protocol).unwrap();
        assert_eq!(host.address, IpAddr::from(a));
        host.samples.iter().map(|sample| sample.port).collect::<Vec<_>>()
    };
    assert_eq!(ports(Protocol::Tcp), [40000, 40002]);
    assert_eq!(ports(Protocol::Udp), [50000, 50001, 50000]);
    assert_eq!(hosts.len(), 2);
}

#[test]
fn a_host_keeps_1024_samples_and_every_port() {
    let mut collector = Collector::new(1);
    for number in 0..10_000_u16 {
        collector.add_opening(tuple(Protocol::Udp, 20000 + number, 7), None);
    }
    let host = collector.finish().0.remove(0);
    assert_eq!((host.openings, host.samples.len(), host.ports().len()), (10_000, 1024, 10_000));
}

proptest! {
    #[test]
    fn whatever_was_seen_the_numbers_are_numbers(
        seen in prop::collection::vec((any::<u16>(), 0_u8..4, any::<Option<u32>>()), 1..40),
        udp: bool,
    ) {
        let protocol = if udp { Protocol::Udp } else { Protocol::Tcp };
        let mut collector = Collector::new(1);
        for (port, destination, time) in &seen {
            collector.add_opening(tuple(protocol, *port, *destination), time.map(u64::from));
        }
        let answer = identify(&collector.finish().0[0]).unwrap();
        let sum: f64 = answer.classes.iter().map(|(_, share)| share).sum();
        prop_assert!((0.0..=1.0 + 1e-9).contains(&answer.probability), "{:?}", answer);
        prop_assert!(sum <= 1.0 + 1e-9);
        prop_assert!(answer.ends.widest.intersection(answer.ends.seen) == Some(answer.ends.seen)
            || answer.ends.seen.low().number() == 0);
        if let Some(guesses) = answer.guesses {
            prop_assert!(guesses.after_last >= 1.0 || answer.group == [Class::LinuxBoth]);
            prop_assert!(guesses.blind >= 0.5);
        }
    }
}

#[test]
fn names_are_different() {
    let mut names: Vec<_> = Class::ALL.iter().map(|class| class.name()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Class::ALL.len());
}
