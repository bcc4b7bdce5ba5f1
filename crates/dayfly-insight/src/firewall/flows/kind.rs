//! The flows' names and verdicts.

/// Something that people want to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowKind {
    /// FTP, active mode, as the client.
    FtpActive,
    /// FTP, passive mode, as the client.
    FtpPassive,
    /// FTP over TLS, active mode, as the client.
    FtpsActive,
    /// FTP over TLS, passive mode, as the client.
    FtpsPassive,
    /// FTP, passive mode, as the server.
    FtpPassiveServer,
    /// FTP over TLS, passive mode, as the server.
    FtpsPassiveServer,
    /// TFTP as the client.
    Tftp,
    /// Whatever comes to an ephemeral port unasked.
    EphemeralIn,
    /// Connections that this host opens.
    Outgoing,
    /// What clients send to an RPC program here.
    Rpc,
}

impl FlowKind {
    /// Every flow that a report has, in its order.
    pub const ALL: [FlowKind; 8] = [
        FlowKind::FtpActive,
        FlowKind::FtpPassive,
        FlowKind::FtpsActive,
        FlowKind::FtpsPassive,
        FlowKind::FtpPassiveServer,
        FlowKind::FtpsPassiveServer,
        FlowKind::Tftp,
        FlowKind::EphemeralIn,
    ];

    /// The name in reports, JSON and arguments.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FlowKind::FtpActive => "ftp-active",
            FlowKind::FtpPassive => "ftp-passive",
            FlowKind::FtpsActive => "ftps-active",
            FlowKind::FtpsPassive => "ftps-passive",
            FlowKind::FtpPassiveServer => "ftp-passive-server",
            FlowKind::FtpsPassiveServer => "ftps-passive-server",
            FlowKind::Tftp => "tftp",
            FlowKind::EphemeralIn => "ephemeral-in",
            FlowKind::Outgoing => "outgoing",
            FlowKind::Rpc => "rpc",
        }
    }

    /// Whether this host offers the service.
    #[must_use]
    pub const fn is_server(self) -> bool {
        matches!(self, FlowKind::FtpPassiveServer | FlowKind::FtpsPassiveServer | FlowKind::Rpc)
    }

    pub(super) const fn is_encrypted(self) -> bool {
        matches!(self, FlowKind::FtpsActive | FlowKind::FtpsPassive | FlowKind::FtpsPassiveServer)
    }
}

/// Whether it works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowVerdict {
    /// With every port that may be used.
    Passes,
    /// With some of them.
    Partly,
    /// With none.
    Blocked,
    /// A rule that cannot be read decides.
    Unknown,
}

impl FlowVerdict {
    /// The name in reports and JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            FlowVerdict::Passes => "passes",
            FlowVerdict::Partly => "partly",
            FlowVerdict::Blocked => "blocked",
            FlowVerdict::Unknown => "unknown",
        }
    }
}
