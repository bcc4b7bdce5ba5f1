//! `dayfly show`: how much room every destination has left.

mod nat;
mod report;
mod request;

use std::io::{IsTerminal, stdout};
use std::thread;

pub(crate) use nat::{NatNamespace, NatReport};
pub(crate) use report::{NamespaceReport, Report};
use request::Format;
pub(crate) use request::Request;

use serde::Serialize;

use crate::args::{ColorChoice, ShowArgs};
use crate::captured;
use crate::error::Failure;
use crate::render;

/// Looks once, or every so often, and prints.
pub(crate) fn run(args: &ShowArgs) -> Result<(), Failure> {
    if let (Some(system), Some(place)) = (args.system, &args.from) {
        return captured::show(system, place, args.output);
    }
    let request = Request::resolve(args)?;
    let once = |again| match args.nat {
        true => print_nat(&request, &NatReport::collect(&request)?, again),
        false => print(&request, &Report::collect(&request)?, again),
    };
    let Some(pause) = request.watch else {
        return once(false);
    };
    loop {
        once(true)?;
        thread::sleep(pause);
    }
}

fn print(request: &Request, report: &Report, again: bool) -> Result<(), Failure> {
    let Format::Table { color } = request.format else {
        return print_json(&render::json::Document::new(report, request.top), again);
    };
    let table = render::table::table(report, request, render::Screen::of_terminal());
    print_table(&table, color, again)
}

fn print_nat(request: &Request, report: &NatReport, again: bool) -> Result<(), Failure> {
    let Format::Table { color } = request.format else {
        return print_json(&render::nat_json::Document::new(report, request.top), again);
    };
    let table = render::nat::table(report, request.top, render::Screen::of_terminal());
    print_table(&table, color, again)
}

fn print_json(document: &impl Serialize, again: bool) -> Result<(), Failure> {
    if again { render::print_json_line(document) } else { render::print_json(document) }
}

fn print_table(table: &str, color: ColorChoice, again: bool) -> Result<(), Failure> {
    let text = match (again, stdout().is_terminal()) {
        (false, _) => table.to_owned(),
        // Home, then erase what is below: less flicker than clearing first.
        (true, true) => format!("\x1b[H\x1b[J{table}"),
        (true, false) => format!("{table}\n"),
    };
    render::print_text(&text, color)
}
