//! `dayfly plan`: from what is set to what is wanted, in a system's own steps. Changes nothing.

use std::io::{Write, stdout};

use dayfly_systems::{Request, When};

use crate::args::PlanArgs;
use crate::captured;
use crate::error::Failure;
use crate::host::{Remote, survey};
use crate::render;

pub(crate) fn run(args: &PlanArgs) -> Result<(), Failure> {
    let (system, current) = match (&args.host, args.system) {
        (Some(address), _) => {
            let remote = Remote::connect(address)?;
            (remote.system(), Some(survey::settings(&remote)?))
        }
        (None, Some(system)) => {
            let read = |place| captured::read(system, place);
            (system, args.current.as_deref().map(read).transpose()?)
        }
        // The parser asks for one of them.
        (None, None) => return Err(Failure::new("neither --system nor --host is given")),
    };
    let request = Request {
        range: args.range,
        protocols: &args.protocol,
        class: args.class.into(),
        reserve: args.reserve.as_deref(),
        unreserve: args.unreserve.as_deref(),
        when: match (args.persist, args.runtime) {
            (true, _) => When::Boot,
            (_, true) => When::Runtime,
            _ => When::Both,
        },
        current: current.as_ref(),
    };
    let plan = system
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
