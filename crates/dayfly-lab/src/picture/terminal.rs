//! The pictures as text, in as many columns as there are.

use super::axis::{number, time_ticks};
use super::{is_one_place, ports};
use crate::scenario::Scenario;
use crate::simulate::Outcome;

/// Rows of a curve.
const ROWS: usize = 8;
/// From nothing to a full cell, in eighths.
const EIGHTHS: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// From never to most often.
const SHADES: [char; 5] = ['·', '░', '▒', '▓', '█'];

/// Held ports over time: `█` the fullest place, `!` below it where connections fail.
#[must_use]
pub fn occupancy_text(outcome: &Outcome, columns: usize) -> String {
    let margin = number(f64::from(outcome.usable)).len().max(5);
    let width = columns.saturating_sub(margin + 2).clamp(8, 240);
    let fullest = outcome.curve.iter().map(|sample| sample.fullest).max().unwrap_or(0);
    let near = fullest > outcome.usable / 5;
    let most = f64::from(if near { outcome.usable } else { fullest }.max(1));
    let mut heights = vec![0.0_f64; width];
    let mut fails = vec![false; width];
    let end = outcome.simulated.max(1) as f64;
    for (index, sample) in outcome.curve.iter().enumerate() {
        let column = (sample.at as f64 / end * (width - 1) as f64).round() as usize;
        let column = column.min(width - 1);
        heights[column] = heights[column].max(f64::from(sample.fullest));
        let before = index.checked_sub(1).map_or(0, |before| outcome.curve[before].failed);
        fails[column] |= sample.failed > before;
    }
    // More columns than samples: a column without one looks like the one before.
    let taken: Vec<bool> = {
        let mut taken = vec![false; width];
        for sample in &outcome.curve {
            let column = (sample.at as f64 / end * (width - 1) as f64).round() as usize;
            taken[column.min(width - 1)] = true;
        }
        taken
    };
    for column in 1..width {
        if !taken[column] {
            heights[column] = heights[column - 1];
            fails[column] = fails[column - 1];
        }
    }
    let mut text = format!(
        "{}, at most {}\n",
        if is_one_place(outcome) { "ports held" } else { "ports held in the fullest place" },
        number(fullest.into())
    );
    for row in (0..ROWS).rev() {
        let label = match row {
            _ if row == ROWS - 1 => number(most),
            0 => "0".to_owned(),
            _ => String::new(),
        };
        text += &format!("{label:>margin$} |");
        for height in &heights {
            let eighths = height / most * (ROWS * 8) as f64 - (row * 8) as f64;
            // Something is seen as soon as there is something.
            let least = if row == 0 && *height > 0.0 { 1.0 } else { 0.0 };
            text.push(EIGHTHS[eighths.round().clamp(least, 8.0) as usize]);
        }
        text = text.trim_end().to_owned() + "\n";
    }
    if fails.contains(&true) {
        let marks: String = fails.iter().map(|fails| if *fails { '!' } else { ' ' }).collect();
        text += &format!("{:>margin$} |{}\n", "fails", marks.trim_end());
    }
    let (_, unit, length) = time_ticks(outcome.simulated, 8);
    let last = format!("{} {unit}", number(outcome.simulated as f64 / length));
    let room = width - 1;
    text += &format!("{:>margin$}  0{last:>room$}\n", "");
    text
}

/// How soon ports come back, as bars.
#[must_use]
pub fn reuse_text(outcome: &Outcome, columns: usize) -> String {
    let reuse = &outcome.reuse;
    if reuse.count() == 0 {
        return "no port was used twice\n".to_owned();
    }
    let mut text = format!(
        "connections between two uses of a port: least {}, mean {}, most {}\n",
        number(reuse.least().into()),
        number(reuse.mean().round()),
        number(reuse.most().into()),
    );
    let (bars, most) = (10_usize, f64::from(reuse.quantile(0.999).max(1)));
    let first = f64::from(reuse.least());
    let width = ((most - first) / bars as f64).max(1.0);
    let mut counts = vec![0_u64; bars];
    for (low, high, count) in reuse.steps() {
        let middle = (f64::from(low) + f64::from(high)) / 2.0;
        let bar = ((middle - first) / width).max(0.0) as usize;
        counts[bar.min(bars - 1)] += count;
    }
    let highest = counts.iter().copied().max().unwrap_or(1).max(1);
    let labels: Vec<String> =
        (0..bars).map(|bar| number((first + bar as f64 * width).floor())).collect();
    let margin = labels.iter().map(String::len).max().unwrap_or(0);
    let room = columns.saturating_sub(margin + 10).clamp(8, 120);
    for (label, count) in labels.iter().zip(counts) {
        let length = (count as f64 / highest as f64 * room as f64).round() as usize;
        let share = 100.0 * count as f64 / reuse.count() as f64;
        text += &format!("{label:>margin$} |{} {share:.1} %\n", "█".repeat(length));
    }
    text
}

/// Which ports were used: `·` never, then the darker the more often.
#[must_use]
pub fn map_text(scenario: &Scenario, outcome: &Outcome, columns: usize) -> String {
    let map = ports(scenario, outcome);
    let width = columns.saturating_sub(8).clamp(8, 128);
    let each = map.heat.len().div_ceil(width * 10).max(1);
    let cells: Vec<f64> = map
        .heat
        .chunks(each)
        .map(|ports| ports.iter().map(|times| f64::from(*times)).sum::<f64>() / ports.len() as f64)
        .collect();
    let most = cells.iter().copied().fold(0.0, f64::max).max(1e-9);
    let cell_is = if each == 1 { "one port".to_owned() } else { format!("{each} ports") };
    let mut text = format!("how often ports were handed out, {cell_is} a character\n");
    for (row, cells) in cells.chunks(width).enumerate() {
        text += &format!("{:>5} |", map.low as usize + row * width * each);
        for cell in cells {
            let shade = if *cell > 0.0 { (cell / most * 4.0).ceil() } else { 0.0 };
            text.push(SHADES[(shade as usize).min(4)]);
        }
        text.push('\n');
    }
    text
}
