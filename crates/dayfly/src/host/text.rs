//! What somebody else printed, made fit for a terminal.

/// The last 300 characters, on one line: blanks instead of line ends, no control characters (they
/// could move the cursor, change the title or paste), nothing that reverses the direction of
/// writing or is invisible.
pub(super) fn one_line(bytes: &[u8]) -> String {
    const MOST: usize = 300;
    let words = harmless(&dayfly_systems::decoded(bytes));
    let words: Vec<&str> = words.split_whitespace().collect();
    let line = words.join(" ");
    let length = line.chars().count();
    if length <= MOST {
        return line;
    }
    let end: String = line.chars().skip(length - MOST).collect();
    format!("... {end}")
}

/// The text with a question mark for everything that is not simply printed, line ends and
/// tabulators aside. An escape sequence loses its first character, and with it its power.
pub(crate) fn harmless(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' | '\t' => c,
            '\r' => ' ',
            c if c.is_control() || is_format(c) => '?',
            c => c,
        })
        .collect()
}

/// Characters that are not seen, or turn the direction of others (Unicode's category Cf, as far as
/// terminals know it).
fn is_format(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn escape_sequences_lose_their_power() {
        assert_eq!(one_line(b"\x1b]0;owned\x07 ok\r\n\x1b[2J"), "?]0;owned? ok ?[2J");
        assert_eq!(one_line("a\u{202e}b\u{9b}31m".as_bytes()), "a?b?31m");
        assert_eq!(one_line(&[b'x'; 1000]).len(), 304);
    }

    proptest! {
        #[test]
        fn nothing_but_print_passes(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
            let line = one_line(&bytes);
            prop_assert!(!line.chars().any(|c| c.is_control() || is_format(c)));
        }
    }
}
