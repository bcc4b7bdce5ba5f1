//! `dayfly size`: what a load needs, and what ports and addresses carry.

mod args;
mod measure;

use std::process::ExitCode;

use dayfly_insight::sizing::{Goal, Knob, Load, Plan, Supply, Translator, plan};
use dayfly_systems::System;

pub(crate) use self::args::{SizeArgs, Span};
pub(crate) use self::measure::Measured;
use crate::error::Failure;
use crate::place::{self, Note};
use crate::render;

/// What is printed.
pub(crate) struct Report {
    pub(crate) load: Load,
    pub(crate) supply: Supply,
    pub(crate) goal: Goal,
    pub(crate) plan: Plan,
    pub(crate) source: Source,
    pub(crate) ports: Option<Span>,
    /// Where the hold comes from.
    pub(crate) hold_from: String,
    /// The ports that each subscriber was promised.
    pub(crate) block: Option<u32>,
    pub(crate) measured: Option<Measured>,
    pub(crate) degraded: Vec<Note>,
}

/// Whose ports they are.
#[derive(Clone, Copy)]
pub(crate) enum Source {
    /// Those that the measured namespace may use.
    Here,
    System(&'static System),
    Behind(Translator),
}

impl Source {
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Source::Here => "this host",
            Source::System(system) => system.name,
            Source::Behind(translator) => translator.title(),
        }
    }

    /// Whether Linux' own connect() chooses, with its cliff at half the range.
    pub(crate) fn has_cliff(self) -> bool {
        match self {
            Source::Here => true,
            Source::System(system) => matches!(system.name, "linux" | "android"),
            Source::Behind(_) => false,
        }
    }
}

pub(crate) fn run(args: &SizeArgs) -> Result<ExitCode, Failure> {
    let report = report(args)?;
    // A load that does not fit is what was asked about: a finding.
    let code = if report.plan.fits { ExitCode::SUCCESS } else { ExitCode::from(1) };
    if args.output.json {
        render::print_json(&render::size_json::Document::new(&report))?;
    } else {
        let text = render::size::text(&report, render::Screen::of_terminal());
        render::print_text(&text, args.output.color)?;
    }
    Ok(code)
}

fn report(args: &SizeArgs) -> Result<Report, Failure> {
    let translator = args.behind.map(Translator::from);
    check(args, translator)?;
    let measured = match args.from_now {
        Some(time) => Some(measure::measure(args.netns.as_deref(), time)?),
        None => None,
    };
    let source = match (translator, args.system, &measured) {
        (Some(translator), ..) => Source::Behind(translator),
        (None, Some(system), _) => Source::System(system),
        (None, None, Some(_)) => Source::Here,
        (None, None, None) => Source::System(linux()?),
    };
    let shares = args.instances.or(args.subscribers).unwrap_or(1);
    let mut supply = match source {
        Source::Behind(translator) => translator.supply(args.addresses, shares),
        Source::System(system) => Supply::of_host(system.default_range().len(), args.addresses),
        Source::Here => {
            Supply::of_host(measured.as_ref().map_or(0, |found| found.ports), args.addresses)
        }
    };
    if let Some(ports) = args.ports {
        supply.ports = ports.len();
    }
    let (load, hold_from) = load(args, source, measured.as_ref())?;
    let goal = Goal { utilisation: args.utilisation, quantile: args.quantile };
    let plan = match args.block {
        Some(block) => of_block(block, &load, &supply, &goal),
        None => plan(&load, &supply, &goal),
    };
    let degraded = measured
        .as_ref()
        .map_or(Vec::new(), |found| found.degraded.iter().map(place::note).collect());
    Ok(Report {
        load,
        supply,
        goal,
        plan,
        source,
        ports: args.ports,
        hold_from,
        block: args.block,
        measured,
        degraded,
    })
}

