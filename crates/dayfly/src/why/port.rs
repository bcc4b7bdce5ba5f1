//! One port of this host.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use dayfly_insight::why::{BindOutcome, HolderKind, PortAnswer, PortStudy};
use dayfly_linux::observe::{Degradation, ObserveError, sweep};
use dayfly_linux::probe::{Family, PortVerdict, Probe};
use dayfly_linux::{settings, trial};
use dayfly_ports::{Port, Protocol};

use super::report::{Body, ProbeReport, Report, with_owners};
use crate::error::Failure;
use crate::place;
use crate::why::args::WhyArgs;

pub(super) fn report(args: &WhyArgs, port: Port) -> Result<Report, Failure> {
    if args.watch.is_some() {
        return Err(Failure::new("--for watches a destination, not a port")
            .hint(format!("dayfly why HOST:{port} --for 10")));
    }
    let namespace = place::find(args.netns.as_deref())?;
    let (answer, probe, degraded) = namespace
        .run(|| look(args, port))
        .map_err(|error| place::refused(&error))?
        .map_err(|error| place::impossible(&error))?;
    if let Some(address) = args.address
        && answer.trials.iter().all(|trial| trial.plain == BindOutcome::NotHere)
    {
        let name = namespace.name();
        return Err(Failure::new(format_args!(
            "{address} is not an address of the network namespace {name}"
        ))
        .hint(place::shell(args.netns.as_deref()).command("ip address")));
    }
    let (holders, notes) = with_owners(&answer.holders);
    let shell = place::shell(args.netns.as_deref());
    Ok(Report {
        subject: port.to_string(),
        namespace: namespace.name().to_owned(),
        holders,
        remedies: answer.remedies(&shell),
        useless: answer.useless(),
        degraded: degraded.iter().map(place::note).chain(notes).collect(),
        body: Body::Port { answer: Box::new(answer), probe },
    })
}

/// Runs inside the namespace.
fn look(
    args: &WhyArgs,
    port: Port,
) -> Result<(PortAnswer, ProbeReport, Vec<Degradation>), ObserveError> {
    let settings = settings::read().map_err(ObserveError::Settings)?;
    let protocols = if args.protocol.is_empty() {
        vec![Protocol::Tcp, Protocol::Udp]
    } else {
        args.protocol.clone()
    };
    let start = || PortStudy::new(settings.clone(), port, protocols.clone());
    let (study, mut degraded) = sweep(&settings, start, PortStudy::add)?;
    let addresses: Vec<IpAddr> = match args.address {
        Some(address) => vec![address],
        None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
    };
    let trials = protocols.iter().flat_map(|&protocol| {
        addresses.iter().map(move |&address| trial::bind(protocol, address, port))
    });
    let answer = study.finish(trials.collect());
    let asks = !args.no_probe && answer.handed_out.contains(&Protocol::Tcp);
    let probe = if asks { ask(&answer, &mut degraded) } else { ProbeReport::default() };
    Ok((answer, probe, degraded))
}

/// Asks the kernel whether automatic connections get the port.
fn ask(answer: &PortAnswer, degraded: &mut Vec<Degradation>) -> ProbeReport {
    let bucket = match Probe::new().and_then(|probe| probe.bucket(Family::V4, answer.port)) {
        Ok(bucket) => bucket,
        Err(error) => {
            let report = ProbeReport::not_run(&error);
            degraded.push(Degradation::NotProbed { error });
            return report;
        }
    };
    let free = bucket == PortVerdict::Free;
    let of_tcp =
        || answer.holders.iter().filter(|held| held.socket.tuple.protocol == Protocol::Tcp);
    let claimed =
        of_tcp().any(|held| matches!(held.kind, HolderKind::Listener | HolderKind::Bound));
    // A connection may have been bound first; only the kernel knows.
    let certain = claimed || (of_tcp().next().is_none() && answer.accepted == 0);
    ProbeReport {
        ran: true,
        error: None,
        found: free.then_some(answer.port),
        agrees: certain.then_some(free != claimed),
        ..ProbeReport::default()
    }
}
