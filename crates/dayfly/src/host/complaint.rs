//! What ssh complains about, as a sentence with the next step.
//!
//! Source: the messages of OpenSSH's `sshconnect.c`, `sshconnect2.c` and `misc.c`, and the
//! system's own for a connection that fails.

use super::{HostError, Output};

/// Parts of a message, what they mean, and what to do.
const KNOWN: [(&[&str], &str, &str); 7] = [
    (
        &["REMOTE HOST IDENTIFICATION HAS CHANGED"],
        "its host key is not the one that ssh knows: it is another host, was installed anew, or \
         somebody listens in between",
        "ask who runs it; if the new key is right: ssh-keygen -R HOST",
    ),
    (
        &["Host key verification failed", "host key is known for"],
        "ssh does not know its host key",
        "connect once by hand, compare the fingerprint, and run this again: ssh HOST",
    ),
    (
        &[
            "Permission denied",
            "Too many authentication failures",
            "No more authentication methods",
        ],
        "it refuses the login (permission denied)",
        "see which keys are offered with ssh -v HOST; without a terminal ssh asks for no password \
         and no passphrase: ssh-add loads a key into the agent",
    ),
    (
        &["Could not resolve hostname"],
        "there is no host of that name",
        "look for spelling mistakes, and at ~/.ssh/config",
    ),
    (
        &[
            "Connection refused",
            "Connection timed out",
            "Operation timed out",
            "No route to host",
            "Network is unreachable",
        ],
        "it cannot be reached",
        "is sshd running there, and does a firewall let its port through? See ssh -v HOST",
    ),
    (
        &["Bad configuration option", "terminating, "],
        "ssh does not understand its own configuration",
        "mend the line that it names",
    ),
    (
        &["onnection closed", "onnection reset", "Broken pipe", "not responding", "disconnected"],
        "the connection broke",
        "run it again",
    ),
];

/// Why there was no answer. What ssh said itself comes last, in case it knows better.
pub(super) fn complaint(name: &str, output: &Output) -> HostError {
    let text = String::from_utf8_lossy(&output.stderr);
    let said = output.said();
    let is_known = |parts: &[&str]| parts.iter().any(|part| text.contains(part));
    let Some((_, meaning, hint)) = KNOWN.iter().find(|(parts, ..)| is_known(parts)) else {
        let said = if said.is_empty() { "without a word".to_owned() } else { said };
        return HostError::lost(format_args!("{name}: ssh failed: {said}"))
            .hint(format!("try it by hand: {}", hand(name)));
    };
    let error = HostError::lost(format_args!("{name}: {meaning} (ssh says: {said})"));
    error.hint(
        hint.replace("ssh HOST", &hand(name))
            .replace("ssh -v HOST", &verbose(name))
            .replace("HOST", place(name)),
    )
}

/// `ssh ssh://root@db:22`, which ssh takes as it is.
fn hand(name: &str) -> String {
    format!("ssh {name}")
}

fn verbose(name: &str) -> String {
    format!("ssh -v {name}")
}

/// The host alone, as ssh-keygen wants it.
fn place(name: &str) -> &str {
    let place = name.strip_prefix("ssh://").unwrap_or(name);
    place.rsplit_once('@').map_or(place, |(_, place)| place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_become_sentences() {
        let said = |stderr: &str| {
            let stderr = stderr.as_bytes().to_vec();
            let error =
                complaint("ssh://me@db", &Output { status: 255, stdout: Vec::new(), stderr });
            assert!(error.is_lost);
            format!("{error}\n{}", error.hint)
        };
        let text = said("me@db: Permission denied (publickey).\r\n");
        assert!(text.starts_with(
            "ssh://me@db: it refuses the login (permission denied) (ssh says: me@db: Permission \
             denied (publickey).)\nsee which keys are offered with ssh -v ssh://me@db; "
        ), "{text}");
        let text = said(
            "No ED25519 host key is known for db and you have requested strict checking.\r\nHost key verification failed.\r\n",
        );
        assert!(text.ends_with("run this again: ssh ssh://me@db"), "{text}");
        let text = said(
            "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @\r\n...Host key verification failed.",
        );
        assert!(text.ends_with("ssh-keygen -R db"), "{text}");
        let text = said("ssh: connect to host db port 22: Connection refused\r\n");
        assert!(text.starts_with("ssh://me@db: it cannot be reached"), "{text}");
        let text = said("\x1b[2Jnonsense\x07");
        assert_eq!(text, "ssh://me@db: ssh failed: ?[2Jnonsense?\ntry it by hand: ssh ssh://me@db");
        assert!(said("").contains("ssh failed: without a word"));
    }
}
