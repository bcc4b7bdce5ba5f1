//! `dayfly why`: who holds a port, or why a destination cannot be reached any more.

pub(crate) mod args;
mod destination;
pub(crate) mod holder;
mod oracle;
mod port;
mod report;

pub(crate) use destination::watch;
pub(crate) use report::{Body, HeldBy, Part, ProbeReport, Report};

use crate::error::Failure;
use crate::render;
use crate::subject::Subject;
use crate::why::args::WhyArgs;

/// Looks, and prints the answer.
pub(crate) fn run(args: &WhyArgs) -> Result<(), Failure> {
    let report = match &args.subject {
        Subject::Port(port) => port::report(args, *port)?,
        Subject::Destination(target, port) => destination::report(args, target, *port)?,
    };
    if args.output.json {
        return render::print_json(&render::why_json::Document::new(&report, args.top));
    }
    let text = render::why::text(&report, args.top, render::Screen::of_terminal());
    render::print_text(&text, args.output.color)
}
