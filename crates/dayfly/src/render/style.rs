//! The few colours. They only repeat what the words say; whoever cannot see them loses nothing.

use anstyle::{AnsiColor, Style};

/// Plenty of room.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Failing.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Column heads and asides.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What the eye should find first.
pub(crate) const STRONG: Style = Style::new().bold();

/// The text in a style. The stream it is written to takes the style off where it is not wanted.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
