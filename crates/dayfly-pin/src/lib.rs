//! Forces a source port, or a range of them, on one unmodified program: dynamic or static, of any
//! language, with everything that it starts.
//!
//! ```no_run
//! use std::process::Command;
//!
//! use dayfly_pin::Pin;
//! use dayfly_ports::{Port, PortRange};
//!
//! let pin = Pin::ports(PortRange::single(Port::new(63999)));
//! let mut curl = pin.spawn(Command::new("curl").arg("https://example.org"))?;
//! let status = curl.wait()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | room | what it is for |
//! |---|---|
//! | `pin` | what is wanted |
//! | `launch` | starts the program between a supervisor and a filter |
//! | `newborn` | a process that shares its parent's memory until it is the program |
//! | `supervisor` | the process that stays as long as anything pinned runs |
//! | `seccomp` | the way for everybody: the supervisor binds when a call stops |
//! | `bpf` | the way for root: a program in the kernel binds inside `connect()` |
//! | `choose` | which port a socket gets, and how ports are shared |
//! | `tuple` | what the kernel knows about one connection |
//! | `event` | what is told about each connection |
//! | `pinned` | the running program |
//!
//! Linux only, on x86-64 (32-bit programs included) and aarch64.

mod bpf;
mod choose;
mod error;
mod event;
mod launch;
mod newborn;
mod pin;
mod pinned;
mod seccomp;
mod supervisor;
mod sys;
mod tuple;

pub use error::Error;
pub use event::{Cause, Event, Outcome};
pub use pin::{Pin, Via};
pub use pinned::{Happening, Pinned};
