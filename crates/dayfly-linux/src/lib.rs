//! The live Linux kernel, as dayfly sees it.
//!
//! | room | what it is for |
//! |---|---|
//! | [`netlink`] | frames and attributes of netlink, one question with its answer. Fuzzed |
//! | [`sock_diag`] | the wire format of socket dumps: bytes in, structs out. Pure and fuzzed |
//! | [`dump`] | asks the kernel for its sockets and streams them |
//! | [`settings`] | reads the sysctls that decide which ports are handed out |
//! | [`sysctl`] | single ones of them by name, as text: reads and writes them |
//! | [`namespace`] | finds network namespaces and runs code inside them |
//! | [`route`] | which source address the kernel would choose |
//! | [`probe`] | runs the kernel's own port search without sending a packet |
//! | [`sockopt`] | the socket options that rustix has no name for |
//! | [`trial`] | what `bind()` says, by trying it for a moment |
//! | [`owners`] | from a socket's inode to the process, user, unit and container that hold it |
//! | [`firewall`] | what a firewall check looks at: rules, who listens, addresses |
//! | [`evidence`] | what the doctor's rules look at |
//! | [`conntrack`] | tracked connections, streamed; what translation leaves of every outer address |
//! | [`observe`] | all of the above: one namespace, folded into a report |
//!
//! Nothing here sends a packet, and nothing but [`sysctl`] changes the system.

pub mod conntrack;
mod counters;
pub mod dump;
pub mod evidence;
pub mod firewall;
pub mod namespace;
pub mod netlink;
pub mod observe;
pub mod owners;
pub mod probe;
pub mod route;
pub mod settings;
pub mod sock_diag;
pub mod sockopt;
pub mod sysctl;
mod tool;
pub mod trial;
