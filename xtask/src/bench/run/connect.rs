//! What a pinned connection takes more than a plain one.

use dayfly_testkit::Namespace;

use super::turns::{Client, Destination, added, take_turns};
use super::{Measured, Programs, Promise};
use crate::bench::median;

const ROUNDS: usize = 300;
/// Connections in a turn.
const BATCH: usize = 32;

/// A name, the options, and the microseconds that it may add; none when nothing is promised.
const WAYS: [(&str, &str, Option<f64>); 5] = [
    ("bpf, one port", "--via bpf --port 63999", Some(3.0)),
    ("seccomp, one port", "--via seccomp --port 63998", Some(35.0)),
    ("bpf, 1,000 ports", "--via bpf --range 62000-62999", None),
    ("seccomp, 1,000 ports", "--via seccomp --range 62000-62999", None),
    ("seccomp, 1,000 ports inside", "--via seccomp --range 40000-40999", None),
];

pub(super) fn measure(programs: &Programs) -> Measured {
    let namespace = Namespace::new();
    let destination = Destination::open(&namespace)?;
    let mut clients = vec![Client::start(programs, &namespace, "", "client", BATCH)?];
    for (_, options, _) in WAYS {
        clients.push(Client::start(programs, &namespace, options, "client", BATCH)?);
    }
    let took = take_turns(&mut clients, &destination, ROUNDS)?;
    println!("one TCP connection of a C client, {ROUNDS} rounds of {BATCH}: median us, added");
    println!("  {:<28} {:>7.1}", "plain", median(took[0].iter().copied()));
    let mut promises = Vec::new();
    for ((name, _, most), pinned) in WAYS.iter().zip(&took[1..]) {
        let more = added(pinned, &took[0]);
        println!("  {name:<28} {:>7.1} {more:>+7.1}", median(pinned.iter().copied()));
        if let Some(most) = most {
            promises.push(Promise {
                what: format!("{name}: {more:+.1} us a connection, at most {most}"),
                kept: more <= *most,
            });
        }
    }
    Ok(promises)
}
