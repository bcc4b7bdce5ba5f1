//! What processes and container engines can choose themselves: command lines, control groups.
#![no_main]

use dayfly_linux::owners::{command_line, container_of, socket_inode, unit_of, user_name};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = command_line(bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = (container_of(text), unit_of(text), socket_inode(text), user_name(text, 0));
    }
});
