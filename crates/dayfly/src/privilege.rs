//! What to type to have more privilege. dayfly never takes it by itself.

use std::env;

use crate::quote;

/// This very command, through sudo, ready to be pasted into a shell. Root has nothing to gain from
/// sudo: what it lacks, a container or a sandbox holds back.
pub(crate) fn with_sudo() -> String {
    if rustix::process::geteuid().is_root() {
        return "the same outside of this container or sandbox, which keeps it from root"
            .to_owned();
    }
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let words = std::iter::once(program()).chain(arguments.map(|word| quote::posix(&word)));
    format!("sudo {}", words.collect::<Vec<_>>().join(" "))
}

/// This very command for another host than its `--host` says, ready to be pasted into a shell; none
/// where it does not say one.
pub(crate) fn at(host: &str) -> Option<String> {
    let arguments = env::args_os().skip(1).map(|argument| argument.to_string_lossy().into_owned());
    let mut words = vec!["dayfly".to_owned()];
    let (mut is_host, mut has_changed) = (false, false);
    for argument in arguments {
        let word = match argument.strip_prefix("--host=") {
            _ if is_host => host.to_owned(),
            Some(_) => format!("--host={host}"),
            None => argument.clone(),
        };
        is_host = argument == "--host";
        has_changed |= word != argument;
        words.push(quote::posix(&word));
    }
    has_changed.then(|| words.join(" "))
}

/// How dayfly is called where it needs privilege: with sudo, unless this user is root.
pub(crate) fn program_as_root() -> String {
    if rustix::process::geteuid().is_root() {
        "dayfly".to_owned()
    } else {
        format!("sudo {}", program())
    }
}

/// sudo has a search path of its own: the program as it was found.
fn program() -> String {
    let program = env::current_exe().map(|path| path.display().to_string());
    quote::posix(&program.unwrap_or_else(|_| "dayfly".to_owned()))
}
