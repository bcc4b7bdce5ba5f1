//! The words that an FTP server was started with: which file it reads, and what they set.
//!
//! Options become lines of the product's own file, so that one reader serves both.

use super::Product;

/// How a server was started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Launch {
    /// Which server.
    pub product: Product,
    /// The file it reads; none if options say everything.
    pub file: Option<String>,
    /// What the options set, in the words of its file, to be read after the file.
    pub settings: String,
}

/// Where vsftpd looks when it is given no file (`vsftpd(8)`; Red Hat's is patched to the second).
const VSFTPD: &str = "/etc/vsftpd.conf";
/// Where ProFTPD looks on Debian (`proftpd(8)`).
const PROFTPD: &str = "/etc/proftpd/proftpd.conf";

/// What a process with these words is; none if it is no FTP server that is known. A process that
/// renamed itself (`proftpd: (accepting connections)`) tells its product only.
#[must_use]
pub fn of(words: &[&str]) -> Option<Launch> {
    let (program, rest) = words.split_first()?;
    let name = program.rsplit('/').next().unwrap_or(program);
    let name = name.split([':', ' ']).next().unwrap_or(name);
    match name {
        "vsftpd" => Some(vsftpd(rest)),
        "proftpd" => Some(proftpd(rest)),
        "pure-ftpd" => Some(pure_ftpd(rest)),
        _ if name.starts_with("python") || name == "pypy3" => python(rest),
        _ => None,
    }
}

fn vsftpd(words: &[&str]) -> Launch {
    let mut launch =
        Launch { product: Product::Vsftpd, file: Some(VSFTPD.to_owned()), settings: String::new() };
    for word in words {
        if let Some(setting) = word.strip_prefix("-o") {
            launch.settings += &format!("{setting}\n");
        } else if !word.starts_with('-') {
            launch.file = Some((*word).to_owned());
        }
    }
    launch
}

fn proftpd(words: &[&str]) -> Launch {
    let file = value(words, &["-c", "--config"]).unwrap_or_else(|| PROFTPD.to_owned());
    Launch { product: Product::ProFtpd, file: Some(file), settings: String::new() }
}

fn pure_ftpd(words: &[&str]) -> Launch {
    let mut settings = String::new();
    let options: [(&[&str], &str); 4] = [
        (&["-p", "--passiveportrange"], "PassivePortRange"),
        (&["-P", "--forcepassiveip"], "ForcePassiveIP"),
        (&["-c", "--maxclientsnumber"], "MaxClientsNumber"),
        (&["-Y", "--tls"], "TLS"),
    ];
    for (names, line) in options {
        if let Some(value) = value(words, names) {
            settings += &format!("{line} {}\n", value.replace(':', " "));
        }
    }
    // `pure-ftpd /etc/pure-ftpd/pure-ftpd.conf`, since 1.0.43.
    let file = words.first().filter(|word| word.starts_with('/')).map(|word| (*word).to_owned());
    Launch { product: Product::PureFtpd, file, settings }
}

/// `python3 -m pyftpdlib -r 50000-50100`, or `python3 server.py`.
fn python(words: &[&str]) -> Option<Launch> {
    let mut at = 0;
    // `python(1)`: these two take a word of their own.
    while words.get(at)?.starts_with('-') && words[at] != "-m" {
        at += if matches!(words[at], "-W" | "-X") { 2 } else { 1 };
    }
    let mut launch = Launch { product: Product::Pyftpdlib, file: None, settings: String::new() };
    if words[at] != "-m" {
        launch.file = Some(words[at].to_owned());
        return words[at].ends_with(".py").then_some(launch);
    }
    if *words.get(at + 1)? != "pyftpdlib" {
        return None;
    }
    let options = &words[at + 2..];
    if let Some(range) = value(options, &["-r", "--range"])
        && let Some((low, high)) = range.split_once('-')
    {
        launch.settings += &format!("passive_ports = range({low}, {high} + 1)\n");
    }
    if let Some(port) = value(options, &["-p", "--port"]) {
        launch.settings += &format!("address = ('', {port})\n");
    } else {
        // The command's own default; as a library it has none.
        launch.settings += "address = ('', 2121)\n";
    }
    Some(launch)
}

/// The value of an option: `-p V`, `-pV`, `--passiveportrange V`, `--passiveportrange=V`.
fn value(words: &[&str], names: &[&str]) -> Option<String> {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        for name in names {
            let Some(rest) = word.strip_prefix(name) else { continue };
            let glued = match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None if name.starts_with("--") && !rest.is_empty() => continue,
                None => Some(rest).filter(|rest| !rest.is_empty()),
            };
            return glued.map(str::to_owned).or_else(|| words.next().map(|&word| word.to_owned()));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::{Passive, read_as};
    use super::*;

    fn launched(line: &str) -> Option<Launch> {
        of(&line.split(' ').collect::<Vec<_>>())
    }

    #[test]
    fn files_and_settings() {
        let found = launched("/usr/sbin/vsftpd /tmp/v.conf -opasv_max_port=5").unwrap();
        assert_eq!(found.file.as_deref(), Some("/tmp/v.conf"));
        assert_eq!(found.settings, "pasv_max_port=5\n");
        assert_eq!(launched("vsftpd").unwrap().file.as_deref(), Some(VSFTPD));
        assert_eq!(launched("proftpd -n -c /x").unwrap().file.as_deref(), Some("/x"));
        let renamed = launched("proftpd: (accepting connections)").unwrap();
        assert_eq!(renamed.file.as_deref(), Some(PROFTPD));
        assert_eq!(launched("python3 /srv/ftpd.py").unwrap().file.as_deref(), Some("/srv/ftpd.py"));
        let warned = launched("python3 -u -W ignore /srv/ftpd.py").unwrap();
        assert_eq!(warned.file.as_deref(), Some("/srv/ftpd.py"));
        for other in
            ["python3 -W", "python3 -m http.server", "python3 -c pass", "nginx -g x", "", "python3"]
        {
            assert_eq!(launched(other), None, "{other}");
        }
    }

    #[test]
    fn options_are_read_as_lines() {
        for line in [
            "pure-ftpd -p 30000:30100 -c 10",
            "pure-ftpd -p30000:30100",
            "/usr/sbin/pure-ftpd --passiveportrange=30000:30100",
            "pure-ftpd --passiveportrange 30000:30100",
            "python3 -m pyftpdlib -r 30000-30100 -w",
            "python3.12 -u -m pyftpdlib --range=30000-30100",
        ] {
            let found = launched(line).unwrap();
            let config = read_as(found.product, "f", &found.settings);
            assert_eq!(config.passive, Passive::range("30000-30100".parse().unwrap()), "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_words_are_read(line in "(vsftpd|pure-ftpd|proftpd|python3|\\PC{0,5})( \\PC{0,9}){0,5}") {
            let _ = launched(&line);
        }
    }
}
