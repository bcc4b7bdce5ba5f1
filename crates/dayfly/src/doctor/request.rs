//! What was typed, resolved to rules and places.

use std::time::Duration;

use dayfly_insight::doctor::{RULES, Rule, Severity};

use crate::doctor::args::DoctorArgs;
use crate::error::Failure;

/// Everything `doctor` needs to know.
pub(super) struct Request {
    pub(super) netns: Option<String>,
    pub(super) all_netns: bool,
    pub(super) rules: Vec<&'static Rule>,
    pub(super) fail_on: Severity,
    pub(super) files: Vec<String>,
    pub(super) probe: bool,
    /// Zero: do not measure.
    pub(super) sample: Duration,
}

impl Request {
    pub(super) fn resolve(args: &DoctorArgs) -> Result<Self, Failure> {
        let only = codes_of(&args.only)?;
        let ignored = codes_of(&args.ignore)?;
        let wanted = |rule: &&'static Rule| {
            (only.is_empty() || only.contains(&rule.code)) && !ignored.contains(&rule.code)
        };
        Ok(Request {
            netns: args.place.netns.clone(),
            all_netns: args.place.all_netns,
            rules: RULES.iter().filter(wanted).collect(),
            fail_on: args.fail_on,
            files: args.file.clone(),
            probe: args.probe,
            sample: args.watch.unwrap_or_default(),
        })
    }
}

/// The rule that a person names by its code.
pub(super) fn rule(code: &str) -> Result<&'static Rule, Failure> {
    Rule::of_code(code).ok_or_else(|| {
        let all: Vec<&str> = RULES.iter().map(|rule| rule.code).collect();
        Failure::new(format_args!("there is no finding {code:?}"))
            .hint(format!("there are {}", all.join(", ")))
    })
}

fn codes_of(codes: &[String]) -> Result<Vec<&'static str>, Failure> {
    codes.iter().map(|code| rule(code).map(|rule| rule.code)).collect()
}
