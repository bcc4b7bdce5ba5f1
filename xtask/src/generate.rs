//! `cargo xtask generate`: the files that are made from the command's own definition.

use std::fs;

use crate::shell::{self, Done};

/// Each file under `crates/dayfly`, and the words that make the command print it.
const FILES: [(&str, &[&str]); 4] = [
    ("man/dayfly.1", &["man"]),
    ("completions/dayfly.bash", &["completions", "bash"]),
    ("completions/_dayfly", &["completions", "zsh"]),
    ("completions/dayfly.fish", &["completions", "fish"]),
];

/// Writes the manual page and the completions anew. A test of the command says when to.
pub(crate) fn run() -> Done {
    let folder = shell::root().join("crates/dayfly");
    for (file, words) in FILES {
        let mut arguments = vec!["run", "--quiet", "--package", "dayfly", "--"];
        arguments.extend(words);
        let text = shell::output(&shell::cargo(), &arguments)?;
        let path = folder.join(file);
        let written =
            fs::create_dir_all(path.with_file_name("")).and_then(|()| fs::write(&path, text));
        written.map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
    }
    Ok(())
}
