//! The files of FTP servers: which ports they listen on for passive transfers, and from which they
//! connect for active ones.
//!
//! Every product is a file of this folder and turns its own words into a [`ServerConfig`].
//! [`read`] finds out whose file it is; [`launch`] does the same for the words of a running
//! process. [`review`] holds a configuration against the host that it runs on.

mod apache;
mod filezilla;
mod iis;
pub mod launch;
mod ncftpd;
mod proftpd;
mod pure_ftpd;
mod pyftpdlib;
pub mod review;
mod vsftpd;

use std::fmt;

use dayfly_ports::{Port, PortRange, PortSet};

/// What a server's file says about ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// Whose file it is.
    pub product: Product,
    /// The file, or the command that was typed.
    pub file: String,
    /// Where clients connect first; 21 unless the file says otherwise.
    pub control: Port,
    /// Where clients connect for passive transfers.
    pub passive: Passive,
    /// What happens when none of these ports is free.
    pub when_full: WhenFull,
    /// From which port the server connects for active transfers; none if it never does.
    pub active: Option<SourcePort>,
    /// The address that clients are told to connect to, a name or a number; none if it is the
    /// control connection's.
    pub address: Option<String>,
    /// The most clients at a time; none without a limit.
    pub max_clients: Option<u32>,
    /// Whether clients may or must encrypt: then no helper can read the ports.
    pub tls: bool,
    /// What the file says and the server does not do, a sentence each.
    pub ignored: Vec<String>,
}

/// A server program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Product {
    /// `vsftpd.conf(5)`.
    Vsftpd,
    /// `proftpd.conf(5)`.
    ProFtpd,
    /// `pure-ftpd(8)`: one file, a folder of files, or options.
    PureFtpd,
    /// FileZilla Server, `FileZilla Server.xml` up to 0.9 and `settings.xml` since 1.0.
    FileZilla,
    /// Internet Information Services, `applicationHost.config` since 7 and `MetaBase.xml` in 6.
    Iis,
    /// A Python program over pyftpdlib.
    Pyftpdlib,
    /// Apache FtpServer, `ftpd.xml`.
    ApacheFtpServer,
    /// NcFTPd, `general.cf`.
    NcFtpd,
}

impl Product {
    /// As its makers write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Product::Vsftpd => "vsftpd",
            Product::ProFtpd => "ProFTPD",
            Product::PureFtpd => "Pure-FTPd",
            Product::FileZilla => "FileZilla Server",
            Product::Iis => "IIS",
            Product::Pyftpdlib => "pyftpdlib",
            Product::ApacheFtpServer => "Apache FtpServer",
            Product::NcFtpd => "NcFTPd",
        }
    }

    /// What to write into its file for these passive ports.
    #[must_use]
    pub fn setting(self, range: PortRange) -> String {
        let (low, high) = (range.low(), range.high());
        match self {
            Product::Vsftpd => format!("pasv_min_port={low} and pasv_max_port={high}"),
            Product::ProFtpd => format!("PassivePorts {low} {high}"),
            Product::PureFtpd => format!("PassivePortRange {low} {high}"),
            Product::FileZilla => format!("passive mode, custom port range {low} to {high}"),
            Product::Iis => {
                format!(
                    "<firewallSupport lowDataChannelPort=\"{low}\" highDataChannelPort=\"{high}\"/>"
                )
            }
            // Python's end is not part of the range.
            Product::Pyftpdlib => {
                format!("passive_ports = range({low}, {})", u32::from(high.number()) + 1)
            }
            Product::ApacheFtpServer => format!("<passive ports=\"{low}-{high}\"/>"),
            Product::NcFtpd => format!("the system's range to {low}-{high}: it has no setting"),
        }
    }
}

impl fmt::Display for Product {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where a server listens for passive transfers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Passive {
    /// It refuses passive transfers.
    Off,
    /// The file limits the ports.
    Limited(Box<PortSet>),
    /// Nobody limits the ports: the system hands one out of its own range.
    System,
    /// Nobody limits the ports: the server picks from this range, whatever the system's is.
    Own(PortRange),
}

impl Passive {
    /// The ports of this span.
    #[must_use]
    pub fn range(range: PortRange) -> Self {
        Passive::Limited(Box::new(range.into()))
    }

