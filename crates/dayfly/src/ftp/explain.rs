//! `dayfly ftp explain`: a capture, a session, a message, or its numbers.

use std::fs;
use std::io::{Read, stdin};
use std::path::Path;

use dayfly_insight::firewall::flows::Flow;
use dayfly_insight::ftp::conversation::{Conversations, Data};
use dayfly_insight::ftp::session::{self, Session};
use dayfly_lab::capture::{FormatError, Reader, Step, tcp_data};

use super::args::ExplainArgs;
use super::judge::Judge;
use crate::error::Failure;
use crate::place::Note;
use crate::render;

/// What was understood.
pub(crate) struct Explanation {
    pub(crate) sessions: Vec<Explained>,
    pub(crate) degraded: Vec<Note>,
}

/// One control connection.
pub(crate) struct Explained {
    pub(crate) session: Session,
    /// What the firewall does to each data connection; none where nobody could be asked.
    pub(crate) verdicts: Vec<Option<Flow>>,
}

pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let sessions = read(&args.subject)?;
    let (judge, degraded) = Judge::for_sessions(args, &sessions)?;
    let explain = |session: Session| {
        let judged = session.connections.iter();
        let judged = judged.map(|one| judge.as_ref().and_then(|judge| judge.flow(one, &session)));
        Explained { verdicts: judged.collect(), session }
    };
    let explanation =
        Explanation { sessions: sessions.into_iter().map(explain).collect(), degraded };
    if args.output.json {
        return render::print_json(&render::ftp_json::ExplainDocument::new(&explanation));
    }
    let text = render::ftp::explained(&explanation, render::Screen::of_terminal());
    render::print_text(&text, args.output.color)
}

fn read(subject: &str) -> Result<Vec<Session>, Failure> {
    if subject == "-" {
        let mut bytes = Vec::new();
        let read = stdin().lock().read_to_end(&mut bytes);
        read.map_err(|error| Failure::new(format_args!("standard input cannot be read: {error}")))?;
        return of_bytes("standard input", &bytes);
    }
    // A message is never also the name of a file that exists, or the file was meant.
    if Path::new(subject).exists() {
        let bytes = fs::read(subject)
            .map_err(|error| Failure::new(format_args!("{subject} cannot be read: {error}")))?;
        return of_bytes(subject, &bytes);
    }
    let one = session::read_one(subject).map_err(|error| {
        Failure::new(format_args!("{subject:?} is neither a message of FTP nor a file: {error}"))
            .hint(
                "for instance `dayfly ftp explain 'PORT 192,168,1,2,7,138'`, or `curl -v ... 2>&1 | \
                 dayfly ftp explain`",
            )
    })?;
    Ok(vec![one])
}

fn of_bytes(name: &str, bytes: &[u8]) -> Result<Vec<Session>, Failure> {
    let silent = || {
        Failure::new(format_args!("{name} names no data connection")).hint(
            "what is expected are lines with PORT, EPRT, or the answers 227 and 229 to PASV and \
             EPSV, or a capture of them",
        )
    };
    let says = |session: &Session| !session.connections.is_empty() || !session.misread.is_empty();
    if !bytes.is_empty() && !Reader::looks_like_text(bytes) {
        match captured(bytes) {
            Ok(sessions) if sessions.iter().any(says) => return Ok(sessions),
            Ok(sessions) if sessions.iter().any(|one| one.encrypted_from.is_some()) => {
                return Err(Failure::new(format_args!(
                    "{name} has encrypted sessions only: nobody but the two ends can read the ports"
                ))
                .hint("ask the client itself: `curl -v`, `lftp -d`"));
            }
            Ok(_) => return Err(silent()),
            Err(FormatError::NotACapture) => {}
            Err(error) => {
                let failure = Failure::new(format_args!("{name} cannot be read: {error}"));
                return Err(match error {
                    FormatError::Other { command, .. } => {
                        failure.hint(format!("`{command} {name} | dayfly ftp explain`"))
                    }
                    _ => failure.hint("capture again, or cut the file off before that place"),
                });
            }
        }
    }
    let text = String::from_utf8_lossy(bytes);
    let session = session::read(&text);
    if says(&session) {
        return Ok(vec![session]);
    }
    // A file may hold nothing but the numbers.
    Ok(vec![session::read_one(&text).map_err(|_| silent())?])
}

/// The control connections of a capture.
fn captured(mut bytes: &[u8]) -> Result<Vec<Session>, FormatError> {
    let mut reader = Reader::new();
    let mut conversations = Conversations::default();
    loop {
        match reader.next(bytes) {
            Step::Frame { consumed, frame } => {
                if let Ok(data) = tcp_data(&frame) {
                    conversations.add(&Data {
                        from: data.from,
                        to: data.to,
                        sequence: data.sequence,
                        bytes: data.bytes,
                    });
                }
                bytes = bytes.get(consumed..).unwrap_or_default();
            }
            Step::Skip(consumed) => {
                let consumed = usize::try_from(consumed).unwrap_or(usize::MAX);
                bytes = bytes.get(consumed..).unwrap_or_default();
            }
            // The end, or a packet that was cut off by it.
            Step::More(_) => return Ok(conversations.finish()),
            Step::Broken(error) => return Err(error),
        }
    }
}
