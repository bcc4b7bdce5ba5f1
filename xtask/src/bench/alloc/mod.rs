//! What it costs to hand out a port: dayfly-alloc, and whoever else does it, in one run.
//!
//! Sections: pairs of allocate and release at every occupancy against a bitmap with a random start
//! and against gVisor's port manager; the kernel's connect() and bind(0); portpicker; many
//! destinations; two threads; how well ports can be guessed. Every figure is one line with `--json`.

mod allocators;
mod destinations;
mod figure;
mod gvisor;
mod kernel;
mod picker;
mod predictability;
mod threads;

use figure::{Figure, find};

use crate::shell::{self, Done};

/// 16,384 ports, the ones that IANA leaves to everybody.
const PORTS: u32 = 16_384;

/// How many of them are taken, and what that is called.
const OCCUPANCIES: [(u32, &str); 7] = [
    (0, "0 %"),
    (8_192, "50 %"),
    (14_745, "90 %"),
    (16_220, "99 %"),
    (16_368, "99.9 %"),
    (16_383, "1 free"),
    (16_384, "full"),
];

/// What a section returns: its figures, or why it has none.
type Measured = Result<Vec<Figure>, String>;

/// Its name and the function that measures it.
type Section = (&'static str, fn() -> Measured);

/// Measures everything, prints it, and says which goals were missed.
pub(crate) fn run(words: &[&str]) -> Done {
    if let Some(unknown) = words.iter().find(|word| **word != "--json") {
        return Err(format!("`bench alloc` takes --json, not {unknown:?}"));
    }
    if cfg!(debug_assertions) {
        // Nanoseconds need optimised code; the chores themselves are built without.
        let again = ["run", "--quiet", "--release", "--package", "xtask", "--", "bench", "alloc"];
        return shell::run(&shell::cargo(), &[&again, words].concat());
    }
    let json = !words.is_empty();
    let mut figures = Vec::new();
    let sections: [Section; 7] = [
        ("one destination", allocators::measure),
        ("gVisor", gvisor::measure),
        ("kernel", kernel::measure),
        ("portpicker", picker::measure),
        ("many destinations", destinations::measure),
        ("threads", threads::measure),
        ("predictability", predictability::measure),
    ];
    for (name, measure) in sections {
        eprintln!("measuring: {name}");
        match measure() {
            Ok(measured) => figures.extend(measured),
            Err(why) => eprintln!("skipped {name}: {why}"),
        }
    }
    if json {
        figures.iter().for_each(|figure| println!("{}", figure.json()));
    } else {
        print!("{}", figure::tables(&figures));
    }
    let missed = missed(&figures);
    if missed.is_empty() { Ok(()) } else { Err(format!("missed: {}", missed.join("; "))) }
}

/// The goals that these figures miss.
fn missed(figures: &[Figure]) -> Vec<String> {
    let mut missed = Vec::new();
    let mut at_most = |what: &str, at: &str, limit: f64| match find(figures, what, at) {
        Some(value) if value > limit => {
            missed.push(format!("{what} at {at}: {value:.1}, more than {limit}"));
        }
        _ => {}
    };
    at_most("pool", "0 %", 10.0);
    at_most("pool", "50 %", 30.0);
    at_most("pool", "full", 5.0);
    for what in ["pool", "allocator"] {
        for (_, at) in &OCCUPANCIES[..6] {
            at_most(what, at, 50.0);
        }
    }
    at_most("cold allocation", "100,000 destinations", 300.0);
    at_most("bytes per connection", "1,000,000 to 100,000", 16.0);
    at_most("bytes per connection", "64,512 to one", 16.0);
    let mut at_least = |what: &str, over: (&str, &str), under: (&str, &str), limit: f64| {
        let values = (find(figures, over.0, over.1), find(figures, under.0, under.1));
        if let (Some(over), Some(under)) = values
            && over < limit * under
        {
            missed.push(format!("{what}: {:.2}, less than {limit}", over / under));
        }
    };
    let ours = ("pool", "99.9 %");
    at_least("50 % over 99.9 %, times 3", ("pool", "50 %"), ours, 1.0 / 3.0);
    at_least("gVisor's mean over ours at 99.9 %", ("gvisor mean", "99.9 %"), ours, 10_000.0);
    let (two, one) = (("sharded", "2 threads"), ("sharded", "1 thread"));
    at_least("two threads over one", two, one, 1.8);
    missed
}
