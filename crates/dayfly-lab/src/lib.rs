//! What would happen, and what made these ports: simulations of any system's port selection, and
//! the reverse, from ports that were seen to the strategy that chose them.
//!
//! Pure: time, randomness and bytes are passed in.
//!
//! A simulation is a text (`docs/scenario.md`), read into a [`Scenario`](scenario::Scenario), run by
//! a [`Simulation`](simulate::Simulation), and told by its [`Outcome`](simulate::Outcome):
//!
//! ```
//! use dayfly_lab::{scenario::Scenario, simulate::Simulation};
//!
//! let scenario = Scenario::parse(r#"
//!     duration = "10 s"
//!     [[host]]
//!     system = "linux"
//!     range = "40000-40099"
//!     [[destination]]
//!     [[workload]]
//!     rate = 50
//!     duration = "10 ms"
//! "#)?;
//! let outcome = Simulation::new(&scenario).run();
//! // 100 ports, 50 connections a second, 60 seconds of TIME_WAIT.
//! assert_eq!(outcome.first_failure.map(|failure| failure.moment.held), Some(100));
//! # Ok::<(), dayfly_lab::scenario::ScenarioError>(())
//! ```

pub mod capture;
pub mod claims;
pub mod identify;
pub mod picture;
pub mod scenario;
pub mod simulate;
