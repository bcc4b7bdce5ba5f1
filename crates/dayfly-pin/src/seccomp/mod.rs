//! Pinning through seccomp user notification: the program's `connect()` stops, the supervisor binds
//! the socket, and the call goes on as if nothing had been.
//!
//! | room | what it is for |
//! |---|---|
//! | [`abi`] | which numbers the calls have on each architecture |
//! | [`filter`] | the classic BPF program that decides which calls stop |
//! | [`notification`] | takes stopped calls from the kernel and answers them |
//! | [`caller`] | the caller's socket and, as a hint, its memory |
//! | [`decide`] | what becomes of one stopped call |
//!
//! Nothing that the caller's memory says is trusted: between the look and the call the caller can
//! change it. What decides (family, protocol, bound address and port) is asked of the socket
//! itself, through a duplicate of its descriptor. It is a convenience all the same and no security
//! boundary: a program that wants to escape can bind a port itself.

pub(crate) mod abi;
pub(crate) mod caller;
pub(crate) mod decide;
pub(crate) mod filter;
pub(crate) mod notification;
