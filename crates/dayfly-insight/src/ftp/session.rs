//! What was said on a control connection: who connects where for each transfer.
//!
//! Lines are taken as clients and servers print them: bare, or behind the marks of curl (`> `),
//! lftp (`---> `), ftplib (`*cmd* '`), FileZilla (`Command:`), vsftpd's `xferlog`, pyftpdlib or a
//! capture. Commands are the client's and replies the server's, so the marks need not be
//! understood, only passed over.

mod connection;

use std::net::IpAddr;

pub use self::connection::{DataConnection, Outcome, Remark, is_private};
use super::Mode;
use super::address::{self, AddressError, DataAddress};

/// Everything worth knowing of a control connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The client's address, where a line named it.
    pub client: Option<IpAddr>,
    /// The server's address, where a line named it.
    pub server: Option<IpAddr>,
    /// The line, counted from 1, from which on the control connection is encrypted.
    pub encrypted_from: Option<usize>,
    /// The data connections, in order.
    pub connections: Vec<DataConnection>,
    /// Lines that should have named a data connection, and why they do not.
    pub misread: Vec<Misread>,
}

/// A line that names no data connection although it should.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The line, counted from 1.
    pub line: usize,
    /// The line from the command or reply on.
    pub said: String,
    /// Why.
    pub error: AddressError,
}

/// Reads a session.
#[must_use]
pub fn read(text: &str) -> Session {
    let mut reader = Reader::default();
    for line in text.lines() {
        reader.line(line);
    }
    reader.session
}

/// Reads one message, an answer or a bare address: `192,168,1,2,7,138`.
///
/// # Errors
/// [`AddressError`]
pub fn read_one(text: &str) -> Result<Session, AddressError> {
    let session = read(text);
    if let Some(misread) = session.misread.first() {
        return Err(misread.error.clone());
    }
    if !session.connections.is_empty() {
        return Ok(session);
    }
    let to = address::find(text)?;
    // A bare address says nothing about who listens there: an answer to EPSV names no address, and
    // anything else is taken for passive too, which nearly every client is today.
    let connection = DataConnection {
        line: 0,
        said: text.trim().to_owned(),
        mode: Mode::Passive,
        to,
        encrypted: false,
        purpose: None,
        outcome: Outcome::Unknown,
    };
    Ok(Session { connections: vec![connection], ..Session::default() })
}

/// One message.
enum Said<'a> {
    Command { verb: &'static str, text: &'a str },
    Reply { code: u16, text: &'a str },
}

/// The commands that matter here.
const VERBS: [&str; 14] = [
    "PORT", "EPRT", "PASV", "EPSV", "AUTH", "CCC", "RETR", "STOR", "APPE", "STOU", "LIST", "NLST",
    "MLSD", "QUIT",
];

/// Takes lines in, one by one.
#[derive(Debug, Default)]
pub(super) struct Reader {
    session: Session,
    lines: usize,
    /// AUTH was said and not yet answered.
    auth: bool,
    /// CCC was said and not yet answered.
    clear: bool,
    /// A PORT or EPRT was said and not yet answered.
    offered: bool,
    /// What the next data connection is for.
    encrypted: bool,
}

impl Reader {
    /// For a session between these.
    pub(super) fn between(client: IpAddr, server: IpAddr) -> Reader {
        let session = Session { client: Some(client), server: Some(server), ..Session::default() };
        Reader { session, ..Reader::default() }
    }

    /// Whether what is said now can be read by nobody else.
    pub(super) const fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// What was said.
    pub(super) fn finish(self) -> Session {
        self.session
    }

    pub(super) fn line(&mut self, line: &str) {
        self.lines += 1;
        match said(line) {
            Some(Said::Command { verb, text }) => self.command(verb, text),
            Some(Said::Reply { code, text }) => self.reply(code, text),
            None => {
                if let Some(address) = connected_to(line) {
                    self.session.server = Some(address);
                }
            }
        }
    }

