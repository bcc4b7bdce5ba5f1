//! Small scenarios whose outcome can be said in advance.

use super::*;
use crate::scenario::SECOND;

fn run(text: &str) -> Outcome {
    let scenario = Scenario::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    Simulation::new(&scenario).run()
}

fn one(host: &str, workload: &str) -> Outcome {
    run(&format!(
        "duration = \"10 min\"\n[[host]]\n{host}\n[[destination]]\n[[workload]]\n{workload}\n"
    ))
}

#[test]
fn four_thousand_ports_are_four_thousand_connections_in_a_time_wait() {
    let outcome = one(
        "system = \"traditional-bsd\"\nrange = \"1024-5023\"\ntime_wait = \"240 s\"",
        "rate = 100\narrivals = \"constant\"\nduration = \"1 ms\"",
    );
    assert_eq!(outcome.window.length, 240 * SECOND);
    assert_eq!(outcome.window.most_opened, 4000);
    let failure = outcome.first_failure.unwrap();
    assert_eq!((failure.moment.held, failure.moment.number), (4000, 4001));
    assert_eq!(failure.moment.at, 40 * SECOND);
    assert_eq!(failure.error, "EADDRNOTAVAIL");
    // Two windows and a half in ten minutes, of which the last one has begun.
    assert_eq!(outcome.opened, 12_000);
    assert_eq!(outcome.opened + outcome.failed, 60_000);
    // A counter comes round when all others have been used.
    assert_eq!((outcome.reuse.least(), outcome.reuse.most()), (4000, 4000));
}

#[test]
fn linux_turns_slow_at_half_and_fails_at_all() {
    for (reserved, usable, half) in [("", 1000, 500), ("reserved = \"40000-40099\"", 900, 450)] {
        let outcome = one(
            &format!("system = \"linux\"\nrange = \"40000-40999\"\n{reserved}"),
            "rate = 1000\nduration = \"forever\"\ncount = 2000",
        );
        assert_eq!(outcome.first_slow.map(|moment| moment.held), Some(half));
        assert_eq!(outcome.first_failure.map(|failure| failure.moment.held), Some(usable));
        assert_eq!(outcome.usable, usable);
    }
    let own_range = one(
        "system = \"linux\"\nrange = \"40000-40999\"",
        "rate = 1000\nduration = \"forever\"\ncount = 2000\nvia = \"own-range\"",
    );
    let slow = own_range.first_slow.map_or(1000, |moment| moment.held);
    assert!(slow > 900, "no cliff at half: {slow}");
}

#[test]
fn every_strategy_fills_its_range_or_gives_up_as_documented() {
    let names = [
        "linux",
        "freebsd",
        "openbsd",
        "netbsd-bsd",
        "netbsd-random-start",
        "illumos",
        "sequential",
        "sequential-from-random",
        "xnu",
        "windows",
        "rfc6056-1",
        "rfc6056-3",
        "rfc6056-4",
        "uniform",
    ];
    for name in names {
        let outcome = one(
            &format!("system = \"linux\"\nstrategy = \"{name}\"\nrange = \"40000-40199\""),
            "rate = 1000\nduration = \"forever\"\ncount = 2000",
        );
        assert_eq!(outcome.first_failure.map(|failure| failure.moment.held), Some(200), "{name}");
    }
    for name in ["vpp", "rfc6056-2", "rfc6056-5", "netbsd-random-pick", "netfilter"] {
        let outcome = one(
            &format!("system = \"linux\"\nstrategy = \"{name}\"\nrange = \"40000-40999\""),
            "rate = 1000\nduration = \"forever\"\ncount = 2000",
        );
        let held = outcome.first_failure.unwrap().moment.held;
        assert!((300..=1000).contains(&held), "{name} gives up at {held}");
    }
}

#[test]
fn time_wait_is_taken_over_when_it_is_old_enough() {
    let host =
        |reuse| format!("system = \"linux\"\nrange = \"40000-40099\"\ntw_reuse = \"{reuse}\"");
    let work = "rate = 50\narrivals = \"constant\"\nduration = \"1 ms\"";
    assert_eq!(one(&host("never"), work).reused, 0);
    assert_eq!(one(&host("loopback"), work).reused, 0, "the destination is elsewhere");
    let everywhere = one(&host("everywhere"), work);
    assert_eq!(everywhere.failed, 0);
    assert!(everywhere.reused > 29_000, "{}", everywhere.reused);
    // 100 ports, each free again after a second: the 101st connection within it fails.
    let faster = one(&host("everywhere"), &work.replace("50", "200"));
    assert_eq!(faster.first_failure.map(|failure| failure.moment.held), Some(100));
    let share = faster.opened as f64 / (faster.opened + faster.failed) as f64;
    assert!((0.49..0.51).contains(&share), "{share}");
}

