//! The rules that translate, asked of nft and iptables: the kernel has two rule sets, and each tool
//! shows the other's only in part.

use std::fmt;

use dayfly_insight::nat::NatRule;
use dayfly_insight::nat::rules::{from_iptables_save, from_nft_json};

use crate::tool::tool;

type Reader = fn(&str) -> Vec<NatRule>;

/// What prints rules, and what reads them.
const TOOLS: [(&[&str], Reader); 3] = [
    (&["nft", "-j", "list", "ruleset"], from_nft_json),
    (&["iptables-save", "-t", "nat"], from_iptables_save),
    (&["ip6tables-save", "-t", "nat"], from_iptables_save),
];

/// A tool that did not say its rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RulesUnread {
    /// The command.
    pub command: String,
    /// What it said instead.
    pub why: String,
    /// Whether more privilege would help.
    pub is_permission: bool,
}

impl fmt::Display for RulesUnread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` says: {}", self.command, self.why)
    }
}

impl std::error::Error for RulesUnread {}

/// The rules of the calling thread's network namespace that translate source addresses. A tool that
/// is not installed has no rules.
#[must_use]
pub fn rules() -> (Vec<NatRule>, Vec<RulesUnread>) {
    let mut found: Vec<NatRule> = Vec::new();
    let mut unread = Vec::new();
    for (command, read) in TOOLS {
        match output(command) {
            Ok(text) => {
                // What iptables wrote through nftables is shown by both.
                let new: Vec<_> = read(&text)
                    .into_iter()
                    .filter(|rule| {
                        let same = |known: &NatRule| {
                            (known.kind, known.protocol, known.addresses, known.ports)
                                == (rule.kind, rule.protocol, rule.addresses, rule.ports)
                        };
                        !found.iter().any(same)
                    })
                    .collect();
                found.extend(new);
            }
            Err(Some(error)) => unread.push(error),
            Err(None) => {}
        }
    }
    (found, unread)
}

/// What the command prints; none if it is not installed.
fn output(command: &[&str]) -> Result<String, Option<RulesUnread>> {
    let (program, words) = command.split_first().ok_or(None)?;
    let output = tool(program).args(words).output().map_err(|_| None)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let why = said.lines().next().unwrap_or("nothing").trim().to_owned();
    Err(Some(RulesUnread {
        command: command.join(" "),
        is_permission: !rustix::process::geteuid().is_root(),
        why,
    }))
}
