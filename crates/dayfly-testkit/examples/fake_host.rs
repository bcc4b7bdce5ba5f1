//! A fake host to try things on by hand: `cargo run -p dayfly-testkit --example fake_host -- freebsd`.
//!
//! Prints how to reach it, and keeps it until standard input ends.

use std::io::Read;

use dayfly_testkit::FakeHost;

fn main() {
    let system = std::env::args().nth(1).unwrap_or_else(|| "freebsd".to_owned());
    let host = FakeHost::start(&system);
    let (namespace, folder) = (host.namespace().name(), host.folder().display());
    println!("ip netns exec {namespace} env PATH={folder}/bin:$PATH dayfly --host {}", host.url());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
