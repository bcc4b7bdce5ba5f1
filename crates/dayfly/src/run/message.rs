//! What a person reads when a connection could not have one of the ports.

use std::collections::BTreeSet;
use std::io::Write;

use dayfly_pin::{Event, Outcome, Via};

use super::args::RunArgs;
use crate::render;

/// So many different messages are printed.
const MOST: usize = 20;

/// Prints each message once, on standard error.
pub(super) struct Messages {
    quiet: bool,
    said: BTreeSet<String>,
    more: u64,
}

impl Messages {
    pub(super) fn new(args: &RunArgs, _via: Via) -> Self {
        Messages { quiet: args.quiet, said: BTreeSet::new(), more: 0 }
    }

    pub(super) fn missed(&mut self, event: &Event) {
        let Outcome::Missed { cause, port, refused } = event.outcome else { return };
        if self.quiet {
            return;
        }
        let message = render::run::missed(event, cause, port, refused);
        if self.said.contains(&message) || self.said.len() >= MOST {
            self.more += 1;
            return;
        }
        let _ = writeln!(anstream::stderr(), "{message}");
        self.said.insert(message);
    }

    pub(super) fn end(&self) {
        if self.more > 0 {
            let more = render::counted(self.more, "more connection");
            let _ = writeln!(anstream::stderr(), "dayfly: {more} went the same way");
        }
    }
}
