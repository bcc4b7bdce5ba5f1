//! How likely the ports are under a class of strategies and a range.
//!
//! Every model forecasts each port from those before it; the likelihood is the product. A forecast
//! has three parts: the step that the rule allows from the last known place of its counter, a draw
//! over the range (the first port of a destination, a new secret, a restart), and a small share for
//! ports that somebody else chose, so that one stray port does not overturn an answer.

use std::sync::LazyLock;

use dayfly_ports::PortRange;

use super::class::Class;
use super::math::{Odds, beta_binomials, binomial, log_sum, negative_binomials};
use super::steps::{LARGEST_PRIOR, LINUX, LOSSES_PRIOR, RANDOM};
use super::trace::{Look, Trace};

/// The share of ports that do not follow the rule at all, over all ports.
const STRAY: f64 = 0.01;
const STRAY_EACH: f64 = STRAY / 65535.0;
/// How often a counter without a clock starts anew.
const RESTART: f64 = 0.002;
/// How often Linux changes its secret (`ts_secret`, every ten seconds), where no time is known.
const CHANGE_UNKNOWN: f64 = 0.15;
const CHANGE_SECONDS: f64 = 10.0;
/// Mean distances of a counter that is seen in part only, and how likely each is.
const GAPS: [f64; 16] = [
    1.003, 1.03, 1.07, 1.15, 1.3, 1.45, 1.67, 2.0, 2.5, 5.0, 20.0, 60.0, 150.0, 400.0, 1000.0,
    3000.0,
];
const GAPS_PRIOR: [f64; 16] =
    [0.2, 0.1, 0.1, 0.08, 0.08, 0.08, 0.08, 0.06, 0.06, 0.05, 0.04, 0.03, 0.01, 0.01, 0.01, 0.01];
/// Shares of all openings that a capture misses, so finely that a counter's mean step is met.
const MISSING: [f64; 17] = [
    0.003, 0.03, 0.06, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.67, 0.75, 0.85,
];
static MISSING_ODDS: LazyLock<[Odds; 17]> = LazyLock::new(|| MISSING.map(Odds::of));
/// That the counter goes one further before the next port is seen.
static GAPS_ODDS: LazyLock<[Odds; 16]> =
    LazyLock::new(|| GAPS.map(|gap| Odds::of(1.0 - 1.0 / gap)));
/// How a destination's counter is shared with other destinations: mostly not, or wholly.
const SHARED: (f64, f64) = (0.15, 0.6);
/// The same shares, roughly, where a counter is used by few.
const LOST: [f64; 3] = [0.003, 0.15, 0.4];
static LOST_ODDS: LazyLock<[Odds; 3]> = LazyLock::new(|| LOST.map(Odds::of));
/// How often Linux 5.12 to 5.17 moves a counter twice for one opening (c579bd1b4021).
const TWICE: f64 = 1.0 / 16.0;
/// How many counters a table has, and how likely that is: Linux 5.12 to 5.17 (`table_perturb`,
/// 190cc82489f4); RFC 6056 algorithm 4 leaves it open and names ten.
const TABLE_LINUX: &[(f64, f64)] = &[(256.0, 1.0)];
const TABLE_RFC: &[(f64, f64)] = &[(10.0, 0.5), (1024.0, 0.5)];
/// So many destinations are tried as neighbours in one counter; more are too unlikely to matter.
const NEIGHBOURS: usize = 5;
/// A logarithm this far below is not added to a sum.
const LOST_CAUSE: f64 = 40.0;
/// Ways to explain the ports whose logarithms differ by less are both worth naming.
const MUCH_THE_SAME: f64 = 12.0;

/// A likelihood, and how far the samples reach over the range.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    /// The natural logarithm of the likelihood.
    pub(super) log: f64,
    /// To how many draws over the range the samples amount, as far as its ends are concerned.
    pub(super) draws: f64,
    /// Of a rule with a table of counters that fits about as well as it can if all destinations that
    /// were seen twice share one of them: then it looks like a single counter.
    pub(super) one_counter: Option<OneCounter>,
}

/// All destinations share one counter of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneCounter {
    /// The logarithm of the likelihood if they do.
    pub(super) log: f64,
    /// The logarithm of the chance that they do.
    pub(super) chance: f64,
}

impl Fit {
    const fn new(log: f64, draws: f64) -> Fit {
        Fit { log, draws, one_counter: None }
    }
}

