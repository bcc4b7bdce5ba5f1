//! Windows' second range: the ports of MS-RPC endpoints, kept in the registry apart from `netsh`.
//!
//! `reg query HKLM\Software\Microsoft\Rpc\Internet` prints the key's three values. `Ports` lists
//! ports and ranges, `PortsInternetAvailable` says whether the list is what may be used or what may
//! not, `UseInternetPorts` which of the two RPC servers get unless they ask (KB 154596).

use dayfly_ports::{PortRange, PortSet};

/// What the registry says about MS-RPC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcPorts {
    /// The ports that RPC servers get unless they ask for others.
    pub ports: Box<PortSet>,
}

/// The command that prints it.
pub const COMMAND: &str = r"reg query HKLM\Software\Microsoft\Rpc\Internet";

impl RpcPorts {
    /// What a text with the output of [`COMMAND`] says; none if the key is not in it.
    #[must_use]
    pub fn read(text: &str) -> Option<RpcPorts> {
        let value = |name: &str, kind: &str| {
            text.lines().find_map(|line| {
                let rest = line.trim().strip_prefix(name)?.trim_start().strip_prefix(kind)?;
                Some(rest.trim())
            })
        };
        let listed = value("Ports", "REG_MULTI_SZ")?;
        let mut ports = Box::new(PortSet::EMPTY);
        // `reg` writes the zero between two strings as a backslash and a nought.
        for part in listed.split("\\0").flat_map(str::split_whitespace) {
            if let Ok(range) = part.parse::<PortRange>() {
                ports.insert_range(range);
            }
        }
        let is_yes = |name| value(name, "REG_SZ").is_some_and(|v| v.eq_ignore_ascii_case("Y"));
        let listed_are_used = is_yes("PortsInternetAvailable") == is_yes("UseInternetPorts");
        if !listed_are_used {
            *ports = &PortSet::from(PortRange::DYNAMIC) - &ports;
        }
        Some(RpcPorts { ports })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(ports: &str, available: &str, used: &str) -> Option<String> {
        let text = format!(
            "\r\nHKEY_LOCAL_MACHINE\\Software\\Microsoft\\Rpc\\Internet\r\n    Ports    REG_MULTI_SZ    \
             {ports}\r\n    PortsInternetAvailable    REG_SZ    {available}\r\n    UseInternetPorts    \
             REG_SZ    {used}\r\n"
        );
        RpcPorts::read(&text).map(|found| found.ports.to_string())
    }

    #[test]
    fn lists_of_ports_that_may_or_may_not_be_used() {
        assert_eq!(told("5000-6000", "Y", "Y").as_deref(), Some("5000-6000"));
        assert_eq!(told(r"5000-5100\07000", "Y", "Y").as_deref(), Some("5000-5100,7000"));
        assert_eq!(told("50000-65535", "N", "Y").as_deref(), Some("49152-49999"));
        assert_eq!(RpcPorts::read("ERROR: The system was unable to find the specified key"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,60}|( Ports +REG_MULTI_SZ +[0-9\\\\ -]{0,20}\n)?") {
            let _ = RpcPorts::read(&text);
        }
    }
}
