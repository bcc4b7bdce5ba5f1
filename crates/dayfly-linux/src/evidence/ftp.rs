//! FTP servers of this host: those that run, by the words they were started with, and those that
//! have a file where their packages put it.

use std::fs;
use std::path::Path;

use dayfly_insight::Settings;
use dayfly_insight::ftp::server::launch::{self, Launch};
use dayfly_insight::ftp::server::{Product, ServerConfig, read_as};

use dayfly_ports::{PortSet, Protocol};

use super::files::{names_in, text_of};
use super::processes::{Process, recognised};

/// Where packages put the files.
const FILES: [(Product, &str); 7] = [
    (Product::Vsftpd, "/etc/vsftpd.conf"),
    (Product::Vsftpd, "/etc/vsftpd/vsftpd.conf"),
    (Product::ProFtpd, "/etc/proftpd/proftpd.conf"),
    (Product::ProFtpd, "/etc/proftpd.conf"),
    (Product::PureFtpd, "/etc/pure-ftpd/pure-ftpd.conf"),
    (Product::PureFtpd, "/etc/pure-ftpd.conf"),
    (Product::NcFtpd, "/usr/local/etc/ncftpd/general.cf"),
];
/// What Debian's ProFTPD includes.
const PROFTPD_FOLDER: &str = "/etc/proftpd/conf.d";
/// Debian's Pure-FTPd has a file for each setting here.
const PURE_FTPD_FOLDER: &str = "/etc/pure-ftpd/conf";

/// An FTP server that runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FtpServer {
    /// Its first process.
    pub pid: u32,
    /// What it was told.
    pub config: ServerConfig,
}

/// The FTP servers that run in the calling thread's network namespace. Their files are read as they
/// are now, which may be later than the server's own look. Of other users' processes only those are
/// found whose namespace may be looked at.
#[must_use]
pub fn ftp_servers() -> Vec<FtpServer> {
    let mut found: Vec<(Launch, FtpServer)> = Vec::new();
    for process in recognised(launch::of) {
        let Process { pid, folder, line, is: launch } = process;
        // A server that serves has children with the same words.
        if found.iter().any(|(known, _)| *known == launch) {
            continue;
        }
        if let Some(config) = config_of(&folder, &launch, &line) {
            found.push((launch, FtpServer { pid, config }));
        }
    }
    found.into_iter().map(|(_, server)| server).collect()
}

/// The ports that the running FTP servers open for passive transfers; none without a server.
#[must_use]
pub fn passive_ports(settings: &Settings) -> Option<Box<PortSet>> {
    let servers = ftp_servers();
    let usable = settings.usable(Protocol::Tcp);
    let mut ports = Box::new(PortSet::EMPTY);
    servers.iter().for_each(|server| *ports |= &server.config.passive.ports(&usable));
    (!servers.is_empty()).then_some(ports)
}

/// None for a Python program that has nothing to do with FTP.
fn config_of(process: &Path, launch: &Launch, words: &str) -> Option<ServerConfig> {
    let read = |file: &str| {
        let inside = match file.strip_prefix('/') {
            Some(rest) => process.join("root").join(rest),
            None => process.join("cwd").join(file),
        };
        fs::read_to_string(inside).or_else(|_| fs::read_to_string(file)).ok()
    };
    let text = launch.file.as_deref().and_then(read).unwrap_or_default();
    if launch.product == Product::Pyftpdlib && launch.file.is_some() && !text.contains("pyftpdlib")
    {
        return None;
    }
    let name = launch.file.as_deref().unwrap_or(words);
    Some(read_as(launch.product, name, &format!("{text}\n{}", launch.settings)))
}

/// The FTP servers that have a file under `root` (`/` on a host), running or not.
#[must_use]
pub fn ftp_servers_in_files(root: &Path) -> Vec<ServerConfig> {
    let mut found = Vec::new();
    for (product, path) in FILES {
        let Some(mut text) = text_of(root, path) else { continue };
        if product == Product::ProFtpd {
            for path in names_in(root, PROFTPD_FOLDER, &["conf"]) {
                text += &text_of(root, &path).unwrap_or_default();
            }
        }
        found.push(read_as(product, path, &text));
    }
    let mut lines = String::new();
    for path in all_in(root, PURE_FTPD_FOLDER) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let value = text_of(root, &path).unwrap_or_default();
        lines += &format!("{name} {}\n", value.lines().next().unwrap_or_default());
    }
    if !lines.is_empty() {
        found.retain(|config| config.product != Product::PureFtpd);
        found.push(read_as(Product::PureFtpd, PURE_FTPD_FOLDER, &lines));
    }
    found
}

/// The files of a folder by their absolute paths, in order.
fn all_in(root: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder.trim_start_matches('/')));
    let names = entries.into_iter().flatten().flatten();
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    let mut paths: Vec<String> = names.map(|name| format!("{folder}/{name}")).collect();
    paths.sort();
    paths
}

#[cfg(test)]
mod tests {
    use dayfly_insight::ftp::server::Passive;

    use super::*;

    #[test]
    fn files_are_found_where_packages_put_them() {
        let root = std::env::temp_dir().join(format!("dayfly-ftp-{}", std::process::id()));
        let files = [
            ("etc/vsftpd.conf", "pasv_min_port=50000\npasv_max_port=50009\n"),
            ("etc/proftpd/proftpd.conf", "Port 21\n"),
            ("etc/proftpd/conf.d/range.conf", "PassivePorts 50000 50009\n"),
            ("etc/pure-ftpd/pure-ftpd.conf", "MaxClientsNumber 5\n"),
            ("etc/pure-ftpd/conf/PassivePortRange", "50000 50009\n"),
        ];
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let found = ftp_servers_in_files(&root);
        fs::remove_dir_all(&root).unwrap();
        let products: Vec<_> = found.iter().map(|config| config.product).collect();
        assert_eq!(products, [Product::Vsftpd, Product::ProFtpd, Product::PureFtpd]);
        let range = Passive::range("50000-50009".parse().unwrap());
        assert!(found.iter().all(|config| config.passive == range), "{found:?}");
    }
}
