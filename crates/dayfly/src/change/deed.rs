//! One reversible thing that is done to a host.
//!
//! A deed knows what was there before, to the byte, and what is to be there afterwards. Whoever
//! looks at the host can tell from the deed alone whether it is done, whether it is not, or whether
//! somebody else has been there since.

use std::fmt;

use dayfly_linux::sysctl;
use dayfly_ports::PortSet;
use dayfly_systems::Check;
use serde::{Deserialize, Serialize};

use super::journal::Cut;
use super::scene::Scene;
use crate::host::HostError;

/// What is done, and what was before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum Deed {
    /// A setting of the live kernel gets another value.
    Setting { name: String, before: String, after: String },
    /// Ports are reserved in the live kernel, or no longer. Other entries of the list are nobody's
    /// business: they stay as they are at that moment.
    Reserve { before: String, add: String, remove: String },
    /// A file gets other content, is made, or goes.
    File { path: String, mode: u16, before: Option<Content>, after: Option<Content> },
    /// A command of the host's own system.
    Command {
        run: String,
        undo: Vec<Reversal>,
        /// A command whose output tells whether it is done,
        check: String,
        /// the words that its output then holds,
        expect: String,
        /// or no longer holds in any line,
        #[serde(default)]
        gone: bool,
        /// and what it said before.
        before: Before,
        /// The file in which the command keeps the change for the next boot, as it was.
        keeps: Option<Kept>,
    },
}

/// A file that a command changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    pub(crate) path: String,
    pub(crate) before: Option<Content>,
}

/// How a command's check is known to say that it is not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Before {
    /// It prints this.
    Output(String),
    /// It prints these words in this order: what an earlier step of the same change led to.
    Words(String),
    /// No line that it prints holds these words: what an earlier step led to.
    Gone(String),
}

/// What takes a command back, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reversal {
    Run(String),
    Remove(String),
}

impl fmt::Display for Reversal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reversal::Run(command) => f.write_str(command),
            Reversal::Remove(path) => write!(f, "rm -f {path}"),
        }
    }
}

/// The bytes of a file: as text where they are text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Content {
    Text(String),
    Bytes(Vec<u8>),
}

impl Content {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        match String::from_utf8(bytes) {
            Ok(text) => Content::Text(text),
            Err(error) => Content::Bytes(error.into_bytes()),
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Content::Text(text) => text.as_bytes(),
            Content::Bytes(bytes) => bytes,
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(self.bytes()))
    }
}

/// What a look at the host says about a deed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sight {
    /// As before it.
    Old,
    /// As after it.
    New,
    /// Neither; what is there instead, as the end of a sentence that began with the deed's subject.
    Other(String),
}

impl Deed {
    /// What it is about, as a sentence names it.
    pub(crate) fn subject(&self) -> &str {
        match self {
            Deed::Setting { name, .. } => name,
            Deed::Reserve { .. } => sysctl::RESERVED,
            Deed::File { path, .. } => path,
            Deed::Command { run, .. } => run,
        }
    }

