//! The table of all operating systems.

use std::fmt::Write;

use dayfly_systems::{SYSTEMS, System};

use super::Screen;
use super::style::{self, paint};

/// Blanks between columns.
const GAP: usize = 2;
const HEAD: [&str; 5] = ["NAME", "DEFAULT", "RECOMMENDED", "UNIT", "KEEPS A CHANGE IN"];

/// One line for each system; two where the screen is narrow.
pub(crate) fn text(screen: Screen) -> String {
    let rows: Vec<[String; 5]> = SYSTEMS.iter().map(|system| row(system)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([HEAD[column].len()]).max().unwrap_or_default()
    };
    let widths = [0, 1, 2, 3, 4].map(width);
    let is_one_line = widths.iter().map(|width| width + GAP).sum::<usize>() - GAP <= screen.columns;
    let line = |cells: [&str; 5]| {
        let mut line = String::new();
        for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
            if column == 3 && !is_one_line {
                let _ = write!(line, "\n{:indent$}", "", indent = widths[0] + GAP);
            }
            let _ = write!(line, "{cell:width$}{:GAP$}", "");
        }
        line.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
    };
    let mut text = String::new();
    for head in line(HEAD).lines() {
        let _ = writeln!(text, "{}", paint(style::DIM, head));
    }
    for row in &rows {
        let _ = writeln!(text, "{}", line(row.each_ref().map(String::as_str)));
    }
    text += "`dayfly systems --explain NAME` says more.\n";
    text
}

fn row(system: &System) -> [String; 5] {
    let recommended = match system.recommended {
        Some(range) => range.to_string(),
        None if system.is_settable() => "the default".to_owned(),
        None => "-".to_owned(),
    };
    [
        system.name.to_owned(),
        system.default_range().to_string(),
        recommended,
        system.unit.words().to_owned(),
        system.persists_in.to_owned(),
    ]
}
