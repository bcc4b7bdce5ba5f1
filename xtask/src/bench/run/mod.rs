//! What `dayfly run` costs and what it gains: every figure is of programs that take turns, one with
//! it and one without.

mod connect;
mod memory;
mod rounds;
mod start;
mod time_wait;
mod turns;
mod whole_range;

use std::path::PathBuf;

use dayfly_testkit::{Namespace, programs};

use crate::shell::{self, Done};

/// A target: what was measured, as a sentence, and whether it is met.
struct Promise {
    what: String,
    kept: bool,
}

type Measured = Result<Vec<Promise>, String>;
type Part = (&'static str, fn(&Programs) -> Measured);

/// The parts, by name: `cargo xtask bench run connect` measures that one only.
const PARTS: [Part; 6] = [
    ("connect", connect::measure),
    ("start", start::measure),
    ("memory", memory::measure),
    ("rounds", rounds::measure),
    ("whole-range", whole_range::measure),
    ("time-wait", time_wait::measure),
];

/// Measures, prints the tables; fails when a promise is not kept.
pub(crate) fn run(words: &[&str]) -> Done {
    let programs = Programs::build()?;
    let mut broken = Vec::new();
    let wanted = |name: &str| words.is_empty() || words.contains(&name);
    for (_, measure) in PARTS.iter().filter(|(name, _)| wanted(name)) {
        for promise in measure(&programs)? {
            println!("{} {}", if promise.kept { "kept:  " } else { "BROKEN:" }, promise.what);
            if !promise.kept {
                broken.push(promise.what);
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("not kept: {}", broken.join("; "))) }
}

/// Where the optimised command and the clients are.
struct Programs {
    dayfly: PathBuf,
    clients: PathBuf,
}

impl Programs {
    fn build() -> Result<Programs, String> {
        shell::run(&shell::cargo(), &["build", "--release", "-p", "dayfly"])?;
        let folder = std::env::var_os("CARGO_TARGET_DIR")
            .map_or_else(|| shell::root().join("target"), PathBuf::from);
        Ok(Programs { dayfly: folder.join("release/dayfly"), clients: programs() })
    }

    /// The words in front of a program that is pinned in this way; none without options.
    fn before(&self, options: &str) -> Vec<String> {
        let mut words = Vec::new();
        if !options.is_empty() {
            words.extend([self.dayfly.display().to_string(), "run".to_owned()]);
            words.extend(options.split_whitespace().map(str::to_owned));
            words.push("--".to_owned());
        }
        words
    }

    fn client(&self, name: &str) -> Vec<String> {
        let path = self.clients.join(name).display().to_string();
        match name.rsplit_once('.') {
            Some((_, "py")) => vec!["/usr/bin/python3".to_owned(), path],
            _ => vec![path],
        }
    }
}

/// A command in the namespace.
fn command(namespace: &Namespace, words: &[String]) -> std::process::Command {
    let mut command = namespace.command(&words[0]);
    command.args(&words[1..]);
    command
}