/// The range as offsets: everything is counted from its low end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    low: u32,
    len: u32,
}

impl From<PortRange> for Span {
    fn from(range: PortRange) -> Span {
        Span { low: range.low().number().into(), len: range.len() }
    }
}

impl Span {
    fn offset(self, port: u32) -> Option<u32> {
        port.checked_sub(self.low).filter(|offset| *offset < self.len)
    }

    /// How far upwards from one port to another, around the end if need be.
    fn upwards(self, from: u32, to: u32) -> Option<u32> {
        let (from, to) = (self.offset(from)?, self.offset(to)?);
        Some(if to >= from { to - from } else { to + self.len - from })
    }

    /// The length without the port that steps of two never reach.
    fn even(self) -> u32 {
        if self.len > 1 { self.len & !1 } else { 1 }
    }

    /// One share for each port of one parity, counted from the low end.
    fn draw_parity(self, port: u32, parity: u32) -> f64 {
        let hit = self.offset(port).is_some_and(|offset| offset % 2 == parity);
        if hit { 2.0 / f64::from(self.even().max(2)) } else { 0.0 }
    }

    fn draw_any(self, port: u32) -> f64 {
        if self.offset(port).is_some() { 1.0 / f64::from(self.len) } else { 0.0 }
    }

    /// `inet_csk_find_open_port`: up to here the lower half goes.
    fn lower_half(self) -> Span {
        Span { len: if self.len < 4 { self.len } else { self.len >> 2 << 1 }, ..self }
    }
}

/// The likelihood of the trace under a class and a range.
pub(super) fn fit(class: Class, trace: &Trace, range: PortRange) -> Fit {
    let span = Span::from(range);
    match class {
        Class::Random => draws(trace, |port| span.draw_any(port)),
        Class::LinuxBind => draws(trace, |port| span.draw_parity(port, 1)),
        Class::LinuxBindReuse => {
            let half = span.lower_half();
            draws(trace, |port| half.draw_parity(port, 1))
        }
        Class::LinuxConnect => linux_connect(trace, span),
        Class::LinuxOwnRange => {
            let step = |from, to, masses: &mut [f64]| {
                let distance = span.upwards(from, to).unwrap_or(0);
                LINUX.iter().zip(masses).for_each(|(table, mass)| *mass = table.at(distance));
            };
            let place = Place { jump: change, draw: |port| span.draw_any(port) };
            by_destination(trace, span, &LOSSES_PRIOR, place, |_, _, from, to, masses| {
                step(from, to, masses);
            })
        }
        Class::LinuxConnect512 => {
            let draw = |port| span.draw_parity(port, 0);
            table(trace, span, Counter { unit: 2, twice: TWICE }, TABLE_LINUX, draw)
        }
        Class::DestinationCounter => {
            let counter = Counter { unit: 1, twice: 0.0 };
            table(trace, span, counter, TABLE_RFC, |port| span.draw_any(port))
        }
        Class::HashedCounter => {
            hashed(trace, span, Counter { unit: 1, twice: 0.0 }, |port| span.draw_any(port))
        }
        Class::LinuxConnect46 => {
            hashed(trace, span, Counter { unit: 2, twice: 0.0 }, |port| span.draw_parity(port, 0))
        }
        Class::LinuxBoth => linux_both(trace, span),
        Class::LinuxMany => linux_many(trace, span),
        Class::Upwards => global(trace, span, &GAPS_PRIOR, |from, to, masses| {
            gaps(span.upwards(from, to), masses);
        }),
        Class::Downwards => global(trace, span, &GAPS_PRIOR, |from, to, masses| {
            gaps(span.upwards(to, from), masses);
        }),
        Class::RandomSteps => {
            let weigh = |largest: &f64| LOSSES_PRIOR.map(|loss| largest * loss);
            let priors: Vec<f64> = LARGEST_PRIOR.iter().flat_map(weigh).collect();
            global(trace, span, &priors, |from, to, masses| {
                let distance = span.upwards(from, to).unwrap_or(0);
                let tables = RANDOM.iter().flatten();
                tables.zip(masses).for_each(|(table, mass)| *mass = table.at(distance));
            })
        }
        Class::Fixed => fixed(trace),
    }
}

