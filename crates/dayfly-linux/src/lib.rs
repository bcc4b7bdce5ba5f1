//! The live Linux kernel: see ARCHITECTURE.md.

pub mod probe;
pub mod sockopt;
