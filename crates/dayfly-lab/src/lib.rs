//! What would happen, and what made these ports: simulations of any system's port selection, and
//! the reverse, from ports that were seen to the strategy that chose them.
//!
//! Pure: time, randomness and bytes are passed in.

pub mod capture;
pub mod identify;
