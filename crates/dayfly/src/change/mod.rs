//! Changing a host the way a careful administrator would: look, show the difference, ask, write
//! down what is there, do it step by step, read back, and be able to return.
//!
//! ```text
//! wish ──> draft (live kernel | a system's plan) ──> question ──> journal ──> engine ──> rest
//!            differences, hazards, steps                 ^                      │
//!                                                        └── undo, keep, the guardian
//! ```
//!
//! | room | what it is for |
//! |---|---|
//! | `args` | what can be typed |
//! | `draft` | what a change would do |
//! | `live`, `boot`, `hazard` | a draft for this kernel: its settings, its files, what it would cut off |
//! | `foreign` | a draft for any system, from its plan |
//! | `deed` | one reversible thing: how to do it, take it back, and see which of both is the case |
//! | `scene` | the host and the namespace that it is done to |
//! | `journal`, `store` | what is written down, and where |
//! | `engine` | goes through the steps, forwards and backwards |
//! | `guardian` | takes a change back that nobody keeps |
//! | `perform` | from a draft to a change, with everything that may stand in between |
//! | `undo`, `keep`, `history` | the verbs of those names |

pub(crate) mod args;
mod boot;
pub(crate) mod clock;
mod deed;
pub(crate) mod draft;
mod engine;
mod foreign;
mod guardian;
mod hazard;
pub(crate) mod history;
mod journal;
pub(crate) mod keep;
mod live;
mod perform;
mod scene;
mod store;
pub(crate) mod undo;

use std::time::Duration;

pub(crate) use journal::Record;
pub(crate) use perform::{Outcome, Performed};
pub(crate) use scene::Place;

use crate::change::args::{ChangeArgs, GuardArgs, ReserveArgs, SetArgs};
use crate::change::draft::{Note, Wish};
use crate::change::journal::When;
use crate::change::scene::Scene;
use crate::change::store::Store;
use crate::error::Failure;
use crate::host::Remote;
use crate::place;

/// `dayfly set`.
pub(crate) fn set(args: &SetArgs) -> Result<(), Failure> {
    let wish = Wish::Range {
        range: args.range,
        floor: args.unprivileged_start,
        protocols: args.change.protocol.clone(),
        class: args.class.into(),
    };
    change(&wish, &args.change)
}

/// `dayfly reserve`.
pub(crate) fn reserve(args: &ReserveArgs) -> Result<(), Failure> {
    let ports = some_ports(args)?;
    change(&Wish::Reserve { ports, protocols: args.change.protocol.clone() }, &args.change)
}

/// `dayfly unreserve`.
pub(crate) fn unreserve(args: &ReserveArgs) -> Result<(), Failure> {
    let ports = some_ports(args)?;
    change(&Wish::Unreserve { ports, protocols: args.change.protocol.clone() }, &args.change)
}

/// The hidden verb of the guardian.
pub(crate) fn guard(args: &GuardArgs) -> Result<(), Failure> {
    let store = Store::new(args.state.folder.as_deref())?;
    guardian::watch(&store, args.id, Duration::from_secs(args.after))
}

fn change(wish: &Wish, args: &ChangeArgs) -> Result<(), Failure> {
    if let Some(address) = &args.host {
        let remote = Remote::connect(address)?;
        let system = remote.system();
        let scene = Scene::remote(remote);
        let (when, _) = when(args, &scene)?;
        let mut draft = foreign::draft(&scene, system, wish, when)?;
        draft.hazards.extend(hazard::of_ssh(wish, address.port));
        return perform::perform(&scene, wish, draft, args);
    }
    let scene = Scene::local(place::find(args.netns.as_deref())?);
    let (when, note) = when(args, &scene)?;
    let mut draft = live::draft(&scene, wish, when)?;
    draft.remarks.extend(note);
    perform::perform(&scene, wish, draft, args)
}

fn some_ports(args: &ReserveArgs) -> Result<Box<dayfly_ports::PortSet>, Failure> {
    if args.ports.is_empty() {
        return Err(Failure::new("the list of ports is empty")
            .hint("name ports and ranges, such as 8080,9000-9010"));
    }
    if args.ports.contains(dayfly_ports::Port::MIN) {
        return Err(Failure::new("port 0 cannot be reserved: it asks the system to choose one")
            .hint("leave 0 out of the list"));
    }
    Ok(args.ports.clone())
}

/// Whether a change counts now, at boot, or both. No file brings the settings of a namespace back
/// that is not the host's.
fn when(args: &ChangeArgs, scene: &Scene) -> Result<(When, Option<Note>), Failure> {
    let is_host = scene.namespace.as_ref().is_none_or(|namespace| namespace.is_host());
    let name = scene.namespace.as_ref().map(|namespace| namespace.name()).unwrap_or_default();
    match (args.persist, args.runtime) {
        (true, _) if !is_host => Err(Failure::new(format_args!(
            "no file sets the sysctls of the network namespace {name} again when it is made anew"
        ))
        .hint("give them to whoever makes it: docker run --sysctl, the pod's securityContext")),
        (true, _) => Ok((When::Boot, None)),
        (_, true) => Ok((When::Now, None)),
        _ if is_host => Ok((When::Both, None)),
        _ => {
            let note = Note::advice(format!(
                "Only as long as the network namespace {name} exists: the files of sysctl.d are \
                 for the host's."
            ));
            Ok((When::Now, Some(note)))
        }
    }
}
