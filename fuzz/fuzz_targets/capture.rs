//! Captures of any format, frames of any link, lines of text, and what is concluded from them.
#![no_main]

use dayfly_lab::capture::{Frame, LinkType, Reader, Step, decode, text};
use dayfly_lab::identify::{Collector, identify};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut collector = Collector::new(1);
    let (mut reader, mut at) = (Reader::new(), 0);
    loop {
        match reader.next(&bytes[at..]) {
            Step::Frame { consumed, frame } => {
                assert!(frame.bytes.len() <= consumed);
                collector.add(&frame);
                at += consumed;
            }
            Step::Skip(count) => at = usize::try_from(count).map_or(bytes.len(), |n| at + n).min(bytes.len()),
            Step::More(needed) => {
                assert!(needed > bytes.len() - at);
                break;
            }
            Step::Broken(error) => {
                assert!(!error.to_string().is_empty());
                break;
            }
        }
    }
    if let [link, frame @ ..] = bytes {
        for link in [u32::from(*link), 113, 276] {
            let _ = decode(&Frame { time: None, link: LinkType(link), bytes: frame });
        }
    }
    for line in String::from_utf8_lossy(bytes).lines() {
        if let Ok(Some((tuple, time))) = text::line(line) {
            collector.add_opening(tuple, time);
        }
    }
    let (hosts, tally) = collector.finish();
    assert!(tally.openings <= tally.packets);
    for host in hosts.iter().take(2) {
        let verdict = identify(host).expect("a host has openings");
        assert!((0.0..=1.0 + 1e-9).contains(&verdict.probability));
    }
});
