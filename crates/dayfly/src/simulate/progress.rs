//! How far a long simulation is, on a terminal.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use dayfly_lab::simulate::Progress;

/// Shorter runs show nothing.
const PATIENCE: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_millis(200);
const WIDTH: usize = 30;

/// A bar on standard error that goes away; nothing where that is no terminal.
pub(crate) struct Bar {
    begun: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Bar {
    pub(crate) fn new() -> Bar {
        Bar { begun: Instant::now(), shown: None, terminal: std::io::stderr().is_terminal() }
    }

    pub(crate) fn show(&mut self, progress: Progress) {
        let due = self.shown.is_none_or(|shown| shown.elapsed() > EVERY);
        if !self.terminal || self.begun.elapsed() < PATIENCE || !due {
            return;
        }
        self.shown = Some(Instant::now());
        let share = progress.at as f64 / progress.of.max(1) as f64;
        let left = self.begun.elapsed().as_secs_f64() * (1.0 / share.max(1e-6) - 1.0);
        let filled = (share * WIDTH as f64) as usize;
        let bar = format!("{}{}", "=".repeat(filled), ".".repeat(WIDTH - filled.min(WIDTH)));
        // Nobody can be told that the terminal has gone.
        let _ = write!(
            std::io::stderr(),
            "\r[{bar}] {:3.0} %, {left:.0} s left \u{1b}[K",
            100.0 * share
        );
    }

    pub(crate) fn clear(&self) {
        if self.shown.is_some() {
            let _ = write!(std::io::stderr(), "\r\u{1b}[K");
        }
    }
}
