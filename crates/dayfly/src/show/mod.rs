//! `dayfly show`: how much room every destination has left.

pub(crate) mod args;
mod nat;
mod remote;
mod report;
mod request;

use std::io::{IsTerminal, stdout};
use std::thread;

pub(crate) use nat::{NatNamespace, NatReport};
use remote::Found;
pub(crate) use report::{NamespaceReport, Report};
use request::Format;
pub(crate) use request::{Filter, Request};

use serde::Serialize;

use crate::args::ColorChoice;
use crate::captured;
use crate::error::Failure;
use crate::host::Remote;
use crate::render;
use crate::show::args::ShowArgs;

/// Looks once, or every so often, and prints.
pub(crate) fn run(args: &ShowArgs) -> Result<(), Failure> {
    if let (Some(system), Some(place)) = (args.system, &args.from) {
        return captured::show(system, place, args.output);
    }
    let request = Request::resolve(args)?;
    let remote = args.host.as_ref().map(Remote::connect).transpose()?;
    let once = |again| match &remote {
        Some(remote) => print_found(&request, remote::collect(remote, &request)?, again),
        None if args.nat => print_nat(&request, &NatReport::collect(&request)?, again),
        None => print(&request, &Report::collect(&request)?, again),
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

/// What another host told.
fn print_found(request: &Request, found: Found, again: bool) -> Result<(), Failure> {
    let report = match found {
        Found::Linux(report) => return print(request, &report, again),
        Found::Other(report) => report,
    };
    let Format::Table { color } = request.format else {
        return print_json(&render::captured_json::Document::new(&report, request.top), again);
    };
    let table = render::captured::text(&report, request.top, render::Screen::of_terminal());
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
