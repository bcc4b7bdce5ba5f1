//! What it takes more to start a program pinned than to start it.

use dayfly_testkit::Namespace;

use super::turns::added;
use super::{Measured, Programs, Promise, command};
use crate::bench::median;
use crate::bench::process::measure as time;

const ROUNDS: usize = 200;

/// A name, the options, and the milliseconds that it may add.
const WAYS: [(&str, &str, f64); 2] =
    [("bpf", "--via bpf --port 63999", 2.5), ("seccomp", "--via seccomp --port 63999", 1.5)];

pub(super) fn measure(programs: &Programs) -> Measured {
    let namespace = Namespace::new();
    let mut commands = Vec::new();
    for options in ["", WAYS[0].1, WAYS[1].1] {
        let mut words = programs.before(options);
        words.push("/bin/true".to_owned());
        commands.push(command(&namespace, &words));
    }
    let mut took = vec![Vec::new(); commands.len()];
    for round in 0..ROUNDS {
        for place in 0..commands.len() {
            let place = (place + round) % commands.len();
            let elapsed = time(&mut commands[place])?.elapsed;
            took[place].push(elapsed.as_secs_f64() * 1e3);
        }
    }
    println!("start and end of /bin/true, {ROUNDS} rounds: median ms, added");
    println!("  {:<28} {:>7.2}", "plain", median(took[0].iter().copied()));
    let mut promises = Vec::new();
    for ((name, _, most), pinned) in WAYS.iter().zip(&took[1..]) {
        let more = added(pinned, &took[0]);
        println!("  {name:<28} {:>7.2} {more:>+7.2}", median(pinned.iter().copied()));
        promises.push(Promise {
            what: format!("{name}: {more:+.2} ms at the start, at most {most}"),
            kept: more <= *most,
        });
    }
    Ok(promises)
}
