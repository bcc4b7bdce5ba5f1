//! What `dayfly show --json` costs: next to a program that receives the same dump and only counts
//! it, and next to `ss -tan`. What `dayfly why` costs next to `dayfly show`.
//!
//! Every dump walks the socket table of the whole host, so the times hold for a quiet machine; the
//! ratios hold for any, since the programs take turns. TIME_WAIT lasts a minute: that is how long
//! the measuring may take after the sockets are made.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use dayfly_testkit::{Namespace, Server, Socket, SocketOptions};

use super::process::{Took, measure};
use super::{bare, median};
use crate::shell::{self, Done};

/// What is promised: at most so many times the bare dump, at most so long on an idle host, at
/// least so many times faster than `ss`, `why` at most so many times `show`, at most so much memory.
const MOST_OVER_BARE: f64 = 1.15;
const LEAST_UNDER_SS: f64 = 5.0;
const MOST_WHY_OVER_SHOW: f64 = 2.0;
const MOST_IDLE_MS: f64 = 10.0;
const MOST_PEAK_KIB: u64 = 16 * 1024;
/// Peak memory may differ by this much between few sockets and many, and is still called flat.
const FLAT_KIB: u64 = 1024;

const FEW: usize = 20_000;
const MANY: usize = 200_000;
/// Connections per destination: less than half the range, where connect() is quick.
const PER_DESTINATION: usize = 10_000;
/// One connection of so many stays open, which leaves two sockets; the others leave TIME_WAIT.
const OPEN_EVERY: usize = 20;
const ROUNDS: usize = 15;
const IDLE_ROUNDS: usize = 50;
/// No round starts later than this after the first socket was closed.
const TIME_WAIT: Duration = Duration::from_secs(56);

/// The programs, in the order in which they take turns.
const PROGRAMS: [&str; 4] = ["bare dump", "dayfly show", "ss -tan", "dayfly why"];

/// Makes the sockets, measures, prints the table; fails when a promise is not kept.
pub(crate) fn run(_words: &[&str]) -> Done {
    let here = Programs::build()?;
    let idle = idle(&here)?;
    let few = crowded(&here, FEW, 3)?;
    let many = crowded(&here, MANY, ROUNDS)?;

    println!("empty namespace, {IDLE_ROUNDS} rounds: median ms");
    for (name, took) in PROGRAMS.iter().zip(&idle) {
        println!("  {name:<12} {:>9.2}", median_ms(took));
    }
    for measured in [&few, &many] {
        measured.print();
    }

    let mut broken = Vec::new();
    let mut promise = |what: &str, kept: bool| {
        println!("{} {what}", if kept { "kept:  " } else { "BROKEN:" });
        if !kept {
            broken.push(what.to_owned());
        }
    };
    let over_bare = many.ratio(1, 0);
    promise(
        &format!("show / bare = {over_bare:.3}, at most {MOST_OVER_BARE}"),
        over_bare <= MOST_OVER_BARE,
    );
    let under_ss = many.ratio(2, 1);
    promise(
        &format!("ss / show = {under_ss:.2}, at least {LEAST_UNDER_SS}"),
        under_ss >= LEAST_UNDER_SS,
    );
    let why = many.ratio(3, 1);
    promise(
        &format!("why / show = {why:.2}, at most {MOST_WHY_OVER_SHOW}"),
        why <= MOST_WHY_OVER_SHOW,
    );
    let (low, high) = (few.peak_kib(1), many.peak_kib(1));
    promise(&format!("peak memory {high} KiB, at most {MOST_PEAK_KIB}"), high <= MOST_PEAK_KIB);
    promise(
        &format!("peak memory {low} KiB with few sockets, {high} with many"),
        high.abs_diff(low) <= FLAT_KIB,
    );
    let idle = median_ms(&idle[1]);
    promise(&format!("idle {idle:.2} ms, at most {MOST_IDLE_MS}"), idle <= MOST_IDLE_MS);
    if broken.is_empty() { Ok(()) } else { Err(format!("not kept: {}", broken.join("; "))) }
}

/// Where the optimised programs are.
struct Programs {
    dayfly: PathBuf,
    xtask: PathBuf,
}

impl Programs {
    fn build() -> Result<Programs, String> {
        let cargo = shell::cargo();
        shell::run(&cargo, &["build", "--release", "-p", "dayfly", "-p", "xtask"])?;
        let folder = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| shell::root().join("target"), PathBuf::from)
            .join("release");
        Ok(Programs { dayfly: folder.join("dayfly"), xtask: folder.join("xtask") })
    }

    /// All of them start in the same way and are inside the namespace from the start.
    fn commands(&self, namespace: &Namespace) -> [Command; 4] {
        let start = |program: &Path, words: &[&str]| {
            let mut command = namespace.command(program);
            command.args(words);
            command
        };
        [
            start(&self.xtask, &["bench", bare::NAME]),
            start(&self.dayfly, &["show", "--json"]),
            start(Path::new("ss"), &["-tan"]),
            start(&self.dayfly, &["why", "127.0.1.1:80", "--json"]),
        ]
    }
}

