//! The chance that netfilter gives up although ports are free.

/// Ports that are tried in a row, from random places: 128, then half as many each time.
const ROUNDS: [u32; 5] = [128, 64, 32, 16, 8];

/// How likely a new connection finds none of `room` ports when `used` of them are taken, 0 to 1
/// (`nf_nat_l4proto_unique_tuple` in `net/netfilter/nf_nat_core.c`).
///
/// Up to 128 ports all are tried: 0 while one is free. Above, 248 are tried; with the taken ports
/// spread evenly that is `(used / room)^248`. Connections that keep their own port, because nobody
/// else has it, never ask: this is the chance of one that does.
#[must_use]
pub fn failure_probability(room: u32, used: u32) -> f64 {
    if used >= room {
        return 1.0;
    }
    let mut probes = 0;
    for attempts in ROUNDS {
        if attempts >= room {
            return 0.0;
        }
        probes += attempts as i32;
    }
    (f64::from(used) / f64::from(room)).powi(probes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_ranges_are_tried_whole() {
        assert_eq!(failure_probability(20, 19), 0.0);
        assert_eq!(failure_probability(128, 127), 0.0);
        assert_eq!(failure_probability(20, 20), 1.0);
        assert!(failure_probability(129, 128) > 0.1);
    }

    #[test]
    fn large_ranges_fail_before_they_are_full() {
        let percent = |used| (failure_probability(64_512, used) * 1000.0).round() / 10.0;
        assert_eq!(percent(63_222), 0.7);
        assert_eq!(percent(63_867), 8.3);
        assert_eq!(percent(64_512), 100.0);
        assert!(failure_probability(64_512, 61_286) < 1e-5);
    }
}
