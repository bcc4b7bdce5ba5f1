//! The JSON of `doctor`, schema version 1; `docs/json.md` explains every name.

use serde::Serialize;

use super::json::{NoteObject, note};
use super::why_json::{RemedyObject, remedy};
use crate::SCHEMA_VERSION;
use crate::doctor::Report;

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    findings: Vec<FindingObject<'a>>,
    degraded: Vec<NoteObject>,
}

#[derive(Serialize)]
struct FindingObject<'a> {
    code: &'static str,
    severity: &'static str,
    title: &'static str,
    namespace: Option<&'a str>,
    evidence: &'a [String],
    remedies: Vec<RemedyObject<'a>>,
}

impl<'a> Document<'a> {
    pub(crate) fn new(report: &'a Report) -> Self {
        let findings = report.findings.iter().map(|finding| FindingObject {
            code: finding.rule.code,
            severity: finding.rule.severity.name(),
            title: finding.rule.title,
            namespace: finding.namespace.as_deref(),
            evidence: &finding.evidence,
            remedies: finding.remedies.iter().map(remedy).collect(),
        });
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            findings: findings.collect(),
            degraded: report.degraded.iter().map(note).collect(),
        }
    }
}
