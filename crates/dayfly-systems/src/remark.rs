//! What a system does to a wish: refuse it, bend it, or take it and break.

use std::fmt;

use dayfly_ports::PortRange;

/// One thing worth knowing about a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How grave.
    pub severity: Severity,
    /// A sentence or two.
    pub text: String,
}

/// What a system does with a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It works; this is good to know.
    Advice,
    /// It works, and somebody may be surprised.
    Warning,
    /// The system stores this instead, without a word. The plan is for this.
    Clamped {
        /// What is stored.
        to: PortRange,
    },
    /// The system answers with an error.
    Refused,
    /// The system accepts it and then misbehaves; no plan is made.
    Breaks,
}

impl Severity {
    /// `advice`, `warning`, `clamped`, `refused` or `breaks`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Advice => "advice",
            Severity::Warning => "warning",
            Severity::Clamped { .. } => "clamped",
            Severity::Refused => "refused",
            Severity::Breaks => "breaks",
        }
    }
}

impl Remark {
    pub(crate) fn advice(text: impl Into<String>) -> Self {
        Remark { severity: Severity::Advice, text: text.into() }
    }

    pub(crate) fn warning(text: impl Into<String>) -> Self {
        Remark { severity: Severity::Warning, text: text.into() }
    }

    pub(crate) fn clamped(to: PortRange, text: impl Into<String>) -> Self {
        Remark { severity: Severity::Clamped { to }, text: text.into() }
    }

    pub(crate) fn refused(text: impl Into<String>) -> Self {
        Remark { severity: Severity::Refused, text: text.into() }
    }

    pub(crate) fn breaks(text: impl Into<String>) -> Self {
        Remark { severity: Severity::Breaks, text: text.into() }
    }
}

/// Why there is no plan, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// A sentence that names the system and the cause.
    pub message: String,
    /// What to do instead.
    pub hint: String,
}

impl Refusal {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Refusal { message: message.into(), hint: hint.into() }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}
