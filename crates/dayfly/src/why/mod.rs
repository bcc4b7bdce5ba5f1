//! `dayfly why`: who holds a port, or why a destination cannot be reached any more.

mod destination;
mod port;
mod report;

use std::io::{Write, stdout};

pub(crate) use report::{Body, HeldBy, Part, ProbeReport, Report};

use crate::args::WhyArgs;
use crate::error::Failure;
use crate::render;
use crate::subject::Subject;

/// Looks, and prints the answer.
pub(crate) fn run(args: &WhyArgs) -> Result<(), Failure> {
    let report = match &args.subject {
        Subject::Port(port) => port::report(args, *port)?,
        Subject::Destination(target, port) => destination::report(args, target, *port)?,
    };
    if args.json {
        let document = render::why_json::Document::new(&report, args.top);
        // Nothing in a report is a map with keys that are not strings.
        let mut json = serde_json::to_string_pretty(&document)
            .map_err(|error| Failure::Output(error.into()))?;
        json.push('\n');
        let mut out = stdout().lock();
        out.write_all(json.as_bytes())?;
        return Ok(out.flush()?);
    }
    let text = render::why::text(&report, args.top, render::Screen::of_terminal());
    let mut out = anstream::AutoStream::new(stdout().lock(), args.color.of_stream());
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
