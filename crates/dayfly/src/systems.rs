//! `dayfly systems`: every operating system that dayfly knows, side by side.

use std::io::{Write, stdout};

use crate::args::SystemsArgs;
use crate::error::Failure;
use crate::render;

pub(crate) fn run(args: &SystemsArgs) -> Result<(), Failure> {
    if let Some(system) = args.explain {
        return Ok(stdout().lock().write_all(system.page.as_bytes())?);
    }
    if args.output.json {
        return render::print_json(&render::systems_json::Document::new());
    }
    render::print_text(&render::systems::text(render::Screen::of_terminal()), args.output.color)
}
