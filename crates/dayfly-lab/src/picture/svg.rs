//! The pictures as SVG.

use std::fmt::Write;

use dayfly_alloc::strategy::LinuxVersion;
use dayfly_ports::Protocol;

use super::axis::{number, ticks, time_ticks};
use super::{is_one_place, ports};
use crate::scenario::{Algorithm, Scenario, Via};
use crate::simulate::Outcome;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 74.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 52.0;

/// Words and axes.
const GREY: &str = "#768390";
const BLUE: &str = "#3b82f6";
const ORANGE: &str = "#e08a1e";
const RED: &str = "#d5433a";

/// A drawing with a title and room for a plot.
struct Drawing {
    text: String,
    height: f64,
}

impl Drawing {
    fn new(title: &str, about: &str, height: f64) -> Drawing {
        let mut text = String::new();
        let _ = write!(
            text,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             width=\"{WIDTH}\" height=\"{height}\" role=\"img\" \
             font-family=\"system-ui, 'DejaVu Sans', sans-serif\" font-size=\"13\">\n\
             <title>{0}: {1}</title>\n",
            escaped(title),
            escaped(about),
        );
        let mut drawing = Drawing { text, height };
        drawing.words(LEFT, 20.0, "start", true, title);
        drawing.words(LEFT, 40.0, "start", false, about);
        drawing
    }

    fn words(&mut self, x: f64, y: f64, anchor: &str, bold: bool, words: &str) {
        let weight = if bold { " font-weight=\"600\"" } else { "" };
        let _ = writeln!(
            self.text,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{GREY}\"{weight}>{}</text>",
            escaped(words)
        );
    }

    fn colored(&mut self, x: f64, y: f64, color: &str, words: &str) {
        let _ = writeln!(
            self.text,
            "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"11\" height=\"11\" fill=\"{color}\"/>",
            y - 10.0
        );
        self.words(x + 16.0, y, "start", false, words);
    }

    fn line(&mut self, from: (f64, f64), to: (f64, f64), color: &str, more: &str) {
        let _ = writeln!(
            self.text,
            "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" stroke=\"{color}\"{more}/>",
            from.0, from.1, to.0, to.1
        );
    }

    fn rectangle(&mut self, place: (f64, f64), size: (f64, f64), color: &str, opacity: f64) {
        let opacity =
            if opacity < 1.0 { format!(" fill-opacity=\"{opacity:.2}\"") } else { String::new() };
        let _ = writeln!(
            self.text,
            "<rect x=\"{:.2}\" y=\"{:.2}\" width=\"{:.2}\" height=\"{:.2}\" fill=\"{color}\"{opacity}/>",
            place.0, place.1, size.0, size.1
        );
    }

    fn path(&mut self, path: &str, style: &str) {
        let _ = writeln!(self.text, "<path d=\"{path}\" {style}/>");
    }

    /// A label along the vertical axis.
    fn upright(&mut self, words: &str) {
        let y = (TOP + self.height - BOTTOM) / 2.0;
        let _ = writeln!(
            self.text,
            "<text transform=\"translate(16 {y:.1}) rotate(-90)\" text-anchor=\"middle\" \
             fill=\"{GREY}\">{}</text>",
            escaped(words)
        );
    }

    fn finished(mut self) -> String {
        self.text += "</svg>\n";
        self.text
    }
}

