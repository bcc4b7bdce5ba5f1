//! Everything weighed: the answer, how sure it is, and what would make it surer.

use std::collections::BTreeMap;

use dayfly_alloc::predict::{best_possible, expected_guesses};
use dayfly_ports::{Port, PortRange, PortSet, Protocol};

use super::class::Class;
use super::collect::Host;
use super::makers::{self, Maker};
use super::math::log_sum;
use super::model::{Fit, fit};
use super::nat::{Nat, nat};
use super::ranges::{Ends, log_spread};
use super::trace::Trace;
use super::{evidence, holes, unknown};

/// Shares of what is met: a known maker, a rule over another range, something else.
const KNOWN: f64 = 0.6;
const OTHER: f64 = 0.38;
const SOMETHING_ELSE: f64 = 0.02;
/// How many low ends of ranges that people choose are even: both ends should differ in parity, and
/// every usual range begins evenly.
const EVEN_LOW: f64 = 0.85;
/// An answer is given from this probability on, and called settled from that.
const ANSWER: f64 = 0.5;
const SETTLED: f64 = 0.99;
/// Fewer openings than this say nothing; fewer than that settle nothing.
const FEWEST: usize = 5;
const FEWEST_SETTLED: usize = 8;
/// What looks like a single counter may be a table in which all destinations share one. Both are
/// named if the logarithm of the chance to share is no lower than this, one in 27,000: two
/// destinations share one of 256, five share one of ten;
const PLAUSIBLE: f64 = -10.2;
/// and if the ports fit both, by a factor of 100,000: a table of Linux 5.12 that happens to move a
/// counter twice three times in 200, not twelve, still looks more like 4.6 by a factor of 16,000.
const FITS_BOTH: f64 = 11.5;
/// So much less likely, as a logarithm, that no other range makes up for it.
const HOPELESS: f64 = 150.0;

/// What the ports of one host and protocol say.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The classes that the answer consists of, the likeliest first: several if these ports cannot
    /// tell them apart, none if the answer is "unknown".
    pub group: Vec<Class>,
    /// Why the classes of the group cannot be told apart.
    pub merged_because: Option<&'static str>,
    /// How likely the answer is; of "unknown", that it is none of the classes.
    pub probability: f64,
    /// Every class with its probability, the likeliest first, down to one in a thousand.
    pub classes: Vec<(Class, f64)>,
    /// How likely it is that no class fits.
    pub unknown: f64,
    /// Where the ends of the range can be.
    pub ends: Ends,
    /// The likeliest ranges with a name or round ends, down to one in a hundred.
    pub ranges: Vec<(PortRange, f64)>,
    /// Ports inside that are never handed out.
    pub excluded: PortSet,
    /// Who does this with this range, down to one in a hundred.
    pub candidates: Vec<Candidate>,
    /// How well the next port can be guessed; none if the answer is "unknown".
    pub guesses: Option<Guesses>,
    /// Whether the address speaks for several hosts.
    pub nat: Nat,
    /// What was counted.
    pub evidence: Vec<String>,
    /// How many more openings like these would make the answer 99 % likely: 0 if it is; none if no
    /// number of such openings would.
    pub more: Option<u64>,
}

/// Somebody who makes ports like these.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidate {
    /// A name of `dayfly systems`, or of a stack that is none.
    pub name: &'static str,
    /// Which versions, where the range tells; empty otherwise.
    pub since: &'static str,
    /// How likely.
    pub probability: f64,
}

/// How many guesses an attacker needs for the next port, on average.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Guesses {
    /// Who saw the last port: to the same destination where it has a counter, else to any.
    pub after_last: f64,
    /// Who knows the strategy and the range and saw no port.
    pub blind: f64,
}

impl Verdict {
    /// Whether the answer is at least 99 % likely.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        !self.group.is_empty() && self.more == Some(0)
    }
}

/// One way in which the ports can have been made.
struct Hypothesis<'a> {
    class: Class,
    /// None for a range that nobody named.
    range: Option<PortRange>,
    maker: Option<&'a Maker>,
    fit: Fit,
    log: f64,
}

