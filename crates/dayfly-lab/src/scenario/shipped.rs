//! The scenarios that come with the program: the examples of the documents on ephemeral ports, and
//! what they look like today.

/// A scenario that comes with the program.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// Its name, as in `scenarios/NAME.toml`.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

impl Shipped {
    /// What it says of itself in its first line.
    #[must_use]
    pub fn title(&self) -> &'static str {
        let line = self.text.lines().find_map(|line| line.strip_prefix("title = \""));
        line.and_then(|rest| rest.strip_suffix('"')).unwrap_or(self.name)
    }
}

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        /// All of them.
        pub const SHIPPED: &[Shipped] = &[$(Shipped {
            name: $name,
            text: include_str!(concat!("../../scenarios/", $name, ".toml")),
        }),*];
    };
}

shipped![
    "four-thousand-bsd",
    "four-thousand-linux",
    "linux-default",
    "bsd-range",
    "iana-range",
    "ftp-bsd",
    "ftp-linux",
    "ftp-passive-download",
    "counter",
    "steps-of-linux",
    "random-start",
    "one-port",
    "windows-thousand",
    "windows-default",
    "windows-xp",
    "linux-2-4",
    "whole-range",
    "dns",
    "sctp",
    "attack",
    "keep-alive",
    "subscribers-behind-nat",
    "busy-day",
    "fleet-behind-cgn",
];
