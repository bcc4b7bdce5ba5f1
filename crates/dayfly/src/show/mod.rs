//! `dayfly show`: how much room every destination has left.

mod report;
mod request;

use std::io::{IsTerminal, Write, stdout};
use std::thread;

pub(crate) use report::{NamespaceReport, Report};
use request::Format;
pub(crate) use request::Request;

use crate::args::ShowArgs;
use crate::error::Failure;
use crate::render;

/// Looks once, or every so often, and prints.
pub(crate) fn run(args: &ShowArgs) -> Result<(), Failure> {
    let request = Request::resolve(args)?;
    let Some(pause) = request.watch else {
        return print(&request, &Report::collect(&request)?, false);
    };
    loop {
        print(&request, &Report::collect(&request)?, true)?;
        thread::sleep(pause);
    }
}

fn print(request: &Request, report: &Report, again: bool) -> Result<(), Failure> {
    let mut text = String::new();
    match request.format {
        Format::Json => {
            let document = render::json::Document::new(report, request.top);
            let json = if again {
                serde_json::to_string(&document)
            } else {
                serde_json::to_string_pretty(&document)
            };
            // Nothing in a report is a map with keys that are not strings.
            text = json.map_err(|error| Failure::Output(error.into()))?;
            text.push('\n');
        }
        Format::Table { color } => {
            let screen = render::Screen::of_terminal();
            let in_place = again && stdout().is_terminal();
            if in_place {
                // Home, then erase what is below: less flicker than clearing first.
                text.push_str("\x1b[H\x1b[J");
            }
            text.push_str(&render::table::table(report, request, screen));
            if again && !in_place {
                text.push('\n');
            }
            let mut out = anstream::AutoStream::new(stdout().lock(), color);
            out.write_all(text.as_bytes())?;
            return Ok(out.flush()?);
        }
    }
    let mut out = stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