/// Says what the samples of a host say. None if there are none.
#[must_use]
pub fn identify(host: &Host) -> Option<Verdict> {
    let trace = Trace::new(&host.samples);
    let hull = hull(trace.looks.iter().map(|look| look.port))?;
    let inner = without_strays(&trace).unwrap_or(hull);
    let makers = makers::makers(host.protocol);
    let hulls = if inner == hull { vec![hull] } else { vec![hull, inner] };
    let mut hypotheses = others(&trace, &hulls, host.protocol);
    hypotheses.extend(known(&trace, &makers, &hypotheses));
    let nothing = SOMETHING_ELSE.ln() + unknown::log_likelihood(&trace);

    let logs = || hypotheses.iter().map(|one| one.log).chain([nothing]);
    let all = log_sum(logs());
    let probability = |log: f64| (log - all).exp();
    let mut classes: Vec<(Class, f64)> = Class::ALL
        .into_iter()
        .map(|class| {
            let of_class = hypotheses.iter().filter(|one| one.class == class);
            (class, of_class.map(|one| probability(one.log)).sum())
        })
        .collect();
    classes.sort_by(|one, other| other.1.total_cmp(&one.1));
    let unknown = probability(nothing);

    let (first, _) = *classes.first()?;
    let (merged, merged_because) = match one_counter(&hypotheses, first) {
        Some(set) => (set, Some("the destinations may share a counter by chance")),
        None => inseparable(&trace, first),
    };
    let is_merged = merged.contains(&first);
    let group: Vec<(Class, f64)> = classes
        .iter()
        .copied()
        .filter(|(class, _)| *class == first || is_merged && merged.contains(class))
        .collect();
    let sum: f64 = group.iter().map(|(_, share)| share).sum();
    let answered = sum >= ANSWER && sum > unknown && trace.looks.len() >= FEWEST;

    let best = hypotheses
        .iter()
        .filter(|one| one.class == first)
        .max_by(|one, other| one.log.total_cmp(&other.log))?;
    let seen =
        if answered { best.range.map_or(inner, |range| clipped(&trace, range)) } else { hull };
    let draws = if answered { best.fit.draws } else { 0.0 };
    let in_group = |one: &&Hypothesis<'_>| group.iter().any(|(class, _)| *class == one.class);
    let (ranges, candidates) = if answered {
        let weigh = |one: &Hypothesis<'_>| (one.log - all).exp() / sum;
        (
            named_ranges(hypotheses.iter().filter(in_group), weigh),
            who(hypotheses.iter().filter(in_group), weigh),
        )
    } else {
        (Vec::new(), Vec::new())
    };
    let likely = ranges.first().filter(|(_, share)| *share >= ANSWER).map(|(range, _)| *range);
    let translator: f64 = candidates
        .iter()
        .filter(|one| one.name.starts_with("netfilter"))
        .map(|one| one.probability)
        .sum();
    let class = answered.then_some(first);
    Some(Verdict {
        group: if answered { group.iter().map(|(class, _)| *class).collect() } else { Vec::new() },
        merged_because: merged_because.filter(|_| answered && group.len() > 1),
        probability: if answered { sum } else { unknown },
        ends: Ends::new(seen, draws),
        excluded: class.map_or(PortSet::EMPTY, |class| excluded(host, class, seen, draws)),
        guesses: class.map(|class| guesses(class, likely.unwrap_or(seen), &trace)),
        nat: nat(host, class, translator),
        evidence: evidence::evidence(&trace, class),
        more: more(&trace, sum, &hypotheses, &group, nothing, is_merged),
        classes: classes.into_iter().filter(|(_, share)| *share > 0.001).collect(),
        unknown,
        ranges,
        candidates,
    })
}

fn hull(ports: impl Iterator<Item = u32> + Clone) -> Option<PortRange> {
    let (low, high) = (ports.clone().min()?, ports.max()?);
    PortRange::new(low as u16, high as u16).ok()
}