/// Combinations that mean nothing.
fn check(args: &SizeArgs, translator: Option<Translator>) -> Result<(), Failure> {
    let title = translator.map_or("this", Translator::title);
    if args.subscribers.is_some() && translator != Some(Translator::Cgn) {
        return Err(Failure::new(format_args!("{title} has no subscribers"))
            .hint("--behind cgn has; --instances says how many machines share other ports"));
    }
    if args.instances.is_some() && !translator.is_some_and(Translator::divides) {
        return Err(Failure::new(format_args!(
            "{title} does not divide its ports: all instances take from the same"
        ))
        .hint("leave --instances away; --behind azure-lb and gcp divide theirs"));
    }
    if let Some(most) = translator.and_then(Translator::most_addresses)
        && args.addresses > most
    {
        return Err(Failure::new(format_args!(
            "{title} has at most {most} addresses, not {}",
            args.addresses
        ))
        .hint("spread the load over several gateways, each with a part of it"));
    }
    let ports = args.ports.map_or(translator.map_or(65_536, Translator::ports), Span::len);
    if let Some(block) = args.block.filter(|block| *block > ports) {
        return Err(Failure::new(format_args!(
            "a block of {block} ports does not fit into the {ports} ports of an address"
        ))
        .hint("usual blocks have 256 to 4096 ports"));
    }
    Ok(())
}

fn load(
    args: &SizeArgs,
    source: Source,
    measured: Option<&Measured>,
) -> Result<(Load, String), Failure> {
    let rate = args.target.or(measured.map(|found| found.rate)).unwrap_or(0.0);
    let destinations = args.destinations.unwrap_or(1);
    let default = |source| match source {
        Source::Behind(translator) => {
            (translator.hold_seconds(), translator.hold_note().to_owned())
        }
        Source::System(system) => {
            (f64::from(system.time_wait_seconds()), format!("TIME_WAIT of {}", system.name))
        }
        Source::Here => (0.0, "measured".to_owned()),
    };
    let (mut hold, mut from) = default(source);
    let mut duration = 0.0;
    if let Some(found) = measured {
        match found.held {
            Some(held) => {
                duration = held * (1.0 - found.share_of_time_wait);
                if let Source::Here = source {
                    hold = held * found.share_of_time_wait;
                }
            }
            None if args.duration.is_none() => {
                return Err(Failure::new(format_args!(
                    "no connection to {} ended in {}, so nobody can tell how long they last",
                    found.destination,
                    render::seconds(found.seconds)
                ))
                .hint("watch for longer (--from-now 60), or say it: --duration SECONDS"));
            }
            None => hold = hold.max(f64::from(found.time_wait_seconds)),
        }
    }
    duration = args.duration.unwrap_or(duration);
    if let Some(said) = args.hold {
        (hold, from) = (said, "as said".to_owned());
    }
    Ok((Load { rate, duration, hold, destinations }, from))
}

/// Blocks of a promised size: what a subscriber has does not follow from how many there are.
fn of_block(block: u32, load: &Load, supply: &Supply, goal: &Goal) -> Plan {
    let one = Supply { ports: block, addresses: 1, shares: 1, most_addresses: Some(1), ..*supply };
    let subscribers = f64::from(supply.shares);
    let of_one = plan(&Load { rate: load.rate / subscribers, ..*load }, &one, goal);
    let blocks_of_address = u64::from((supply.ports / block).max(1));
    let addresses = u64::from(supply.shares).div_ceil(blocks_of_address);
    let enough = addresses <= u64::from(supply.addresses);
    let mut knobs: Vec<Knob> = of_one
        .knobs
        .iter()
        .map(|knob| match *knob {
            Knob::Rate(rate) => Knob::Rate(rate * subscribers),
            knob => knob,
        })
        .collect();
    if !enough {
        knobs = if of_one.fits { vec![Knob::Addresses(addresses)] } else { Vec::new() };
    }
    Plan {
        fits: of_one.fits && enough,
        carries: of_one.carries * subscribers,
        addresses: Some(addresses),
        knobs,
        ..of_one
    }
}

fn linux() -> Result<&'static System, Failure> {
    dayfly_systems::find("linux").ok_or_else(|| Failure::new("the tables have no Linux"))
}
