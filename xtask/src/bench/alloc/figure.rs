//! One figure, and how many of them become tables.

use std::fmt::Write;

/// A measured value: of what, at which setting, in which unit.
#[derive(Clone, Debug)]
pub(crate) struct Figure {
    pub(crate) section: &'static str,
    pub(crate) what: String,
    pub(crate) at: String,
    pub(crate) value: f64,
    pub(crate) unit: &'static str,
}

impl Figure {
    pub(crate) fn new(
        section: &'static str,
        what: impl Into<String>,
        at: impl Into<String>,
        value: f64,
        unit: &'static str,
    ) -> Self {
        Figure { section, what: what.into(), at: at.into(), value, unit }
    }

    /// One line. No name here holds a character that JSON would want escaped.
    pub(crate) fn json(&self) -> String {
        let Figure { section, what, at, value, unit } = self;
        format!(
            "{{\"section\":\"{section}\",\"what\":\"{what}\",\"at\":\"{at}\",\
             \"value\":{value:.3},\"unit\":\"{unit}\"}}"
        )
    }
}

/// The value of what at a setting.
pub(crate) fn find(figures: &[Figure], what: &str, at: &str) -> Option<f64> {
    figures.iter().find(|figure| figure.what == what && figure.at == at).map(|figure| figure.value)
}

/// A Markdown table for each section: a row for each thing, a column for each setting.
pub(crate) fn tables(figures: &[Figure]) -> String {
    let mut text = String::new();
    for section in in_order(figures, |figure| figure.section) {
        let here: Vec<&Figure> =
            figures.iter().filter(|figure| figure.section == section).collect();
        let settings = in_order(&here, |figure| figure.at.as_str());
        let _ = writeln!(text, "\n{section}\n\n| | {} |", settings.join(" | "));
        let _ = writeln!(text, "|---|{}", "---|".repeat(settings.len()));
        for what in in_order(&here, |figure| figure.what.as_str()) {
            let row: Vec<&&Figure> = here.iter().filter(|figure| figure.what == what).collect();
            let cells: Vec<String> = settings
                .iter()
                .map(|at| row.iter().find(|figure| figure.at == *at))
                .map(|figure| figure.map_or("-".to_owned(), |figure| short(figure.value)))
                .collect();
            let unit = row.first().map_or("", |figure| figure.unit);
            let comma = if unit.is_empty() { "" } else { ", " };
            let _ = writeln!(text, "| {what}{comma}{unit} | {} |", cells.join(" | "));
        }
    }
    text
}

fn short(value: f64) -> String {
    match value {
        value if value < 100.0 => format!("{value:.1}"),
        value => {
            let digits = format!("{value:.0}");
            let mut grouped = String::new();
            for (place, digit) in digits.chars().enumerate() {
                if place > 0 && (digits.len() - place).is_multiple_of(3) {
                    grouped.push(',');
                }
                grouped.push(digit);
            }
            grouped
        }
    }
}

/// Each name once, in the order in which they come up.
fn in_order<'a, T, N: PartialEq + Copy>(items: &'a [T], name: impl Fn(&'a T) -> N) -> Vec<N> {
    let mut names = Vec::new();
    for item in items {
        if !names.contains(&name(item)) {
            names.push(name(item));
        }
    }
    names
}
