//! Why a scenario cannot be read: the line, the column, the cause, and what to do.

use std::fmt;
use std::ops::Range;

/// A scenario that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    /// The line, counted from 1.
    pub line: usize,
    /// The column in characters, counted from 1.
    pub column: usize,
    /// What is wrong, as a sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// The line itself.
    pub text: String,
}

impl ScenarioError {
    /// What is wrong at this place of the text, in bytes.
    pub(super) fn at(text: &str, span: Range<usize>, message: impl Into<String>) -> Self {
        let start = span.start.min(text.len());
        let begin = text[..start].rfind('\n').map_or(0, |newline| newline + 1);
        let end = text[begin..].find('\n').map_or(text.len(), |length| begin + length);
        ScenarioError {
            line: text[..begin].matches('\n').count() + 1,
            column: text[begin..start].chars().count() + 1,
            message: message.into(),
            hint: None,
            text: text[begin..end].trim_end().to_owned(),
        }
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What the TOML reader says, with the nearest known key or word where there is one.
    pub(super) fn of_toml(text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().trim_end().replace('\n', ", ");
        // serde: unknown field `a`, expected one of `b`, `c`; the same with variants.
        let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
        let unknown =
            message.starts_with("unknown field") || message.starts_with("unknown variant");
        let this = ScenarioError::at(text, error.span().unwrap_or_default(), "");
        let (true, Some((wrong, known))) = (unknown, quoted.split_first()) else {
            return ScenarioError { message, ..this };
        };
        let what = if message.starts_with("unknown field") { "key" } else { "word" };
        let hint = match nearest(wrong, known.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("there are {}", known.join(", ")),
        };
        ScenarioError { message: format!("there is no {what} {wrong:?} here"), ..this }.hint(hint)
    }
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for ScenarioError {}

/// The known word that takes the fewest edits, if those are few.
pub(super) fn nearest<'a>(
    wrong: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let best = known.into_iter().map(|word| (distance(wrong, word), word)).min()?;
    (best.0 <= wrong.chars().count().div_ceil(3)).then_some(best.1)
}

/// How many letters have to be added, taken away, changed or swapped with their neighbour.
fn distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut rows = vec![(0..=to.len()).collect::<Vec<usize>>()];
    for i in 1..=from.len() {
        let mut row = vec![i];
        for j in 1..=to.len() {
            let same = usize::from(from[i - 1] != to[j - 1]);
            let mut least = (rows[i - 1][j - 1] + same).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_means_near() {
        let known = ["duration", "rate", "range", "reserved"];
        assert_eq!(nearest("rnage", known), Some("range"));
        assert_eq!(nearest("durations", known), Some("duration"));
        assert_eq!(nearest("colour", known), None);
    }
}
