//! What `show` found: the one thing that every renderer reads.

use dayfly_insight::Headroom;
use dayfly_linux::namespace::{Namespace, NamespaceError};
use dayfly_linux::observe::{Degradation, Observation, ObserveError, Options, observe};

use super::request::{Request, Scope};
use crate::error::Failure;
use crate::privilege::with_sudo;

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
    pub(crate) headroom: Headroom,
    /// What could not be seen of it.
    pub(crate) degraded: Vec<Note>,
}

/// Something that could not be seen.
pub(crate) struct Note {
    pub(crate) what: String,
    pub(crate) why: String,
    /// What would help; empty if nothing does.
    pub(crate) fix: String,
}

impl Report {
    /// Looks at everything that the request names.
    ///
    /// A namespace asked for by name has to be there. When all are asked for, those that vanish
    /// or refuse are noted, and the others are shown.
    pub(crate) fn collect(request: &Request) -> Result<Self, Failure> {
        let refused = |error: &NamespaceError| {
            let failure = Failure::new(error);
            if error.is_permission() {
                failure.hint(with_sudo())
            } else {
                failure.hint("`ip netns list` and `lsns -t net` name those that exist")
            }
        };
        let survey = match &request.scope {
            Scope::All => Namespace::all(),
            Scope::Own => {
                let namespace = Namespace::own().map_err(|error| refused(&error))?;
                let report = look(request, &namespace).map_err(|error| impossible(&error))?;
                return Ok(Report { namespaces: vec![report], degraded: Vec::new() });
            }
            Scope::Named(name) => {
                let namespace = Namespace::find(name).map_err(|error| refused(&error))?;
                let report = look(request, &namespace).map_err(|error| match &error {
                    ObserveError::Namespace(error) => refused(error),
                    error => impossible(error),
                })?;
                return Ok(Report { namespaces: vec![report], degraded: Vec::new() });
            }
        };
        let mut report = Report { namespaces: Vec::new(), degraded: Vec::new() };
        for namespace in &survey.namespaces {
            match look(request, namespace) {
                Ok(seen) => report.namespaces.push(seen),
                Err(error) => report.degraded.push(Note {
                    what: format!("network namespace {}", namespace.name()),
                    why: error.to_string(),
                    fix: match error {
                        ObserveError::Namespace(error) if error.is_permission() => with_sudo(),
                        _ => String::new(),
                    },
                }),
            }
        }
        for error in &survey.unreadable {
            report.degraded.push(Note {
                what: "a network namespace".to_owned(),
                why: error.to_string(),
                fix: if error.is_permission() { with_sudo() } else { String::new() },
            });
        }
        if survey.hidden_processes > 0 {
            report.degraded.push(Note {
                what: format!(
                    "the network namespaces of {} {}",
                    survey.hidden_processes,
                    if survey.hidden_processes == 1 { "process" } else { "processes" }
                ),
                why: "they may only be looked at with CAP_SYS_PTRACE".to_owned(),
                fix: with_sudo(),
            });
        }
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
        headroom,
        degraded: degraded.iter().map(note).collect(),
    })
}

fn impossible(error: &ObserveError) -> Failure {
    let failure = Failure::new(error);
    match error {
        ObserveError::Settings(_) => failure.hint("is /proc mounted, and is this Linux?"),
        ObserveError::Dump(_) => failure.hint(
            "the kernel needs CONFIG_INET_DIAG (`modprobe tcp_diag`); a sandbox may forbid it",
        ),
        ObserveError::Namespace(_) => failure,
    }
}

fn note(degradation: &Degradation) -> Note {
    let (what, why, fix) = match degradation {
        Degradation::Interrupted => (
            "some sockets".to_owned(),
            "the kernel's tables changed during every look".to_owned(),
            "run it again".to_owned(),
        ),
        Degradation::Unlisted { protocol, error } => {
            (format!("{protocol} sockets"), error.to_string(), format!("modprobe {protocol}_diag"))
        }
        Degradation::Unknown { sockets } => (
            format!("{sockets} sockets"),
            "they are in a state or of a family that this version does not know".to_owned(),
            String::new(),
        ),
        Degradation::NoRoute { destination, error } => (
            format!("the way to {destination}"),
            format!("the kernel gives it no source address: {error}"),
            format!("ip route get {}", destination.ip()),
        ),
        Degradation::NotProbed { error } => {
            ("which ports the kernel holds back".to_owned(), error.to_string(), with_sudo())
        }
    };
    Note { what, why, fix }
}