#[test]
fn a_bound_port_is_closed_to_everybody_on_linux() {
    let text = "stop_at_failure = true
        [[host]]\nsystem = \"linux\"\nrange = \"40000-40009\"
        [[destination]]\nname = \"a\"
        [[destination]]\nname = \"b\"
        [[workload]]\ndestination = \"b\"\nrate = 10\nduration = \"forever\"\nvia = \"bind\"\ncount = 3
        [[workload]]\ndestination = \"a\"\nrate = 10\nduration = \"forever\"\nstart = \"5 min\"";
    let failure = run(text).first_failure.unwrap();
    assert_eq!((failure.moment.workload, failure.moment.held), (1, 7));
    let plain = run(&text.replace("via = \"bind\"", ""));
    assert_eq!(plain.first_failure.unwrap().moment.held, 10);
}

#[test]
fn ftp_exhausts_as_measured() {
    // 60 ports, 150 small files: uploads to one passive port fail at file 61, active ones at file
    // 60, since the control connection has a port as well; downloads never.
    let ftp = |mode: &str, direction: &str, ports: u32| {
        one(
            "system = \"linux\"\nrange = \"40000-40059\"\ntw_reuse = \"never\"",
            &format!(
                "kind = \"ftp\"\nmode = \"{mode}\"\ndirection = \"{direction}\"\nfiles = 150\n\
                 count = 1\nduration = \"1 ms\"\n{}",
                if mode == "passive" { format!("passive_ports = {ports}") } else { String::new() },
            ),
        )
    };
    // The first attempt of a session is its control connection.
    let passive = ftp("passive", "upload", 1);
    assert_eq!(passive.workloads[0].first_failed, Some(1 + 61));
    assert_eq!(passive.first_failure.map(|failure| failure.error), Some("EADDRNOTAVAIL"));
    let active = ftp("active", "upload", 1);
    assert_eq!(active.workloads[0].first_failed, Some(1 + 60));
    assert_eq!(active.first_failure.map(|failure| failure.error), Some("EADDRINUSE"));
    assert_eq!(ftp("passive", "download", 1).failed, 0);
    assert_eq!(ftp("passive", "upload", 50_000).failed, 0);
}

#[test]
fn kept_connections_save_ports() {
    let http = |more: &str| {
        one(
            "system = \"linux\"\nrange = \"40000-40199\"",
            &format!("kind = \"http\"\nrate = 100\n{more}"),
        )
    };
    let without = http("keep_alive = false");
    assert!(without.failed > without.opened);
    let with = http("keep_alive = true");
    assert_eq!(with.failed, 0);
    assert_eq!(with.workloads[0].attempted, with.opened);
    assert!(with.opened < 500, "{} connections for 60,000 requests", with.opened);
    assert!((59_000..61_000).contains(&with.workloads[0].done));
}

#[test]
fn a_nat_drops_when_its_ports_are_gone() {
    let text = |nat: &str| {
        format!(
            "[[host]]\nsystem = \"linux\"\ncount = 10\n[[destination]]\n\
             [[workload]]\nrate = 1\nduration = \"forever\"\n[nat]\n{nat}"
        )
    };
    let few = run(&text("range = \"40000-40019\""));
    assert_eq!(few.first_failure.map(|failure| failure.error), Some("ETIMEDOUT"));
    assert_eq!((few.opened, few.dropped), (20, few.failed));
    // Four hosts of 10 share one of three addresses, three hosts each of the others.
    let blocks = run(&text("addresses = 3\nblock = 5\nrange = \"40000-40019\""));
    assert_eq!(blocks.opened, 50);
    let mapped = run(&text("range = \"40000-49999\"")).curve.last().map(|sample| sample.mapped);
    assert_eq!(mapped, Some(run(&text("range = \"40000-49999\"")).opened));
}