fn idle(here: &Programs) -> Result<[Vec<Took>; 4], String> {
    let namespace = Namespace::new();
    take_turns(&mut here.commands(&namespace), IDLE_ROUNDS, None)
}

fn take_turns(
    commands: &mut [Command; 4],
    rounds: usize,
    until: Option<Instant>,
) -> Result<[Vec<Took>; 4], String> {
    let mut all = [const { Vec::new() }; 4];
    for round in 0..rounds {
        if round > 0 && until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        for (took, command) in all.iter_mut().zip(commands.iter_mut()) {
            took.push(measure(command)?);
        }
    }
    Ok(all)
}

/// The figures of one namespace full of sockets.
struct Measured {
    sockets: u64,
    sockets_after: u64,
    made_in: Duration,
    took: [Vec<Took>; 4],
}

fn crowded(here: &Programs, sockets: usize, rounds: usize) -> Result<Measured, String> {
    let namespace = Namespace::new();
    namespace.sysctl("net.ipv4.ip_local_port_range", "10000 65535");
    namespace.sysctl("net.ipv4.tcp_tw_reuse", "0");
    namespace.sysctl("net.ipv4.tcp_max_tw_buckets", "2000000");
    let start = Instant::now();
    let _open = fill(&namespace, sockets).map_err(|error| format!("no more sockets: {error}"))?;
    let made_in = start.elapsed();
    let before = count(here, &namespace)?;
    let took = take_turns(&mut here.commands(&namespace), rounds, Some(start + TIME_WAIT))?;
    let sockets_after = count(here, &namespace)?;
    Ok(Measured { sockets: before, sockets_after, made_in, took })
}

fn count(here: &Programs, namespace: &Namespace) -> Result<u64, String> {
    let output = namespace
        .command(&here.xtask)
        .args(["bench", bare::NAME])
        .output()
        .map_err(|error| format!("the bare dump does not run: {error}"))?;
    String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|_| "the bare dump printed no number".to_owned())
}

/// Makes about so many sockets, two threads at a time, and returns those to keep open.
fn fill(namespace: &Namespace, sockets: usize) -> std::io::Result<Vec<(Server, Vec<Socket>)>> {
    // Every connection leaves one socket, and one of OPEN_EVERY another.
    let connections = sockets * OPEN_EVERY / (OPEN_EVERY + 1);
    let parts: Vec<(u16, usize)> = (0..connections)
        .step_by(PER_DESTINATION)
        .enumerate()
        .map(|(index, begun)| (index as u16, PER_DESTINATION.min(connections - begun)))
        .collect();
    let mut kept = Vec::new();
    for pair in parts.chunks(2) {
        let made = thread::scope(|scope| {
            let threads: Vec<_> = pair
                .iter()
                .map(|&(index, count)| {
                    scope.spawn(move || namespace.run(|| fill_destination(index, count)))
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| std::io::Error::other("a thread panicked")))
                .collect::<Vec<_>>()
        });
        for result in made {
            kept.push(result??);
        }
    }
    Ok(kept)
}

fn fill_destination(index: u16, count: usize) -> std::io::Result<(Server, Vec<Socket>)> {
    let address = Ipv4Addr::new(127, 0, 1, 1 + (index / 8) as u8);
    let options = SocketOptions::tcp();
    let server = Server::open(&options, SocketAddr::new(address.into(), 80 + index % 8))?;
    let stay_open = count / OPEN_EVERY;
    for _ in stay_open..count {
        server.leave_time_wait(&options)?;
    }
    // Their other ends wait in the server's queue, which costs no open file.
    let open =
        (0..stay_open).map(|_| options.connect(server.address())).collect::<Result<_, _>>()?;
    Ok((server, open))
}

impl Measured {
    fn print(&self) {
        println!(
            "{} sockets (made in {:.1} s; {} when done), {} rounds: median ms, ns per socket, peak KiB",
            self.sockets,
            self.made_in.as_secs_f64(),
            self.sockets_after,
            self.took[0].len(),
        );
        for (program, name) in PROGRAMS.iter().enumerate() {
            let took = median_ms(&self.took[program]);
            println!(
                "  {name:<12} {took:>9.2} {:>9.0} {:>9}",
                took * 1e6 / self.sockets as f64,
                self.peak_kib(program)
            );
        }
    }

    /// The median of what one program took in relation to another in the same round.
    fn ratio(&self, of: usize, to: usize) -> f64 {
        let rounds = self.took[of].iter().zip(&self.took[to]);
        median(rounds.map(|(of, to)| of.elapsed.as_secs_f64() / to.elapsed.as_secs_f64()))
    }

    fn peak_kib(&self, program: usize) -> u64 {
        self.took[program].iter().map(|took| took.peak_kib).max().unwrap_or(0)
    }
}

fn median_ms(took: &[Took]) -> f64 {
    median(took.iter().map(|took| took.elapsed.as_secs_f64() * 1e3))
}
