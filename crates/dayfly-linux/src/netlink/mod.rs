//! netlink(7): frames, attributes, and one question with its answer.
//!
//! Everything is host byte order, but what a protocol says is not. [`Frames`] splits a received
//! buffer and [`Attributes`] what a frame carries; neither trusts a length that it has not checked.

mod attributes;
mod channel;
mod frame;

#[cfg(test)]
pub(crate) use attributes::tests::attribute;
pub use attributes::{Attribute, Attributes};
pub use channel::BrokenAnswer;
pub(crate) use channel::{AskError, Channel};
pub use frame::{Frame, FrameError, Frames};

/// Message types, flags and sizes (`include/uapi/linux/netlink.h`).
pub(crate) mod wire {
    pub(crate) const NLMSG_ERROR: u16 = 2;
    pub(crate) const NLMSG_DONE: u16 = 3;
    pub(crate) const NLM_F_REQUEST: u16 = 0x1;
    pub(crate) const NLM_F_DUMP_INTR: u16 = 0x10;
    pub(crate) const NLM_F_DUMP: u16 = 0x300;
    pub(crate) const NLMSG_HDRLEN: usize = 16;
    pub(crate) const AF_INET: u8 = 2;
    pub(crate) const AF_INET6: u8 = 10;

    /// Netlink pads frames and attributes to four bytes.
    pub(crate) const fn align(length: usize) -> usize {
        (length + 3) & !3
    }

    /// The `N` bytes at `offset`, if they are there.
    pub(crate) fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
        bytes.get(offset..)?.first_chunk().copied()
    }
}
