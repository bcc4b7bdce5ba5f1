//! Port lists and ranges: what is read prints and reads back as the same.
#![no_main]

use dayfly_ports::{PortRange, PortSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(set) = text.parse::<PortSet>() {
        assert_eq!(set.to_string().parse(), Ok(set));
    }
    if let Ok(range) = text.parse::<PortRange>() {
        assert_eq!(range.to_string().parse(), Ok(range));
    }
});
