//! The table of all operating systems.

use std::fmt::Write;

use dayfly_systems::{SYSTEMS, System};

use super::style::{self, paint};

/// One line for each system.
pub(crate) fn text() -> String {
    let head = ["NAME", "DEFAULT", "RECOMMENDED", "UNIT", "KEEPS A CHANGE IN"];
    let rows: Vec<[String; 5]> = SYSTEMS.iter().map(|system| row(system)).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([head[column].len()]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..4).map(width).collect();
    let line = |cells: [&str; 5]| {
        let mut line = String::new();
        for (cell, &width) in cells.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        line + cells[4]
    };
    let mut text = paint(style::DIM, &line(head));
    text.push('\n');
    for row in &rows {
        text += &line(row.each_ref().map(String::as_str));
        text.push('\n');
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
