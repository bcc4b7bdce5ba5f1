//! Which connection got which port: `--report`.

use std::fs::File;
use std::io::{self, Write};
use std::process::ExitStatus;

use dayfly_pin::{Event, Outcome, Pinned};

use super::Name;
use super::args::RunArgs;
use crate::error::Failure;
use crate::render::run_json;
use crate::render::{self};

/// So many connections are kept for the table.
const MOST: usize = 1000;

/// What happened, told at the end or line by line.
pub(crate) struct Ledger {
    out: Option<Box<dyn Write>>,
    json: bool,
    events: Vec<Event>,
    pub(crate) totals: Totals,
    started: Option<Started>,
}

/// How many connections went which way.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Totals {
    pub(crate) pinned: u64,
    pub(crate) left_alone: u64,
    pub(crate) missed: u64,
    pub(crate) refused: u64,
    pub(crate) lost: u64,
}

/// What is known when the command starts.
pub(crate) struct Started {
    pub(crate) via: &'static str,
    pub(crate) pid: u32,
    pub(crate) names: Vec<(String, Vec<String>)>,
}

impl Ledger {
    pub(super) fn open(args: &RunArgs) -> Result<Ledger, Failure> {
        let out: Option<Box<dyn Write>> = match &args.report {
            None => None,
            Some(None) => Some(Box::new(anstream::stderr())),
            Some(Some(path)) => {
                let file = File::create(path).map_err(|error| {
                    Failure::new(format_args!("{} cannot be written: {error}", path.display()))
                })?;
                Some(Box::new(anstream::StripStream::new(file)))
            }
        };
        Ok(Ledger {
            out,
            json: args.json,
            events: Vec::new(),
            totals: Totals::default(),
            started: None,
        })
    }

    pub(super) fn started(&mut self, pinned: &Pinned, names: &[Name]) {
        let started = Started {
            via: render::run::via(pinned.via()),
            pid: pinned.id(),
            names: names
                .iter()
                .map(|name| {
                    let addresses = name.addresses.iter().map(ToString::to_string).collect();
                    (name.typed.clone(), addresses)
                })
                .collect(),
        };
        if self.json {
            self.line(&run_json::started(&started));
        }
        self.started = Some(started);
    }

    pub(super) fn note(&mut self, event: &Event) {
        match event.outcome {
            Outcome::Pinned(_) => self.totals.pinned += 1,
            Outcome::LeftAlone(_) => self.totals.left_alone += 1,
            Outcome::Missed { refused: true, .. } => self.totals.refused += 1,
            Outcome::Missed { .. } => self.totals.missed += 1,
            Outcome::Lost(events) => self.totals.lost += u64::from(events),
        }
        if self.json {
            self.line(&run_json::connection(event));
        } else if self.out.is_some() && self.events.len() < MOST {
            self.events.push(event.clone());
        }
    }

    pub(super) fn ended(&mut self, status: ExitStatus) {
        if self.json {
            self.line(&run_json::ended(status, self.totals));
        } else if let (Some(out), Some(started)) = (&mut self.out, &self.started) {
            let text = render::run::report(started, &self.events, self.totals);
            // If nobody reads, nobody is left to tell.
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
        }
    }

    fn line(&mut self, document: &impl serde::Serialize) {
        if let Some(out) = &mut self.out {
            let line = serde_json::to_string(document).map_err(io::Error::from);
            let _ = line.and_then(|line| writeln!(out, "{line}")).and_then(|()| out.flush());
        }
    }
}
