//! Lists of ports as kernels print them.

use dayfly_ports::PortSet;

use crate::ReadError;

/// `8080,9000-9010`; empty for none. Quotes round it are taken off.
pub(super) fn ports(line: usize, name: &str, value: &str) -> Result<Box<PortSet>, ReadError> {
    let bare = value.trim().trim_matches(['"', '\'']);
    match bare.parse::<PortSet>() {
        Ok(ports) => Ok(Box::new(ports)),
        Err(_) => {
            Err(ReadError::value(line, name, value, "a list of ports such as 8080,9000-9010"))
        }
    }
}