/// The hull without single ports that lie far outside: up to one in fifty at each end.
fn without_strays(trace: &Trace) -> Option<PortRange> {
    let mut ports: Vec<u32> = trace.looks.iter().map(|look| look.port).collect();
    ports.sort_unstable();
    let (first, last) = (*ports.first()?, *ports.last()?);
    let far = (last - first) / 10;
    let may_go = (ports.len() / 50).max(usize::from(ports.len() >= 20));
    let mut low = 0;
    let mut high = ports.len() - 1;
    for index in 1..=may_go.min(high) {
        if ports[index] - ports[index - 1] > far {
            low = index;
        }
        let from_top = ports.len() - 1 - index;
        if ports[from_top + 1] - ports[from_top] > far {
            high = from_top;
        }
    }
    if low > high {
        return None;
    }
    PortRange::new(ports[low] as u16, ports[high] as u16).ok()
}

/// The ports seen inside a range.
fn clipped(trace: &Trace, range: PortRange) -> PortRange {
    let inside = trace.looks.iter().map(|look| look.port);
    let inside = inside.filter(|port| range.contains(Port::new(*port as u16)));
    hull(inside).unwrap_or(range)
}

/// Everybody who is known, over his own range. A rule that is hopeless over the narrowest range is
/// not tried over wider ones.
fn known<'a>(trace: &Trace, makers: &'a [Maker], others: &[Hypothesis<'_>]) -> Vec<Hypothesis<'a>> {
    let best = |wanted: Option<Class>| {
        let logs = others.iter().filter(|one| wanted.is_none_or(|class| class == one.class));
        logs.map(|one| one.fit.log).fold(f64::NEG_INFINITY, f64::max)
    };
    let is_hopeless = |class: Class| {
        // Without a known range this one is the other one.
        let class = if class == Class::LinuxBindReuse { Class::LinuxBind } else { class };
        best(Some(class)) < best(None) - HOPELESS
    };
    let hopeless: Vec<Class> = Class::ALL.into_iter().filter(|class| is_hopeless(*class)).collect();
    let mut fits: BTreeMap<(Class, PortRange), Option<Fit>> = BTreeMap::new();
    let mut found = Vec::new();
    for maker in makers {
        let fitted = fits.entry((maker.class, maker.range)).or_insert_with(|| {
            let outside = trace
                .looks
                .iter()
                .filter(|look| !maker.range.contains(Port::new(look.port as u16)));
            // Strays are one in a hundred; with one in ten outside it is not this range.
            let worth =
                outside.count() * 10 <= trace.looks.len() && !hopeless.contains(&maker.class);
            worth.then(|| fit(maker.class, trace, maker.range))
        });
        if let Some(fit) = *fitted {
            let log = fit.log + (KNOWN * maker.prior).ln();
            let (class, range) = (maker.class, Some(maker.range));
            found.push(Hypothesis { class, range, maker: Some(maker), fit, log });
        }
    }
    found
}

/// Every rule over a range that nobody named: as narrow as the ports allow, and how much wider it
/// may be.
fn others(trace: &Trace, hulls: &[PortRange], protocol: Protocol) -> Vec<Hypothesis<'static>> {
    let mut found = Vec::new();
    let odd = trace.looks.iter().filter(|look| look.port % 2 == 1).count() * 2 > trace.looks.len();
    for class in Class::ALL {
        let prior = makers::prior(class, protocol);
        if prior == 0.0 {
            continue;
        }
        let (shift, parity) = match class {
            // The low end has the parity that connect() prefers and bind() avoids.
            Class::LinuxConnect
            | Class::LinuxConnect512
            | Class::LinuxConnect46
            | Class::LinuxBoth
            | Class::LinuxMany => (odd, if odd { 1.0 - EVEN_LOW } else { EVEN_LOW }),
            Class::LinuxBind => (!odd, if odd { EVEN_LOW } else { 1.0 - EVEN_LOW }),
            _ => (false, 1.0),
        };
        let by_parity = parity < 1.0;
        for hull in hulls {
            let range = if by_parity { widened(*hull, shift) } else { *hull };
            let fit = fit(class, trace, range);
            let spread = if class == Class::Fixed { 0.0 } else { log_spread(range, fit.draws) };
            let prior = OTHER * prior * parity / hulls.len() as f64;
            let log = fit.log + spread + prior.ln();
            found.push(Hypothesis { class, range: None, maker: None, fit, log });
        }
    }
    found
}