    /// Every port that a client may be told to connect to, where the system hands out `usable`.
    #[must_use]
    pub fn ports(&self, usable: &PortSet) -> PortSet {
        match self {
            Passive::Off => PortSet::EMPTY,
            Passive::Limited(ports) => (**ports).clone(),
            Passive::System => usable.clone(),
            Passive::Own(range) => (*range).into(),
        }
    }
}

/// What a server does when none of its passive ports is free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The transfer fails.
    Fails,
    /// It takes any port of the system's range, which no rule of the firewall expects.
    LeavesRange,
}

/// From where a server connects for active transfers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourcePort {
    /// Always from this port: a firewall may ask for it.
    Fixed(Port),
    /// From an ephemeral port.
    Any,
}

/// Port 20, `ftp-data`: the port below the control connection's (RFC 959 section 8).
const DATA: SourcePort = SourcePort::Fixed(Port::new(20));

impl ServerConfig {
    /// A server that was told nothing.
    fn new(product: Product, file: &str) -> Self {
        ServerConfig {
            product,
            file: file.to_owned(),
            control: Port::new(21),
            passive: Passive::System,
            when_full: WhenFull::Fails,
            active: Some(SourcePort::Any),
            address: None,
            max_clients: None,
            tls: false,
            ignored: Vec::new(),
        }
    }
}

/// Reads a file, finding out whose it is from its name and its words. None if it is no FTP
/// server's.
#[must_use]
pub fn read(file: &str, text: &str) -> Option<ServerConfig> {
    let product = product_of(file, text)?;
    Some(read_as(product, file, text))
}

/// Reads a file of this product.
#[must_use]
pub fn read_as(product: Product, file: &str, text: &str) -> ServerConfig {
    match product {
        Product::Vsftpd => vsftpd::read(file, text),
        Product::ProFtpd => proftpd::read(file, text),
        Product::PureFtpd => pure_ftpd::read(file, text),
        Product::FileZilla => filezilla::read(file, text),
        Product::Iis => iis::read(file, text),
        Product::Pyftpdlib => pyftpdlib::read(file, text),
        Product::ApacheFtpServer => apache::read(file, text),
        Product::NcFtpd => ncftpd::read(file, text),
    }
}

fn product_of(file: &str, text: &str) -> Option<Product> {
    let name = file.rsplit(['/', '\\']).next().unwrap_or(file).to_ascii_lowercase();
    let text = text.trim_start_matches('\u{feff}');
    if text.trim_start().starts_with('<') && !text.contains("PassivePorts") {
        return of_xml(text);
    }
    let has = |test: &dyn Fn(&str) -> bool| {
        text.lines().map(str::trim).any(|line| !line.starts_with(['#', ';']) && test(line))
    };
    let by_name = [
        ("vsftpd", Product::Vsftpd),
        ("proftpd", Product::ProFtpd),
        ("pure-ftpd", Product::PureFtpd),
        ("pureftpd", Product::PureFtpd),
        ("ncftpd", Product::NcFtpd),
    ];
    if name.ends_with(".py") || has(&|line| line.contains("pyftpdlib")) {
        return has(&|line| line.contains("pyftpdlib") || line.starts_with("passive_ports"))
            .then_some(Product::Pyftpdlib);
    }
    let named = by_name.into_iter().find(|(part, _)| name.contains(part));
    named.map(|(_, product)| product).or_else(|| {
        let products = [
            (Product::Vsftpd, vsftpd::recognises as fn(&str) -> bool),
            (Product::PureFtpd, pure_ftpd::recognises),
            (Product::ProFtpd, proftpd::recognises),
            (Product::NcFtpd, ncftpd::recognises),
        ];
        products.into_iter().find(|(_, test)| has(test)).map(|(product, _)| product)
    })
}

