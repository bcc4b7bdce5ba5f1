//! One destination: every address that its name has, from the source that the route gives.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use dayfly_insight::blame::fixes_for;
use dayfly_insight::forecast::{Forecast, Sample};
use dayfly_insight::why::{
    DestinationAnswer, DestinationStudy, DestinationVerdict, HolderKind, Remedy,
};
use dayfly_insight::{DestinationKey, Settings};
use dayfly_linux::observe::{Degradation, ObserveError, hash_seed, sweep};
use dayfly_linux::owners::Owner;
use dayfly_linux::probe::Probe;
use dayfly_linux::{route, settings};
use dayfly_ports::{Port, PortSet, Protocol};

use super::oracle;
use super::report::{Body, HeldBy, Part, Report, with_owners};
use crate::error::Failure;
use crate::place;
use crate::target::Target;
use crate::why::args::WhyArgs;

/// Looks that a forecast is made from, at most.
const LOOKS: u32 = 10;
/// The world goes on between the dump and the probe: so often both are done again before a
/// disagreement is believed.
const TRIES: u32 = 3;

pub(super) fn report(args: &WhyArgs, target: &Target, port: Port) -> Result<Report, Failure> {
    if args.address.is_some() || !matches!(args.protocol.as_slice(), [] | [Protocol::Tcp]) {
        return Err(Failure::new(
            "--address and --protocol belong to a port; a destination is asked about for TCP, from the source address that its route gives",
        )
        .hint(format!("dayfly why {port} for the port, dayfly show for UDP")));
    }
    let addresses = target.addresses()?;
    let namespace = place::find(args.netns.as_deref())?;
    let seen = namespace
        .run(|| look(args, &addresses, port))
        .map_err(|error| place::refused(&error))?
        .map_err(|error| place::impossible(&error))?;
    let Some(worst) = seen.parts.first() else {
        return Err(Failure::new(format_args!(
            "no route leads from the network namespace {} to {target}",
            namespace.name()
        ))
        .hint(match addresses.first() {
            Some(address) => {
                let shell = place::shell(args.netns.as_deref());
                shell.command(&format!("ip route get {address}")).into()
            }
            None => "the name has no address".to_owned(),
        }));
    };
    let shell = place::shell(args.netns.as_deref());
    let (holders, notes) = with_owners(&worst.answer.holders);
    let mut remedies = worst.answer.remedies(&shell);
    remedies.extend(advice(&holders));
    Ok(Report {
        subject: target.to_string(),
        namespace: namespace.name().to_owned(),
        holders,
        remedies,
        useless: worst.answer.useless(),
        degraded: seen.degraded.iter().map(place::note).chain(notes).collect(),
        body: Body::Destination { parts: seen.parts, forecast: seen.forecast },
    })
}

/// What to change in the programs that bind first, each as far as it is known.
fn advice(holders: &[HeldBy]) -> Vec<Remedy> {
    let binds_first = |held: &&HeldBy| held.holder.kind == HolderKind::Elsewhere;
    let owners = holders.iter().filter(binds_first).filter_map(|held| held.owner.as_ref());
    let programs: BTreeSet<&str> = owners.map(Owner::executable).collect();
    let fixes: BTreeMap<&str, &str> =
        programs.into_iter().flat_map(fixes_for).map(|fix| (fix.product, fix.advice)).collect();
    let remedy = |(product, advice)| {
        Remedy::new(
            format!("{product}: {advice}"),
            "its connections no longer take their ports from other destinations",
        )
    };
    fixes.into_iter().map(remedy).collect()
}

struct Seen {
    parts: Vec<Part>,
    forecast: Option<Forecast>,
    degraded: Vec<Degradation>,
}