    fn command(&mut self, verb: &'static str, text: &str) {
        match verb {
            "PORT" | "EPRT" => {
                let argument = &text[verb.len()..];
                let found = if verb == "PORT" {
                    address::numbers(argument)
                } else {
                    address::extended(argument)
                };
                self.agreed(Mode::Active, text, found);
                self.offered = true;
            }
            "AUTH" => self.auth = true,
            "CCC" => self.clear = true,
            "RETR" | "STOR" | "APPE" | "STOU" | "LIST" | "NLST" | "MLSD" => {
                if let Some(last) = self.session.connections.last_mut()
                    && last.purpose.is_none()
                {
                    last.purpose = Some(quoted(text));
                }
            }
            _ => {}
        }
    }

    fn reply(&mut self, code: u16, text: &str) {
        match code {
            227 => self.agreed(Mode::Passive, text, address::numbers(&text[3..])),
            229 => self.agreed(Mode::Passive, text, address::extended(&text[3..])),
            234 if self.auth => {
                self.encrypted = true;
                self.session.encrypted_from.get_or_insert(self.lines + 1);
            }
            200 if self.clear => self.encrypted = false,
            125 | 150 | 226 | 250 => self.outcome(Outcome::Worked),
            // Answers to AUTH say nothing about transfers.
            400..=599 if !self.auth && !self.clear => {
                self.outcome(Outcome::Failed(quoted(text)));
            }
            _ => {}
        }
        (self.auth, self.clear, self.offered) = (false, false, false);
    }

    fn outcome(&mut self, outcome: Outcome) {
        if let Some(last) = self.session.connections.last_mut() {
            // Once it was refused, later words belong to something else; but a transfer that began
            // may still fail.
            let settled = matches!(last.outcome, Outcome::Failed(_));
            // A refusal of another command does not concern a transfer that nobody asked for, or
            // that worked.
            let concerned = self.offered || last.purpose.is_some() || outcome == Outcome::Worked;
            if !settled && concerned {
                last.outcome = outcome;
            }
        }
    }

    fn agreed(&mut self, mode: Mode, text: &str, found: Result<DataAddress, AddressError>) {
        let (line, said) = (self.lines, quoted(text));
        match found {
            Ok(to) => self.session.connections.push(DataConnection {
                line,
                said,
                mode,
                to,
                encrypted: self.encrypted,
                purpose: None,
                outcome: Outcome::Unknown,
            }),
            Err(error) => self.session.misread.push(Misread { line, said, error }),
        }
    }
}

/// The message without what follows it in the marks of a log, and without control characters.
fn quoted(text: &str) -> String {
    let text = text.trim().trim_end_matches(['\'', '"']);
    let text = text.strip_suffix("\\r\\n").or_else(|| text.strip_suffix("\\n")).unwrap_or(text);
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// The first command or reply in a line.
fn said(line: &str) -> Option<Said<'_>> {
    let bytes = line.as_bytes();
    let mut start = 0;
    let mut first = true;
    while start < bytes.len() {
        if !bytes[start].is_ascii_alphanumeric() {
            start += 1;
            continue;
        }
        let length = bytes[start..].iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
        let (word, text) = (&line[start..start + length], &line[start..]);
        // Digits and letters belong to something longer: a time, an address, a name.
        let before = start.checked_sub(1).map(|at| bytes[at]);
        let alone = before.is_none_or(|byte| byte.is_ascii() && !b".:-_/,@=".contains(&byte));
        let next = bytes.get(start + length).copied();
        if alone && let Some(found) = message(word, text, next, first) {
            return Some(found);
        }
        first = false;
        start += length;
    }
    None
}

fn message<'a>(word: &str, text: &'a str, next: Option<u8>, first: bool) -> Option<Said<'a>> {
    let ends = next.is_none_or(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\'' | b'"' | b'\\'));
    if let Some(verb) = VERBS.into_iter().find(|verb| *verb == word).filter(|_| ends) {
        return Some(Said::Command { verb, text });
    }
    let code: u16 = word.parse().ok().filter(|code| (100..600).contains(code))?;
    // A reply begins the line, or its text begins with a capital, or it is one that names a port.
    let follows = text[word.len()..].chars().nth(1);
    let sentence = first || follows.is_some_and(char::is_uppercase);
    let marked = ends || next == Some(b'-');
    let names_port = matches!(code, 227 | 229) && ends;
    (word.len() == 3 && (names_port || (marked && sentence))).then_some(Said::Reply { code, text })
}

