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
            let message = wrong_kind(&this, &message).unwrap_or(message);
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

/// A value of the wrong kind, said with its key instead of the names of Rust's types.
fn wrong_kind(place: &ScenarioError, message: &str) -> Option<String> {
    let (key, _) = place.text.split_once('=')?;
    let key = key.trim();
    // serde: invalid type: string "fast", expected f64; toml, of a word: expected table, found integer.
    let (found, expected) = match message.strip_prefix("invalid type: ") {
        Some(rest) => rest.split_once(", expected ")?,
        None if message.starts_with("expected table, found ") => {
            return Some(format!("{key} is one word in quotes"));
        }
        None => return None,
    };
    let expected = match expected {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number",
        "bool" | "a boolean" => "true or false",
        "a string" => "a text in quotes",
        other => other,
    };
    Some(format!("{key} is {expected}, not {found}"))
}

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
    fn a_value_of_the_wrong_kind_is_said_with_its_key() {
        let head = "[[host]]\nsystem = \"linux\"\n[[destination]]\n[[workload]]\n";
        let said = |line: &str| {
            let error = super::super::Scenario::parse(&format!("{head}{line}\n")).unwrap_err();
            assert_eq!(error.line, 5, "{line}");
            error.message
        };
        assert_eq!(said("rate = \"fast\""), "rate is a number, not string \"fast\"");
        assert_eq!(said("count = 1.5"), "count is a whole number, not floating point `1.5`");
        assert_eq!(said("keep_alive = 1"), "keep_alive is true or false, not integer `1`");
        assert_eq!(said("host = 7"), "host is a text in quotes, not integer `7`");
        assert_eq!(said("arrivals = { bursts = 15 }"), "arrivals is one word in quotes");
    }

    #[test]
    fn nearest_means_near() {
        let known = ["duration", "rate", "range", "reserved"];
        assert_eq!(nearest("rnage", known), Some("range"));
        assert_eq!(nearest("durations", known), Some("duration"));
        assert_eq!(nearest("colour", known), None);
    }
}