/// From a low end of the wanted parity to a high end of the other, one port further at most.
fn widened(hull: PortRange, odd: bool) -> PortRange {
    let (low, high) = (hull.low().number(), hull.high().number());
    let low = if (low % 2 == 1) == odd { low } else { low.saturating_sub(1) };
    let high = if (high % 2 == 1) == odd { high.saturating_add(1) } else { high };
    PortRange::new(low, high).unwrap_or(hull)
}

/// Classes that no number of openings like these could tell from the given one, and why.
fn inseparable(trace: &Trace, class: Class) -> (&'static [Class], Option<&'static str>) {
    const WITHOUT_STEPS: [&[Class]; 2] = [
        &[Class::Random, Class::LinuxOwnRange, Class::HashedCounter, Class::DestinationCounter],
        &[Class::LinuxConnect, Class::LinuxConnect512, Class::LinuxConnect46, Class::LinuxMany],
    ];
    const ONE_DESTINATION: [&[Class]; 2] = [
        &[Class::Upwards, Class::HashedCounter, Class::DestinationCounter],
        &[Class::LinuxConnect512, Class::LinuxConnect46],
    ];
    let (sets, why) = if trace.steps().next().is_none() {
        (WITHOUT_STEPS, "no destination was seen twice")
    } else if trace.destinations == 1 {
        (ONE_DESTINATION, "only one destination was seen")
    } else {
        return (&[], None);
    };
    let set = sets.into_iter().find(|set| set.contains(&class));
    (set.unwrap_or(&[]), set.map(|_| why))
}

