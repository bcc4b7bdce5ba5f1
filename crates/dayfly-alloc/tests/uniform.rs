//! Exactly uniform: chi-square over every pattern of taken, reserved and claimed ports that
//! strategies stumble over.

#![expect(clippy::unwrap_used, reason = "a failure here is the test's")]

use dayfly_alloc::{
    Allocator, Availability, Config, Key, Options, Parity, Pool, QueueMask, Random, SharedPool,
    Xoshiro,
};
use dayfly_ports::{Port, PortRange, PortSet, Protocol};

const DRAWS_PER_PORT: u32 = 200;

fn key(remote: u8) -> Key {
    let (local, remote) = ([192, 0, 2, 1].into(), [198, 51, 100, remote].into());
    Key::new(Protocol::Tcp, local, remote, Port::new(443))
}

/// Draws until each free port is due 200 times, and compares with equal shares; there is nothing
/// to compare for a single port. With the true
/// distribution uniform, a correct implementation exceeds the bound about once in three million
/// runs; seeds are fixed, so a failure is a change.
fn assert_uniform(what: &str, free: &PortSet, mut draw: impl FnMut() -> Port) {
    let count = free.len();
    if count < 2 {
        return;
    }
    let mut seen = vec![0_u32; 65536];
    for _ in 0..count * DRAWS_PER_PORT {
        let port = draw();
        assert!(free.contains(port), "{what}: {port} is not free");
        seen[usize::from(port.number())] += 1;
    }
    let expected = f64::from(DRAWS_PER_PORT);
    let chi_square: f64 = free
        .iter()
        .map(|port| (f64::from(seen[usize::from(port.number())]) - expected).powi(2) / expected)
        .sum();
    let freedom = f64::from(count - 1);
    let limit = freedom + 5.0 * (2.0 * freedom).sqrt() + 10.0;
    assert!(chi_square < limit, "{what}: chi-square {chi_square:.0} over {limit:.0}");
}

/// Which ports are taken: occupancies, runs, holes, parities, the ends.
fn patterns(range: PortRange, random: &mut Xoshiro) -> Vec<(String, PortSet)> {
    let len = range.len();
    let span = |from: u32, to: u32| {
        let low = u32::from(range.low().number());
        PortSet::from(PortRange::new((low + from) as u16, (low + to) as u16).unwrap())
    };
    let mut patterns = vec![
        ("nothing taken".to_owned(), PortSet::EMPTY),
        ("a hole of a third in the middle".to_owned(), span(len / 3, len * 2 / 3)),
        ("the lower half".to_owned(), span(0, len / 2)),
        ("the upper nine tenths".to_owned(), span(len / 10, len - 1)),
        ("one parity".to_owned(), PortSet::from(range).of_parity(range.low())),
        ("all but both ends".to_owned(), span(1, len - 2)),
    ];
    for permille in [100, 500, 620, 700, 800, 870, 900, 970, 990] {
        let taken = range.iter().filter(|_| random.below(1000) < permille).collect();
        patterns.push((format!("{permille} of 1000 at random"), taken));
    }
    patterns
}

#[test]
fn a_pool_is_uniform_over_every_pattern() {
    let mut random = Xoshiro::seeded(1);
    for (low, high) in [(49152, 49152 + 1023), (40000, 40699), (65000, 65535), (1, 90)] {
        let range = PortRange::new(low, high).unwrap();
        for (what, taken) in patterns(range, &mut random) {
            let free = &PortSet::from(range) - &taken;
            let mut pool = Pool::new(range);
            taken.iter().for_each(|port| assert!(pool.take(port)));
            assert_eq!(pool.free(), free.len());
            let what = format!("{range}, {what}");
            assert_uniform(&what, &free, || pool.pick(&mut random).unwrap());
            // Taking and giving back keeps it so, list of free ports and all.
            assert_uniform(&what, &free, || {
                let port = pool.take_any(&mut random).unwrap();
                assert!(pool.put(port));
                port
            });
            let shared = SharedPool::new(range);
            let mut keep = Vec::new();
            while shared.free() > 0 {
                keep.push(shared.allocate(&mut random).unwrap());
            }
            for lent in keep.into_iter().filter(|lent| free.contains(lent.port())) {
                shared.release(lent).unwrap();
            }
            assert_uniform(&what, &free, || {
                let lent = shared.allocate(&mut random).unwrap();
                shared.release(lent).unwrap();
                lent.port()
            });
        }
    }
}

