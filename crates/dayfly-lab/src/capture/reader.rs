//! The frames of a capture, one after the other, whatever its format.

use std::fmt;

use super::link::LinkType;
use super::pcap::Pcap;
use super::pcapng::Pcapng;

/// The longest frame or block that is believed; a longer one is damage. Wireshark's own limit for
/// ordinary links is 256 KiB.
pub(super) const LONGEST: u32 = 16 << 20;

/// Finds the frames of a pcap or pcapng stream.
///
/// It keeps what headers said and no packets. The caller holds a piece of the stream, calls
/// [`Reader::next`] with it, drops what was consumed, and brings more when asked to:
///
/// ```
/// use dayfly_lab::capture::{Reader, Step};
///
/// let stream: &[u8] = b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0";
/// let mut reader = Reader::new();
/// assert!(matches!(reader.next(stream), Step::Skip(24)));
/// assert!(matches!(reader.next(&[]), Step::More(16)));
/// ```
#[derive(Debug, Default)]
pub struct Reader {
    format: Format,
    /// Bytes of the stream before the piece that is looked at.
    offset: u64,
    frames: u64,
}

#[derive(Debug, Default)]
enum Format {
    #[default]
    Unknown,
    Pcap(Pcap),
    Pcapng(Pcapng),
}

/// What stands at the front of the piece.
#[derive(Debug, PartialEq)]
pub enum Step<'a> {
    /// A packet; drop so many bytes when done with it.
    Frame {
        /// The length of its record.
        consumed: usize,
        /// The packet.
        frame: Frame<'a>,
    },
    /// Nothing of interest: drop so many bytes, which may be more than there are yet.
    Skip(u64),
    /// At least so many bytes are needed, counted from the front of the piece. If the stream is at
    /// its end and the piece is not empty, it was cut off here.
    More(usize),
    /// Nothing after this place can be read.
    Broken(FormatError),
}

/// One captured packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Nanoseconds since 1970; none where the capture does not say.
    pub time: Option<u64>,
    /// What the bytes begin with.
    pub link: LinkType,
    /// As much of the packet as was kept.
    pub bytes: &'a [u8],
}

/// Why a stream cannot be read (on).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormatError {
    /// It begins like no capture.
    NotACapture,
    /// It is something else that can be turned into a capture.
    Other {
        /// What it is: `a gzip file`.
        what: &'static str,
        /// A command that makes a capture of it, without the file's name: `zcat`.
        command: &'static str,
    },
    /// A header makes no sense.
    Damaged {
        /// Where it stands: bytes from the start of the stream.
        offset: u64,
        /// How many packets came before.
        frames: u64,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FormatError::NotACapture => f.write_str("it begins like neither pcap nor pcapng"),
            FormatError::Other { what, .. } => write!(f, "it is {what}"),
            FormatError::Damaged { offset, frames, what } => {
                write!(f, "it is damaged at byte {offset}, behind {frames} packets: {what}")
            }
        }
    }
}

impl std::error::Error for FormatError {}

/// How other files begin that people keep captures in.
const OTHERS: [(&[u8], &str, &str); 7] = [
    (b"\x1f\x8b", "a gzip file", "zcat"),
    (b"\x28\xb5\x2f\xfd", "a zstd file", "zstdcat"),
    (b"\xfd7zXZ", "an xz file", "xzcat"),
    (b"BZh", "a bzip2 file", "bzcat"),
    (b"\x04\x22\x4d\x18", "an lz4 file", "lz4cat"),
    (b"snoop\0\0\0", "a snoop capture", "tshark -F pcap -w - -r"),
    (b"\x34\xcd\xb2\xa1", "a capture of Kuznetzov's patched libpcap", "tshark -F pcap -w - -r"),
];

impl Reader {
    /// Before the first byte.
    #[must_use]
    pub fn new() -> Reader {
        Reader::default()
    }

    /// Whether a stream that begins so is meant to be text: its first bytes are printable.
    #[must_use]
    pub fn looks_like_text(start: &[u8]) -> bool {
        let printable = |byte: &u8| matches!(byte, b'\t' | b'\r' | b'\n' | b' '..=b'~');
        !start.is_empty() && start.iter().take(8).all(printable) && !start.starts_with(b"BZh")
    }

    /// How many bytes were consumed so far.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// How many packets were found so far.
    #[must_use]
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// What stands at the front of `bytes`, which goes on where the last step left off.
    #[inline]
    pub fn next<'a>(&mut self, bytes: &'a [u8]) -> Step<'a> {
        let found = match &mut self.format {
            Format::Pcap(pcap) => pcap.next(bytes),
            Format::Pcapng(pcapng) => pcapng.next(bytes),
            Format::Unknown => self.begin(bytes),
        };
        match found {
            Ok(step) => {
                match &step {
                    Step::Frame { consumed, .. } => {
                        self.frames += 1;
                        self.offset += *consumed as u64;
                    }
                    Step::Skip(consumed) => self.offset += consumed,
                    Step::More(_) | Step::Broken(_) => {}
                }
                step
            }
            Err(Fault::Damage(what)) => {
                let (offset, frames) = (self.offset, self.frames);
                Step::Broken(FormatError::Damaged { offset, frames, what })
            }
            Err(Fault::Format(error)) => Step::Broken(error),
        }
    }

    fn begin<'a>(&mut self, bytes: &[u8]) -> Result<Step<'a>, Fault> {
        if let Some((_, what, command)) = OTHERS.iter().find(|(magic, ..)| bytes.starts_with(magic))
        {
            return Err(Fault::Format(FormatError::Other { what, command }));
        }
        if let Some(started) = Pcap::begin(bytes)? {
            let (pcap, step) = started;
            if let Some(pcap) = pcap {
                self.format = Format::Pcap(pcap);
            }
            return Ok(step);
        }
        if bytes.len() >= 4 {
            if !Pcapng::begins(bytes) {
                return Err(Fault::Format(FormatError::NotACapture));
            }
            self.format = Format::Pcapng(Pcapng::default());
            return Ok(Step::Skip(0));
        }
        Ok(Step::More(4))
    }
}

/// What a format's own reader complains of.
#[derive(Debug)]
pub(super) enum Fault {
    Damage(&'static str),
    Format(FormatError),
}