fn escaped(words: &str) -> String {
    words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Where values lie on the paper.
#[derive(Clone, Copy)]
struct Plot {
    most_x: f64,
    most_y: f64,
    bottom: f64,
}

impl Plot {
    fn x(self, value: f64) -> f64 {
        LEFT + value / self.most_x * (WIDTH - LEFT - RIGHT)
    }

    fn y(self, value: f64) -> f64 {
        self.bottom - value / self.most_y * (self.bottom - TOP)
    }

    /// Numbers along the vertical axis, and both axes.
    fn frame(self, drawing: &mut Drawing, unit: &str) {
        // There is no half of a port.
        let whole = |tick: &f64| !unit.is_empty() || tick.fract() == 0.0;
        for tick in ticks(self.most_y, 4).into_iter().filter(whole) {
            let y = self.y(tick);
            let faint = " stroke-opacity=\"0.25\"";
            drawing.line((LEFT, y), (WIDTH - RIGHT, y), GREY, faint);
            drawing.words(LEFT - 7.0, y + 4.5, "end", false, &format!("{}{unit}", number(tick)));
        }
        drawing.line((LEFT, self.bottom), (WIDTH - RIGHT, self.bottom), GREY, "");
    }

    fn tick_below(self, drawing: &mut Drawing, value: f64, words: &str) {
        let x = self.x(value);
        drawing.line((x, self.bottom), (x, self.bottom + 5.0), GREY, "");
        let anchor = if x > WIDTH - 26.0 { "end" } else { "middle" };
        drawing.words(x.min(WIDTH - 2.0), self.bottom + 19.0, anchor, false, words);
    }
}

/// Held ports over time.
pub(super) fn occupancy(scenario: &Scenario, outcome: &Outcome) -> String {
    let one_place = is_one_place(outcome);
    let what = match (&scenario.nat, one_place) {
        (Some(_), _) => "ports of the fullest place of the NAT",
        (None, true) => "ports held, in use and in TIME_WAIT",
        (None, false) => "ports held in the fullest place",
    };
    let usable = f64::from(outcome.usable);
    let fullest = outcome.curve.iter().map(|sample| sample.fullest).max().unwrap_or(0);
    // The limit is drawn when it is near; otherwise it would flatten everything.
    let near = f64::from(fullest) > usable / 5.0;
    let all = number(usable);
    let about = match (near, has_cliff(scenario)) {
        (true, true) => format!("{what}; dashes: all {all}, and half, where searches turn slow"),
        (true, false) => format!("{what}; dashes: all {all}"),
        (false, _) => format!("{what}, of {all}"),
    };
    let mut drawing = Drawing::new(&scenario.title, &about, HEIGHT + 22.0);
    let most_y = if near { usable * 1.08 } else { f64::from(fullest).max(1.0) * 1.15 };
    let most_x = outcome.simulated.max(1) as f64;
    let plot = Plot { most_x, most_y, bottom: HEIGHT - BOTTOM + 22.0 };
    plot.frame(&mut drawing, "");
    drawing.upright("ports");
    let (times, unit, length) = time_ticks(outcome.simulated, 8);
    for time in times {
        plot.tick_below(&mut drawing, time, &number(time / length));
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    drawing.words(middle, plot.bottom + 38.0, "middle", false, &format!("time, {unit}"));
    let area = |low: &dyn Fn(usize) -> f64, high: &dyn Fn(usize) -> f64| {
        let count = outcome.curve.len();
        let point = |index: usize, value: f64| {
            let at = outcome.curve[index].at as f64;
            format!("{:.1} {:.1}", plot.x(at.min(most_x)), plot.y(value))
        };
        let there = (0..count).map(|index| point(index, high(index)));
        let back = (0..count).rev().map(|index| point(index, low(index)));
        format!("M{}Z", there.chain(back).collect::<Vec<_>>().join("L"))
    };
    let sample = |index: usize| outcome.curve[index];
    let fill = |color: &str| format!("fill=\"{color}\" fill-opacity=\"0.75\"");
    let legend = plot.bottom + 38.0;
    if one_place {
        let live = |index: usize| sample(index).live as f64;
        let all = |index: usize| (sample(index).live + sample(index).time_wait) as f64;
        drawing.path(&area(&|_| 0.0, &live), &fill(BLUE));
        drawing.path(&area(&live, &all), &fill(ORANGE));
        drawing.colored(LEFT, legend, BLUE, "in use");
        drawing.colored(LEFT + 80.0, legend, ORANGE, "TIME_WAIT");
    } else {
        drawing.path(&area(&|_| 0.0, &|index| f64::from(sample(index).fullest)), &fill(BLUE));
    }
    if near {
        let dashes = " stroke-width=\"1.5\" stroke-dasharray=\"6 4\"";
        let y = plot.y(usable);
        drawing.line((LEFT, y), (WIDTH - RIGHT, y), GREY, dashes);
        if has_cliff(scenario) {
            let y = plot.y(usable / 2.0);
            drawing.line((LEFT, y), (WIDTH - RIGHT, y), GREY, dashes);
        }
    }
    if outcome.failed > 0 {
        for pair in outcome.curve.windows(2).filter(|pair| pair[1].failed > pair[0].failed) {
            let (from, to) = (plot.x(pair[0].at as f64), plot.x(pair[1].at as f64));
            drawing.rectangle((from, plot.bottom + 1.0), (to - from, 4.0), RED, 1.0);
        }
        drawing.colored(WIDTH - 190.0, legend, RED, "connections fail");
    }
    drawing.finished()
}

/// Whether the ports of one parity come first, and so a search turns slow at half.
fn has_cliff(scenario: &Scenario) -> bool {
    let work = &scenario.workloads[0];
    let host = &scenario.hosts[work.host];
    let Algorithm::Linux(version) = host.behaviour.algorithm else { return false };
    let by_parity = !matches!(version, LinuxVersion::Before4_2 | LinuxVersion::From4_2);
    let plain = work.protocol == Protocol::Tcp && matches!(work.via, Via::Connect | Via::Bind);
    scenario.nat.is_none() && by_parity && plain && host.range.len() > 2
}

/// Every so many bars.
const BARS: usize = 60;

/// How soon ports come back.
pub(super) fn reuse(scenario: &Scenario, outcome: &Outcome) -> String {
    let reuse = &outcome.reuse;
    let about = format!(
        "connections between two uses of a port: at least {}, on average {}",
        number(reuse.least().into()),
        number(reuse.mean().round())
    );
    let mut drawing = Drawing::new(&scenario.title, &about, HEIGHT + 10.0);
    let most = f64::from(reuse.quantile(0.999).max(1)) * 1.02;
    let mut bars = [0.0; BARS];
    for (low, high, count) in reuse.steps().filter(|(_, _, count)| *count > 0) {
        // A step is spread evenly over the bars that it reaches into, as far as there are values.
        let (low, high) = (low.max(reuse.least()), high.min(reuse.most()));
        let (low, high) = (f64::from(low), f64::from(high) + 1.0);
        let width = most / BARS as f64;
        let (first, last) = ((low / width) as usize, (high / width) as usize);
        for (index, bar) in bars.iter_mut().enumerate().take(last + 1).skip(first) {
            let overlap = high.min((index + 1) as f64 * width) - low.max(index as f64 * width);
            *bar += overlap.max(0.0) / (high - low) * count as f64;
        }
    }
    let share = |bar: f64| 100.0 * bar / reuse.count() as f64;
    let highest = bars.iter().map(|bar| share(*bar)).fold(0.0, f64::max);
    let plot = Plot { most_x: most, most_y: highest * 1.08, bottom: HEIGHT - BOTTOM + 10.0 };
    plot.frame(&mut drawing, " %");
    drawing.upright("share");
    for tick in ticks(most, 8) {
        plot.tick_below(&mut drawing, tick, &number(tick));
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    drawing.words(
        middle,
        plot.bottom + 38.0,
        "middle",
        false,
        "connections to the same destination",
    );
    for (index, bar) in bars.iter().enumerate().filter(|(_, bar)| **bar > 0.0) {
        let (left, right) =
            (plot.x(most / 60.0 * index as f64), plot.x(most / 60.0 * (index + 1) as f64));
        let top = plot.y(share(*bar));
        let size = (right - left - 1.0, (plot.bottom - top).max(0.8));
        drawing.rectangle((left + 0.5, plot.bottom - size.1), size, BLUE, 0.8);
    }
    drawing.finished()
}

/// Cells of the map, and the space between.
const COLUMNS: usize = 64;
const MOST_ROWS: usize = 32;
const CELL: f64 = 9.8;

/// Which ports were used.
pub(super) fn map(scenario: &Scenario, outcome: &Outcome) -> String {
    let map = ports(scenario, outcome);
    let each = map.heat.len().div_ceil(COLUMNS * MOST_ROWS).max(1);
    let cells: Vec<f64> = map
        .heat
        .chunks(each)
        .map(|ports| ports.iter().map(|times| f64::from(*times)).sum::<f64>() / ports.len() as f64)
        .collect();
    let most = cells.iter().copied().fold(0.0, f64::max);
    let rows = cells.len().div_ceil(COLUMNS);
    let cell_is = if each == 1 { "a port".to_owned() } else { format!("{each} ports") };
    let about = format!(
        "how often each port was handed out; a cell is {cell_is}, the darkest {} times{}",
        number(most),
        if each == 1 { "" } else { " each" }
    );
    let height = TOP + rows as f64 * (CELL + 0.2) + 24.0;
    let mut drawing = Drawing::new(&scenario.title, &about, height);
    for (index, cell) in cells.iter().enumerate() {
        let place = (
            LEFT + (index % COLUMNS) as f64 * (CELL + 0.2),
            TOP + (index / COLUMNS) as f64 * (CELL + 0.2),
        );
        // A port that was never used is an outline in grey, one that was is blue.
        if *cell > 0.0 {
            let depth = 0.12 + 0.88 * (cell / most).sqrt();
            drawing.rectangle(place, (CELL - 0.6, CELL - 0.6), BLUE, depth);
        } else {
            drawing.rectangle(place, (CELL - 0.6, CELL - 0.6), GREY, 0.12);
        }
    }
    let every = rows.div_ceil(8).max(1);
    for row in (0..rows).step_by(every) {
        let port = map.low + (row * COLUMNS * each) as u32;
        let y = TOP + row as f64 * (CELL + 0.2) + CELL - 0.5;
        drawing.words(LEFT - 7.0, y, "end", false, &port.to_string());
    }
    let last = map.low + map.heat.len() as u32 - 1;
    let words = format!("ports {} to {last}; grey: never", map.low);
    drawing.words(LEFT, height - 7.0, "start", false, &words);
    drawing.finished()
}