/// The server's address in what clients print: curl `Connected to NAME (ADDRESS) port 21`, lftp
/// `Connecting to NAME (ADDRESS) port 21`, ftp `Connected to ADDRESS.`.
fn connected_to(line: &str) -> Option<IpAddr> {
    let (_, rest) =
        line.split_once("Connected to ").or_else(|| line.split_once("Connecting to "))?;
    let parenthesis = rest.split_once('(').and_then(|(_, rest)| rest.split_once(')'));
    let named = parenthesis.map_or(rest, |(inside, _)| inside);
    let word = named.split_whitespace().next()?;
    word.trim_end_matches(['.', ',']).parse().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use dayfly_ports::Port;

    use super::*;
    use crate::ftp::Side;

    fn told(text: &str) -> Vec<String> {
        let session = read(text);
        let one = |connection: &DataConnection| {
            let outcome = match &connection.outcome {
                Outcome::Unknown => "unknown",
                Outcome::Worked => "worked",
                Outcome::Failed(_) => "failed",
            };
            let locked = if connection.encrypted { " encrypted" } else { "" };
            let purpose = connection.purpose.as_deref().unwrap_or("-");
            let (mode, to) = (connection.mode, connection.to);
            format!("{mode} {to}{locked} {purpose} {outcome}")
        };
        session.connections.iter().map(one).collect()
    }

    const CURL: &str = "* Connected to files.example (203.0.113.5) port 21 (#0)\n\
        < 220 (vsFTPd 3.0.3)\n> USER anonymous\n< 331 Please specify the password.\n\
        > EPSV\n< 229 Entering Extended Passive Mode (|||50007|)\n> TYPE I\n\
        < 200 Switching to Binary mode.\n> RETR a.txt\n\
        < 150 Opening BINARY mode data connection for a.txt (425 bytes).\n< 226 Transfer complete.\n";

    #[test]
    fn a_session_of_curl() {
        assert_eq!(told(CURL), ["passive port 50007 RETR a.txt worked"]);
        let session = read(CURL);
        assert_eq!(session.server, Some([203, 0, 113, 5].into()));
        assert_eq!(session.connections[0].address(&session), session.server);
        assert_eq!(session.connections[0].connects(), Side::Client);
        assert!(session.connections[0].remarks(&session).is_empty());
    }

    #[test]
    fn marks_of_other_programs_are_passed_over() {
        for text in [
            "---> PORT 10,0,0,2,128,1\n<--- 200 PORT command successful.\n---> LIST\n\
             <--- 425 Failed to establish connection.\n",
            "*cmd* 'PORT 10,0,0,2,128,1'\n*resp* '200 PORT command successful.'\n*cmd* 'LIST'\n\
             *resp* '425 Failed to establish connection.'\n",
            "Command:\tPORT 10,0,0,2,128,1\nResponse:\t200 PORT command successful.\n\
             Command:\tLIST\nResponse:\t425 Failed to establish connection.\n",
            "Sat Nov 21 07:10:42 2026 [pid 2] [ftp] FTP command: Client \"10.0.0.2\", \"PORT \
             10,0,0,2,128,1\"\nSat Nov 21 07:10:42 2026 [pid 2] [ftp] FTP response: Client \
             \"10.0.0.2\", \"200 PORT command successful. Consider using PASV.\"\n\
             Sat Nov 21 07:10:42 2026 [pid 2] [ftp] FTP command: Client \"10.0.0.2\", \"LIST\"\n\
             Sat Nov 21 07:11:42 2026 [pid 2] [ftp] FTP response: Client \"10.0.0.2\", \"425 Failed \
             to establish connection.\"\n",
            "[D 2026-11-21 07:10:42.200] 10.0.0.2:40000-[anonymous] <- PORT 10,0,0,2,128,1\n\
             [D 2026-11-21 07:10:42.425] 10.0.0.2:40000-[anonymous] -> 200 Active data connection \
             established.\n10.0.0.2:40000-[anonymous] <- LIST\n\
             10.0.0.2:40000-[anonymous] -> 425 Can't connect to specified address.\n",
        ] {
            assert_eq!(told(text), ["active 10.0.0.2:32769 LIST failed"], "{text}");
        }
    }

    #[test]
    fn what_is_said_after_auth_is_unreadable_until_it_is_cleared() {
        let text = "AUTH TLS\n234 ok\nPROT P\n200 Protection set.\n\
            EPRT |1|192.0.2.1|40000|\n200 EPRT command successful.\nCCC\n200 Control channel cleared.\n\
            PASV\n227 Entering Passive Mode (192,0,2,5,195,80).\n";
        assert_eq!(
            told(text),
            ["active 192.0.2.1:40000 encrypted - unknown", "passive 192.0.2.5:50000 - unknown"]
        );
        assert_eq!(read(text).encrypted_from, Some(3));
        assert!(read("AUTH TLS\n502 Command not implemented.\n").encrypted_from.is_none());
    }

    #[test]
    fn refusals_and_nonsense_are_told() {
        let refused = "PORT 192,168,1,2,7,138\n500 Illegal PORT command.\n";
        assert_eq!(told(refused), ["active 192.168.1.2:1930 - failed"]);
        let session = read("PORT 192,168,1,2,700,138\n");
        assert_eq!(session.misread[0].error, AddressError::Number("700".to_owned()));
        // Nobody asked for a transfer: the refusal concerns something else.
        let other = "PASV\n227 Entering Passive Mode (192,0,2,5,195,80)\nSITE X\n500 Unknown.\n";
        assert_eq!(told(other), ["passive 192.0.2.5:50000 - unknown"]);
    }

    #[test]
    fn addresses_that_do_not_fit_are_remarked() {
        let remarks = |text: &str| {
            let session = read(text);
            let connection = &session.connections[0];
            connection.remarks(&session).iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let passive = "227 Entering Passive Mode (192,168,1,2,7,138)\n";
        assert!(remarks(passive)[0].starts_with("192.168.1.2 is a private address"));
        let nat = format!("* Connected to f (203.0.113.5) port 21\n{passive}");
        assert!(remarks(&nat)[0].contains("the control connection has 203.0.113.5: NAT between"));
        let same = format!("* Connected to f (192.168.1.2) port 21\n{passive}");
        assert!(remarks(&same).is_empty());
        let low = "PORT 192,0,2,1,2,1\n";
        assert!(remarks(low)[0].starts_with("port 513 is below 1024"));
        assert!(remarks("PORT 0,0,0,0,200,1\n")[0].contains("names no address"));
    }

    #[test]
    fn one_message_is_enough() {
        let one = |text: &str| read_one(text).map(|session| session.connections[0].clone());
        assert_eq!(one("192,168,1,2,7,138").unwrap().to.port, Port::new(1930));
        assert_eq!(one("PORT 192,168,1,2,7,138").unwrap().mode, Mode::Active);
        assert_eq!(one("EPRT |2|::1|5282|").unwrap().mode, Mode::Active);
        assert_eq!(one("(|||6446|)").unwrap().mode, Mode::Passive);
        assert!(one("PORT 1,2,3").is_err());
        assert!(one("hello").is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_read(
            text in "\\PC{0,80}|((PORT|PASV|227|229|AUTH TLS|425|234) [0-9,|()]{0,24}\n){0,6}"
        ) {
            let session = read(&text);
            prop_assert!(session.connections.len() + session.misread.len() <= text.lines().count());
            for connection in &session.connections {
                let _ = connection.remarks(&session);
            }
            let _ = read_one(&text);
        }
    }
}
