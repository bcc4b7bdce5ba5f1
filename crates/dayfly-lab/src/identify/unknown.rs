//! The model without a rule: it learns which ports, which last digits and which distances are
//! frequent. Whoever forecasts worse than this has not understood the ports.

use std::collections::HashMap;

use super::math::log_sum;
use super::trace::Trace;

/// The logarithm of the likelihood, averaged over four ways to learn.
pub(super) fn log_likelihood(trace: &Trace) -> f64 {
    let uniform = -(trace.looks.len() as f64) * 65535_f64.ln();
    let ports = || trace.looks.iter().map(|look| look.port);
    let ways = [
        uniform,
        bits(ports(), false),
        bits(ports(), true),
        distances(trace, false),
        distances(trace, true),
    ];
    log_sum(ways.into_iter()) - (ways.len() as f64).ln()
}

/// A Polya tree over the bits of the port: each bit is foretold from the bits before it, the first
/// quickly and the later ones ever more slowly. From the low end of the number it learns parity and
/// strides, from the high end ranges.
fn bits(ports: impl Iterator<Item = u32>, from_low_end: bool) -> f64 {
    let mut seen: HashMap<(u32, u32), [f64; 2], foldhash::fast::FixedState> = HashMap::default();
    let mut log = 0.0;
    for port in ports {
        let port = if from_low_end { (port << 16).reverse_bits() } else { port };
        for depth in 0..16 {
            let (prefix, bit) = (port >> (16 - depth), port >> (15 - depth) & 1);
            let slow = f64::from((depth + 1) * (depth + 1)) / 2.0;
            let counts = seen.entry((depth, prefix)).or_default();
            let hits = counts[bit as usize];
            log += ((hits + slow) / (counts[0] + counts[1] + 2.0 * slow)).ln();
            counts[bit as usize] += 1.0;
        }
    }
    log
}

/// Distances from the last port, of all or of the destination: which sign and order of magnitude
/// comes how often; within these each is as likely as the others.
fn distances(trace: &Trace, by_destination: bool) -> f64 {
    const KINDS: usize = 2 * 17;
    let mut counts = [0.5; KINDS];
    let mut log = 0.0;
    for (index, look) in trace.looks.iter().enumerate() {
        let before = if by_destination { look.before } else { index.checked_sub(1) };
        let Some(before) = before else {
            log -= 65535_f64.ln();
            continue;
        };
        let from = trace.looks[before].port;
        let distance = look.port.abs_diff(from);
        // 0, 1, 2-3, 4-7, ...
        let magnitude = (u32::BITS - distance.leading_zeros()) as usize;
        let kind = magnitude * 2 + usize::from(look.port < from);
        let width = if magnitude == 0 { 1.0 } else { (1_u64 << (magnitude - 1)) as f64 };
        log += (counts[kind] / counts.iter().sum::<f64>() / width).ln();
        counts[kind] += 1.0;
    }
    log
}
