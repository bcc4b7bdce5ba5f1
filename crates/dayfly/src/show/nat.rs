//! `dayfly show --nat`: what translation leaves of the outer addresses.

use dayfly_insight::nat::{NatRow, NatRule};
use dayfly_linux::conntrack::{self, ConntrackError, RulesUnread, Statistics};
use dayfly_linux::namespace::{Namespace, NamespaceError};

use super::request::{Request, Scope};
use crate::error::Failure;
use crate::place::{self, Note};
use crate::privilege::with_sudo;

/// Every namespace that was asked for.
pub(crate) struct NatReport {
    pub(crate) namespaces: Vec<NatNamespace>,
    /// What could not be seen of the host as a whole.
    pub(crate) degraded: Vec<Note>,
}

/// One namespace.
pub(crate) struct NatNamespace {
    pub(crate) id: u64,
    pub(crate) name: String,
    /// None where nothing is tracked.
    pub(crate) statistics: Option<Statistics>,
    pub(crate) rules: Vec<NatRule>,
    /// Fullest first.
    pub(crate) rows: Vec<NatRow>,
    /// What could not be seen of it.
    pub(crate) degraded: Vec<Note>,
}

impl NatReport {
    /// Looks at everything that the request names.
    pub(super) fn collect(request: &Request) -> Result<Self, Failure> {
        if let Scope::One(netns) = &request.scope {
            let seen =
                look(&place::find(netns.as_deref())?).map_err(|error| place::refused(&error))?;
            return Ok(NatReport { namespaces: vec![seen], degraded: Vec::new() });
        }
        let survey = Namespace::all();
        let mut report = NatReport { namespaces: Vec::new(), degraded: Vec::new() };
        for namespace in &survey.namespaces {
            match look(namespace) {
                Ok(seen) => report.namespaces.push(seen),
                Err(error) => report.degraded.push(Note {
                    what: format!("network namespace {}", namespace.name()),
                    why: error.to_string(),
                    fix: if error.is_permission() { with_sudo() } else { String::new() },
                }),
            }
        }
        report.degraded.extend(place::notes_of(&survey));
        Ok(report)
    }
}

fn look(namespace: &Namespace) -> Result<NatNamespace, NamespaceError> {
    let (statistics, (rules, unread), rows) = namespace.run(|| {
        let (rules, unread) = conntrack::rules();
        let rows = conntrack::nat(&rules);
        (conntrack::statistics(), (rules, unread), rows)
    })?;
    let mut degraded: Vec<Note> = unread.iter().map(unread_note).collect();
    let rows = rows.unwrap_or_else(|error| {
        degraded.push(unlisted(&error));
        Vec::new()
    });
    let name = namespace.name().to_owned();
    Ok(NatNamespace { id: namespace.id(), name, statistics, rules, rows, degraded })
}

fn unread_note(error: &RulesUnread) -> Note {
    Note {
        what: "some of the rules that translate".to_owned(),
        why: error.to_string(),
        fix: if error.is_permission { with_sudo() } else { error.command.clone() },
    }
}

fn unlisted(error: &ConntrackError) -> Note {
    Note {
        what: "the translated connections".to_owned(),
        why: error.to_string(),
        fix: match error.is_permission() {
            true => with_sudo(),
            false => "modprobe nf_conntrack_netlink".to_owned(),
        },
    }
}
