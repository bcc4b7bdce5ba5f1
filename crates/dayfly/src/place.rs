//! Where a verb looks: which network namespace, how commands reach it, and what to say when it
//! cannot be looked at.

use dayfly_insight::why::Shell;
use dayfly_linux::namespace::{Namespace, NamespaceError, Survey};
use dayfly_linux::observe::{Degradation, ObserveError};
use dayfly_linux::probe::ProbeErrorKind;

use crate::error::Failure;
use crate::privilege::{program_as_root, with_sudo};
use crate::quote::posix;

/// Something that could not be seen.
pub(crate) struct Note {
    pub(crate) what: String,
    pub(crate) why: String,
    /// What would help; empty if nothing does.
    pub(crate) fix: String,
}

/// The namespace that `--netns` names, or the caller's own.
pub(crate) fn find(netns: Option<&str>) -> Result<Namespace, Failure> {
    let found = match netns {
        Some(name) => Namespace::find(name),
        None => Namespace::own(),
    };
    found.map_err(|error| refused(&error))
}

/// How a shell of this user runs a command with privilege in the namespace that `--netns` names.
pub(crate) fn shell(netns: Option<&str>) -> Shell {
    let mut words = Vec::new();
    if !rustix::process::geteuid().is_root() {
        words.push("sudo".to_owned());
    }
    match netns {
        None => {}
        Some(path) if path.contains('/') => words.push(format!("nsenter --net={}", posix(path))),
        Some(pid) if pid.bytes().all(|byte| byte.is_ascii_digit()) => {
            words.push(format!("nsenter --net=/proc/{pid}/ns/net"));
        }
        Some(name) => words.push(format!("ip netns exec {}", posix(name))),
    }
    let place = netns.map(|name| format!("--netns {}", posix(name))).unwrap_or_default();
    Shell::with_prefix(&words.join(" ")).with_dayfly(&program_as_root(), &place)
}

/// The failure of a namespace that cannot be found or entered.
pub(crate) fn refused(error: &NamespaceError) -> Failure {
    let failure = Failure::new(error);
    if error.is_permission() {
        failure.hint(with_sudo())
    } else {
        failure.hint("`ip netns list` and `lsns -t net` name those that exist")
    }
}

/// The failure of a look that nothing can be said about.
pub(crate) fn impossible(error: &ObserveError) -> Failure {
    let failure = Failure::new(error);
    match error {
        ObserveError::Settings(_) => failure.hint("is /proc mounted, and is this Linux?"),
        ObserveError::Dump(_) => failure.hint(
            "the kernel needs CONFIG_INET_DIAG (`modprobe tcp_diag`); a sandbox may forbid it",
        ),
        ObserveError::Namespace(error) => refused(error),
    }
}

/// One of several namespaces could not be looked at.
pub(crate) fn unseen(name: &str, error: &ObserveError) -> Note {
    Note {
        what: format!("network namespace {name}"),
        why: error.to_string(),
        fix: match error {
            ObserveError::Namespace(error) if error.is_permission() => with_sudo(),
            _ => String::new(),
        },
    }
}

/// `1 process`, `2 processes`.
pub(crate) fn processes(number: u64) -> String {
    format!("{number} process{}", if number == 1 { "" } else { "es" })
}

const fn plural(number: u64) -> &'static str {
    if number == 1 { "" } else { "s" }
}

/// What a search for all namespaces could not see.
pub(crate) fn notes_of(survey: &Survey) -> Vec<Note> {
    let mut notes: Vec<Note> = survey
        .unreadable
        .iter()
        .map(|error| Note {
            what: "a network namespace".to_owned(),
            why: error.to_string(),
            fix: if error.is_permission() { with_sudo() } else { String::new() },
        })
        .collect();
    let hidden = survey.hidden_processes;
    if hidden > 0 {
        notes.push(Note {
            what: format!("the network namespaces of {}", processes(hidden as u64)),
            why: "they may only be looked at with CAP_SYS_PTRACE".to_owned(),
            fix: with_sudo(),
        });
    }
    notes
}

/// What a degradation means to a person.
pub(crate) fn note(degradation: &Degradation) -> Note {
    let (what, why, fix) = match degradation {
        Degradation::Interrupted => (
            "some sockets".to_owned(),
            "the kernel's tables changed during every look".to_owned(),
            "run it again".to_owned(),
        ),
        Degradation::Unlisted { protocol, error } => {
            (format!("{protocol} sockets"), error.to_string(), format!("modprobe {protocol}_diag"))
        }
        Degradation::UncountedMptcp { error } => (
            "how many MPTCP connections there are".to_owned(),
            error.to_string(),
            "modprobe mptcp_diag".to_owned(),
        ),
        Degradation::Unknown { sockets } => (
            format!("{sockets} sockets"),
            "they are in a state or of a family that this version does not know".to_owned(),
            String::new(),
        ),
        Degradation::Unowned { sockets, hidden } => {
            let sockets = format!("who owns {sockets} socket{}", plural(*sockets as u64));
            match hidden {
                0 => (
                    sockets,
                    "no process that this /proc shows does: one of another pid namespace, or the \
                     kernel itself"
                        .to_owned(),
                    String::new(),
                ),
                hidden => (
                    sockets,
                    format!(
                        "{} of other users may only be looked into with CAP_SYS_PTRACE",
                        processes((*hidden).into())
                    ),
                    with_sudo(),
                ),
            }
        }
        Degradation::NoRoute { destination, error } => (
            format!("the way to {destination}"),
            format!("the kernel gives it no source address: {error}"),
            format!("ip route get {}", destination.ip()),
        ),
        Degradation::NotProbed { error } => {
            let fix = match error.kind() {
                ProbeErrorKind::Privilege => with_sudo(),
                ProbeErrorKind::NoRoute(address) if address.is_loopback() => {
                    "ip link set lo up".to_owned()
                }
                _ => String::new(),
            };
            ("which ports the kernel holds back".to_owned(), error.to_string(), fix)
        }
    };
    Note { what, why, fix }
}