#[test]
fn a_server_that_closes_first_meets_its_own_time_wait() {
    let host = "system = \"linux\"\nrange = \"40000-40099\"";
    let outcome = one(host, "rate = 100\nduration = \"1 ms\"\ncloses = \"server\"");
    assert_eq!(outcome.failed, 0);
    assert!(outcome.collisions > outcome.opened / 2, "{}", outcome.collisions);
    let sequential =
        one("system = \"traditional-bsd\"", "rate = 10\nduration = \"1 ms\"\ncloses = \"server\"");
    assert_eq!(sequential.collisions, 0, "3,977 ports last longer than a minute");
}

#[test]
fn a_counter_is_guessed_and_a_hash_is_not() {
    let predict = |system: &str| {
        let text = format!(
            "[[host]]\nsystem = \"{system}\"\n[[destination]]\nname = \"a\"\n\
             [[destination]]\nname = \"b\"\n\
             [[workload]]\nname = \"user\"\ndestination = \"a\"\nrate = 10\n\
             [[workload]]\nname = \"guesser\"\nkind = \"predict\"\ndestination = \"b\"\nrate = 10\n\
             victim = \"user\"\n"
        );
        let share = run(&text).workloads[1].clone();
        assert!(share.guessed > 4000);
        share.hit as f64 / share.guessed as f64
    };
    assert!(predict("macos") > 0.9);
    assert!(predict("uniform") < 0.02);
}

#[test]
fn the_same_seed_gives_the_same_outcome() {
    let text = |seed| {
        format!(
            "seed = {seed}\n[[host]]\nsystem = \"linux\"\ncount = 3\n[[destination]]\ncount = 5\n\
             [[workload]]\nrate = 20\nduration = {{ exponential = \"1 s\" }}\n"
        )
    };
    assert_eq!(run(&text(1)), run(&text(1)));
    assert_ne!(run(&text(1)), run(&text(2)));
}

/// Little's law: as many are open as begin a second, times how long each is open.
#[test]
fn as_many_are_open_as_must_be() {
    for duration in ["{ exponential = \"2 s\" }", "{ uniform = [\"1 s\", \"3 s\"] }", "\"2 s\""] {
        let outcome = one(
            "system = \"linux\"",
            &format!("rate = 200\nduration = {duration}\ncloses = \"reset\""),
        );
        let settled = &outcome.curve[20..outcome.curve.len() - 1];
        let mean =
            settled.iter().map(|sample| sample.live as f64).sum::<f64>() / settled.len() as f64;
        assert!((mean / 400.0 - 1.0).abs() < 0.05, "{duration}: {mean}");
    }
}

/// Hosts and workloads that the short way knows, all with each other: both ways tell the same.
#[test]
fn the_short_way_is_the_long_way() {
    let hosts = [
        "system = \"linux\"\nrange = \"40000-40299\"",
        "system = \"linux\"\nversion = \"5.15\"\nrange = \"40000-40300\"\nreserved = \"40010-40019\"",
        "system = \"linux\"\nversion = \"4.4\"\nrange = \"40000-40199\"\ncount = 3",
        "system = \"linux\"\nrange = \"40000-40199\"\ntime_wait = \"20 s\"\naddresses = 2",
        "system = \"uniform\"\nrange = \"40000-40199\"\nlisteners = \"40100\"",
        "system = \"traditional-bsd\"\nrange = \"1024-1623\"\ncount = 2\naddresses = 3",
        "system = \"freebsd\"\nrange = \"50000-50599\"",
        "system = \"macos\"\nrange = \"50000-50599\"\ncount = 4",
        "system = \"illumos\"\nrange = \"50000-50199\"\ntime_wait = \"0 s\"",
        "system = \"gvisor\"\nrange = \"50000-50199\"",
    ];
    let works = [
        "rate = 20\nduration = { exponential = \"1 s\" }",
        "rate = 40\nduration = { pareto = [\"100 ms\", 1.5] }\ncloses = \"reset\"",
        "rate = 10\narrivals = \"constant\"\nduration = \"1 s\"\ncloses = \"reset\"",
        "rate = 10\narrivals = \"constant\"\nduration = \"10 s\"",
        "rate = 30\narrivals = \"bursts\"\nburst = 15\nduration = { uniform = [\"0 s\", \"20 s\"] }",
        "rate = 5\nduration = \"forever\"\ncount = 700\nstart = \"3 s\"\nstop = \"80 s\"",
        "rate = 60\nduration = \"0 s\"\nvia = \"own-range\"",
        "rate = 60\nprotocol = \"udp\"\nduration = { exponential = \"2 s\" }",
        "rate = 60\nprotocol = \"sctp\"\nduration = { exponential = \"2 s\" }",
    ];
    let mut compared = 0;
    for (number, host) in hosts.iter().enumerate() {
        for work in works {
            for targets in [1, 3, 40] {
                let text = format!(
                    "seed = {number}\nduration = \"100 s\"\nsamples = 101\n[[host]]\n{host}\n\
                     [[destination]]\ncount = {targets}\n[[workload]]\n{work}\n"
                );
                let scenario =
                    Scenario::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
                assert!(stream::Stream::suits(&scenario), "{text}");
                let extent = stream::Extent { watched: WATCHED, counters: None };
                let short = stream::Stream::new(&scenario, extent).run(&mut |_| {});
                let long = engine::Engine::new(&scenario).run(&mut |_| {});
                assert_eq!(short, long, "{text}");
                compared += u64::from(short.opened > 100);
            }
        }
    }
    assert!(compared > 200, "{compared}");
}