fn of_xml(text: &str) -> Option<Product> {
    let document = roxmltree::Document::parse(text).ok()?;
    let root = document.root_element();
    let has = |name: &str| root.descendants().any(|node| node.tag_name().name() == name);
    match root.tag_name().name() {
        "FileZillaServer" | "filezilla" => Some(Product::FileZilla),
        "configuration" if has("system.ftpServer") || has("MBProperty") => Some(Product::Iis),
        "server" if has("data-connection") || has("nio-listener") => Some(Product::ApacheFtpServer),
        _ if has("nio-listener") => Some(Product::ApacheFtpServer),
        _ => None,
    }
}

/// The span between two ports as a file gives them; none if one is no port or they are in the
/// wrong order.
fn span(low: &str, high: &str) -> Option<PortRange> {
    PortRange::new(low.trim().parse().ok()?, high.trim().parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn files_are_told_apart() {
        for (file, text, product) in [
            ("/etc/vsftpd.conf", "listen=YES\n", Some(Product::Vsftpd)),
            ("x.conf", "# c\npasv_min_port=50000\n", Some(Product::Vsftpd)),
            ("x.conf", "ServerType standalone\nPassivePorts 1 2\n", Some(Product::ProFtpd)),
            ("x.conf", "<Global>\nPassivePorts 49152 65534\n</Global>", Some(Product::ProFtpd)),
            ("x.conf", "PassivePortRange 30000 50000\n", Some(Product::PureFtpd)),
            ("ftpd.py", "from pyftpdlib.servers import FTPServer\n", Some(Product::Pyftpdlib)),
            ("web.py", "import flask\n", None),
            ("a.xml", "<FileZillaServer/>", Some(Product::FileZilla)),
            ("a.xml", "<filezilla/>", Some(Product::FileZilla)),
            (
                "applicationHost.config",
                "<configuration><system.ftpServer/></configuration>",
                Some(Product::Iis),
            ),
            ("web.config", "<configuration/>", None),
            ("nginx.conf", "server { listen 80; }\n", None),
            ("x", "", None),
        ] {
            assert_eq!(read(file, text).map(|found| found.product), product, "{file}: {text}");
        }
    }

    #[test]
    fn a_setting_is_read_back_as_it_was_advised() {
        let range: PortRange = "50000-50100".parse().unwrap();
        for (product, file) in [
            (Product::ProFtpd, "{}"),
            (Product::PureFtpd, "{}"),
            (Product::Pyftpdlib, "{}"),
            (
                Product::Iis,
                "<configuration><system.ftpServer>{}</system.ftpServer></configuration>",
            ),
            (Product::ApacheFtpServer, "<server><nio-listener>{}</nio-listener></server>"),
        ] {
            let text = file.replace("{}", &product.setting(range));
            let found = read_as(product, "f", &text);
            assert_eq!(found.passive, Passive::range(range), "{text}");
        }
        let text = Product::Vsftpd.setting(range).replace(" and ", "\n");
        assert_eq!(read_as(Product::Vsftpd, "f", &text).passive, Passive::range(range));
    }

    const ALL: [Product; 8] = [
        Product::Vsftpd,
        Product::ProFtpd,
        Product::PureFtpd,
        Product::FileZilla,
        Product::Iis,
        Product::Pyftpdlib,
        Product::ApacheFtpServer,
        Product::NcFtpd,
    ];

    proptest! {
        #[test]
        fn any_text_is_read(
            text in "\\PC{0,80}|((pasv_m(in|ax)_port=|PassivePorts |PassivePortRange |passive_ports = \
                     range\\()[0-9, )-]{0,12}\n){0,4}|<(filezilla|server|configuration)>\\PC{0,40}"
        ) {
            let _ = read("f", &text);
            for product in ALL {
                let found = read_as(product, "f", &text);
                if let Passive::Limited(ports) = found.passive {
                    prop_assert!(!ports.is_empty());
                }
            }
        }
    }
}
