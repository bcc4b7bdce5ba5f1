//! What to type to have more privilege. dayfly never takes it by itself.

use std::env;

/// This very command, through sudo, ready to be pasted into a shell.
pub(crate) fn with_sudo() -> String {
    // sudo has a search path of its own: name the program as it was found.
    let program = env::current_exe().map(|path| path.display().to_string());
    let program = program.unwrap_or_else(|_| "dayfly".to_owned());
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let words = std::iter::once(program).chain(arguments).map(|word| quoted(&word));
    format!("sudo {}", words.collect::<Vec<_>>().join(" "))
}

/// The word as a POSIX shell reads it back.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_survive_a_shell() {
        for word in ["plain", "two words", "it's", "", "$HOME", "a;b", "[::1]:80"] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quoted(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }
}
