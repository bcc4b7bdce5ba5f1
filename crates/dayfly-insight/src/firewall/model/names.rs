//! Names of interfaces, with a star at the end for the rest.

use std::fmt;

/// Interfaces, as a rule names them: `eth0`, `eth*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names(Vec<Box<str>>);

impl Names {
    /// These names; `+` at the end, iptables' star, counts as one.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let starred = |name: &str| match name.strip_suffix('+') {
            Some(stem) => format!("{stem}*").into(),
            None => name.into(),
        };
        Names(names.into_iter().map(|name| starred(name.as_ref())).collect())
    }

    /// Whether an interface is meant.
    #[must_use]
    pub fn contains(&self, interface: &str) -> bool {
        self.0.iter().any(|name| match name.strip_suffix('*') {
            Some(stem) => interface.starts_with(stem),
            None => **name == *interface,
        })
    }

    /// Whether no interface but loopback is meant: `lo` of Linux, `lo0` of the BSDs.
    #[must_use]
    pub fn is_only_loopback(&self) -> bool {
        self.0.iter().all(|name| matches!(&**name, "lo" | "lo0"))
    }

    /// Whether every interface is meant.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.0.iter().any(|name| **name == *"*")
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
