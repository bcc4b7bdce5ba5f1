//! What rpcbind says, the list of ports that RPC keeps away from, and the words of TFTP servers.
#![no_main]

use dayfly_insight::rpc::{kept_ports, programs};
use dayfly_insight::tftp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(programs(text).len() <= text.lines().count());
    assert!(kept_ports(text).len() as usize <= text.lines().count());
    let words: Vec<&str> = text.split(' ').collect();
    if let Some(server) = tftp::of_command(&words) {
        assert!(!server.program.is_empty());
    }
});
