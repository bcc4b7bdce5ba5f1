//! What is wrong, or soon will be: rules over what was seen of a host.
//!
//! A [`Rule`] is one file under `rules`: a code that never changes its meaning, a title, a
//! severity, a page for people, and a function from [`Evidence`] to findings. Rules do not look
//! for anything themselves; what one needs is a field of the evidence.
//!
//! ```
//! use dayfly_insight::doctor::{Evidence, RULES, examine};
//!
//! assert!(examine(&Evidence::default(), RULES).is_empty());
//! ```

mod evidence;
mod rules;
pub mod service_files;
pub mod sysctl_files;
mod yaml;

use std::fmt;
use std::str::FromStr;

pub use evidence::{Blamed, ConfiguredPort, Conntrack, Evidence, Listening, NamespaceEvidence};
pub use rules::RULES;

use crate::why::{Action, Remedy};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing fails because of it.
    Info,
    /// Will fail or slow down under more load, or after a change.
    Warning,
    /// Fails or is slow now.
    Critical,
}

impl Severity {
    /// Every severity, the least first.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// The name in reports, JSON and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Severity {
    type Err = ParseSeverityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Severity::ALL.into_iter().find(|severity| severity.name() == text);
        found.ok_or(ParseSeverityError)
    }
}

/// The text names no severity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseSeverityError;

impl fmt::Display for ParseSeverityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a severity is one of info, warning, critical")
    }
}

impl std::error::Error for ParseSeverityError {}

/// One thing that can be wrong.
#[derive(Debug)]
pub struct Rule {
    /// `DF` and three digits. Never given to another meaning.
    pub code: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// How much its findings matter.
    pub severity: Severity,
    /// What it means, how to see it and what to do, in Markdown.
    pub page: &'static str,
    check: fn(&Evidence) -> Vec<Found>,
}

impl Rule {
    /// The rule of this code, in any case.
    #[must_use]
    pub fn of_code(code: &str) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.code.eq_ignore_ascii_case(code))
    }
}

/// Something that is wrong here.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which rule it broke.
    pub rule: &'static Rule,
    /// In which network namespace; none where it concerns the host.
    pub namespace: Option<String>,
    /// What was seen, a sentence each, with the figures.
    pub evidence: Vec<String>,
    /// What to do, the best first.
    pub remedies: Vec<Remedy>,
}

/// What a rule's check returns: a finding without the rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    namespace: Option<String>,
    evidence: Vec<String>,
    remedies: Vec<Remedy>,
}

impl Found {
    fn on_host(evidence: impl Into<String>) -> Self {
        Found { namespace: None, evidence: vec![evidence.into()], remedies: Vec::new() }
    }

    fn within(namespace: &NamespaceEvidence, evidence: impl Into<String>) -> Self {
        Found { namespace: Some(namespace.name.clone()), ..Found::on_host(evidence) }
    }

    fn and(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    fn remedy(mut self, action: impl Into<Action>, effect: impl Into<String>) -> Self {
        self.remedies.push(Remedy::new(action, effect));
        self
    }
}

/// Applies the rules; the gravest findings first, then in the rules' order.
pub fn examine<'a>(
    evidence: &Evidence,
    rules: impl IntoIterator<Item = &'static Rule> + 'a,
) -> Vec<Finding> {
    let mut findings: Vec<Finding> = Vec::new();
    for rule in rules {
        let found = (rule.check)(evidence).into_iter().map(|found| Finding {
            rule,
            namespace: found.namespace,
            evidence: found.evidence,
            remedies: found.remedies,
        });
        findings.extend(found);
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.rule.severity));
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order_and_have_their_page() {
        assert!(RULES.is_sorted_by(|one, next| one.code < next.code));
        for rule in RULES {
            let number = rule.code.strip_prefix("DF").and_then(|digits| digits.parse::<u16>().ok());
            assert!(number.is_some() && rule.code.len() == 5, "{}", rule.code);
            let head = format!("# {}: {}\n", rule.code, rule.title);
            assert!(rule.page.starts_with(&head), "{} does not start with {head:?}", rule.code);
            for part in ["## What it means", "## How to see it", "## What to do"] {
                assert!(rule.page.contains(part), "{} has no {part:?}", rule.code);
            }
        }
    }

    #[test]
    fn severities_are_named() {
        for severity in Severity::ALL {
            assert_eq!(severity.name().parse(), Ok(severity));
        }
        assert!("grave".parse::<Severity>().is_err());
    }
}
