//! One connection for each request, to one destination: what limits it is how soon a port that is in
//! TIME_WAIT may be used again.

use std::net::SocketAddr;

use dayfly_testkit::{Namespace, Witness};

use super::{Measured, Programs, Promise, command};
use crate::bench::median;

/// 8,192 ports. A program that tries again at once gets each of them once a second at best
/// (`tcp_tw_reuse_delay`), if the search leaves it the time: far fewer ports are used up either way,
/// with far more the machine is the limit.
const RANGE: &str = "32768 40959";
const ROUNDS: usize = 4;
const SECONDS: usize = 6;
/// The first seconds use up the ports that have rested.
const SETTLING: usize = 2;
const LEAST: f64 = 1.3;

pub(super) fn measure(programs: &Programs) -> Measured {
    let mut sides = Vec::new();
    for options in ["", "--whole-range"] {
        let namespace = Namespace::new();
        namespace.sysctl("net.ipv4.ip_local_port_range", RANGE);
        let address = SocketAddr::from(([127, 0, 0, 1], 7000));
        let witness = namespace
            .run(|| Witness::open(address))
            .map_err(|error| format!("cannot listen at {address}: {error}"))?;
        sides.push((options, namespace, witness, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (options, namespace, witness, rates) in &mut sides {
            let mut words = programs.before(options);
            words.extend(programs.client("client"));
            words.extend(["connect", "127.0.0.1", "7000"].map(str::to_owned));
            words.push(format!("seconds={SECONDS}"));
            let done = command(namespace, &words)
                .output()
                .map_err(|error| format!("{words:?} does not run: {error}"))?;
            let _ = witness.take();
            if !done.status.success() {
                return Err(format!("{words:?}: {}", String::from_utf8_lossy(&done.stderr)));
            }
            let printed = String::from_utf8_lossy(&done.stdout);
            let each = printed.lines().flat_map(str::parse::<f64>).skip(SETTLING);
            rates.push(median(each));
        }
    }
    let [plain, whole] = [0, 1].map(|side: usize| median(sides[side].3.iter().copied()));
    let gain = whole / plain;
    println!("requests a second over 8,192 ports, {ROUNDS} rounds of {SECONDS} s: median");
    println!("  {:<28} {plain:>7.0}", "plain");
    println!("  {:<28} {whole:>7.0} {gain:>7.2}", "whole range");
    Ok(vec![Promise {
        what: format!("{gain:.2} times as many requests, at least {LEAST}"),
        kept: gain >= LEAST,
    }])
}
