//! Times and distributions as they are written: `"250 ms"`, `60`, `{ exponential = "2 s" }`.

use std::fmt;

use dayfly_alloc::Random;
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, Visitor};

use super::draws::{exponential, unit};

/// Nanoseconds of simulated time, from its beginning.
pub type Nanos = u64;

/// A second.
pub const SECOND: Nanos = 1_000_000_000;

/// The longest time that can be written: a hundred years.
const LONGEST: f64 = 100.0 * 365.25 * 86_400.0;

/// A time of a scenario: a number of seconds, or a number and a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Time(pub(super) Nanos);

/// A time as it is written in a scenario, for whoever reads options: `250ms`, `10min`, `60`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seconds(Time);

impl Seconds {
    /// In nanoseconds.
    #[must_use]
    pub const fn nanos(self) -> Nanos {
        (self.0).0
    }
}

impl std::str::FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Time::read(text).map(Seconds)
    }
}

impl Time {
    fn of_seconds(seconds: f64) -> Result<Time, String> {
        if (0.0..=LONGEST).contains(&seconds) {
            Ok(Time((seconds * SECOND as f64).round() as Nanos))
        } else {
            Err("a time is between 0 and a hundred years".to_owned())
        }
    }

    pub(super) fn read(text: &str) -> Result<Time, String> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let seconds = match unit.trim() {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" | "" => 1.0,
            "min" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => f64::NAN,
        };
        match number.parse::<f64>() {
            Ok(number) if seconds.is_finite() => Time::of_seconds(number * seconds),
            _ => Err(format!(
                "{text:?} is no time: write a number and one of ns, us, ms, s, min, h, d, such as \
                 \"250 ms\""
            )),
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TimeVisitor)
    }
}

struct TimeVisitor;

impl Visitor<'_> for TimeVisitor {
    type Value = Time;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time such as \"250 ms\", or a number of seconds")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Time, E> {
        Time::read(text).map_err(E::custom)
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Time, E> {
        Time::of_seconds(seconds).map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Time, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Time, E> {
        self.visit_f64(seconds as f64)
    }
}

/// How long something takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Distribution {
    /// Always as long.
    Constant(Nanos),
    /// Memoryless, with this mean.
    Exponential(Nanos),
    /// Anything between two ends with the same probability.
    Uniform(Nanos, Nanos),
    /// A heavy tail: at least so long, and longer than `x` times that with probability `x^-shape`.
    Pareto(Nanos, f64),
    /// It does not end.
    Forever,
}

impl Distribution {
    /// A draw.
    #[inline]
    pub fn draw(&self, random: &mut impl Random) -> Nanos {
        match *self {
            Distribution::Constant(time) => time,
            Distribution::Exponential(mean) => exponential(mean as f64, random),
            Distribution::Uniform(low, high) => {
                let width = (high - low) as f64 + 1.0;
                low + (unit(random) * width) as Nanos
            }
            Distribution::Pareto(least, shape) => {
                let draw = least as f64 * (1.0 - unit(random)).powf(-1.0 / shape);
                draw.min(LONGEST * SECOND as f64) as Nanos
            }
            Distribution::Forever => Nanos::MAX,
        }
    }

    /// The mean, in seconds; infinite where there is none.
    #[must_use]
    pub fn mean(&self) -> f64 {
        let second = SECOND as f64;
        match *self {
            Distribution::Constant(time) | Distribution::Exponential(time) => time as f64 / second,
            Distribution::Uniform(low, high) => (low as f64 + high as f64) / 2.0 / second,
            Distribution::Pareto(least, shape) if shape > 1.0 => {
                least as f64 / second * shape / (shape - 1.0)
            }
            Distribution::Pareto(..) | Distribution::Forever => f64::INFINITY,
        }
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(DistributionVisitor)
    }
}

struct DistributionVisitor;

impl<'de> Visitor<'de> for DistributionVisitor {
    type Value = Distribution;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a time, \"forever\", { exponential = TIME }, { uniform = [TIME, TIME] } or \
             { pareto = [TIME, SHAPE] }",
        )
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Distribution, E> {
        if text == "forever" {
            return Ok(Distribution::Forever);
        }
        TimeVisitor.visit_str(text).map(|time| Distribution::Constant(time.0))
    }

    fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Distribution, E> {
        TimeVisitor.visit_f64(seconds).map(|time| Distribution::Constant(time.0))
    }

    fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Distribution, E> {
        self.visit_f64(seconds as f64)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Distribution, A::Error> {
        const KINDS: &[&str] = &["exponential", "uniform", "pareto"];
        let Some(kind) = map.next_key::<String>()? else {
            return Err(de::Error::custom("an empty table: write { exponential = \"2 s\" }"));
        };
        let distribution = match kind.as_str() {
            "exponential" => Distribution::Exponential(map.next_value::<Time>()?.0),
            "uniform" => {
                let (low, high) = map.next_value::<(Time, Time)>()?;
                if low > high {
                    return Err(de::Error::custom("the first end is above the second"));
                }
                Distribution::Uniform(low.0, high.0)
            }
            "pareto" => {
                let (least, shape) = map.next_value::<(Time, f64)>()?;
                if !(0.1..=100.0).contains(&shape) {
                    return Err(de::Error::custom("a shape is between 0.1 and 100"));
                }
                Distribution::Pareto(least.0, shape)
            }
            other => return Err(de::Error::unknown_field(other, KINDS)),
        };
        match map.next_key::<String>()? {
            None => Ok(distribution),
            Some(more) => Err(de::Error::custom(format!("{kind} and {more}: one of them"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use dayfly_alloc::Xoshiro;

    use super::*;

    #[test]
    fn times_have_units() {
        for (text, nanos) in [
            ("250 ms", SECOND / 4),
            ("60s", 60 * SECOND),
            ("1.5 min", 90 * SECOND),
            ("7", 7 * SECOND),
        ] {
            assert_eq!(Time::read(text), Ok(Time(nanos)), "{text}");
        }
        for wrong in ["", "s", "-1 s", "1 fortnight", "1e9 d", "nan", "101 y"] {
            assert!(Time::read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn draws_have_the_mean_that_is_said() {
        let mut random = Xoshiro::seeded(7);
        for distribution in [
            Distribution::Constant(SECOND),
            Distribution::Exponential(SECOND),
            Distribution::Uniform(SECOND, 3 * SECOND),
            Distribution::Pareto(SECOND, 3.0),
        ] {
            let draws = (0..100_000).map(|_| distribution.draw(&mut random) as f64);
            let mean = draws.sum::<f64>() / 1e5 / SECOND as f64;
            assert!((mean / distribution.mean() - 1.0).abs() < 0.02, "{distribution:?}: {mean}");
        }
    }
}
