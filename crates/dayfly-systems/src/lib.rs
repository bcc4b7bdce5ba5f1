//! What each operating system knows about ephemeral ports: where it keeps its ranges, in which
//! unit, how they are read, what it refuses, and the ordered native steps that change them.
//!
//! Text in, text out: what a system's own commands print goes in ([`System::read`]), and a
//! [`Plan`] comes out ([`System::plan`]): commands and files, each with a check and an undo. The
//! caller runs them, here or elsewhere; nothing in this crate does.
//!
//! ```
//! use dayfly_systems::{Request, find};
//!
//! let solaris = find("solaris").ok_or("no such system")?;
//! let now = solaris.read("32768\n\n65535\n")?;
//! let request = Request {
//!     range: Some("49152-61000".parse()?),
//!     current: Some(&now),
//!     ..Request::default()
//! };
//! let plan = solaris.plan(&request)?;
//! assert_eq!(
//!     plan.steps[0].action.to_string(),
//!     "/usr/sbin/ndd -set /dev/tcp tcp_smallest_anon_port 49152"
//! );
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! One file for each system under `systems/`; what several share is beside it: the order of two
//! writes that must never cross ([`order`]), files that others write to as well ([`Edit`]), and
//! scripts.

mod batch;
mod current;
mod edit;
pub mod identify;
mod init_script;
pub mod ms_rpc;
pub mod order;
mod plan;
mod read;
mod remark;
mod services;
mod shell;
mod smf;
pub mod sockets;
mod system;
mod systems;
mod time_wait;

pub use current::{Current, Exclusion, Found, Reserved};
pub use edit::{Edit, Lines};
pub use plan::{Action, Alternative, Change, Check, Plan, Request, Step, When};
pub use read::{ReadError, decoded};
pub use remark::{Refusal, Remark, Severity};
pub use system::{Class, DefaultRange, Family, Reserving, ScriptKind, Slot, System, Unit};
pub use systems::{SYSTEMS, find};
