//! A hundred thousand connections over a thousand ports to one destination: none may fail while a
//! port is free or may be used again.

use std::net::SocketAddr;
use std::time::Instant;

use dayfly_testkit::{Namespace, Witness};

use super::{Measured, Programs, Promise, command};

const CONNECTIONS: usize = 100_000;

/// Over a cable: there, no rule for loopback cuts TIME_WAIT short.
pub(super) fn measure(programs: &Programs) -> Measured {
    println!("{CONNECTIONS} requests over 1,000 ports to one destination: seconds");
    let mut promises = Vec::new();
    for (via, range) in [
        ("seccomp", "62000-62999"),
        ("seccomp", "40000-40999"),
        ("bpf", "62000-62999"),
        ("bpf", "40000-40999"),
    ] {
        let (client, server) = (Namespace::new(), Namespace::new());
        client.connect_to(&server, ("east", "10.9.0.1/24"), ("west", "10.9.0.2/24"));
        let address = SocketAddr::from(([10, 9, 0, 2], 7000));
        let witness = server
            .run(|| Witness::open(address))
            .map_err(|error| format!("cannot listen at {address}: {error}"))?;
        let mut words = programs.before(&format!("--via {via} --strict --range {range}"));
        words.extend(programs.client("client"));
        words.extend(["connect", "10.9.0.2", "7000"].map(str::to_owned));
        words.push(format!("requests={CONNECTIONS}"));
        let begun = Instant::now();
        let done = command(&client, &words)
            .output()
            .map_err(|error| format!("{words:?} does not run: {error}"))?;
        let name = format!("{via}, {range}");
        println!("  {name:<28} {:>7.1}", begun.elapsed().as_secs_f64());
        let seen = witness.take();
        let bounds: Vec<u16> = range.split('-').flat_map(str::parse).collect();
        let outside =
            seen.iter().filter(|seen| !(bounds[0]..=bounds[1]).contains(&seen.client.port()));
        let outside = outside.count();
        eprint!("{}", String::from_utf8_lossy(&done.stderr));
        promises.push(Promise {
            what: format!("{name}: {} answered, {outside} from other ports", seen.len()),
            kept: done.status.success() && seen.len() == CONNECTIONS && outside == 0,
        });
    }
    Ok(promises)
}
