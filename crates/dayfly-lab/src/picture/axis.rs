//! Round numbers along an axis, and how to write them.

use crate::scenario::SECOND;

/// About so many round numbers from 0 to `most`.
pub(super) fn ticks(most: f64, about: u32) -> Vec<f64> {
    let step = round_step(most / f64::from(about.max(1)));
    let count = (most / step + 1e-9).floor() as u32;
    (0..=count).map(|number| f64::from(number) * step).collect()
}

/// The least of 1, 2, 5, 10, 20 and so on that is not less.
fn round_step(step: f64) -> f64 {
    if step <= 0.0 || !step.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(step.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= step * 0.999);
    factor.unwrap_or(10.0) * power
}

/// Round times from 0 on: the numbers in nanoseconds, and the unit with its length.
pub(super) fn time_ticks(most: u64, about: u32) -> (Vec<f64>, &'static str, f64) {
    let second = SECOND as f64;
    let units = [
        ("µs", second / 1e6),
        ("ms", second / 1e3),
        ("s", second),
        ("min", 60.0 * second),
        ("h", 3600.0 * second),
        ("days", 86_400.0 * second),
    ];
    let fits = |unit: &&(&str, f64)| most as f64 / unit.1 >= 3.0;
    let (name, length) = *units.iter().rev().find(fits).unwrap_or(&units[0]);
    let ticks = ticks(most as f64 / length, about).into_iter().map(|tick| tick * length);
    (ticks.collect(), name, length)
}

/// A number with its thousands apart, or with the digits that it needs.
pub(super) fn number(value: f64) -> String {
    if value.abs() < 10.0 && value.fract().abs() > 1e-9 {
        let text = format!("{value:.2}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(ticks(28_232.0, 5), [0.0, 10_000.0, 20_000.0]);
        assert_eq!(ticks(100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(0.0, 5).len(), 1);
        let (ticks, unit, length) = time_ticks(600 * SECOND, 6);
        assert_eq!((unit, ticks.len(), ticks[1] / length), ("min", 6, 2.0));
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [(0.0, "0"), (28_232.0, "28,232"), (0.25, "0.25"), (2.5, "2.5")] {
            assert_eq!(number(value), text);
        }
    }
}
