//! A word that a shell reads back as it is. Whatever is not a constant goes through here before it
//! becomes part of a command.

/// The word for a shell of the Bourne family (POSIX.1-2024, shell command language, 2.2.2): within
/// single quotes every character stands for itself, but the single quote. A word cannot hold NUL;
/// it is left out.
pub(crate) fn posix(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    // `a=b` in front of a command would be an assignment, and some shells expand `=command`.
    let bare = !word.is_empty() && !word.starts_with('=') && word.chars().all(plain);
    if bare {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\0', "").replace('\'', r"'\''"))
    }
}

/// The word for PowerShell (about_Quoting_Rules): within single quotes every character stands for
/// itself, but the single quote, which is doubled, and PowerShell takes four more characters for
/// one (`IsSingleQuote` in its tokenizer).
pub(crate) fn powershell(word: &str) -> String {
    let mut quoted = String::from("'");
    for c in word.chars().filter(|&c| c != '\0') {
        quoted.push(c);
        if matches!(c, '\'' | '\u{2018}'..='\u{201b}') {
            quoted.push(c);
        }
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_that_need_nothing_stay_readable() {
        for word in ["plain", "/etc/sysctl.conf", "[::1]:80", "--a=b", "it's", "", "=ls", "a b"] {
            let bare =
                !word.is_empty() && !word.starts_with('=') && !word.contains(['[', '\'', ' ']);
            assert_eq!(posix(word) == word, bare, "{word}");
        }
        assert_eq!(posix("it's"), r"'it'\''s'");
    }

    /// There is no PowerShell to ask: the rule, by hand.
    #[test]
    fn powershell_doubles_what_it_takes_for_a_quote() {
        assert_eq!(powershell("reg add \"K\" & $x"), "'reg add \"K\" & $x'");
        assert_eq!(powershell("it's \u{2019}"), "'it''s \u{2019}\u{2019}'");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

        #[test]
        fn words_survive_every_shell(
            words in prop::collection::vec(prop_oneof![
                any::<String>(),
                "[-~!$`\"'\\\\#&;|<>(){}*?\\[\\]\n\t =a%^]{0,12}",
            ], 1..6),
        ) {
            let words: Vec<String> = words.iter().map(|word| word.replace('\0', "")).collect();
            let script: String = words.iter().map(|word| format!(" {}", posix(word))).collect();
            let expected: String = words.iter().flat_map(|word| [word, "\0"]).collect();
            for shell in ["sh", "dash", "bash"] {
                let output = Command::new(shell)
                    .args(["-c", &format!("printf '%s\\0'{script}")])
                    .output()
                    .unwrap();
                prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), expected.clone());
            }
        }
    }
}
