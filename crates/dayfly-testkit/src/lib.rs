//! The ground that dayfly's tests stand on: the real kernel, in private network namespaces.
//!
//! Nothing here imitates the kernel. A test makes a [`Namespace`], opens sockets inside it with
//! [`SocketOptions`] and asks the kernel itself: [`drain`] connects until there is no port left and
//! returns the ports in the order in which they were granted.
//!
//! ```no_run
//! use dayfly_testkit::{Namespace, SocketOptions, drain, privileged};
//!
//! #[test]
//! fn ten_ports_are_ten_connections() {
//!     privileged!();
//!     let namespace = Namespace::new();
//!     namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40009");
//!     let granted = namespace.run(|| {
//!         let destination = "127.0.0.1:80".parse().unwrap();
//!         let _server = SocketOptions::tcp().listen(destination).unwrap();
//!         drain(&SocketOptions::tcp(), destination)
//!     });
//!     assert_eq!(granted.ports().len(), 10);
//! }
//! ```
//!
//! Whatever cannot be prepared fails the test at once, so most functions here panic instead of
//! returning an error; opening a socket returns one, because being refused is what many tests are
//! about. Everything cleans up after itself: a namespace goes away with its value and all processes in
//! it, also when the test panics, and sockets are closed with a reset, since an orphan that still waits for a FIN
//! would keep the namespace alive.

#![expect(clippy::expect_used, reason = "what cannot be prepared fails the test at once")]

mod drain;
mod environment;
mod fake_host;
mod finish;
mod folder;
mod generate;
mod limits;
mod link;
mod machine;
mod namespace;
mod privilege;
mod processes;
mod programs;
mod scenario;
mod server;
mod socket;
mod typed;
mod witness;

pub use drain::{Drained, drain, drain_bind};
pub use environment::{command, scratch, search_path};
pub use fake_host::{FakeHost, Login};
pub use finish::{Finished, finish, wait};
pub use folder::Folder;
pub use generate::{Kind, check_many, scenarios};
pub use limits::raise_open_files;
pub use machine::Machine;
pub use namespace::Namespace;
pub use privilege::{has_privilege, has_program};
pub use programs::programs;
pub use scenario::{ACCEPTED_CLIENTS_FROM, Action, Ending, Scenario, Stage, Used};
pub use server::Server;
pub use socket::{Socket, SocketOptions, mapped};
pub use typed::type_in;
pub use witness::{Seen, Witness};
