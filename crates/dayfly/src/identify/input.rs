//! From a file or a pipe to openings, in pieces: memory does not follow the size of the capture.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::AsFd;

use dayfly_lab::capture::{FormatError, Reader, Step, text};
use dayfly_lab::identify::Collector;

use super::live::Live;
use crate::error::Failure;
use crate::place::Note;

/// So much is read at once.
const PIECE: usize = 1 << 20;

/// Reads until the end, or until there are `enough` openings. What was cut off or damaged behind a
/// good beginning is noted.
pub(super) fn read(
    place: &str,
    enough: u64,
    collector: &mut Collector,
) -> Result<Vec<Note>, Failure> {
    let name = if place == "-" { "standard input" } else { place };
    let failed = |error: io::Error| {
        Failure::new(format_args!("{name} cannot be read: {error}"))
            .hint("tcpdump -w FILE 'tcp[tcpflags] & tcp-syn != 0 or udp' captures what is needed")
    };
    let input = if place == "-" {
        io::stdin().as_fd().try_clone_to_owned().map(File::from)
    } else {
        File::open(place)
    };
    let mut input = input.and_then(Live::new).map_err(failed)?;
    let mut buffer = Buffer::new();
    while buffer.bytes().len() < 8 && buffer.fill(&mut input).map_err(failed)? {}
    if buffer.bytes().is_empty() {
        return Err(Failure::new(format_args!("{name} is empty")).hint(
            "a capture or lines of text are expected; `dayfly identify --help` shows a line",
        ));
    }
    if Reader::looks_like_text(buffer.bytes()) {
        let start = io::Cursor::new(buffer.bytes().to_vec());
        return lines(name, BufReader::with_capacity(PIECE, start.chain(input)), enough, collector);
    }
    frames(name, &mut buffer, &mut input, enough, collector)
}

fn frames(
    name: &str,
    buffer: &mut Buffer,
    input: &mut dyn Read,
    enough: u64,
    collector: &mut Collector,
) -> Result<Vec<Note>, Failure> {
    let mut reader = Reader::new();
    let failed = |error: io::Error| Failure::new(format_args!("{name} cannot be read: {error}"));
    while collector.tally().openings < enough {
        match reader.next(buffer.bytes()) {
            Step::Frame { consumed, frame } => {
                collector.add(&frame);
                buffer.consume(consumed);
            }
            Step::Skip(count) => {
                let mut left = count;
                while left > 0 {
                    let here = left.min(buffer.bytes().len() as u64);
                    buffer.consume(here as usize);
                    left -= here;
                    if left > 0 && !buffer.fill(input).map_err(failed)? {
                        return Ok(vec![cut_off(&reader)]);
                    }
                }
            }
            Step::More(needed) => {
                while buffer.bytes().len() < needed {
                    if !buffer.fill(input).map_err(failed)? {
                        let cut = !buffer.bytes().is_empty();
                        return Ok(if cut { vec![cut_off(&reader)] } else { Vec::new() });
                    }
                }
            }
            Step::Broken(error) if reader.frames() == 0 => return Err(refused(name, error)),
            Step::Broken(error) => {
                return Ok(vec![Note {
                    what: "the rest of the capture".to_owned(),
                    why: error.to_string(),
                    fix: String::new(),
                }]);
            }
        }
    }
    Ok(Vec::new())
}

fn cut_off(reader: &Reader) -> Note {
    Note {
        what: "the end of the capture".to_owned(),
        why: format!("it was cut off in the middle of a record, at byte {}", reader.offset()),
        fix: String::new(),
    }
}

fn refused(name: &str, error: FormatError) -> Failure {
    let failure = Failure::new(format_args!("{name} is no capture that can be read: {error}"));
    match error {
        FormatError::Other { command, .. } => {
            let file = if name == "standard input" { "FILE" } else { name };
            failure.hint(format!("{command} {file} | dayfly identify -"))
        }
        _ => failure.hint("pcap and pcapng are read, and lines of text"),
    }
}

fn lines(
    name: &str,
    input: impl BufRead,
    enough: u64,
    collector: &mut Collector,
) -> Result<Vec<Note>, Failure> {
    for (index, line) in input.lines().enumerate() {
        let number = index + 1;
        let wrong = |error: &dyn std::fmt::Display| {
            Failure::new(format_args!("{name}, line {number}: {error}"))
                .hint("a line is: tcp 192.0.2.1:40000 -> 198.51.100.7:443 12.5")
        };
        let line = line.map_err(|error| wrong(&error))?;
        if let Some((tuple, time)) = text::line(&line).map_err(|error| wrong(&error))? {
            collector.add_opening(tuple, time);
        }
        if collector.tally().openings >= enough {
            break;
        }
    }
    Ok(Vec::new())
}

/// What was read and not yet looked at.
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn new() -> Buffer {
        Buffer { bytes: vec![0; PIECE], start: 0, end: 0 }
    }

    fn bytes(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn consume(&mut self, count: usize) {
        self.start += count;
    }

    /// Reads more behind what is there; false at the end of the input.
    fn fill(&mut self, input: &mut dyn Read) -> io::Result<bool> {
        self.bytes.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        if self.end == self.bytes.len() {
            // A record longer than a piece; the reader believes no more than 16 MiB.
            self.bytes.resize(self.bytes.len() * 2, 0);
        }
        loop {
            match input.read(&mut self.bytes[self.end..]) {
                Ok(count) => {
                    self.end += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}
