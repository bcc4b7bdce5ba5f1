//! `cargo xtask bench NAME`: figures, always of two things interleaved in one run, because the
//! ratio stands on any machine while the absolute times belong to one.

use crate::shell::Done;

/// Its name, what it answers, and the function that measures.
type Bench = (&'static str, &'static str, fn(&[&str]) -> Done);

/// What can be measured.
const BENCHES: &[Bench] = &[];

/// Runs the named one, or lists them.
pub(crate) fn run(words: &[&str]) -> Done {
    let mut known = String::new();
    for (name, what, measure) in BENCHES {
        if words.first() == Some(name) {
            return measure(&words[1..]);
        }
        known.push_str(&format!("  {name:<10} {what}\n"));
    }
    match words.first() {
        None => {
            print!("{known}");
            Ok(())
        }
        Some(name) => Err(format!("there is no bench {name:?}; there are:\n{known}")),
    }
}
