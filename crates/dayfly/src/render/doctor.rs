//! The findings of `doctor` in sentences.

use dayfly_insight::doctor::{Finding, Severity};

use super::style::{self, paint};
use super::text::{action, notes, wrapped};
use super::{Screen, counted};
use crate::doctor::Report;

/// All findings, the gravest first. Styled; the stream takes the styles off where not wanted.
pub(crate) fn text(report: &Report, screen: Screen) -> String {
    let mut text = String::new();
    for one in &report.findings {
        finding(&mut text, one, screen);
        text.push('\n');
    }
    wrapped(&mut text, &summary(&report.findings), "  ", screen);
    notes(&mut text, &report.degraded, screen);
    text
}

fn finding(text: &mut String, finding: &Finding, screen: Screen) {
    let rule = finding.rule;
    let colour = match rule.severity {
        Severity::Critical => style::BAD,
        Severity::Warning => style::WARN,
        Severity::Info => style::DIM,
    };
    let place = finding.namespace.as_ref().map(|name| format!(", in {name}"));
    let head = format!(
        "{} {} {}{}",
        paint(colour, rule.severity.name()),
        rule.code,
        paint(style::STRONG, rule.title),
        place.unwrap_or_default()
    );
    wrapped(text, &head, "  ", screen);
    for seen in &finding.evidence {
        wrapped(text, &format!("  {seen}"), "    ", screen);
    }
    for remedy in &finding.remedies {
        let lead = format!("  {} ", paint(style::GOOD, "do:"));
        action(text, &lead, &remedy.action, "    ", screen);
        wrapped(text, &format!("      {}", remedy.effect), "      ", screen);
    }
}

/// `2 findings: 1 critical, 1 warning. ...`
fn summary(findings: &[Finding]) -> String {
    let Some(first) = findings.first() else {
        return paint(style::GOOD, "no findings");
    };
    let of = |severity: Severity| {
        let number = findings.iter().filter(|one| one.rule.severity == severity).count();
        (number > 0).then(|| format!("{number} {severity}"))
    };
    let parts: Vec<_> = Severity::ALL.into_iter().rev().filter_map(of).collect();
    format!(
        "{}: {}. `dayfly doctor --explain {}` says more.",
        counted(findings.len() as u64, "finding"),
        parts.join(", "),
        first.rule.code
    )
}
