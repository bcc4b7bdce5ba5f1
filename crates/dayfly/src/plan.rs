//! `dayfly plan`: from what is set to what is wanted, in a system's own steps. Changes nothing.

use std::io::{Read, Write, stdin, stdout};

use dayfly_systems::{Current, ReadError, Request, System, When, decoded};

use crate::args::PlanArgs;
use crate::error::Failure;
use crate::render;

pub(crate) fn run(args: &PlanArgs) -> Result<(), Failure> {
    let current = args.current.as_deref().map(|place| current(args.system, place)).transpose()?;
    let request = Request {
        range: args.range,
        protocols: &args.protocol,
        class: args.class.into(),
        reserve: args.reserve.as_deref(),
        when: match (args.persist, args.runtime) {
            (true, _) => When::Boot,
            (_, true) => When::Runtime,
            _ => When::Both,
        },
        current: current.as_ref(),
    };
    let plan = args
        .system
        .plan(&request)
        .map_err(|refusal| Failure::new(&refusal.message).hint(refusal.hint))?;
    if args.script {
        return Ok(stdout().lock().write_all(plan.script().as_bytes())?);
    }
    if args.output.json {
        return render::print_json(&render::plan_json::Document::new(&plan));
    }
    let text = render::plan::text(&plan, render::Screen::of_terminal());
    render::print_text(&text, args.output.color)
}

/// What the system's own commands printed, in a file or on standard input.
fn current(system: &'static System, place: &str) -> Result<Current, Failure> {
    let mut bytes = Vec::new();
    let read = match place {
        "-" => stdin().lock().read_to_end(&mut bytes),
        path => std::fs::File::open(path).and_then(|mut file| file.read_to_end(&mut bytes)),
    };
    let name = if place == "-" { "standard input" } else { place };
    read.map_err(|error| {
        Failure::new(format_args!("{name} cannot be read: {error}"))
            .hint(format!("put the output of `{}` there", system.reads.join("; ")))
    })?;
    system.read(&decoded(&bytes)).map_err(|error| {
        let hint = match &error {
            ReadError::Nothing { reads, .. } => {
                format!("the output of `{}` is expected", reads.join("; "))
            }
            ReadError::Value { .. } => "correct the line, or leave it out".to_owned(),
        };
        Failure::new(format_args!("{name}: {error}")).hint(hint)
    })
}
