//! `dayfly simulate`: what would happen. Touches nothing but the pictures that were asked for.

pub(crate) mod args;
mod progress;

use std::fs;
use std::io::{Read, Write, stdin, stdout};
use std::num::NonZeroUsize;
use std::path::Path;
use std::thread;

use dayfly_lab::picture::pictures;
use dayfly_lab::scenario::{Preset, SHIPPED, Scenario, ScenarioError, preset};
use dayfly_lab::simulate::{Outcome, Simulation};

use crate::error::Failure;
use crate::render;
use crate::simulate::args::SimulateArgs;
use crate::simulate::progress::Bar;

pub(crate) fn run(args: &SimulateArgs) -> Result<(), Failure> {
    if args.list {
        return render::print_text(&render::simulate::list(), args.output.color);
    }
    let (place, text) = text(args)?;
    let mut scenario = Scenario::parse(&text).map_err(|error| unreadable(&place, &error))?;
    if args.print {
        return Ok(stdout().lock().write_all(text.as_bytes())?);
    }
    if let Some(seed) = args.seed {
        scenario.seed = seed;
    }
    if let Some(duration) = args.duration {
        scenario.duration = duration.nanos().max(1);
    }
    let mut bar = Bar::new();
    let threads = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let outcome = Simulation::new(&scenario).run_on(threads, &mut |progress| bar.show(progress));
    bar.clear();
    if let Some(folder) = &args.picture {
        draw(Path::new(folder), &scenario, &outcome)?;
    }
    if args.output.json {
        return render::print_json(&render::simulate_json::Document::new(&scenario, &outcome));
    }
    let screen = render::Screen::of_terminal();
    let text = render::simulate::text(&scenario, &outcome, screen, args.plot);
    render::print_text(&text, args.output.color)
}

/// The scenario and where it comes from.
fn text(args: &SimulateArgs) -> Result<(String, String), Failure> {
    if let (Some(system), Some(workload)) = (&args.system, args.workload) {
        let text = preset(&Preset {
            system: system.clone(),
            workload,
            rate: args.rate,
            duration: args.duration.map(|duration| duration.nanos()),
            lasts: args.lasts.map(|lasts| lasts.nanos()),
            range: args.range.map(|range| range.to_string()),
            destinations: args.destinations,
            time_wait: args.time_wait.map(|hold| hold.nanos()),
            seed: args.seed.unwrap_or(0),
        });
        return Ok(("--system".to_owned(), text));
    }
    let place = args.scenario.as_deref().unwrap_or("-");
    if place == "-" {
        let mut text = String::new();
        let read = stdin().lock().read_to_string(&mut text);
        read.map_err(|error| Failure::new(format!("standard input cannot be read: {error}")))?;
        return Ok(("standard input".to_owned(), text));
    }
    match fs::read_to_string(place) {
        Ok(text) => Ok((place.to_owned(), text)),
        Err(error) => match SHIPPED.iter().find(|shipped| shipped.name == place) {
            Some(shipped) => Ok((place.to_owned(), shipped.text.to_owned())),
            None => Err(Failure::new(format!("{place} cannot be read: {error}")).hint(
                "dayfly simulate --list names the scenarios that are shipped; --system NAME \
                 --workload KIND needs no file",
            )),
        },
    }
}

fn unreadable(place: &str, error: &ScenarioError) -> Failure {
    // A preset was written here: its lines mean nothing to whoever typed the options.
    if place == "--system" {
        let failure = Failure::new(&error.message);
        return match &error.hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        };
    }
    let mut message = format!("{place}, {error}");
    if !error.text.trim().is_empty() {
        let blank = " ".repeat(error.column.saturating_sub(1));
        message += &format!("\n  {}\n  {blank}^", error.text);
    }
    let hint = error.hint.clone();
    Failure::new(message).hint(hint.unwrap_or("docs/scenario.md has every key".to_owned()))
}

fn draw(folder: &Path, scenario: &Scenario, outcome: &Outcome) -> Result<(), Failure> {
    let cannot = |path: &Path, error| {
        Failure::new(format!("{} cannot be written: {error}", path.display()))
            .hint("name a folder that you may write to")
    };
    fs::create_dir_all(folder).map_err(|error| cannot(folder, error))?;
    for (name, picture) in pictures(scenario, outcome) {
        let path = folder.join(name);
        fs::write(&path, picture).map_err(|error| cannot(&path, error))?;
    }
    Ok(())
}