/// Geometric distances, one for each of [`GAPS`].
fn gaps(distance: Option<u32>, masses: &mut [f64]) {
    let Some(more) = distance.and_then(|distance| distance.checked_sub(1)) else {
        return masses.fill(0.0);
    };
    for (further, mass) in GAPS_ODDS.iter().zip(masses) {
        *mass = further.geometric(more);
    }
}

/// The chance that Linux has changed its secret after so many seconds.
fn change(seconds: Option<f64>) -> f64 {
    seconds.map_or(CHANGE_UNKNOWN, |seconds| (seconds / CHANGE_SECONDS).clamp(0.003, 0.995))
}

fn never(_: Option<f64>) -> f64 {
    RESTART
}

/// Ports that do not depend on each other.
fn draws(trace: &Trace, mass: impl Fn(u32) -> f64) -> Fit {
    let mut fit = Fit::new(0.0, 0.0);
    for look in &trace.looks {
        let mass = (1.0 - STRAY) * mass(look.port);
        fit.log += (mass + STRAY_EACH).ln();
        fit.draws += mass / (mass + STRAY_EACH);
    }
    fit
}

/// Where a counter starts: how likely a new start is after some time, and the chance of each port.
struct Place<J, D> {
    jump: J,
    draw: D,
}

/// The last place of a counter that is believed.
#[derive(Clone, Copy)]
struct Anchor {
    index: usize,
    missed: bool,
}

/// Sums up one likelihood for each variant of a model.
struct Sum {
    logs: Vec<f64>,
    /// Chances that are not in the logarithms yet: a logarithm for each would take most of the time.
    products: Vec<f64>,
    draws: Vec<f64>,
    /// Steps that went around the end, and the lengths of all steps, of the best variant.
    wraps: f64,
    steps: f64,
    distance: f64,
}

impl Sum {
    fn new(variants: usize) -> Sum {
        Sum {
            logs: vec![0.0; variants],
            products: vec![1.0; variants],
            draws: vec![0.0; variants],
            wraps: 0.0,
            steps: 0.0,
            distance: 0.0,
        }
    }

    /// Adds a forecast: the chance of the port by a draw, and by a step in each variant. Tells
    /// whether a step explains it best, and whether nothing of the rule does.
    fn add(&mut self, jump: f64, draw: f64, masses: &[f64]) -> (bool, bool) {
        let fresh = (1.0 - STRAY) * jump * draw;
        let mut best = 0.0_f64;
        let sums = self.logs.iter_mut().zip(&mut self.products).zip(&mut self.draws);
        for (((log, product), draws), mass) in sums.zip(masses) {
            let step = (1.0 - STRAY) * (1.0 - jump) * mass;
            let all = fresh + step + STRAY_EACH;
            *product *= all;
            // No chance is below 1e-7, so nothing is lost before this.
            if *product < 1e-280 {
                *log += product.ln();
                *product = 1.0;
            }
            *draws += fresh / all;
            best = best.max(step);
        }
        (best > fresh + STRAY_EACH, fresh < STRAY_EACH && best < STRAY_EACH)
    }

    fn moved(&mut self, span: Span, from: u32, to: u32) {
        let down = to < from;
        let distance = span.upwards(from, to).unwrap_or(0);
        // Whatever goes the longer way round is a counter that counts down.
        let (distance, wrapped) =
            if distance * 2 > span.len { (span.len - distance, !down) } else { (distance, down) };
        self.wraps += f64::from(u8::from(wrapped));
        self.steps += 1.0;
        self.distance += f64::from(distance);
    }

    fn fit(&self, span: Span, priors: &[f64]) -> Fit {
        let logs: Vec<f64> =
            self.logs.iter().zip(&self.products).map(|(log, product)| log + product.ln()).collect();
        let weighed = logs.iter().zip(priors).map(|(log, prior)| log + prior.ln());
        let best = logs.iter().zip(&self.draws).max_by(|a, b| a.0.total_cmp(b.0));
        let mut draws = best.map_or(0.0, |(_, draws)| *draws);
        if self.wraps > 0.0 && self.distance > 0.0 {
            // Each time around, both ends were passed within a step.
            draws += self.wraps * f64::from(span.len) * self.steps / self.distance;
        }
        Fit::new(log_sum(weighed), draws)
    }
}

