//! What FTP clients and servers say, and the files of FTP servers.
#![no_main]

use dayfly_insight::ftp::server::{self, Passive, launch};
use dayfly_insight::ftp::conversation::{Conversations, Data};
use dayfly_insight::ftp::{address, session};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let read = session::read(text);
    assert!(read.connections.len() + read.misread.len() <= text.lines().count());
    for connection in &read.connections {
        assert_ne!(connection.to.port.number(), 0);
        let _ = connection.remarks(&read);
    }
    if let Ok(found) = address::find(text) {
        assert_ne!(found.port.number(), 0);
    }
    let mut conversations = Conversations::default();
    let ends = ([192, 0, 2, 1], 40_000).into();
    let server = ([198, 51, 100, 7], 21).into();
    for (index, piece) in text.split('~').enumerate() {
        let (from, to) = if index % 2 == 0 { (ends, server) } else { (server, ends) };
        let sequence = piece.len() as u32 * index as u32;
        conversations.add(&Data { from, to, sequence, bytes: piece.as_bytes() });
    }
    assert!(conversations.finish().len() <= 1);
    let (file, rest) = text.split_once('\n').unwrap_or(("f", text));
    if let Some(config) = server::read(file, rest)
        && let Passive::Limited(ports) = config.passive
    {
        assert!(!ports.is_empty());
    }
    let words: Vec<&str> = text.split(' ').collect();
    if let Some(launch) = launch::of(&words) {
        let _ = server::read_as(launch.product, "f", &launch.settings);
    }
});
