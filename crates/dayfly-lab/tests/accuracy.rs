//! Ports made by every strategy of dayfly-alloc, with seeds that nothing was tuned with, and what
//! `identify` says about them.
//!
//! A trial is a host with a strategy, a range, some destinations and a capture that misses part of
//! the openings; connections live for a while, so ports are taken. What is asked: how often the
//! likeliest class is the right one, whether the ends of the range lie where they are said to, and
//! whether an answer that is called settled is ever wrong.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::thread;

use dayfly_alloc::strategy::{
    DoubleHash, FreeBsd, Illumos, LinuxBind, LinuxConnect, LinuxUdp, LinuxVersion, NetBsd,
    NetBsdAlgorithm, Netfilter, OldestFree, OpenBsd, RandomIncrements, Request, Sequential,
    SimpleHash, SimpleRandom, SimpleRandomStart, Strategy, UniformFree, Vpp, Windows,
};
use dayfly_alloc::{Key, Pool, Random, Xoshiro};
use dayfly_lab::identify::{Class, Collector, Verdict, identify};
use dayfly_ports::{Port, PortRange, Protocol, Tuple};

/// Ticks of a second.
const SECOND: u64 = 1000;
const SOURCE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// A strategy, what it is, and the range that it really uses.
struct Made {
    name: &'static str,
    class: Class,
    protocol: Protocol,
    range: PortRange,
    strategy: Box<dyn Strategy>,
    /// Ports that are used only over the whole run of many draws, so the ends say nothing.
    fewest_destinations: usize,
}

const STRATEGIES: usize = 34;
/// None of those: [`like_a_system`].
const LIKE_A_SYSTEM: usize = usize::MAX;

