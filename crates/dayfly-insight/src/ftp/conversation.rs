//! Control connections out of captured packets: the bytes of both directions, put in order, line by
//! line.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::session::{Reader, Session};

/// Longer lines are no FTP.
const LONGEST_LINE: usize = 4096;
/// What a server greets with.
const GREETING: &[u8] = b"220";
/// Where servers listen, for conversations whose greeting was not captured.
const CONTROL: u16 = 21;

/// The data of one TCP segment.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// Who sent it.
    pub from: SocketAddr,
    /// Who gets it.
    pub to: SocketAddr,
    /// The sequence number of its first byte.
    pub sequence: u32,
    /// The bytes.
    pub bytes: &'a [u8],
}

/// Conversations, in the order in which they began.
#[derive(Debug, Default)]
pub struct Conversations {
    places: BTreeMap<(SocketAddr, SocketAddr), usize>,
    all: Vec<Conversation>,
}

#[derive(Debug)]
struct Conversation {
    client: SocketAddr,
    reader: Reader,
    to_server: Stream,
    to_client: Stream,
}

/// One direction.
#[derive(Debug, Default)]
struct Stream {
    /// The sequence number of the next byte.
    next: Option<u32>,
    /// A line without its end.
    partial: Vec<u8>,
}

impl Conversations {
    /// Takes a segment in. What belongs to no control connection is passed over: one is known by its
    /// server's greeting or by port 21.
    pub fn add(&mut self, data: &Data<'_>) {
        if data.bytes.is_empty() {
            return;
        }
        let (low, high) = (data.from.min(data.to), data.from.max(data.to));
        let place = match self.places.get(&(low, high)) {
            Some(&place) => place,
            None => {
                let from_server = data.bytes.starts_with(GREETING) || data.from.port() == CONTROL;
                if !from_server && data.to.port() != CONTROL {
                    return;
                }
                let (client, server) =
                    if from_server { (data.to, data.from) } else { (data.from, data.to) };
                self.places.insert((low, high), self.all.len());
                self.all.push(Conversation {
                    client,
                    reader: Reader::between(client.ip(), server.ip()),
                    to_server: Stream::default(),
                    to_client: Stream::default(),
                });
                self.all.len() - 1
            }
        };
        self.all[place].add(data);
    }

    /// What was said in each.
    #[must_use]
    pub fn finish(self) -> Vec<Session> {
        self.all.into_iter().map(|one| one.reader.finish()).collect()
    }
}

impl Conversation {
    fn add(&mut self, data: &Data<'_>) {
        let stream =
            if data.from == self.client { &mut self.to_server } else { &mut self.to_client };
        let reader = &mut self.reader;
        stream.add(data.sequence, data.bytes, |line| {
            // What follows is no text any more.
            if !reader.is_encrypted() {
                reader.line(line);
            }
        });
    }
}

impl Stream {
    /// Takes the new part of a segment: what was sent again is passed over, what is missing is
    /// given up.
    fn add(&mut self, sequence: u32, bytes: &[u8], mut line: impl FnMut(&str)) {
        let seen = self.next.map_or(0, |next| next.wrapping_sub(sequence));
        // Half of the sequence space lies ahead: a gap.
        let (seen, gap) = if seen > u32::MAX / 2 { (0, true) } else { (seen as usize, false) };
        if gap {
            self.partial.clear();
        }
        let Some(new) = bytes.get(seen..).filter(|new| !new.is_empty()) else { return };
        self.next = Some(sequence.wrapping_add(bytes.len() as u32));
        for &byte in new {
            if byte == b'\n' {
                line(&String::from_utf8_lossy(&self.partial));
                self.partial.clear();
            } else if self.partial.len() < LONGEST_LINE {
                self.partial.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIENT: &str = "192.0.2.1:40000";
    const SERVER: &str = "198.51.100.7:2121";

    fn add(all: &mut Conversations, from: &str, to: &str, sequence: u32, text: &str) {
        all.add(&Data {
            from: from.parse().unwrap(),
            to: to.parse().unwrap(),
            sequence,
            bytes: text.as_bytes(),
        });
    }

    #[test]
    fn pieces_repetitions_and_other_connections() {
        let mut all = Conversations::default();
        add(&mut all, "192.0.2.1:5", "198.51.100.7:80", 1, "GET / HTTP/1.1\r\nPASV\r\n");
        add(&mut all, SERVER, CLIENT, u32::MAX - 3, "220 ok\r\n");
        add(&mut all, CLIENT, SERVER, 100, "PA");
        add(&mut all, CLIENT, SERVER, 100, "PASV\r\n");
        add(&mut all, CLIENT, SERVER, 100, "PASV\r\n");
        add(&mut all, SERVER, CLIENT, 4, "227 Entering Passive Mode (198,51,100,7,");
        add(&mut all, SERVER, CLIENT, 44, "7,138).\r\n");
        add(&mut all, SERVER, CLIENT, 4, "227 Entering Passive Mode (198,51,100,7,");
        let sessions = all.finish();
        assert_eq!(sessions.len(), 1);
        assert_eq!(sessions[0].connections.len(), 1, "{sessions:?}");
        assert_eq!(sessions[0].connections[0].to.to_string(), "198.51.100.7:1930");
        assert_eq!(sessions[0].client, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(sessions[0].server, Some("198.51.100.7".parse().unwrap()));
    }

    #[test]
    fn encryption_ends_the_reading() {
        let mut all = Conversations::default();
        add(&mut all, CLIENT, "198.51.100.7:21", 1, "AUTH TLS\r\n");
        add(&mut all, "198.51.100.7:21", CLIENT, 1, "234 ok\r\n");
        add(&mut all, "198.51.100.7:21", CLIENT, 9, "227 (1,2,3,4,5,6)\r\n");
        let sessions = all.finish();
        assert!(sessions[0].encrypted_from.is_some() && sessions[0].connections.is_empty());
    }

    proptest! {
        #[test]
        fn any_segments_are_taken(
            segments in prop::collection::vec((any::<bool>(), any::<u32>(), "\\PC{0,30}\n?"), 0..9)
        ) {
            let mut all = Conversations::default();
            for (up, sequence, text) in segments {
                let (from, to) = if up { (CLIENT, SERVER) } else { (SERVER, CLIENT) };
                add(&mut all, from, to, sequence, &text);
            }
            prop_assert!(all.finish().len() <= 1);
        }
    }
}
