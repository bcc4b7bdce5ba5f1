//! A received buffer, split into netlink frames.

use std::fmt;

use super::wire::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NLMSG_HDRLEN, align, array};

/// One netlink frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// A message.
    Message {
        /// Its `nlmsg_type`.
        kind: u16,
        /// What it carries.
        payload: &'a [u8],
        /// The kernel noticed that its table changed under the dump (`NLM_F_DUMP_INTR`).
        interrupted: bool,
    },
    /// The dump is complete.
    Done {
        /// As for messages: the dump is not consistent.
        interrupted: bool,
        /// 0, or the errno that ended the dump early.
        errno: i32,
    },
    /// The request was refused; the errno, positive. 0 is an acknowledgement.
    Error(i32),
}

/// The frames of one received buffer. After the first error there are no more.
#[derive(Clone, Debug)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// The frames in `buffer`, as one `recv` returned it.
    #[must_use]
    pub const fn new(buffer: &'a [u8]) -> Self {
        Frames { rest: buffer }
    }

    fn split(&mut self) -> Result<Frame<'a>, FrameError> {
        let bytes = self.rest;
        let header = array::<4>(bytes, 0).zip(array::<2>(bytes, 4)).zip(array::<2>(bytes, 6));
        let Some(((length, kind), flags)) = header.filter(|_| bytes.len() >= NLMSG_HDRLEN) else {
            return Err(FrameError::Truncated { have: bytes.len() });
        };
        let length = u32::from_ne_bytes(length) as usize;
        if length < NLMSG_HDRLEN || length > bytes.len() {
            return Err(FrameError::Length { says: length, have: bytes.len() });
        }
        let (kind, flags) = (u16::from_ne_bytes(kind), u16::from_ne_bytes(flags));
        let payload = &bytes[NLMSG_HDRLEN..length];
        self.rest = bytes.get(align(length)..).unwrap_or_default();

        let interrupted = flags & NLM_F_DUMP_INTR != 0;
        let errno = array(payload, 0).map_or(0, i32::from_ne_bytes).saturating_neg();
        Ok(match kind {
            NLMSG_DONE => Frame::Done { interrupted, errno },
            NLMSG_ERROR => Frame::Error(errno),
            kind => Frame::Message { kind, payload, interrupted },
        })
    }
}

impl<'a> Iterator for Frames<'a> {
    type Item = Result<Frame<'a>, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let frame = self.split();
        if frame.is_err() {
            self.rest = &[];
        }
        Some(frame)
    }
}

/// Why a buffer is not a sequence of netlink frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// Less than a header is left.
    Truncated {
        /// How many bytes are left.
        have: usize,
    },
    /// The header's length is shorter than itself or longer than the buffer.
    Length {
        /// The length that the header gives.
        says: usize,
        /// How many bytes are left.
        have: usize,
    },
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::Truncated { have } => {
                write!(f, "the kernel's answer ends in {have} bytes of a netlink header")
            }
            FrameError::Length { says, have } => {
                write!(f, "a netlink frame says it has {says} bytes where {have} are left")
            }
        }
    }
}

impl std::error::Error for FrameError {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u16, flags: u16, payload: &[u8]) -> Vec<u8> {
        let mut bytes = ((NLMSG_HDRLEN + payload.len()) as u32).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend([0; 8]);
        bytes.extend(payload);
        bytes.resize(align(bytes.len()), 0);
        bytes
    }

    #[test]
    fn splits_a_dump() {
        let mut buffer = frame(20, 2, b"abcde");
        buffer.extend(frame(18, 2 | NLM_F_DUMP_INTR, b""));
        buffer.extend(frame(NLMSG_ERROR, 0, &(-13i32).to_ne_bytes()));
        buffer.extend(frame(NLMSG_DONE, 2, &0i32.to_ne_bytes()));
        let frames: Result<Vec<_>, _> = Frames::new(&buffer).collect();
        assert_eq!(
            frames,
            Ok(vec![
                Frame::Message { kind: 20, payload: b"abcde", interrupted: false },
                Frame::Message { kind: 18, payload: b"", interrupted: true },
                Frame::Error(13),
                Frame::Done { interrupted: false, errno: 0 },
            ])
        );
    }

    #[test]
    fn a_lying_length_is_named_and_ends_the_walk() {
        let mut buffer = frame(20, 0, b"abcd");
        buffer[..4].copy_from_slice(&64u32.to_ne_bytes());
        let frames: Vec<_> = Frames::new(&buffer).collect();
        assert_eq!(frames, [Err(FrameError::Length { says: 64, have: 20 })]);
        buffer[..4].copy_from_slice(&0u32.to_ne_bytes());
        let frames: Vec<_> = Frames::new(&buffer).collect();
        assert_eq!(frames, [Err(FrameError::Length { says: 0, have: 20 })]);
        let frames: Vec<_> = Frames::new(&buffer[..7]).collect();
        assert_eq!(frames, [Err(FrameError::Truncated { have: 7 })]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_split_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let frames = Frames::new(&bytes).count();
            prop_assert!(frames <= bytes.len() / NLMSG_HDRLEN + 1);
        }
    }
}