fn make(number: usize, own: PortRange) -> Made {
    use Class::{
        DestinationCounter, Downwards, HashedCounter, LinuxConnect46, LinuxConnect512,
        LinuxOwnRange, RandomSteps, Upwards,
    };
    use LinuxVersion::{Before4_2, From4_2, From4_6, From5_12, From5_18};
    let linux = PortRange::LINUX_DEFAULT;
    let dynamic = PortRange::DYNAMIC;
    let span = |low, high| PortRange::new(low, high).unwrap();
    let random = Class::Random;
    let connect = |range, version| Box::new(LinuxConnect::new(range, version, Some(10 * SECOND)));
    let old = |range, version| Box::new(LinuxConnect::new(range, version, None));
    let netbsd = |algorithm| Box::new(NetBsd::new(dynamic, algorithm));
    let (name, class, range, strategy): (_, _, _, Box<dyn Strategy>) = match number {
        0 => ("rfc6056-1", random, own, Box::new(SimpleRandomStart::new(own))),
        1 => ("rfc6056-2", random, own, Box::new(SimpleRandom::new(own))),
        2 => ("rfc6056-3", HashedCounter, own, Box::new(SimpleHash::new(own))),
        3 => ("rfc6056-4", DestinationCounter, own, Box::new(DoubleHash::new(own, 1024))),
        4 => ("rfc6056-4 of 10", DestinationCounter, own, Box::new(DoubleHash::new(own, 10))),
        5 => ("rfc6056-5", RandomSteps, own, Box::new(RandomIncrements::new(own, 500))),
        6 => ("sequential", Upwards, own, Box::new(Sequential::from_random_place(own))),
        7 => {
            ("traditional-bsd", Upwards, span(1024, 5000), Box::new(Sequential::traditional_bsd()))
        }
        8 => ("xnu", Upwards, dynamic, Box::new(Sequential::xnu())),
        9 => ("lwip", Upwards, span(49152, 65534), Box::new(Sequential::lwip())),
        10 => ("linux-connect", Class::LinuxConnect, linux, connect(linux, From5_18)),
        11 => ("linux-connect, own", Class::LinuxConnect, own, connect(own, From5_18)),
        12 => ("linux-connect 5.12", LinuxConnect512, linux, old(linux, From5_12)),
        13 => ("linux-connect 4.6", LinuxConnect46, linux, old(linux, From4_6)),
        14 => ("linux-connect 4.2", LinuxConnect46, linux, old(linux, From4_2)),
        15 => (
            "linux-connect 3",
            HashedCounter,
            span(32768, 61000),
            old(span(32768, 61000), Before4_2),
        ),
        16 => {
            let strategy = LinuxConnect::new(own, From5_18, Some(10 * SECOND)).with_own_range();
            ("linux-own-range", LinuxOwnRange, own, Box::new(strategy))
        }
        17 => ("linux-bind", Class::LinuxBind, linux, Box::new(LinuxBind::new(linux, false))),
        18 => ("linux-bind, own", Class::LinuxBind, own, Box::new(LinuxBind::new(own, false))),
        19 => (
            "linux-bind-reuse",
            Class::LinuxBindReuse,
            linux,
            Box::new(LinuxBind::new(linux, true)),
        ),
        20 => ("linux-udp", random, linux, Box::new(LinuxUdp::new(linux, 4096))),
        21 => ("netfilter", random, span(1024, 65535), Box::new(Netfilter::new(span(1024, 65535)))),
        22 => (
            "freebsd",
            random,
            span(10000, 65535),
            Box::new(FreeBsd::new(span(10000, 65535), true)),
        ),
        23 => ("freebsd, not random", Upwards, own, Box::new(FreeBsd::new(own, false))),
        24 => ("openbsd", random, span(1024, 49151), Box::new(OpenBsd::new(span(1024, 49151)))),
        25 => ("netbsd", Downwards, dynamic, netbsd(NetBsdAlgorithm::Bsd)),
        26 => ("netbsd random_start", random, dynamic, netbsd(NetBsdAlgorithm::RandomStart)),
        27 => ("netbsd hash", random, dynamic, netbsd(NetBsdAlgorithm::Hash)),
        28 => ("netbsd doublehash", random, dynamic, netbsd(NetBsdAlgorithm::DoubleHash)),
        29 => ("netbsd randinc", RandomSteps, dynamic, netbsd(NetBsdAlgorithm::RandInc)),
        30 => ("illumos", random, span(32768, 65535), Box::new(Illumos::new(span(32768, 65535)))),
        31 => ("windows", Upwards, dynamic, Box::new(Windows::new(dynamic))),
        32 => {
            let vpp = Vpp::new(1, 4).unwrap();
            ("vpp", random, vpp.slice(), Box::new(vpp))
        }
        _ => match number % 2 {
            0 => ("uniform-free", random, own, Box::new(UniformFree::new(own))),
            _ => ("oldest-free", random, own, Box::new(OldestFree::new(own, 1))),
        },
    };
    let protocol = if name == "linux-udp" { Protocol::Udp } else { Protocol::Tcp };
    let fewest_destinations = if name == "rfc6056-4 of 10" { 5 } else { 1 };
    Made { name, class, protocol, range, strategy, fewest_destinations }
}

/// A range that somebody may have set: round, or any.
fn own_range(random: &mut Xoshiro) -> PortRange {
    let ranges = [(20000, 29999), (10000, 65535), (50000, 60000), (1024, 65535), (15000, 25000)];
    if random.below(2) == 0 {
        let (low, high) = ranges[random.below(ranges.len() as u32) as usize];
        return PortRange::new(low, high).unwrap();
    }
    let low = 1024 + random.below(50_000) as u16;
    let len = 2000 + random.below(u32::from(65535 - low).saturating_sub(2000).max(1)) as u16;
    PortRange::new(low, low.saturating_add(len)).unwrap()
}

/// A counter for each of some groups of destinations, over exactly the range of a system.
fn like_a_system(random: &mut Xoshiro) -> Made {
    let ranges = [
        (1024, 5000),
        (1024, 49151),
        (1024, 65535),
        (10000, 65535),
        (16000, 65535),
        (32768, 60999),
        (32768, 61000),
        (49152, 65535),
    ];
    let (low, high) = ranges[random.below(ranges.len() as u32) as usize];
    let range = PortRange::new(low, high).unwrap();
    let counters = [5, 8, 10, 16, 64][random.below(5) as usize];
    let strategy = Box::new(DoubleHash::new(range, counters));
    let class = Class::DestinationCounter;
    Made {
        name: "rfc6056-4 like a system",
        class,
        protocol: Protocol::Tcp,
        range,
        strategy,
        fewest_destinations: 1,
    }
}