/// One counter for everything.
fn global(
    trace: &Trace,
    span: Span,
    priors: &[f64],
    mut step: impl FnMut(u32, u32, &mut [f64]),
) -> Fit {
    let mut sum = Sum::new(priors.len());
    let mut masses = vec![0.0; priors.len()];
    let mut anchor: Option<Anchor> = None;
    for (index, look) in trace.looks.iter().enumerate() {
        let draw = span.draw_any(look.port);
        let Some(last) = anchor else {
            masses.fill(0.0);
            sum.add(1.0, draw, &masses);
            anchor = span.offset(look.port).map(|_| Anchor { index, missed: false });
            continue;
        };
        let from = trace.looks[last.index].port;
        step(from, look.port, &mut masses);
        let (stepped, _) = sum.add(RESTART, draw, &masses);
        if stepped {
            sum.moved(span, from, look.port);
        }
        anchor = Some(if stepped || last.missed {
            Anchor { index, missed: false }
        } else {
            Anchor { missed: true, ..last }
        });
    }
    sum.fit(span, priors)
}

/// A counter for each destination. `step` gets the look, the index of the last one, and both
/// ports.
fn by_destination(
    trace: &Trace,
    span: Span,
    priors: &[f64],
    place: Place<impl Fn(Option<f64>) -> f64, impl Fn(u32) -> f64>,
    mut step: impl FnMut(usize, usize, u32, u32, &mut [f64]),
) -> Fit {
    let mut sum = Sum::new(priors.len());
    let mut masses = vec![0.0; priors.len()];
    let mut anchors: Vec<Option<Anchor>> = vec![None; trace.destinations];
    for (index, look) in trace.looks.iter().enumerate() {
        let draw = (place.draw)(look.port);
        let anchor = &mut anchors[look.destination];
        let Some(last) = *anchor else {
            masses.fill(0.0);
            let (_, stray) = sum.add(1.0, draw, &masses);
            *anchor = (!stray).then_some(Anchor { index, missed: false });
            continue;
        };
        let from = trace.looks[last.index].port;
        if draw > 0.0 {
            step(index, last.index, from, look.port, &mut masses);
        } else {
            masses.fill(0.0);
        }
        let jump = (place.jump)(trace.seconds(last.index, index));
        let (stepped, stray) = sum.add(jump, draw, &masses);
        if stepped {
            sum.moved(span, from, look.port);
        }
        *anchor = Some(if stray && !last.missed {
            Anchor { missed: true, ..last }
        } else {
            Anchor { index, missed: false }
        });
    }
    sum.fit(span, priors)
}

fn linux_connect(trace: &Trace, span: Span) -> Fit {
    let even = Span { len: span.even(), ..span };
    let place = Place { jump: change, draw: |port| even.draw_parity(port, 0) };
    by_destination(trace, even, &LOSSES_PRIOR, place, |_, _, from, to, masses| {
        let distance = even.upwards(from, to).unwrap_or(1);
        for (table, mass) in LINUX.iter().zip(masses) {
            *mass = if distance.is_multiple_of(2) { table.at(distance / 2) } else { 0.0 };
        }
    })
}

/// How an opening moves a counter: this far, and sometimes twice as far.
#[derive(Clone, Copy)]
struct Counter {
    unit: u32,
    /// How often it is twice.
    twice: f64,
}

/// RFC 6056 algorithm 3: since the last opening to the same destination the counter has moved for
/// each opening in between, and for each that was missed.
fn hashed(trace: &Trace, span: Span, counter: Counter, draw: impl Fn(u32) -> f64) -> Fit {
    let Counter { unit, twice } = counter;
    let span = if unit == 2 { Span { len: span.even(), ..span } } else { span };
    let place = Place { jump: never, draw };
    let even = [1.0 / MISSING.len() as f64; MISSING.len()];
    let twice_odds = Odds::of(twice);
    by_destination(trace, span, &even, place, |index, last, from, to, masses| {
        masses.fill(0.0);
        let distance = span.upwards(from, to).unwrap_or(0);
        let wanted = (index - last) as u32;
        if !distance.is_multiple_of(unit) || distance / unit < wanted {
            return;
        }
        let extra = distance / unit - wanted;
        if twice == 0.0 {
            return negative_binomials(extra, wanted, &*MISSING_ODDS, masses);
        }
        // The counter moved once for each opening, seen or missed, and once more for some of them.
        let mut of_missed = [0.0; MISSING.len()];
        for more in 0..=extra {
            let missed = extra - more;
            let openings = wanted + missed;
            let chance = binomial(more, openings, twice_odds);
            if chance < 1e-9 {
                // Past the likeliest it only becomes less likely.
                if f64::from(more) > f64::from(openings) * twice {
                    break;
                }
                continue;
            }
            negative_binomials(missed, wanted, &*MISSING_ODDS, &mut of_missed);
            masses.iter_mut().zip(of_missed).for_each(|(mass, missed)| *mass += chance * missed);
        }
    })
}