/// Linux with ten thousand ports in all, half of which would be enough.
fn wide(hosts: u32, targets: u32, rate: f64) -> Scenario {
    let text = format!(
        "duration = \"150 s\"\nsamples = 61\n[[host]]\nsystem = \"linux\"\nrange = \"40000-40039\"\n\
         count = {hosts}\n[[destination]]\ncount = {targets}\n[[workload]]\nrate = {rate}\n\
         duration = {{ exponential = \"5 s\" }}\n"
    );
    Scenario::parse(&text).unwrap()
}

#[test]
fn a_wide_run_is_the_same_on_any_number_of_threads() {
    for scenario in [wide(1, 700, 300.0), wide(700, 2, 1.0)] {
        let run = |threads| {
            let threads = NonZeroUsize::new(threads).unwrap();
            Simulation::new(&scenario).run_on(threads, &mut |_| {})
        };
        let alone = run(1);
        assert!(alone.first_failure.is_some() && alone.first_slow.is_some());
        assert_eq!(alone, run(2));
        assert_eq!(alone, run(50));
    }
}

#[test]
fn parts_do_what_the_whole_does() {
    for (hosts, targets, rate) in [(1, 1000, 500.0), (500, 2, 1.0)] {
        let scenario = wide(hosts, targets, rate);
        let whole = stream::Stream::new(&scenario, Extent { watched: WATCHED, counters: None });
        let whole = whole.run(&mut |_| {});
        let parts = Parts::of(&scenario).unwrap().run(NonZeroUsize::MIN, &mut |_| {});
        let near = |what, one: f64, other: f64, most: f64| {
            assert!((one / other - 1.0).abs() < most, "{hosts}: {what} {one} and {other}");
        };
        let attempted = |outcome: &Outcome| (outcome.opened + outcome.failed) as f64;
        // 60,000 by Poisson: four times the spread of a difference.
        near("attempts", attempted(&parts), attempted(&whole), 0.023);
        near("failed", parts.failed as f64, whole.failed as f64, 0.15);
        near("slow", parts.slow as f64, whole.slow as f64, 0.05);
        near("search", parts.search.mean(), whole.search.mean(), 0.03);
        near("reuse", parts.reuse.mean(), whole.reuse.mean(), 0.05);
        for (part, whole) in parts.curve.iter().zip(&whole.curve).skip(10) {
            assert_eq!(part.at, whole.at);
            near("live", part.live as f64, whole.live as f64, 0.2);
            near("waiting", part.time_wait as f64, whole.time_wait as f64, 0.06);
        }
        // The number of a moment is its number among all, not among those of its part.
        for moment in [parts.first_slow.unwrap(), parts.first_failure.unwrap().moment] {
            let due = moment.at as f64 / SECOND as f64 * 500.0;
            assert!((moment.number as f64 - due).abs() < 6.0 * due.sqrt() + 2.0, "{moment:?}");
        }
        let share = &parts.workloads[0];
        assert_eq!(share.first_failed, parts.first_failure.map(|failure| failure.moment.number));
        assert_eq!(parts.heat.iter().map(|heat| u64::from(*heat)).sum::<u64>(), parts.opened);
        assert_eq!(parts.search.count(), parts.opened);
        assert_eq!(share.attempted, parts.opened + parts.failed);
    }
}
