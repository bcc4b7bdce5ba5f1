//! Where another host is: `ssh://[user@]host[:port]`.

use std::fmt;
use std::str::FromStr;

/// A host that ssh can be asked for: an address, a name, or an alias of the user's own
/// configuration. Nothing in it is an option or means something to a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) user: Option<String>,
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: Option<u16>,
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("ssh://").ok_or_else(|| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(60).collect();
            format!("a host is named as in ssh://root@db, and {shown:?} does not begin with ssh://")
        })?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, place) = match rest.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, rest),
        };
        let (host, port) = split(place)?;
        if let Some(user) = user {
            plain("user", user, |c| c.is_ascii_alphanumeric() || "._-+@$".contains(c))?;
        }
        plain("host", host, |c| c.is_ascii_alphanumeric() || "._-:%".contains(c))?;
        Ok(Address { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

/// `host`, `host:port`, `[IPv6]`, `[IPv6]:port`.
fn split(place: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match place.strip_prefix('[') {
        Some(rest) => {
            let (host, after) =
                rest.split_once(']').ok_or("an IPv6 address lacks its closing bracket")?;
            match after.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if after.is_empty() => (host, None),
                None => return Err("after an IPv6 address in brackets comes :PORT".to_owned()),
            }
        }
        None => match place.split_once(':') {
            Some((_, port)) if port.contains(':') => {
                return Err("an IPv6 address stands in brackets: ssh://[::1]:22".to_owned());
            }
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let number = |port: &str| {
        // `+22` is a number to Rust, and to nobody else.
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        port.parse().ok().filter(|&number| digits && number > 0)
    };
    match port.map(number) {
        Some(None) => Err("the port of a host is a number from 1 to 65535".to_owned()),
        port => Ok((host, port.flatten())),
    }
}

fn plain(what: &str, word: &str, known: impl Fn(char) -> bool) -> Result<(), String> {
    if word.is_empty() {
        return Err(format!("the {what} is missing"));
    }
    // To ssh it would be an option.
    if word.starts_with('-') {
        return Err(format!("a {what} does not begin with a hyphen"));
    }
    match word.chars().find(|&c| !known(c)) {
        Some(c) => Err(format!("a {what} cannot have {c:?} in it")),
        None => Ok(()),
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ssh://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]", self.host)?;
        } else {
            f.write_str(&self.host)?;
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_people_write() {
        for text in [
            "ssh://db",
            "ssh://root@db.example.org:2222",
            "ssh://[2001:db8::1]",
            "ssh://me@[fe80::1%eth0]:22",
            "ssh://me@corp@10.0.0.1",
            "ssh://my_alias-2",
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), text);
        }
        let found: Address = "ssh://db:22/".parse().unwrap();
        assert_eq!(found, Address { user: None, host: "db".to_owned(), port: Some(22) });
    }

    #[test]
    fn refuses_what_would_be_an_option_or_a_command() {
        for (text, reason) in [
            ("db", "a host is named as in ssh://root@db, and \"db\" does not begin with ssh://"),
            ("ssh://", "the host is missing"),
            ("ssh://@db", "the user is missing"),
            ("ssh://-oProxyCommand=x", "a host does not begin with a hyphen"),
            ("ssh://-l@db", "a user does not begin with a hyphen"),
            ("ssh://$(id)", "a host cannot have '$' in it"),
            ("ssh://db;id", "a host cannot have ';' in it"),
            ("ssh://a b", "a host cannot have ' ' in it"),
            ("ssh://db\n", "a host cannot have '\\n' in it"),
            ("ssh://`id`@db", "a user cannot have '`' in it"),
            ("ssh://db/tmp", "a host cannot have '/' in it"),
            ("ssh://::1", "an IPv6 address stands in brackets: ssh://[::1]:22"),
            ("ssh://[::1", "an IPv6 address lacks its closing bracket"),
            ("ssh://[::1]x", "after an IPv6 address in brackets comes :PORT"),
            ("ssh://db:0", "the port of a host is a number from 1 to 65535"),
            ("ssh://db:+22", "the port of a host is a number from 1 to 65535"),
            ("ssh://db:ssh", "the port of a host is a number from 1 to 65535"),
        ] {
            assert_eq!(text.parse::<Address>(), Err(reason.to_owned()), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_dangerous_passes(text in "(ssh://)?[\\PC\n]{0,20}") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert!(!address.host.starts_with('-'));
                let words = address.user.unwrap_or_default() + &address.host;
                let shell = |c: char| c.is_whitespace() || "`'\"\\;&|<>(){}*?!#".contains(c);
                prop_assert!(!words.contains(shell), "{}", words);
            }
        }
    }
}
