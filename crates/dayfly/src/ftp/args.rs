//! What can be typed behind `dayfly ftp`.

use clap::{Args, Subcommand, ValueEnum};

use crate::args::OutputArgs;

#[derive(Clone, Debug, Args)]
pub(crate) struct FtpArgs {
    #[command(subcommand)]
    pub(crate) verb: FtpVerb,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum FtpVerb {
    /// Say which side connects to which port for each transfer of a session.
    ///
    /// Reads what clients and servers print (curl -v, lftp -d, ftp -d, ftplib, FileZilla, the logs of
    /// vsftpd and pyftpdlib), a capture (pcap, pcapng), a single message, or only its numbers: `dayfly
    /// ftp explain 192,168,1,2,7,138`. Says what NAT and encryption do to it, and, if one end is this
    /// host, which rule of its firewall lets the connection through or stops it.
    Explain(ExplainArgs),
    /// Hold the configuration of FTP servers against this host; exit code 1 if anything is wrong.
    ///
    /// Without a file: the servers that run here or have a file here. Knows vsftpd, ProFTPD,
    /// Pure-FTPd, FileZilla Server, IIS, pyftpdlib, Apache FtpServer and NcFTPd.
    Check(CheckArgs),
}

#[derive(Clone, Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A message, a file with a session or a capture, or standard input (-).
    #[arg(value_name = "MESSAGE|FILE", default_value = "-", hide_default_value = true)]
    #[arg(allow_hyphen_values = true)]
    pub(crate) subject: String,

    /// Which end is behind the firewall. Without it whichever end is this host.
    #[arg(long, value_name = "SIDE")]
    pub(crate) side: Option<SideChoice>,

    /// Take the firewall's rules from this file instead of this host, in any form that `dayfly
    /// firewall check` reads; the client is behind it unless --side says otherwise.
    #[arg(long, value_name = "FILE", conflicts_with = "netns")]
    pub(crate) from: Option<String>,

    /// Ask the firewall of this network namespace instead of the current one: a name of `ip netns`,
    /// a process id, or a path.
    #[arg(long, value_name = "NAME|PID|PATH")]
    pub(crate) netns: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// An end of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum SideChoice {
    /// Who asks for files.
    Client,
    /// Who has them.
    Server,
}

#[derive(Clone, Debug, Args)]
pub(crate) struct CheckArgs {
    /// Configuration files; of whichever server, which is found out.
    #[arg(value_name = "FILE")]
    pub(crate) files: Vec<String>,

    /// Ask whether the ports are enough for N transfers at a time, instead of the server's own
    /// limit.
    #[arg(long, value_name = "N")]
    pub(crate) clients: Option<u32>,

    /// Look at this network namespace instead of the current one: a name of `ip netns`, a process
    /// id, or a path.
    #[arg(long, value_name = "NAME|PID|PATH")]
    pub(crate) netns: Option<String>,

    #[command(flatten)]
    pub(crate) output: OutputArgs,
}
