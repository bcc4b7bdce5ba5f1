//! Text that fits a screen: paragraphs, and the notes about what could not be seen.

use std::fmt::Write;

use dayfly_insight::why::Action;

use super::Screen;
use super::style::{self, paint};
use crate::place::Note;

/// What could not be seen, and what would help.
pub(crate) fn notes(text: &mut String, notes: &[Note], screen: Screen) {
    for note in notes {
        let label = paint(style::WARN, "not seen:");
        wrapped(text, &format!("{label} {}: {}", note.what, note.why), "  ", screen);
        if !note.fix.is_empty() {
            // A command to paste: never broken by us.
            let _ = writeln!(text, "  {} {}", paint(style::GOOD, "try:"), note.fix);
        }
    }
}

/// What to do, after a lead such as `do:`. Words are broken to fit; a command to paste never is.
pub(crate) fn action(text: &mut String, lead: &str, action: &Action, indent: &str, screen: Screen) {
    let line = format!("{lead}{}", action.as_str());
    match action {
        Action::Command(_) => {
            text.push_str(&line);
            text.push('\n');
        }
        Action::Change(_) => wrapped(text, &line, indent, screen),
    }
}

/// One paragraph, broken between words. Styles have no width.
pub(crate) fn wrapped(text: &mut String, paragraph: &str, indent: &str, screen: Screen) {
    let mut width = 0;
    for (index, word) in paragraph.split(' ').enumerate() {
        let length = visible(word);
        if index > 0 {
            if width + 1 + length > screen.columns {
                text.push('\n');
                text.push_str(indent);
                width = indent.len();
            } else {
                text.push(' ');
                width += 1;
            }
        }
        text.push_str(word);
        width += length;
    }
    text.push('\n');
}

/// The characters of a word that take room: all but the escape sequences.
pub(crate) fn visible(word: &str) -> usize {
    let mut escape = false;
    let shows = |c| {
        let shown = !escape && c != '\x1b';
        escape = c == '\x1b' || (escape && c != 'm');
        shown
    };
    word.chars().map(shows).filter(|&shown| shown).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn styles_take_no_room() {
        assert_eq!(visible(&paint(style::BAD, "full:")), 5);
        assert_eq!(visible("plain"), 5);
    }

    #[test]
    fn paragraphs_break_between_words() {
        let mut text = String::new();
        let screen = Screen { columns: 10, lines: 24 };
        wrapped(&mut text, "one two three fourteen-long-word five", "  ", screen);
        assert_eq!(text, "one two\n  three\n  fourteen-long-word\n  five\n");
    }
}
