//! From sockets and settings to what they mean. Pure: no clock, no file, no socket.
//!
//! A source (the live kernel, another host's output, a simulation) tells what one network
//! namespace is configured with ([`Settings`]) and hands over its sockets one by one
//! ([`Socket`]). [`Fold`] keeps totals instead of sockets, so memory follows the number of
//! destinations, and ends in a [`Headroom`]: how many more connections each source address can
//! open to each destination.
//!
//! ```
//! use dayfly_insight::{Fold, Settings, Socket, State};
//! use dayfly_ports::{Port, Protocol, Tuple};
//!
//! let mut fold = Fold::new(Settings::linux_defaults(), 0);
//! fold.add(&Socket::new(
//!     Tuple {
//!         protocol: Protocol::Tcp,
//!         local_address: [192, 0, 2, 1].into(),
//!         local_port: Port::new(32768),
//!         remote_address: [198, 51, 100, 7].into(),
//!         remote_port: Port::new(443),
//!     },
//!     State::Established,
//! ));
//! let headroom = fold.finish();
//! assert_eq!(headroom.destinations[0].used, 1);
//! assert_eq!(headroom.destinations[0].free, 28_231);
//! ```
//!
//! Of other systems' sockets [`Usage`] says what holds whatever their rules are.
//!
//! The rules of [`Fold`] are Linux'. They are written down where they are applied: the bucket rule and the
//! parity rule in `headroom`, the suspicion rule in `suspicion`, UDP's in `datagram`.

pub mod blame;
mod datagram;
pub mod doctor;
pub mod firewall;
pub mod forecast;
pub mod ftp;
mod grouped;
mod headroom;
pub mod nat;
mod port_bag;
pub mod rpc;
mod settings;
pub mod sizing;
mod socket;
mod suspicion;
pub mod tftp;
mod usage;
pub mod why;

pub use datagram::UdpSource;
pub use grouped::grouped;
pub use headroom::{Counts, Destination, DestinationKey, Fold, Headroom};
pub use settings::{RangeSetting, Settings, TimeWaitReuse};
pub use socket::{Socket, State};
pub use usage::{DestinationUsage, Supply, SupplyUsage, Usage};
