//! `dayfly show`: how much room every destination has left.

mod report;
mod request;

use std::io::{IsTerminal, stdout};
use std::thread;

pub(crate) use report::{NamespaceReport, Report};
use request::Format;
pub(crate) use request::Request;

use crate::args::ShowArgs;
use crate::captured;
use crate::error::Failure;
use crate::render;

/// Looks once, or every so often, and prints.
pub(crate) fn run(args: &ShowArgs) -> Result<(), Failure> {
    if let (Some(system), Some(place)) = (args.system, &args.from) {
        return captured::show(system, place, args.output);
    }
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
    let Format::Table { color } = request.format else {
        let document = render::json::Document::new(report, request.top);
        return if again {
            render::print_json_line(&document)
        } else {
            render::print_json(&document)
        };
    };
    let table = render::table::table(report, request, render::Screen::of_terminal());
    let text = match (again, stdout().is_terminal()) {
        (false, _) => table,
        // Home, then erase what is below: less flicker than clearing first.
        (true, true) => format!("\x1b[H\x1b[J{table}"),
        (true, false) => format!("{table}\n"),
    };
    render::print_text(&text, color)
}
