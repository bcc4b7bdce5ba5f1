//! What `show` found: the one thing that every renderer reads.

use dayfly_insight::Headroom;
use dayfly_linux::namespace::Namespace;
use dayfly_linux::observe::{Observation, ObserveError, Options, observe};

use super::request::{Request, Scope};
use crate::error::Failure;
use crate::place::{self, Note, impossible, note, notes_of, unseen};

/// Every namespace that was asked for.
pub(crate) struct Report {
    pub(crate) namespaces: Vec<NamespaceReport>,
    /// What could not be seen of the host as a whole.
    pub(crate) degraded: Vec<Note>,
}

/// One namespace.
pub(crate) struct NamespaceReport {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// What `--netns` takes to look at it again; none for the caller's own.
    pub(crate) netns: Option<String>,
    /// Whether it is another host's.
    pub(crate) is_remote: bool,
    pub(crate) headroom: Headroom,
    /// What could not be seen of it.
    pub(crate) degraded: Vec<Note>,
}

impl Report {
    /// Looks at everything that the request names.
    ///
    /// A namespace asked for by name has to be there. When all are asked for, those that vanish
    /// or refuse are noted, and the others are shown.
    pub(crate) fn collect(request: &Request) -> Result<Self, Failure> {
        if let Scope::One(netns) = &request.scope {
            let namespace = place::find(netns.as_deref())?;
            let report = look(request, &namespace).map_err(|error| impossible(&error))?;
            return Ok(Report { namespaces: vec![report], degraded: Vec::new() });
        }
        let survey = Namespace::all();
        let mut report = Report { namespaces: Vec::new(), degraded: Vec::new() };
        for namespace in &survey.namespaces {
            match look(request, namespace) {
                Ok(seen) => report.namespaces.push(seen),
                Err(error) => report.degraded.push(unseen(namespace.name(), &error)),
            }
        }
        report.degraded.extend(notes_of(&survey));
        Ok(report)
    }
}

/// Looks at one namespace and keeps the rows that were asked for.
fn look(request: &Request, namespace: &Namespace) -> Result<NamespaceReport, ObserveError> {
    let options = Options { wishes: request.filter.wishes(), probe: request.probe };
    let seen = namespace.run(|| observe(&options)).map_err(ObserveError::Namespace)?;
    let Observation { mut headroom, degraded } = seen?;
    headroom.destinations.retain(|row| request.filter.shows(row));
    if !request.filter.shows_udp() {
        headroom.udp_sources.clear();
    }
    Ok(NamespaceReport {
        id: namespace.id(),
        name: namespace.name().to_owned(),
        netns: (!namespace.is_own()).then(|| namespace.address().to_owned()),
        is_remote: false,
        headroom,
        degraded: degraded.iter().map(note).collect(),
    })
}
