//! `cargo xtask claims`: the page that holds documents against the model, with its pictures.

use std::fs;
use std::path::Path;

use crate::shell::{self, Done};

/// Writes docs/claims.md and docs/pictures anew. A test of dayfly-lab says when to.
pub(crate) fn run() -> Done {
    let page =
        dayfly_lab::claims::page().map_err(|error| format!("a shipped scenario: {error}"))?;
    let docs = shell::root().join("docs");
    let pictures = docs.join("pictures");
    if pictures.exists() {
        fs::remove_dir_all(&pictures).map_err(|error| cannot(&pictures, &error))?;
    }
    fs::create_dir_all(&pictures).map_err(|error| cannot(&pictures, &error))?;
    write(&docs.join("claims.md"), &page.text)?;
    for (name, picture) in &page.pictures {
        write(&pictures.join(name), picture)?;
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Done {
    fs::write(path, text).map_err(|error| cannot(path, &error))
}

fn cannot(path: &Path, error: &std::io::Error) -> String {
    format!("{} cannot be written: {error}", path.display())
}