/// The single counter and the table of counters, of one kind, if the given class is one of them and
/// the ports fit both: they do if the table's hash gives all destinations the same counter. More
/// openings would not help, another destination would. Compared over the same range, the likeliest
/// or the ports' own, so that it does not matter who is known to use which.
fn one_counter(hypotheses: &[Hypothesis<'_>], class: Class) -> Option<&'static [Class]> {
    const SETS: [[Class; 2]; 2] = [
        [Class::HashedCounter, Class::DestinationCounter],
        [Class::LinuxConnect46, Class::LinuxConnect512],
    ];
    let set = SETS.iter().find(|set| set.contains(&class))?;
    let of_class = |wanted: Class| hypotheses.iter().filter(move |one| one.class == wanted);
    let likeliest = of_class(class).max_by(|one, other| one.log.total_cmp(&other.log))?.range;
    let fits_both = |range: Option<PortRange>| {
        let best = |wanted: Class| {
            let fits = of_class(wanted).filter(|one| one.range == range).map(|one| one.fit);
            fits.max_by(|one, other| one.log.total_cmp(&other.log))
        };
        let [single, table] = set.map(best);
        single.zip(table).is_some_and(|(single, table)| {
            table.one_counter.is_some_and(|shared| {
                shared.chance >= PLAUSIBLE && (shared.log - single.log).abs() < FITS_BOTH
            })
        })
    };
    [likeliest, None].into_iter().any(fits_both).then_some(set)
}

fn named_ranges<'a>(
    hypotheses: impl Iterator<Item = &'a Hypothesis<'a>>,
    weigh: impl Fn(&Hypothesis<'_>) -> f64,
) -> Vec<(PortRange, f64)> {
    let mut shares: BTreeMap<PortRange, f64> = BTreeMap::new();
    for one in hypotheses {
        if let Some(range) = one.range {
            *shares.entry(range).or_default() += weigh(one);
        }
    }
    let mut found: Vec<_> = shares.into_iter().filter(|(_, share)| *share >= 0.01).collect();
    found.sort_by(|one, other| other.1.total_cmp(&one.1));
    found
}

fn who<'a>(
    hypotheses: impl Iterator<Item = &'a Hypothesis<'a>>,
    weigh: impl Fn(&Hypothesis<'_>) -> f64,
) -> Vec<Candidate> {
    let mut shares: BTreeMap<(&'static str, &'static str), f64> = BTreeMap::new();
    for one in hypotheses {
        if let Some(maker) = one.maker {
            *shares.entry((maker.name, maker.since)).or_default() += weigh(one);
        }
    }
    let mut found: Vec<Candidate> = shares
        .into_iter()
        .filter(|(_, share)| *share >= 0.01)
        .map(|((name, since), probability)| Candidate { name, since, probability })
        .collect();
    found.sort_by(|one, other| other.probability.total_cmp(&one.probability));
    found
}

/// Holes in the range: only where ports are drawn over all of it, so that a gap means something.
fn excluded(host: &Host, class: Class, seen: PortRange, draws: f64) -> PortSet {
    let ports = host.ports();
    let independent = matches!(class, Class::Random | Class::LinuxBind | Class::LinuxBindReuse);
    let draws = if independent { host.openings as f64 } else { draws };
    let parity = match class {
        Class::Random => None,
        Class::LinuxBind | Class::LinuxBindReuse | Class::LinuxConnect => {
            let odd = ports.iter().filter(|port| port.is_odd()).count() as u32;
            Some(u32::from(odd * 2 > ports.len()))
        }
        _ => return PortSet::EMPTY,
    };
    holes::holes(&ports, seen, draws, parity)
}

fn guesses(class: Class, range: PortRange, trace: &Trace) -> Guesses {
    let whole = best_possible(range.len());
    let half = best_possible(range.len() / 2);
    let steps = |count: usize| expected_guesses(&vec![1.0; count]);
    let (after_last, blind) = match class {
        Class::Random => (whole, whole),
        Class::LinuxBind => (half, half),
        Class::LinuxBindReuse => {
            let quarter = best_possible(range.len() / 4);
            (quarter, quarter)
        }
        Class::LinuxConnect => (steps(8), half),
        Class::LinuxConnect512 => (expected_guesses(&[15.0, 1.0]), half),
        Class::LinuxConnect46 => (1.0, half),
        Class::LinuxOwnRange => (steps(8), whole),
        // Connections of the other kind cannot be foretold.
        Class::LinuxBoth => (steps(8) + half / 2.0, whole),
        Class::LinuxMany => (steps(16), half),
        Class::Upwards | Class::Downwards | Class::HashedCounter | Class::DestinationCounter => {
            (1.0, whole)
        }
        Class::RandomSteps => (steps(500), whole),
        Class::Fixed => {
            let mut counts: BTreeMap<u32, f64> = BTreeMap::new();
            for look in &trace.looks {
                *counts.entry(look.port).or_default() += 1.0;
            }
            let weights: Vec<f64> = counts.into_values().collect();
            (expected_guesses(&weights), expected_guesses(&weights))
        }
    };
    Guesses { after_last, blind }
}

/// How many more openings it takes, if each says as much as those so far.
fn more(
    trace: &Trace,
    sum: f64,
    hypotheses: &[Hypothesis<'_>],
    group: &[(Class, f64)],
    nothing: f64,
    merged: bool,
) -> Option<u64> {
    let wanted = (SETTLED / (1.0 - SETTLED)).ln();
    if sum >= SETTLED && trace.looks.len() >= FEWEST_SETTLED {
        return Some(0);
    }
    let seen = trace.looks.len() as f64;
    let short = FEWEST_SETTLED.saturating_sub(trace.looks.len()) as u64;
    if sum >= SETTLED && short > 0 {
        return Some(short);
    }
    let in_group = |one: &&Hypothesis<'_>| group.iter().any(|(class, _)| *class == one.class);
    let ours = hypotheses.iter().filter(in_group).map(|one| one.fit.log);
    let ours = ours.fold(f64::NEG_INFINITY, f64::max);
    let theirs = hypotheses.iter().filter(|one| !in_group(one)).map(|one| one.fit.log);
    let theirs = theirs.fold(nothing, f64::max);
    let rate = (ours - theirs) / seen;
    let have = (sum / (1.0 - sum)).max(1e-9).ln();
    // Less than a hundredth of a bit for each opening: it is the prior that decides, not the ports.
    if rate < 0.007 || merged && rate < 0.05 {
        return (short > 0).then_some(short);
    }
    Some((((wanted - have) / rate).ceil().max(1.0) as u64).max(short))
}