/// Runs inside the namespace.
fn look(args: &WhyArgs, addresses: &[IpAddr], port: Port) -> Result<Seen, ObserveError> {
    let settings = settings::read().map_err(ObserveError::Settings)?;
    let mut unasked = Vec::new();
    let mut keys = Vec::new();
    for &address in addresses {
        let destination = SocketAddr::new(address, port.number());
        match route::source_of(destination) {
            Ok(source) => keys.push(DestinationKey::tcp(source, destination)),
            Err(error) => {
                unasked.push(Degradation::NoRoute { destination, error: error.to_string() });
            }
        }
    }
    if keys.is_empty() {
        return Ok(Seen { parts: Vec::new(), forecast: None, degraded: unasked });
    }
    let samples = match args.watch {
        Some(time) => watch(&settings, &keys, time)?,
        None => Vec::new(),
    };
    let probe = if args.no_probe { None } else { Some(Probe::new()) };
    if let Some(Err(error)) = &probe {
        unasked.push(Degradation::NotProbed { error: error.clone() });
    }
    let mut tries = 0;
    let (mut parts, mut degraded) = loop {
        tries += 1;
        let (studies, mut degraded) = studies(&settings, &keys)?;
        // A first disagreement may come from what was not asked; a later one may not.
        let parts = oracle::judge(studies, probe.as_ref(), tries > 1, &mut degraded);
        let disagree = parts.iter().any(|part| part.probe.agrees == Some(false));
        if !disagree || tries == TRIES {
            break (parts, degraded);
        }
    };
    parts.sort_by(|one, other| {
        let rank = |part: &Part| severity(part.answer.verdict());
        rank(one)
            .cmp(&rank(other))
            .then_with(|| other.answer.row.fill().total_cmp(&one.answer.row.fill()))
    });
    degraded.extend(unasked);
    let forecast = parts.first().and_then(|worst| {
        let of_worst = |(key, samples)| (key == worst.answer.row.key).then_some(samples);
        let samples = samples.into_iter().find_map(of_worst)?;
        Forecast::of(&samples, settings.time_wait_seconds)
    });
    Ok(Seen { parts, forecast, degraded })
}

/// The order of reports: the worst first.
const fn severity(verdict: DestinationVerdict) -> u8 {
    match verdict {
        DestinationVerdict::Full => 0,
        DestinationVerdict::OnlyReuse => 1,
        DestinationVerdict::PastCliff => 2,
        DestinationVerdict::NearFull => 3,
        DestinationVerdict::Room => 4,
    }
}

fn studies(
    settings: &Settings,
    keys: &[DestinationKey],
) -> Result<(Vec<DestinationStudy>, Vec<Degradation>), ObserveError> {
    let seed = hash_seed();
    let start = || {
        let study = |key: &DestinationKey| DestinationStudy::new(settings.clone(), *key, seed);
        keys.iter().map(study).collect::<Vec<_>>()
    };
    sweep(settings, start, |studies, socket| {
        studies.iter_mut().for_each(|study| study.add(socket));
    })
}

/// Looks several times, evenly spaced.
pub(crate) fn watch(
    settings: &Settings,
    keys: &[DestinationKey],
    time: Duration,
) -> Result<Vec<(DestinationKey, Vec<Sample>)>, ObserveError> {
    let looks = (time.as_secs() as u32 + 2).min(LOOKS);
    let step = time / (looks - 1);
    let start = Instant::now();
    let mut samples: Vec<(DestinationKey, Vec<Sample>)> =
        keys.iter().map(|key| (*key, Vec::new())).collect();
    for look in 0..looks {
        thread::sleep((step * look).saturating_sub(start.elapsed()));
        let at_ms = start.elapsed().as_millis() as u64;
        let (studies, _) = studies(settings, keys)?;
        for ((_, samples), study) in samples.iter_mut().zip(studies) {
            samples.push(sample(&study.finish(), at_ms));
        }
    }
    Ok(samples)
}

fn sample(answer: &DestinationAnswer, at_ms: u64) -> Sample {
    let held = answer
        .holders
        .iter()
        .filter(|holder| matches!(holder.kind, HolderKind::Connection | HolderKind::TimeWait));
    let ports: PortSet = held.map(|holder| holder.socket.tuple.local_port).collect();
    Sample {
        at_ms,
        ports: Box::new(ports),
        time_wait: answer.row.time_wait,
        free: answer.row.free,
        fast_free: answer.row.fast_free,
    }
}
