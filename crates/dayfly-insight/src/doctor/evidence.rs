//! What the rules look at.

use std::net::SocketAddr;

use dayfly_ports::{PortRange, PortSet, Protocol};

use super::sysctl_files::Assignment;
use crate::blame::Accusation;
use crate::firewall::remedies::Diagnosis;
use crate::ftp::server::ServerConfig;
use crate::nat::NatRow;
use crate::rpc::RpcUse;
use crate::tftp::TftpServer;
use crate::why::Shell;
use crate::{Headroom, Socket};

/// Everything that was seen of a host. A part that could not be seen is empty, and rules that need
/// it stay silent.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    /// The network namespaces, the caller's own first.
    pub namespaces: Vec<NamespaceEvidence>,
    /// The assignments of the files that set sysctls at boot, in the order in which they are
    /// applied: the last one of a key wins.
    pub sysctl_files: Vec<Assignment>,
    /// Ports that services are configured to listen on, running or not.
    pub configured: Vec<ConfiguredPort>,
    /// Whether SELinux is enforced; none where there is no SELinux.
    pub selinux_enforced: Option<bool>,
}

/// What was seen of one network namespace.
#[derive(Clone, Debug)]
pub struct NamespaceEvidence {
    /// What people call it.
    pub name: String,
    /// How commands are run there.
    pub shell: Shell,
    /// Whether it is the host's: where sysctl files and configured services apply.
    pub is_host: bool,
    /// What is left.
    pub headroom: Headroom,
    /// Who listens.
    pub listeners: Vec<Listening>,
    /// TIME_WAIT that have not ended although their time was over.
    pub stuck_time_wait: Vec<Socket>,
    /// How many TIME_WAIT were cut short because there were too many
    /// (`TcpExt.TCPTimeWaitOverflow`), since the namespace was made.
    pub time_wait_overflow: Option<u64>,
    /// Connection tracking, where it is on.
    pub conntrack: Option<Conntrack>,
    /// Programs whose ports give a habit away.
    pub blamed: Vec<Blamed>,
    /// How many ports the kernel holds back for connections that bound them first, where it was
    /// asked.
    pub bound_first: Option<u32>,
    /// Connections opened in a second (`Tcp.ActiveOpens`), where it was measured.
    pub opens_per_second: Option<f64>,
    /// What FTP servers are configured with, running ones and those that have a file.
    pub ftp_servers: Vec<ServerConfig>,
    /// TFTP servers that run.
    pub tftp_servers: Vec<TftpServer>,
    /// How Sun RPC is used.
    pub rpc: RpcUse,
    /// What is wrong with what the firewall opens.
    pub firewall: Diagnosis,
    /// The TCP ports that the firewall lets anybody connect to; none if that is not known.
    pub open_to_all: Option<Box<PortSet>>,
}

/// A program and what its ports say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Blamed {
    /// The habit, and what it rests on.
    pub accusation: Accusation,
    /// The program's first process.
    pub pid: u32,
    /// The executable, by which advice is chosen: `python3.12`.
    pub executable: String,
    /// Whether the kernel confirmed that the ports are bound; otherwise the ports alone say so.
    pub confirmed: bool,
}

impl Blamed {
    /// The program as sentences name it: `python3 crawler.py (pid 71)`. Long command lines are cut.
    pub(super) fn name(&self) -> String {
        const MOST: usize = 60;
        let mut name: String = self.accusation.program.chars().take(MOST).collect();
        if name.len() < self.accusation.program.len() {
            name.push_str("...");
        }
        format!("{name} (pid {})", self.pid)
    }
}

/// A listener.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listening {
    /// The protocol; UDP for a socket that receives from anybody.
    pub protocol: Protocol,
    /// Where.
    pub address: SocketAddr,
    /// Who, such as `nginx (pid 71)`; none if nobody could be found.
    pub owner: Option<String>,
}

/// A port that a service's file names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredPort {
    /// The protocol.
    pub protocol: Protocol,
    /// The port, or the span (`NodePort` services get ports from one).
    pub ports: PortRange,
    /// Whose port it is, as the file calls it.
    pub service: String,
    /// The file.
    pub file: String,
}

/// Connection tracking (`nf_conntrack`).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Conntrack {
    /// Entries (`net.netfilter.nf_conntrack_count`).
    pub count: u64,
    /// The most that it holds (`net.netfilter.nf_conntrack_max`).
    pub max: u64,
    /// Entries that could not be made because their tuple was taken, or no port was found
    /// (`insert_failed` in `/proc/net/stat/nf_conntrack`).
    pub insert_failed: u64,
    /// Packets dropped for that or for want of room.
    pub dropped: u64,
    /// How much both grew while the namespace was watched; 0 if it was not.
    pub failed_while_watched: u64,
    /// What translation leaves of every outer address.
    pub translations: Vec<NatRow>,
}
