//! What ctnetlink, nft and iptables say about translation.
#![no_main]

use dayfly_insight::nat::rules::{from_iptables_save, from_nft_json};
use dayfly_linux::conntrack::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = parse(bytes);
    let text = String::from_utf8_lossy(bytes);
    for rule in from_iptables_save(&text).into_iter().chain(from_nft_json(&text)) {
        assert!(!rule.text.is_empty());
    }
});