/// What a capture of so many openings says, and which classes would be right.
fn trial(number: usize, seed: u64, samples: usize) -> (Made, Verdict, usize) {
    let mut random = Xoshiro::seeded(seed);
    let own = own_range(&mut random);
    let mut made =
        if number == LIKE_A_SYSTEM { like_a_system(&mut random) } else { make(number, own) };
    let destinations = [1, 2, 3, 5, 8, 12, 20, 40][random.below(8) as usize];
    let destinations = destinations.max(made.fewest_destinations);
    let missed = [0, 0, 5, 20, 40][random.below(5) as usize];
    // One destination gets more than the others, or all the same.
    let skewed = random.below(2) == 0;
    let pause = [5, 20, 100, 400][random.below(4) as usize];
    let life = [1, 50, 300][random.below(3) as usize] * pause;

    let remote = |number: usize| IpAddr::V4(Ipv4Addr::new(198, 51, 100, number as u8));
    let key = |number: usize| Key::new(made.protocol, SOURCE, remote(number), Port::new(443));
    let keys: Vec<Key> = (0..destinations).map(key).collect();
    let mut pools: Vec<Pool> = (0..destinations).map(|_| Pool::new(made.range)).collect();
    let mut open: Vec<(u64, usize, Port)> = Vec::new();
    let mut collector = Collector::new(seed);
    let (mut now, mut seen) = (0, 0);
    while seen < samples {
        now += u64::from(random.below(2 * pause) + 1);
        open.retain(|(ends, destination, port)| {
            if *ends <= now {
                pools[*destination].put(*port);
                made.strategy.released(&keys[*destination], *port);
            }
            *ends > now
        });
        let count = destinations as u32;
        let drawn = random.below(count);
        let destination = if skewed { drawn.min(random.below(count)) } else { drawn } as usize;
        let request = Request { key: &keys[destination], now, free: &pools[destination] };
        let Some(port) = made.strategy.pick(&request, &mut random) else { continue };
        pools[destination].take(port);
        open.push((now + u64::from(random.below(2 * life) + 1), destination, port));
        if random.below(100) < missed {
            continue;
        }
        let tuple: Tuple = keys[destination].tuple(port);
        collector.add_opening(tuple, Some(now * 1_000_000));
        seen += 1;
    }
    let (hosts, _) = collector.finish();
    (made, identify(&hosts[0]).unwrap(), hosts[0].destinations())
}

#[derive(Default)]
struct Score {
    trials: u32,
    right: u32,
    settled: u32,
    settled_wrong: Vec<String>,
    ends_missed: Vec<String>,
    by_name: BTreeMap<&'static str, (u32, u32)>,
    wrong: BTreeMap<String, u32>,
}

impl Score {
    fn of(trials: usize, samples: usize, seed: u64) -> Score {
        Score::made_by(trials, samples, seed, |trial| {
            let number = trial % STRATEGIES + trial / STRATEGIES % 2 * STRATEGIES;
            if number % STRATEGIES == STRATEGIES - 1 { number } else { number % STRATEGIES }
        })
    }

    /// Every trial has its own seed, so it does not matter which thread makes it.
    fn made_by(
        trials: usize,
        samples: usize,
        seed: u64,
        make: impl Fn(usize) -> usize + Copy + Send,
    ) -> Score {
        let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
        thread::scope(|scope| {
            let part = move |first| {
                let numbers = (first..trials).step_by(threads);
                Score::of_some(numbers.map(|trial| (trial, make(trial))), samples, seed)
            };
            let parts: Vec<_> =
                (0..threads).map(|first| scope.spawn(move || part(first))).collect();
            let parts = parts.into_iter().map(|part| part.join().unwrap());
            parts.reduce(Score::and).unwrap()
        })
    }

