//! `dayfly plan`: from what is set to what is wanted, in a system's own steps. Changes nothing.

use std::io::{Write, stdout};

use dayfly_systems::{Request, When};

use crate::args::PlanArgs;
use crate::captured;
use crate::error::Failure;
use crate::render;

pub(crate) fn run(args: &PlanArgs) -> Result<(), Failure> {
    let current =
        args.current.as_deref().map(|place| captured::read(args.system, place)).transpose()?;
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
