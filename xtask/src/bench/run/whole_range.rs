//! Past half of the range the kernel's search turns slow; `--whole-range` turns that off for a
//! program that knows nothing of it.

use dayfly_testkit::{Namespace, SocketOptions};

use super::turns::{Client, Destination, ratio, take_turns};
use super::{Measured, Programs, Promise};
use crate::bench::median;

/// 16,384 ports, and so many of them taken, in the order in which the kernel gives them.
const RANGE: &str = "32768 49151";
const TAKEN: usize = 16_384 * 6 / 10;
const ROUNDS: usize = 60;
const BATCH: usize = 8;
const LEAST: f64 = 8.0;

pub(super) fn measure(programs: &Programs) -> Measured {
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", RANGE);
    let destination = Destination::open(&namespace)?;
    let taken = namespace.run(|| {
        let options = SocketOptions::tcp();
        (0..TAKEN).map(|_| options.connect(destination.address())).collect::<Result<Vec<_>, _>>()
    });
    let taken = taken.map_err(|error| format!("no more connections: {error}"))?;
    // Between turns the destination drops what it accepts, and these have to last.
    let _accepted = destination.keep();

    println!(
        "one TCP connection with {} of 16,384 ports taken, {ROUNDS} rounds of {BATCH}: median us",
        taken.len()
    );
    println!("  {:<28} {:>7} {:>12} {:>7}", "", "plain", "whole range", "ratio");
    let mut promises = Vec::new();
    for (language, name) in [("C", "client"), ("Python", "client.py"), ("Go", "client-go")] {
        let mut clients = Vec::new();
        for options in ["", "--whole-range"] {
            clients.push(Client::start(programs, &namespace, options, name, BATCH)?);
        }
        let took = take_turns(&mut clients, &destination, ROUNDS)?;
        let times = ratio(&took[0], &took[1]);
        let [plain, whole] = [0, 1].map(|place| median(took[place].iter().copied()));
        println!("  {language:<28} {plain:>7.1} {whole:>12.1} {times:>7.1}");
        promises.push(Promise {
            what: format!("{language}: {times:.1} times as fast, at least {LEAST}"),
            kept: times >= LEAST,
        });
    }
    Ok(promises)
}