/// RFC 6056 algorithm 4 with a table of so many counters: a hash assigns destinations to them, so
/// that few destinations mostly have a counter each, and share one with a chance that is never
/// zero. However many openings are seen, what looks like a single counter is never less likely than
/// that.
fn table(
    trace: &Trace,
    span: Span,
    counter: Counter,
    sizes: &[(f64, f64)],
    draw: impl Fn(u32) -> f64 + Copy,
) -> Fit {
    let apart = counters(trace, span, counter, draw);
    let mut counts = vec![0_usize; trace.destinations];
    trace.looks.iter().for_each(|look| counts[look.destination] += 1);
    let mut most_seen: Vec<usize> = (0..trace.destinations).collect();
    most_seen.sort_by_key(|destination| std::cmp::Reverse(counts[*destination]));
    let stepped = counts.iter().filter(|count| **count > 1).count();
    let together = |neighbours: usize| {
        let together = &most_seen[..neighbours];
        let is_one = |look: &Look| together.contains(&look.destination);
        let one = hashed(&trace.only(is_one), span, counter, draw);
        let rest = counters(&trace.only(|look| !is_one(look)), span, counter, draw);
        let others = neighbours as i32 - 1;
        let chance: f64 = sizes.iter().map(|(size, share)| share * size.powi(-others)).sum();
        let shared = OneCounter { log: one.log + rest.log, chance: chance.ln() };
        let one_counter = (neighbours == stepped).then_some(shared);
        Fit { log: shared.log + shared.chance, draws: one.draws + rest.draws, one_counter }
    };
    let mut ways = vec![apart];
    // All of them are tried whatever comes of some of them: openings to the others look like
    // openings that were missed.
    if (2..=NEIGHBOURS).contains(&stepped) {
        ways.push(together(stepped));
    }
    for neighbours in 2..stepped.min(NEIGHBOURS + 1) {
        let way = together(neighbours);
        // If these do not share a counter, they do not with one more either.
        if way.log < apart.log - LOST_CAUSE {
            break;
        }
        ways.push(way);
    }
    let log = log_sum(ways.iter().map(|way| way.log));
    // The learned shares of `counters` can come to much the same as sharing wholly.
    let good = ways.iter().filter(|way| way.log > log - MUCH_THE_SAME);
    let one_counter = good.filter_map(|way| way.one_counter).next();
    let best = ways.into_iter().max_by(|a, b| a.log.total_cmp(&b.log)).unwrap_or(apart);
    Fit { log, draws: best.draws, one_counter }
}

/// Counters of their own: a destination's counter moves with its own openings, and with those of
/// destinations that share it: an unknown share, learned for each destination. Openings that were
/// missed moved it as well: the more, the more it was used.
fn counters(trace: &Trace, span: Span, counter: Counter, draw: impl Fn(u32) -> f64) -> Fit {
    let Counter { unit, twice } = counter;
    let own = [1.0 - twice, twice];
    let span = if unit == 2 { Span { len: span.even(), ..span } } else { span };
    let place = Place { jump: never, draw };
    let mut shares = vec![SHARED; trace.destinations];
    let mut chances = Vec::new();
    by_destination(trace, span, &LOST.map(|_| 1.0 / 3.0), place, |index, last, from, to, masses| {
        masses.fill(0.0);
        let distance = span.upwards(from, to).unwrap_or(0);
        let others = (index - last - 1) as u32;
        if !distance.is_multiple_of(unit) || distance == 0 {
            return;
        }
        let extra = distance / unit - 1;
        if extra > most_missed(others) + others {
            return;
        }
        let (a, b) = &mut shares[trace.looks[index].destination];
        beta_binomials(others, *a, *b, &mut chances);
        let (mut all, mut hits) = (0.0, 0.0);
        for (shared, chance) in (0..).zip(&chances).take(extra as usize + 1) {
            for (more, own) in (0..).zip(own) {
                let missed = (extra - shared).checked_sub(more);
                let Some(missed) = missed.filter(|missed| *missed <= most_missed(shared)) else {
                    continue;
                };
                let mut by_loss = [0.0; LOST.len()];
                negative_binomials(missed, shared + 1, &*LOST_ODDS, &mut by_loss);
                for (mass, of_loss) in masses.iter_mut().zip(by_loss) {
                    let chance = chance * own * of_loss;
                    *mass += chance;
                    all += chance;
                    hits += chance * f64::from(shared);
                }
            }
        }
        let hits = if all > 0.0 { hits / all } else { f64::from(extra.min(others)) };
        (*a, *b) = (*a + hits, *b + f64::from(others) - hits);
    })
}