    /// Whether it leaves everything as it is.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Deed::Setting { before, after, .. } => words(before) == words(after),
            Deed::File { before, after, .. } => before == after,
            Deed::Reserve { add, remove, .. } => add.is_empty() && remove.is_empty(),
            Deed::Command { .. } => false,
        }
    }

    /// What is there now.
    pub(crate) fn look(&self, scene: &Scene) -> Result<Sight, HostError> {
        Ok(match self {
            Deed::Setting { name, before, after } => {
                let now = scene.read_setting(name)?;
                match words(&now) {
                    now if now == words(after) => Sight::New,
                    now if now == words(before) => Sight::Old,
                    _ => Sight::Other(format!("is {:?} now", words(&now).join(" "))),
                }
            }
            Deed::Reserve { add, remove, .. } => {
                let (add, remove) = (set(add)?, set(remove)?);
                let now = set(&scene.read_setting(sysctl::RESERVED)?)?;
                let has = |ports: &PortSet| now.intersection_len(ports);
                match (has(&add), has(&remove)) {
                    (added, 0) if added == add.len() => Sight::New,
                    (0, left) if left == remove.len() => Sight::Old,
                    (added, left) => {
                        let of = add.len() + remove.len();
                        let done = added + remove.len() - left;
                        Sight::Other(format!("has {done} of {of} ports changed"))
                    }
                }
            }
            Deed::File { path, before, after, .. } => {
                let now = scene.host.read(path)?;
                let now = now.as_deref();
                if now == after.as_ref().map(Content::bytes) {
                    Sight::New
                } else if now == before.as_ref().map(Content::bytes) {
                    Sight::Old
                } else {
                    Sight::Other(match (now, after) {
                        (None, _) => "is gone".to_owned(),
                        (Some(_), None) => "is there again".to_owned(),
                        (Some(now), Some(after)) => first_difference(now, after.bytes()),
                    })
                }
            }
            Deed::Command { check, expect, gone, before, .. } => {
                let now = scene.host.run(check)?.text();
                let says = |expect: &String, gone: bool| {
                    Check { command: check.clone(), expect: expect.clone(), gone }.passes(&now)
                };
                let is_old = match before {
                    Before::Output(before) => words(&now) == words(before),
                    Before::Words(expect) => says(expect, false),
                    Before::Gone(words) => says(words, true),
                };
                if says(expect, *gone) {
                    Sight::New
                } else if is_old {
                    Sight::Old
                } else {
                    Sight::Other(format!("has another outcome: {}", short(&now)))
                }
            }
        })
    }

    /// What has to be remembered before a write, since the write itself may be cut in two.
    pub(crate) fn found(&self, scene: &Scene) -> Result<Option<String>, HostError> {
        match self {
            Deed::Reserve { .. } => scene.read_setting(sysctl::RESERVED).map(Some),
            _ => Ok(None),
        }
    }

    /// After a try that was cut off, and that left the subject as it is wanted: clears up what else
    /// it left. Whether that is all there is to do.
    pub(crate) fn mend(&self, scene: &Scene, cut: &Cut) -> Result<bool, HostError> {
        match (self, &cut.found) {
            (Deed::File { path, .. }, _) => {
                // Where nothing could be written, nothing was left.
                let _ = scene.host.tidy(path);
                Ok(true)
            }
            (Deed::Reserve { add, remove, .. }, Some(found)) => {
                let now = set(&scene.read_setting(sysctl::RESERVED)?)?;
                let lost = &(&(&set(found)? - &now) - &set(add)?) - &set(remove)?;
                Ok(lost.is_empty())
            }
            _ => Ok(true),
        }
    }

    /// Does it, after a try that may be half done if there is a `cut`.
    pub(crate) fn apply(&self, scene: &Scene, cut: Option<&Cut>) -> Result<(), HostError> {
        match self {
            Deed::Setting { name, after, .. } => scene.write_setting(name, after),
            Deed::Reserve { add, remove, .. } => rewrite(scene, &set(add)?, &set(remove)?, cut),
            Deed::File { path, mode, after, .. } => {
                write_file(scene, path, *mode, after.as_ref(), cut)
            }
            Deed::Command { run, .. } => run_command(scene, run),
        }
    }

    /// Takes it back, after a try that may be half done if there is a `cut`.
    pub(crate) fn undo(&self, scene: &Scene, cut: Option<&Cut>) -> Result<(), HostError> {
        match self {
            Deed::Setting { name, before, .. } => scene.write_setting(name, before),
            Deed::Reserve { add, remove, .. } => rewrite(scene, &set(remove)?, &set(add)?, cut),
            Deed::File { path, mode, before, .. } => {
                write_file(scene, path, *mode, before.as_ref(), cut)
            }
            Deed::Command { undo, keeps, .. } => {
                undo.iter().try_for_each(|reversal| match reversal {
                    Reversal::Run(command) => run_command(scene, command),
                    Reversal::Remove(path) => scene.host.remove(path),
                })?;
                let Some(Kept { path, before }) = keeps else { return Ok(()) };
                if scene.host.read(path)?.as_deref() == before.as_ref().map(Content::bytes) {
                    return Ok(());
                }
                write_file(scene, path, 0o644, before.as_ref(), cut)
            }
        }
    }
}

