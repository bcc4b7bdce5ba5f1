//! What the kernel sends, and what it never should: frames, sockets, attributes, and the fold
//! behind them.
#![no_main]

use dayfly_insight::{Fold, Settings};
use dayfly_linux::netlink::{Frame, Frames};
use dayfly_linux::sock_diag::SocketMessage;
use dayfly_ports::Protocol;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut fold = Fold::new(Settings::linux_defaults(), 0);
    for frame in Frames::new(bytes) {
        let Ok(Frame::Message { payload, .. }) = frame else { continue };
        for protocol in Protocol::ALL {
            if let Ok(message) = SocketMessage::parse(protocol, payload) {
                assert!(message.attributes.clone().count() <= payload.len() / 4);
                fold.add(&message.socket);
            }
        }
    }
    let headroom = fold.finish();
    for row in &headroom.destinations {
        assert_eq!(row.usable, row.used + row.blocked + row.free);
        assert!(row.free_min <= row.free && row.fast_free <= row.free);
    }
});
