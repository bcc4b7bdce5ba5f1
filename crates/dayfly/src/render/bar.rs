//! The fill of a destination as a bar: `[=====|==xx......]`.

use dayfly_insight::Destination;

/// A bar of `width` characters, brackets included.
///
/// `=` used, `x` blocked, `.` free, and `|` the cliff: where connections will stand when the ports
/// that the kernel takes first are gone. It is not drawn once it is passed.
pub(crate) fn bar(row: &Destination, width: usize) -> String {
    let inside = width.saturating_sub(2).max(1);
    let cells = |ports: u32| share(ports, row.usable, inside);
    let used = cells(row.used);
    let taken = cells(row.usable - row.free).max(used);
    let mut text: Vec<u8> = vec![b'.'; inside];
    text[..used].fill(b'=');
    text[used..taken].fill(b'x');
    if row.fast_free > 0 && row.fast_free < row.free {
        let cliff = cells(row.usable - row.free + row.fast_free);
        text[cliff.min(inside - 1)] = b'|';
    }
    format!("[{}]", String::from_utf8_lossy(&text))
}

/// How many of `cells` stand for `part` of `whole`: all only if it is all, none only if it is
/// nothing.
fn share(part: u32, whole: u32, cells: usize) -> usize {
    if part == 0 {
        return 0;
    }
    if part >= whole {
        return cells;
    }
    let exact = f64::from(part) / f64::from(whole) * cells as f64;
    (exact.round() as usize).clamp(1, cells.saturating_sub(1).max(1))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use dayfly_insight::DestinationKey;
    use dayfly_ports::{Port, Protocol};
    use proptest::prelude::*;

    use super::*;

    fn row(usable: u32, used: u32, blocked: u32, fast_free: u32) -> Destination {
        Destination {
            key: DestinationKey {
                protocol: Protocol::Tcp,
                source: Ipv4Addr::LOCALHOST.into(),
                destination: Ipv4Addr::LOCALHOST.into(),
                port: Port::new(80),
            },
            usable,
            used,
            time_wait: 0,
            reusable: 0,
            blocked,
            suspected: 0,
            free: usable - used - blocked,
            free_min: usable - used - blocked,
            fast_free,
        }
    }

    #[test]
    fn shows_use_blocks_and_the_cliff() {
        assert_eq!(bar(&row(100, 0, 0, 50), 12), "[.....|....]");
        assert_eq!(bar(&row(100, 30, 0, 20), 12), "[===..|....]");
        assert_eq!(bar(&row(100, 30, 20, 10), 12), "[===xx.|...]");
        assert_eq!(bar(&row(100, 60, 0, 0), 12), "[======....]");
        assert_eq!(bar(&row(100, 99, 0, 0), 12), "[=========.]");
        assert_eq!(bar(&row(100, 100, 0, 0), 12), "[==========]");
        assert_eq!(bar(&row(0, 0, 0, 0), 12), "[..........]");
    }

    proptest! {
        #[test]
        fn is_as_wide_as_asked(
            usable in 0u32..65537, used: u16, blocked: u16, fast: u16, width in 3usize..60
        ) {
            let used = u32::from(used).min(usable);
            let blocked = u32::from(blocked).min(usable - used);
            let fast = u32::from(fast).min(usable - used - blocked);
            prop_assert_eq!(bar(&row(usable, used, blocked, fast), width).len(), width);
        }
    }
}
