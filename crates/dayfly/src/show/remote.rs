//! What another host has left.
//!
//! A Linux host is judged by the same rules as this one. Of every other system its list of sockets
//! tells what connections to each destination hold and what nobody holds, and no more is said.

use dayfly_insight::{Fold, State, Usage};
use dayfly_linux::observe::hash_seed;

use super::report::{NamespaceReport, Report};
use super::request::Request;
use crate::captured;
use crate::error::Failure;
use crate::host::{Host, Remote, survey};
use crate::place::Note;

/// What was found, in the shape that fits.
pub(crate) enum Found {
    Linux(Report),
    Other(Box<captured::Report>),
}

/// Looks once.
pub(crate) fn collect(remote: &Remote, request: &Request) -> Result<Found, Failure> {
    let current = survey::settings(remote)?;
    let (sockets, mut degraded) = survey::sockets(remote)?;
    let system = remote.system();
    if !matches!(system.name, "linux" | "android") {
        degraded.extend(captured::untold(system, &current, "it does not tell"));
        let mut usage = Usage::of(&sockets, &survey::supplies(system, &current));
        usage.destinations.retain(|row| request.filter.shows_key(&row.key));
        let host = captured::HostName {
            url: remote.name().to_owned(),
            version: remote.version().to_owned(),
        };
        let (host, usage) = (Some(host), Some(usage));
        let report = captured::Report { system, current, degraded, host, usage };
        return Ok(Found::Other(Box::new(report)));
    }
    let (settings, id) = survey::linux(remote, &current)?;
    let mut fold = Fold::new(settings, hash_seed());
    // Listeners first: a connection on a listener's port was accepted.
    let (first, then): (Vec<_>, Vec<_>) = sockets
        .iter()
        .partition(|socket| matches!(socket.state, State::Listen | State::BoundInactive));
    first.into_iter().chain(then).for_each(|socket| fold.add(socket));
    let mut headroom = fold.finish();
    headroom.destinations.retain(|row| request.filter.shows(row));
    if !request.filter.shows_udp() {
        headroom.udp_sources.clear();
    }
    degraded.push(Note {
        what: "sockets that are bound and no more, and SCTP".to_owned(),
        why: "/proc/net does not list them".to_owned(),
        fix: "dayfly on that host".to_owned(),
    });
    let report = NamespaceReport {
        id,
        name: remote.name().to_owned(),
        netns: None,
        is_remote: true,
        headroom,
        degraded,
    };
    Ok(Found::Linux(Report { namespaces: vec![report], degraded: Vec::new() }))
}
