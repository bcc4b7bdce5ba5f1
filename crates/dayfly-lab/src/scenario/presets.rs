//! The common scenarios, from a few words: a text that can be kept, changed and run.

use std::fmt::Write;

use super::quantity::{Nanos, SECOND};

/// What a preset is asked for; the rest is the usual.
#[derive(Clone, Debug)]
pub struct Preset {
    /// A system or stack, as `system` in a scenario.
    pub system: String,
    /// What happens.
    pub workload: PresetKind,
    /// How often a second.
    pub rate: Option<f64>,
    /// For how long.
    pub duration: Option<Nanos>,
    /// How long a connection takes.
    pub lasts: Option<Nanos>,
    /// The range, as it is written.
    pub range: Option<String>,
    /// How many destinations.
    pub destinations: u32,
    /// How long TIME_WAIT lasts.
    pub time_wait: Option<Nanos>,
    /// Where the random numbers start.
    pub seed: u64,
}

/// The workloads that need no file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PresetKind {
    /// Connections that the client closes.
    Connections,
    /// A request for each connection.
    Http,
    /// Many requests over each connection.
    KeepAlive,
    /// Small files, the server connects back.
    FtpActive,
    /// Small files, the client connects.
    FtpPassive,
    /// Queries over UDP.
    Dns,
    /// Associations from three addresses.
    Sctp,
    /// Connections of a user, and of somebody who opens them and never closes.
    Exhaust,
    /// Connections of a user, and of somebody who guesses their ports.
    Predict,
}

impl PresetKind {
    /// All of them, with the word that stands for each.
    pub const ALL: [(&'static str, PresetKind); 9] = [
        ("connections", PresetKind::Connections),
        ("http", PresetKind::Http),
        ("keep-alive", PresetKind::KeepAlive),
        ("ftp-active", PresetKind::FtpActive),
        ("ftp-passive", PresetKind::FtpPassive),
        ("dns", PresetKind::Dns),
        ("sctp", PresetKind::Sctp),
        ("exhaust", PresetKind::Exhaust),
        ("predict", PresetKind::Predict),
    ];

    const fn rate(self) -> f64 {
        match self {
            PresetKind::FtpActive | PresetKind::FtpPassive => 20.0,
            PresetKind::Sctp => 10.0,
            PresetKind::Predict => 100.0,
            _ => 1000.0,
        }
    }
}

/// A scenario in TOML.
#[must_use]
pub fn preset(preset: &Preset) -> String {
    let kind = preset.workload;
    let rate = preset.rate.unwrap_or(kind.rate());
    let word =
        PresetKind::ALL.iter().find(|(_, known)| *known == kind).map_or("", |(word, _)| word);
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "title = \"{}: {word}, {rate} a second\"", preset.system);
    let _ = writeln!(text, "seed = {}", preset.seed);
    let _ = writeln!(text, "duration = {}", time(preset.duration.unwrap_or(300 * SECOND)));
    let _ = writeln!(text, "\n[[host]]\nsystem = \"{}\"", preset.system);
    if let Some(range) = &preset.range {
        let _ = writeln!(text, "range = \"{range}\"");
    }
    if let Some(hold) = preset.time_wait {
        let _ = writeln!(text, "time_wait = {}", time(hold));
    }
    if kind == PresetKind::Sctp {
        let _ = writeln!(text, "addresses = 3");
    }
    let port = match kind {
        PresetKind::FtpActive | PresetKind::FtpPassive => 21,
        PresetKind::Dns => 53,
        _ => 443,
    };
    let _ = writeln!(text, "\n[[destination]]\nname = \"server\"\nport = {port}");
    if preset.destinations > 1 {
        let _ = writeln!(text, "count = {}", preset.destinations);
    }
    if kind == PresetKind::Predict {
        let _ = writeln!(text, "\n[[destination]]\nname = \"attacker\"");
    }
    let _ = writeln!(text, "\n[[workload]]\nname = \"user\"\ndestination = \"server\"");
    if !matches!(kind, PresetKind::FtpActive | PresetKind::FtpPassive) {
        let _ = writeln!(text, "rate = {rate}");
    }
    if let Some(lasts) = preset.lasts {
        let _ = writeln!(text, "duration = {}", time(lasts));
    }
    match kind {
        PresetKind::Connections => {}
        PresetKind::Http => text += "kind = \"http\"\n",
        PresetKind::KeepAlive => text += "kind = \"http\"\nkeep_alive = true\n",
        PresetKind::FtpActive | PresetKind::FtpPassive => {
            let mode = if kind == PresetKind::FtpActive { "active" } else { "passive" };
            // One session after the other; each file lasts as long as the rate says.
            let _ = write!(
                text,
                "kind = \"ftp\"\nmode = \"{mode}\"\ndirection = \"upload\"\nfiles = 500\nparallel = 1\n"
            );
            if preset.lasts.is_none() {
                let _ = writeln!(text, "duration = {}", time((SECOND as f64 / rate) as Nanos));
            }
            if kind == PresetKind::FtpPassive {
                text += "passive_ports = 1\n";
            }
        }
        PresetKind::Dns => text += "kind = \"dns\"\n",
        PresetKind::Sctp => text += "kind = \"sctp\"\n",
        PresetKind::Exhaust => {
            let _ = write!(
                text,
                "\n[[workload]]\nname = \"attacker\"\nkind = \"exhaust\"\ndestination = \"server\"\n\
                 rate = {rate}\nstart = \"10 s\"\n"
            );
        }
        PresetKind::Predict => {
            let _ = write!(
                text,
                "\n[[workload]]\nname = \"guesser\"\nkind = \"predict\"\ndestination = \"attacker\"\n\
                 victim = \"user\"\nguesses = 10\nrate = {rate}\n"
            );
        }
    }
    text
}

fn time(nanos: Nanos) -> String {
    if nanos.is_multiple_of(SECOND) {
        format!("\"{} s\"", nanos / SECOND)
    } else {
        format!("\"{} us\"", nanos / 1000)
    }
}
