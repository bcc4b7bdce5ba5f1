//! Lists of sockets of every operating system, and what they say of themselves.
#![no_main]

use dayfly_systems::sockets::listed;
use dayfly_systems::{decoded, identify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let text = decoded(bytes);
    let listing = listed(&text);
    assert!(listing.sockets.len() as u64 + listing.cut <= text.lines().count() as u64);
    assert!(listing.sockets.iter().all(|socket| socket.tuple.local_port.number() != 0));
    for found in identify::identified(&text).ok().into_iter().chain(identify::identified_windows(&text)) {
        assert!(!found.version.contains(char::is_control));
    }
});