/// After an opening that was seen and so many more: what is beyond this was not missed.
const fn most_missed(more: u32) -> u32 {
    6 + 3 * more
}

/// One host, two kinds of programs: which kind comes next is learned; each follows its own rule.
fn linux_both(trace: &Trace, span: Span) -> Fit {
    let of_connect = |look: &Look| span.offset(look.port).is_none_or(|offset| offset % 2 == 0);
    let (mut connects, mut binds, mut log) = (0.5, 0.5, 0.0_f64);
    for look in &trace.looks {
        let count = if of_connect(look) { &mut connects } else { &mut binds };
        let before: f64 = *count;
        *count += 1.0;
        log += (before / (connects + binds - 1.0)).ln();
    }
    let connected = linux_connect(&trace.only(of_connect), span);
    let bound = draws(&trace.only(|look| !of_connect(look)), |port| span.draw_parity(port, 1));
    Fit::new(log + connected.log + bound.log, connected.draws + bound.draws)
}

/// Several hosts: for each destination as many places as there are hosts, at most eight.
fn linux_many(trace: &Trace, span: Span) -> Fit {
    const PLACES: usize = 8;
    /// The share of new places, and of ports that a translator picked since the first was taken.
    const NEW: f64 = 0.25;
    const PICKED: f64 = 0.02;
    let even = Span { len: span.even(), ..span };
    let picked = Span { low: 1024, len: 64512 };
    let mut places: Vec<Vec<usize>> = vec![Vec::new(); trace.destinations];
    let mut fit = Fit::new(0.0, 0.0);
    for (index, look) in trace.looks.iter().enumerate() {
        let known = &mut places[look.destination];
        let each = 1.0 / known.len().max(1) as f64;
        let mut new = if known.is_empty() { 1.0 } else { NEW };
        let (mut step, mut best) = (0.0, (0.0, None));
        for (number, last) in known.iter().enumerate() {
            let stays = 1.0 - change(trace.seconds(*last, index));
            new += (1.0 - NEW) * each * (1.0 - stays);
            let distance = even.upwards(trace.looks[*last].port, look.port).unwrap_or(1);
            if distance.is_multiple_of(2) && even.draw_parity(look.port, 0) > 0.0 {
                let chance = LINUX[0].at(distance / 2) * stays;
                step += (1.0 - NEW) * each * chance;
                if chance > best.0 {
                    best = (chance, Some(number));
                }
            }
        }
        let fresh = (1.0 - PICKED) * new * even.draw_parity(look.port, 0);
        let step = (1.0 - PICKED) * step;
        let all = (1.0 - STRAY) * (fresh + step + PICKED * picked.draw_any(look.port)) + STRAY_EACH;
        fit.log += all.ln();
        fit.draws += (1.0 - STRAY) * fresh / all;
        match best {
            (chance, Some(number)) if chance > 1e-3 => known[number] = index,
            _ if fresh > 0.0 => {
                if known.len() == PLACES {
                    known.remove(0);
                }
                known.push(index);
            }
            _ => {}
        }
    }
    fit
}

/// Ports come back: one that was seen `k` times in `n` comes next with a chance of about `k / n`.
fn fixed(trace: &Trace) -> Fit {
    const NEW: f64 = 0.5;
    let mut counts: Vec<(u32, f64)> = Vec::new();
    let mut log = 0.0;
    for (index, look) in trace.looks.iter().enumerate() {
        let all = index as f64 + NEW;
        match counts.iter_mut().find(|(port, _)| *port == look.port) {
            Some((_, count)) => {
                log += ((1.0 - STRAY) * *count / all + STRAY_EACH).ln();
                *count += 1.0;
            }
            None => {
                log += (NEW / all / 65535.0).ln();
                counts.push((look.port, 1.0));
            }
        }
    }
    Fit::new(log, counts.len() as f64)
}