    fn and(mut self, other: Score) -> Score {
        self.trials += other.trials;
        self.right += other.right;
        self.settled += other.settled;
        self.settled_wrong.extend(other.settled_wrong);
        self.ends_missed.extend(other.ends_missed);
        for (name, (all, right)) in other.by_name {
            let entry = self.by_name.entry(name).or_default();
            *entry = (entry.0 + all, entry.1 + right);
        }
        for (wrong, times) in other.wrong {
            *self.wrong.entry(wrong).or_default() += times;
        }
        self
    }

    fn of_some(trials: impl Iterator<Item = (usize, usize)>, samples: usize, seed: u64) -> Score {
        let mut score = Score::default();
        for (trial_number, number) in trials {
            let seed = seed + trial_number as u64;
            let (made, verdict, destinations) = trial(number, seed, samples);
            // Several classes in one answer: these openings cannot tell them apart.
            let right = verdict.group.contains(&made.class);
            score.trials += 1;
            score.right += u32::from(right);
            let entry = score.by_name.entry(made.name).or_default();
            entry.0 += 1;
            entry.1 += u32::from(right);
            if !right {
                let said = verdict.group.first().map_or("unknown", |class| class.name());
                *score.wrong.entry(format!("{} as {said}", made.name)).or_default() += 1;
            }
            if verdict.is_settled() {
                score.settled += 1;
                if !right {
                    score.settled_wrong.push(format!(
                        "seed {seed}: {} to {destinations} as {:?} with {}",
                        made.name, verdict.group, verdict.probability
                    ));
                }
            }
            let (seen, widest) = (verdict.ends.seen, verdict.ends.widest);
            let half = made.class == Class::LinuxBindReuse;
            // One port off is what a parity leaves open.
            let inside = widest.low().number() <= made.range.low().number() + 1
                && (half || widest.high().number() >= made.range.high().number() - 1)
                && made.range.contains(seen.low())
                && made.range.contains(seen.high());
            if !inside && right {
                score
                    .ends_missed
                    .push(format!("{} {} as {seen} in {widest}", made.name, made.range));
            }
        }
        score
    }

    fn report(&self) -> String {
        format!(
            "{} trials: {} right, {} settled, of these wrong {:?}; ends missed {}: {:?}\n{:?}\n{:?}",
            self.trials,
            self.right,
            self.settled,
            self.settled_wrong,
            self.ends_missed.len(),
            self.ends_missed.iter().take(12).collect::<Vec<_>>(),
            self.by_name.iter().filter(|(_, (all, right))| all != right).collect::<Vec<_>>(),
            self.wrong,
        )
    }
}

#[test]
fn ten_thousand_captures_of_200_openings() {
    let score = Score::of(10_000, 200, 0x1de_0000);
    assert!(score.right * 100 >= score.trials * 95, "{}", score.report());
    assert!(score.settled_wrong.is_empty(), "{}", score.report());
    // Each end is given with 99 %.
    assert!(score.ends_missed.len() * 100 <= score.trials as usize * 3, "{}", score.report());
}

#[test]
fn few_openings_make_no_bold_answers() {
    for samples in [5, 10, 20, 50] {
        let score = Score::of(500, samples, 0xf00_0000 + samples as u64 * 10_000);
        // Settled means 99 %: one in a hundred may be wrong.
        assert!(score.settled_wrong.len() <= 5, "{samples}: {}", score.report());
    }
}

#[test]
fn shared_counters_are_not_mistaken_for_a_system_with_the_same_range() {
    for samples in [60, 200, 1000] {
        let trials = if samples == 1000 { 300 } else { 1500 };
        let seed = 0xa40_0000 + samples as u64 * 10_000;
        let score = Score::made_by(trials, samples, seed, |_| LIKE_A_SYSTEM);
        assert!(score.right * 100 >= score.trials * 95, "{samples}: {}", score.report());
        // Settled means 99 %; with 200 openings no answer is wrong.
        let may_be_wrong = if samples < 200 { 3 } else { 0 };
        assert!(score.settled_wrong.len() <= may_be_wrong, "{samples}: {}", score.report());
    }
}
