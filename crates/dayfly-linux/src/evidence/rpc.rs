//! How Sun RPC and TFTP are used in the calling thread's network namespace.

use std::fs;

use dayfly_insight::rpc::{PORTMAPPER, Program, RpcUse, kept_ports, registered};
use dayfly_insight::tftp::{self, TftpServer};

use super::processes::recognised;
use crate::tool::tool;

const BLACKLIST: &str = "/etc/bindresvport.blacklist";
/// Where rpcbind listens.
pub(super) const RPCBIND: u16 = 111;

/// The TFTP servers that run here, one of a kind.
pub(super) fn tftp_servers() -> Vec<TftpServer> {
    let mut servers: Vec<TftpServer> =
        recognised(tftp::of_command).into_iter().map(|process| process.is).collect();
    servers.dedup();
    servers
}

/// `programs` are those that rpcbind knows, itself included.
pub(super) fn usage(mut programs: Vec<Program>) -> RpcUse {
    programs.retain(|program| program.number != PORTMAPPER);
    RpcUse {
        programs,
        mounts_nfs: mounts_nfs(&fs::read_to_string("/proc/thread-self/mounts").unwrap_or_default()),
        kept: kept_ports(&fs::read_to_string(BLACKLIST).unwrap_or_default()),
    }
}

/// What rpcbind of the calling thread's network namespace says through its own command, itself
/// included.
///
/// # Errors
/// Why it says nothing, in words. A service that is no rpcbind and never answers is given up on.
pub fn rpc_programs() -> Result<Vec<Program>, String> {
    let output = tool("timeout")
        // It blocks every other signal while it connects. The socket in the file system may be
        // another namespace's rpcbind's.
        .args(["-s", "KILL", "5", "rpcinfo", "127.0.0.1"])
        .output()
        .map_err(|error| format!("`timeout`: {error}"))?;
    match output.status.code() {
        Some(0) => Ok(registered(&String::from_utf8_lossy(&output.stdout))),
        Some(124 | 137) | None => Err("rpcbind did not answer within 5 s".to_owned()),
        Some(127) => Err("`rpcinfo`, which asks rpcbind, is not installed".to_owned()),
        _ => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(said.split_whitespace().take(40).collect::<Vec<_>>().join(" "))
        }
    }
}

/// Whether a line of `/proc/mounts` (`proc_pid_mounts(5)`) has the type `nfs` or `nfs4`.
fn mounts_nfs(text: &str) -> bool {
    text.lines().any(|line| matches!(line.split(' ').nth(2), Some("nfs" | "nfs4")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nfs_is_known_by_its_type() {
        assert!(mounts_nfs("proc /proc proc rw 0 0\na:/b /mnt nfs4 rw 0 0\n"));
        assert!(!mounts_nfs("nfs /nfs tmpfs rw 0 0\nnfsd /proc/fs/nfsd nfsd rw 0 0\n"));
    }
}
