//! The words of dayfly: [`Port`], [`PortRange`], [`PortSet`], [`Protocol`], [`Tuple`].
//!
//! Every other crate speaks in these. They hold no policy: nothing here knows what an operating
//! system does with a port. Each type is valid by construction (parse, don't validate), so a
//! function that takes a [`PortRange`] never has to ask whether it is empty.
//!
//! The crate is `no_std`, allocates nothing and depends on nothing. A [`PortSet`] is 8 KiB; keep
//! long-lived ones in a `Box`.

#![no_std]

mod port;
mod protocol;
mod range;
mod set;
mod set_list;
mod tuple;

pub use port::{ParsePortError, Port};
pub use protocol::{ParseProtocolError, Protocol};
pub use range::{EmptyRangeError, ParseRangeError, PortRange};
pub use set::{Iter, PortSet, Ranges};
pub use set_list::ParseListError;
pub use tuple::Tuple;
