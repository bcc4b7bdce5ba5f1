//! Keeps the daemons of freshly installed packages from starting: tests start their own, in
//! namespaces of their own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

/// What Debian's packages ask before they start a service (`invoke-rc.d(8)`,
/// `deb-systemd-invoke(1p)`).
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// "Action forbidden by policy".
const SCRIPT: &str = "#!/bin/sh\nexit 101\n";

/// While it lives, no package starts a service. A policy that is there already stays.
pub(crate) struct Quiet {
    is_ours: bool,
}

impl Quiet {
    /// # Errors
    /// A sentence, if neither a policy is there nor one can be written.
    pub(crate) fn begin() -> Result<Quiet, String> {
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
        let written = match made {
            Ok(mut file) => file.write_all(SCRIPT.as_bytes()).map(|()| true),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        };
        let is_ours = written.map_err(|error| format!("{POLICY} cannot be written: {error}"))?;
        Ok(Quiet { is_ours })
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(POLICY);
        }
    }
}
