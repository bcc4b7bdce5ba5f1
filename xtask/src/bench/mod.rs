//! `cargo xtask bench NAME`: figures, always of two things interleaved in one run, because the
//! ratio stands on any machine while the absolute times belong to one.

mod alloc;
mod bare;
mod firewall;
mod identify;
mod process;
mod run;
mod show;
mod simulate;

use crate::shell::Done;

/// Its name, what it answers, and the function that measures.
type Bench = (&'static str, &'static str, fn(&[&str]) -> Done);

/// What can be measured.
const BENCHES: &[Bench] = &[
    ("alloc", "what handing out a port costs, next to everybody who does", alloc::run),
    ("firewall", "what a check of 50,000 rules costs next to `nft -c -f` of them", firewall::run),
    (
        "identify",
        "what `dayfly identify` costs next to reading bytes and to tcpdump",
        identify::run,
    ),
    ("run", "what `dayfly run` adds to a connection and a start, and what it gains", run::run),
    ("simulate", "what a simulated connection costs next to SimPy; --long", simulate::run),
    ("show", "what `dayfly show` costs next to a bare dump and `ss -tan`", show::run),
];

/// What measured programs are started as, not for calling by hand.
const PARTS: &[Bench] = &[
    (bare::NAME, "receive a dump of TCP sockets, count it", bare::run),
    (simulate::PART, "run one long simulation", simulate::part),
    (identify::READ, "read a file, add its bytes up", identify::read_bytes),
];

/// Runs the named one, or lists them.
pub(crate) fn run(words: &[&str]) -> Done {
    let Some(name) = words.first() else {
        print!("{}", list());
        return Ok(());
    };
    match BENCHES.iter().chain(PARTS).find(|(known, ..)| known == name) {
        Some((_, _, measure)) => measure(&words[1..]),
        None => Err(format!("there is no bench {name:?}; there are:\n{}", list())),
    }
}

fn list() -> String {
    BENCHES.iter().map(|(name, what, _)| format!("  {name:<10} {what}\n")).collect()
}

/// The middle one; the upper of the two when there is an even number. 0 of none.
fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(0.0)
}
