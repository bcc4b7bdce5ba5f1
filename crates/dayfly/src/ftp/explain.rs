//! `dayfly ftp explain`: a session, a message, or its numbers.

use std::fs;
use std::io::{Read, stdin};
use std::path::Path;

use dayfly_insight::ftp::session::{self, Session};

use super::args::ExplainArgs;
use crate::error::Failure;
use crate::render;

pub(super) fn run(args: &ExplainArgs) -> Result<(), Failure> {
    let session = read(&args.subject)?;
    if args.output.json {
        return render::print_json(&render::ftp_json::Explained::new(&session));
    }
    let text = render::ftp::explained(&session, render::Screen::of_terminal());
    render::print_text(&text, args.output.color)
}

fn read(subject: &str) -> Result<Session, Failure> {
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
    session::read_one(subject).map_err(|error| {
        Failure::new(format_args!("{subject:?} is neither a message of FTP nor a file: {error}"))
            .hint("for instance `dayfly ftp explain 'PORT 192,168,1,2,7,138'`, or `curl -v ... 2>&1 | dayfly ftp explain`")
    })
}

fn of_bytes(name: &str, bytes: &[u8]) -> Result<Session, Failure> {
    let text = String::from_utf8_lossy(bytes);
    let session = session::read(&text);
    if !session.connections.is_empty() || !session.misread.is_empty() {
        return Ok(session);
    }
    // A file may hold nothing but the numbers.
    session::read_one(&text).map_err(|_| {
        Failure::new(format_args!("{name} names no data connection"))
            .hint("what is expected are lines with PORT, EPRT, or the answers 227 and 229 to PASV and EPSV")
    })
}
