//! `cargo xtask fuzz`: every target of the folder `fuzz/`, one after the other, beginning with the
//! texts in `fuzz/seeds`, where a target has some.

use crate::shell::{self, Done};

/// Runs each target for so many seconds.
pub(crate) fn run(seconds: u32) -> Done {
    let cargo = "cargo";
    if !shell::answers("rustup", &["run", "nightly", "rustc", "--version"]) {
        return Err("fuzzing needs a nightly compiler: rustup toolchain install nightly".to_owned());
    }
    if !shell::answers(cargo, &["+nightly", "fuzz", "--version"]) {
        return Err("fuzzing needs cargo-fuzz: cargo install --locked cargo-fuzz".to_owned());
    }
    if !shell::root().join("fuzz/Cargo.toml").exists() {
        return Err("there is no fuzz/Cargo.toml, so nothing to fuzz".to_owned());
    }
    let limit = format!("-max_total_time={seconds}");
    for target in shell::output(cargo, &["+nightly", "fuzz", "list"])?.lines() {
        let (corpus, seeds) = (format!("fuzz/corpus/{target}"), format!("fuzz/seeds/{target}"));
        let mut words = vec!["+nightly", "fuzz", "run", target];
        if shell::root().join(&seeds).exists() {
            // What is found goes into the first of the two.
            std::fs::create_dir_all(shell::root().join(&corpus))
                .map_err(|error| format!("{corpus}: {error}"))?;
            words.extend([corpus.as_str(), seeds.as_str()]);
        }
        words.extend(["--", &limit]);
        shell::run(cargo, &words)?;
    }
    Ok(())
}