/// Puts ports into the list of reserved ports, and others out of it. Whatever else is in it stays.
fn rewrite(
    scene: &Scene,
    into: &PortSet,
    out: &PortSet,
    cut: Option<&Cut>,
) -> Result<(), HostError> {
    if out.is_empty() && cut.is_none() {
        return scene.reserve(into);
    }
    let mut list = set(&scene.read_setting(sysctl::RESERVED)?)?;
    if let Some(found) = cut.and_then(|cut| cut.found.as_deref()) {
        // A long list is replaced in several writes. What would have come after the cut is known
        // from before only.
        list |= &set(found)?;
    }
    list |= into;
    list -= out;
    scene.write_setting(sysctl::RESERVED, &list.to_string())
}

fn write_file(
    scene: &Scene,
    path: &str,
    mode: u16,
    content: Option<&Content>,
    cut: Option<&Cut>,
) -> Result<(), HostError> {
    if cut.is_some() {
        scene.host.tidy(path)?;
    }
    match content {
        Some(content) => scene.host.replace(path, content.bytes(), mode),
        None => scene.host.remove(path),
    }
}

fn run_command(scene: &Scene, command: &str) -> Result<(), HostError> {
    let output = scene.host.run(command)?;
    if output.is_success() {
        return Ok(());
    }
    let error = HostError::new(format_args!(
        "`{command}` failed with status {}: {}",
        output.status,
        output.said()
    ));
    Err(HostError { is_permission: output.wants_privilege(), ..error })
}

/// A list as the kernel prints it.
pub(super) fn set(list: &str) -> Result<PortSet, HostError> {
    list.parse()
        .map_err(|error| HostError::new(format_args!("the list of reserved ports: {error}")))
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

fn short(text: &str) -> String {
    let line = words(text).join(" ");
    let start: String = line.chars().filter(|c| !c.is_control()).take(60).collect();
    if start.len() < line.len() { format!("{start:?}...") } else { format!("{start:?}") }
}

/// The first line that is another one.
fn first_difference(now: &[u8], wanted: &[u8]) -> String {
    let (now, wanted) = (String::from_utf8_lossy(now), String::from_utf8_lossy(wanted));
    let mut lines = now.lines().zip(wanted.lines()).enumerate();
    match lines.find(|(_, (now, wanted))| now != wanted) {
        Some((index, (now, _))) => format!("has another line {}: {}", index + 1, short(now)),
        None => {
            format!("has {} lines instead of {}", now.lines().count(), wanted.lines().count())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_survives_the_journal() {
        for bytes in [&b"a = 1\n"[..], b"", b"\xff\0\n", "\u{e4}\r\n".as_bytes()] {
            let content = Content::new(bytes.to_vec());
            let json = serde_json::to_string(&content).unwrap();
            let back: Content = serde_json::from_str(&json).unwrap();
            assert_eq!(back.bytes(), bytes);
        }
    }

    #[test]
    fn the_first_difference_is_named() {
        for (now, wanted, said) in [
            ("a\nb\n", "a\nc\n", "has another line 2: \"b\""),
            ("a\nb\n", "a\n", "has 2 lines instead of 1"),
            ("a\r\n", "a\nb\n", "has 1 lines instead of 2"),
        ] {
            assert_eq!(first_difference(now.as_bytes(), wanted.as_bytes()), said);
        }
    }
}
