//! Draws from distributions, with nothing but additions and multiplications: the logarithms of
//! mathematical libraries differ in their last bits from one machine to the next, and the same seed
//! has to give the same outcome everywhere.

use dayfly_alloc::Random;

use super::quantity::Nanos;

/// How many cells the numbers from 1 to 2 are divided into.
const CELLS: usize = 128;
const LN_2: f64 = std::f64::consts::LN_2;

/// A cell's middle, its reciprocal and its logarithm.
const TABLE: [[f64; 3]; CELLS] = {
    let mut table = [[0.0; 3]; CELLS];
    let mut cell = 0;
    while cell < CELLS {
        let middle = 1.0 + (cell as f64 + 0.5) / CELLS as f64;
        table[cell] = [middle, 1.0 / middle, ln_by_series(middle)];
        cell += 1;
    }
    table
};

/// The logarithm of a number from 1 to 2: twice the inverse hyperbolic tangent of (x - 1) / (x + 1).
const fn ln_by_series(x: f64) -> f64 {
    let z = (x - 1.0) / (x + 1.0);
    let (mut sum, mut power, mut term) = (0.0, z, 1);
    while term < 41 {
        sum += power / term as f64;
        power *= z * z;
        term += 2;
    }
    2.0 * sum
}

/// A draw from 0 to 1, without 1.
pub(super) fn unit(random: &mut impl Random) -> f64 {
    (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
}

/// A draw from the exponential distribution, to the nearest nanosecond.
#[inline]
pub(crate) fn exponential(mean: f64, random: &mut impl Random) -> Nanos {
    let draw = minus_ln((1 << 53) - (random.next_u64() >> 11));
    nearest(draw * mean)
}

/// As `round() as Nanos` gives it for times up to 292 years, in a few instructions.
#[inline]
pub(crate) fn nearest(time: f64) -> Nanos {
    // Signed, because processors have an instruction for that.
    let whole = time as i64;
    // Exact: below 2^53 both are, and from there on every number is whole.
    whole.saturating_add(i64::from(time - whole as f64 >= 0.5)).cast_unsigned()
}

/// Minus the natural logarithm of `m` / 2^53, for `m` from 1 to 2^53, to within 4e-16 or so.
#[inline]
fn minus_ln(m: u64) -> f64 {
    let halvings = m.leading_zeros() - 10;
    // From 2^53 to 2^54; but for 2^53 itself the last bit is 0.
    let scaled = m << halvings;
    let fraction = scaled >> 1 & ((1 << 52) - 1);
    let [middle, reciprocal, logarithm] = TABLE[(fraction >> 45) as usize];
    let r = (f64::from_bits(0x3FF << 52 | fraction) - middle) * reciprocal;
    // ln(1 + r), with r below 1/256: what is left out is below 2e-18.
    let r2 = r * r;
    let series = (r - 0.5 * r2) + r2 * r * ((1.0 / 3.0 - 0.25 * r) + r2 * (0.2 - r / 6.0));
    f64::from(halvings) * LN_2 - (logarithm + series)
}

#[cfg(test)]
mod tests {
    use dayfly_alloc::Xoshiro;

    use super::*;

    #[test]
    fn the_logarithm_is_one() {
        let mut random = Xoshiro::seeded(5);
        let edges = [1, 2, 3, (1 << 53) - 1, 1 << 53, (1 << 52) - 1, 1 << 52, (1 << 52) + 1];
        let draws = (0..2_000_000).map(|round| (random.next_u64() >> (11 + round % 40)).max(1));
        for m in edges.into_iter().chain(draws) {
            let right = -(m as f64 / (1_u64 << 53) as f64).ln();
            assert!((minus_ln(m) - right).abs() <= 5e-16 * right.max(1.0), "{m}: {right}");
        }
    }

    #[test]
    fn nearest_is_round() {
        let big = (1_u64 << 52) as f64;
        let edges =
            [0.0, -0.0, -0.4, 0.5, 0.499_999_999_999_999_94, 1.5, 2.5, big - 0.5, big + 1.0];
        for time in edges.into_iter().chain([big * 4.0 + 2.0, 9e18, f64::NAN]) {
            assert_eq!(nearest(time), time.round() as Nanos, "{time}");
        }
    }

    #[test]
    fn exponential_draws_are_exponential() {
        let mut random = Xoshiro::seeded(6);
        let (mean, count) = (1e9, 1_000_000);
        let draws: Vec<Nanos> = (0..count).map(|_| exponential(mean, &mut random)).collect();
        for share in [0.01, 0.1, 0.5, 0.9, 0.99, 0.999] {
            let time = -f64::ln(share) * mean;
            let longer = draws.iter().filter(|draw| **draw as f64 > time).count() as f64;
            let due: f64 = f64::from(count) * share;
            assert!((longer - due).abs() < 5.0 * due.sqrt(), "{share}: {longer}");
        }
    }
}
