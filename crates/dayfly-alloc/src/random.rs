//! Where unpredictability comes from: a source that the caller passes in.
//!
//! The crate never asks the system for randomness. [`Xoshiro`] is small, fast and repeatable, right
//! for simulations and for stacks whose peers cannot gain from a guess. A stack that wants its
//! ports to be hard to guess (RFC 6056 section 3.1) passes a cryptographic generator through
//! [`from_fn`].

/// A source of random numbers.
pub trait Random {
    /// The next 64 random bits.
    fn next_u64(&mut self) -> u64;

    /// The next 32 random bits.
    fn next_u32(&mut self) -> u32 {
        (self.next_u64() >> 32) as u32
    }

    /// A number below `bound`, each exactly as likely as the others; 0 when `bound` is 0.
    fn below(&mut self, bound: u32) -> u32 {
        // Lemire, "Fast Random Integer Generation in an Interval" (2019): the division is only
        // reached in the rare case where the draw may have to be rejected.
        let mut wide = u64::from(self.next_u32()) * u64::from(bound);
        if (wide as u32) < bound {
            let threshold = bound.wrapping_neg() % bound;
            while (wide as u32) < threshold {
                wide = u64::from(self.next_u32()) * u64::from(bound);
            }
        }
        (wide >> 32) as u32
    }
}

impl<R: Random + ?Sized> Random for &mut R {
    fn next_u64(&mut self) -> u64 {
        (**self).next_u64()
    }
}

/// A source made of a function, for a generator from another crate.
///
/// ```
/// use dayfly_alloc::{Random, random};
///
/// let mut state = 7_u64;
/// let mut source = random::from_fn(move || {
///     state = state.wrapping_mul(6364136223846793005).wrapping_add(1);
///     state
/// });
/// assert!(source.below(10) < 10);
/// ```
pub fn from_fn<F: FnMut() -> u64>(function: F) -> FromFn<F> {
    FromFn(function)
}

/// A source made of a function; see [`from_fn`].
#[derive(Clone, Debug)]
pub struct FromFn<F>(F);

impl<F: FnMut() -> u64> Random for FromFn<F> {
    fn next_u64(&mut self) -> u64 {
        (self.0)()
    }
}

/// xoshiro256++ 1.0 (Blackman and Vigna, 2019): 32 bytes of state, period 2^256 - 1.
///
/// Not cryptographic: whoever sees enough of its output can continue it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Xoshiro {
    state: [u64; 4],
}

impl Xoshiro {
    /// The generator of this seed. Equal seeds give equal sequences, on every platform.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        // SplitMix64 spreads the seed, as the authors of xoshiro recommend; it never yields four
        // zeros in a row, the one state that xoshiro must not have.
        let mut spread = seed;
        let mut word = || {
            spread = spread.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = spread;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            mixed ^ (mixed >> 31)
        };
        Xoshiro { state: [word(), word(), word(), word()] }
    }
}

impl Random for Xoshiro {
    #[inline]
    fn next_u64(&mut self) -> u64 {
        let [a, b, c, d] = &mut self.state;
        let result = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
        let shifted = *b << 17;
        *c ^= *a;
        *d ^= *b;
        *b ^= *c;
        *a ^= *d;
        *c ^= shifted;
        *d = d.rotate_left(45);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xoshiro_yields_the_published_sequence() {
        // The first outputs of the authors' C program for the state 1, 2, 3, 4.
        let mut source = Xoshiro { state: [1, 2, 3, 4] };
        let first = [41_943_041, 58_720_359, 3_588_806_011_781_223, 3_591_011_842_654_386];
        for expected in first {
            assert_eq!(source.next_u64(), expected);
        }
    }

    #[test]
    fn below_stays_below_and_reaches_everything() {
        let mut source = Xoshiro::seeded(1);
        assert_eq!(source.below(0), 0);
        assert_eq!(source.below(1), 0);
        let mut seen = [0_u32; 7];
        for _ in 0..7000 {
            seen[source.below(7) as usize] += 1;
        }
        assert!(seen.iter().all(|&times| (850..1150).contains(&times)), "{seen:?}");
    }

    #[test]
    fn below_rejects_the_surplus_draws() {
        // With the bound 3 << 30, a quarter of the 32-bit draws has to be rejected: 0 is the first
        // of them, 1 << 30 (wide = 3 << 60) is not.
        let draws = [0_u64, 0x5555_5556 << 32];
        let mut next = draws.into_iter();
        let mut source = from_fn(|| next.next().unwrap());
        assert_eq!(source.below(3 << 30), 1 << 30);
    }
}
