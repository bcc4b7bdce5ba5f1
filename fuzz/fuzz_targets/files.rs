//! Files that people write: sysctl files, socket units, compose files, manifests.
#![no_main]

use dayfly_insight::doctor::service_files::{compose, manifest, socket_unit};
use dayfly_insight::doctor::sysctl_files::{assignments, in_order};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    assert!(assignments("file", text).len() <= text.lines().count());
    let paths: Vec<String> = text.lines().map(str::to_owned).collect();
    assert!(in_order(paths.clone()).len() <= paths.len());
    for ports in [socket_unit("file", text), compose("file", text), manifest("file", text)] {
        assert!(ports.iter().all(|found| !found.file.is_empty()));
    }
});
