//! The JSON of `set`, `reserve`, `unreserve`, `undo` and `keep`, schema version 1; `docs/json.md`
//! explains every name.

use serde::Serialize;

use crate::SCHEMA_VERSION;
use crate::change::{Outcome, Performed};

#[derive(Serialize)]
pub(crate) struct Document<'a> {
    schema_version: u32,
    dayfly_version: &'static str,
    change: &'a str,
    id: Option<u32>,
    host: &'a str,
    namespace: Option<&'a str>,
    outcome: &'static str,
    until: Option<u64>,
    guardian: Option<&'a str>,
    differences: Vec<DifferenceObject<'a>>,
    remarks: Vec<RemarkObject<'a>>,
    against: Vec<HazardObject<'a>>,
}

#[derive(Serialize)]
struct DifferenceObject<'a> {
    setting: &'a str,
    when: &'static str,
    from: &'a str,
    to: &'a str,
}

#[derive(Serialize)]
struct RemarkObject<'a> {
    severity: &'static str,
    text: &'a str,
}

#[derive(Serialize)]
struct HazardObject<'a> {
    text: &'a str,
    instead: &'a str,
}

impl<'a> Document<'a> {
    pub(crate) fn new(performed: &'a Performed) -> Self {
        let (until, guardian) = match &performed.outcome {
            Outcome::Waiting { until, guardian } => (Some(*until), Some(guardian.as_str())),
            _ => (None, None),
        };
        let draft = &performed.draft;
        Document {
            schema_version: SCHEMA_VERSION,
            dayfly_version: env!("CARGO_PKG_VERSION"),
            change: &performed.title,
            id: performed.id,
            host: &performed.place.host,
            namespace: performed.place.namespace.as_ref().map(|found| found.name.as_str()),
            outcome: performed.outcome.name(),
            until,
            guardian,
            differences: draft
                .differences
                .iter()
                .map(|difference| DifferenceObject {
                    setting: &difference.setting,
                    when: difference.when,
                    from: &difference.from,
                    to: &difference.to,
                })
                .collect(),
            remarks: draft
                .remarks
                .iter()
                .map(|note| RemarkObject { severity: note.severity, text: &note.text })
                .collect(),
            against: draft
                .hazards
                .iter()
                .map(|hazard| HazardObject { text: &hazard.text, instead: &hazard.hint })
                .collect(),
        }
    }
}