/// Ports taken by number leave stale entries in a crowded pool's list; they must not skew it.
#[test]
fn stale_entries_do_not_skew_a_crowded_pool() {
    let range = PortRange::new(50000, 51023).unwrap();
    let mut random = Xoshiro::seeded(2);
    let mut pool = Pool::new(range);
    while pool.free() > 60 {
        pool.take_any(&mut random);
    }
    let mut free: PortSet = range.iter().filter(|port| pool.is_free(*port)).collect();
    for _ in 0..20 {
        let port = free.select(random.below(free.len())).unwrap();
        assert!(pool.take(port));
        free.remove(port);
        let back = Port::new(50000 + random.below(1024) as u16);
        if pool.put(back) {
            free.insert(back);
        }
    }
    assert_uniform("stale entries", &free, || {
        let port = pool.take_any(&mut random).unwrap();
        pool.put(port);
        port
    });
}

#[test]
fn an_allocator_is_uniform_however_a_destination_is_kept() {
    let range = PortRange::new(40000, 40299).unwrap();
    for connections in [0, 1, 20, 31, 33, 150, 270, 297] {
        for reserved in [&PortSet::EMPTY, &"40100-40199".parse().unwrap()] {
            let mut allocator = Allocator::new(Config::new(range), Xoshiro::seeded(3));
            let mut taken = PortSet::EMPTY;
            for _ in 0..connections {
                taken.insert(allocator.allocate(&key(1), 0).unwrap().port());
            }
            allocator.reserve(reserved);
            let free = &(&PortSet::from(range) - &taken) - reserved;
            let what = format!("{connections} connections, {reserved:?} reserved");
            assert_uniform(&what, &free, || {
                let handle = allocator.allocate(&key(1), 0).unwrap();
                allocator.release(handle, 0).unwrap();
                handle.port()
            });
        }
    }
}

#[test]
fn conditions_leave_the_rest_uniform() {
    let range = PortRange::new(40000, 40299).unwrap();
    let queue = QueueMask::new(range, |port| port.number() % 7 < 2);
    let within = PortRange::new(40090, 40250).unwrap();
    let conditions = [
        Options { parity: Some(Parity::Odd), ..Options::default() },
        Options { within: Some(within), ..Options::default() },
        Options { queue: Some(&queue), parity: Some(Parity::Even), ..Options::default() },
    ];
    for connections in [0, 25, 280] {
        for options in &conditions {
            let mut allocator = Allocator::new(Config::new(range), Xoshiro::seeded(4));
            for _ in 0..connections {
                allocator.allocate(&key(1), 0).unwrap();
            }
            let admits = |port: Port| {
                options.parity.is_none_or(|parity| parity == Parity::of(port))
                    && options.within.is_none_or(|within| within.contains(port))
                    && (options.queue.is_none() || port.number() % 7 < 2)
            };
            let free: PortSet = allocator.inspect(&key(1), 0, |free: &dyn Availability| {
                range.iter().filter(|port| free.is_free(*port) && admits(*port)).collect()
            });
            assert_uniform(&format!("{connections} connections, {options:?}"), &free, || {
                let handle = allocator.allocate_with(&key(1), 0, options).unwrap();
                allocator.release(handle, 0).unwrap();
                handle.port()
            });
        }
    }
}

/// A hole of 400 reserved ports makes the port behind it 401 times as likely as another under a
/// walk; here it is like any other.
#[test]
fn the_port_behind_a_hole_is_no_likelier() {
    let range = PortRange::new(32768, 33767).unwrap();
    let hole: PortSet = "33000-33399".parse().unwrap();
    let mut allocator = Allocator::new(Config::new(range), Xoshiro::seeded(5));
    allocator.reserve(&hole);
    let mut behind = 0;
    for _ in 0..60_000 {
        let handle = allocator.allocate(&key(1), 0).unwrap();
        behind += u32::from(handle.port() == Port::new(33400));
        allocator.release(handle, 0).unwrap();
    }
    // 100 are due, with a standard deviation of 10.
    assert!((50..150).contains(&behind), "{behind}");
}
