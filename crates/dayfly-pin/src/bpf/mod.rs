//! Pinning through BPF: a program in the kernel, on a cgroup that the command is born into, binds
//! the socket inside `connect()` (`BPF_PROG_TYPE_CGROUP_SOCK_ADDR`).
//!
//! | room | what it is for |
//! |---|---|
//! | [`assembler`] | instructions and labels |
//! | [`program`] | the programs for IPv4 and IPv6 |
//! | [`table`] | the ports and addresses that they look up |
//! | [`own`] | the addresses of this host |
//! | [`kernel`] | bpf(2) |
//! | [`group`] | the cgroup |
//! | [`ring`] | events from the kernel |
//! | [`attachment`] | all of it together |

pub(crate) mod assembler;
pub(crate) mod attachment;
pub(crate) mod group;
pub(crate) mod kernel;
mod own;
pub(crate) mod program;
pub(crate) mod ring;
mod table;
