//! Real clients: did the file arrive?

use std::fs::{self, File};
use std::process::Stdio;

use dayfly_insight::ftp::Mode;

use crate::place::{CONTENT, Place, SERVER};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Curl,
    Lftp,
    /// Python's ftplib: the one that can do active FTPS.
    Ftplib,
    Tftp,
}

/// Fetches a file; whether it came.
///
/// What is blocked is waited for as long as the servers wait (two seconds for active connections)
/// or four seconds; what works may take longer.
pub(crate) fn fetch(place: &Place, client: Client, mode: Mode, encrypted: bool) -> bool {
    let active = mode == Mode::Active;
    let url = format!("ftp://{SERVER}/a.txt");
    let (program, words) = match client {
        Client::Curl => {
            let mut words = vec!["-sS", "--connect-timeout", "4", "--max-time", "20"];
            if active {
                words.extend(["-P", "-"]);
            }
            words.push(&url);
            ("curl", words.iter().map(ToString::to_string).collect())
        }
        Client::Lftp => {
            let script = format!(
                "set net:timeout 4; set net:max-retries 1; set net:reconnect-interval-base 1; \
                 set net:persist-retries 0; set ftp:ssl-allow no; set ftp:passive-mode {}; \
                 set ftp:use-mdtm no; set ftp:use-size no; cat {url}",
                !active
            );
            ("lftp", vec!["-c".to_owned(), script])
        }
        Client::Ftplib => ("python3", vec!["-c".to_owned(), ftplib(active, encrypted)]),
        // Unlike its words, what it reads can tell how long it is to wait.
        Client::Tftp => ("tftp", vec![SERVER.to_owned()]),
    };
    let mut command = place.client.command("timeout");
    command.arg("25").arg(program).args(words).current_dir(place.folder.path());
    if client == Client::Tftp {
        let script = place.write("tftp", "mode octet\nrexmt 1\ntimeout 10\nget a.txt got.txt\n");
        let _ = command.stdin(File::open(script).unwrap()).output().unwrap();
        let got = fs::read_to_string(place.folder.path().join("got.txt"));
        return got.is_ok_and(|text| text == CONTENT);
    }
    command.stdin(Stdio::null()).output().unwrap().stdout == CONTENT.as_bytes()
}

/// A program that prints the file.
fn ftplib(active: bool, encrypted: bool) -> String {
    let class = if encrypted { "FTP_TLS" } else { "FTP" };
    let protect = if encrypted { "ftp.prot_p()" } else { "pass" };
    format!(
        "import ftplib, sys, warnings\n\
         warnings.simplefilter('ignore')\n\
         ftp = ftplib.{class}(timeout=4)\n\
         ftp.connect('{SERVER}', 21, timeout=20)\n\
         ftp.sock.settimeout(20)\n\
         ftp.login()\n\
         {protect}\n\
         ftp.set_pasv({})\n\
         ftp.timeout = 4\n\
         ftp.retrbinary('RETR a.txt', lambda part: sys.stdout.write(part.decode()))\n",
        if active { "False" } else { "True" }
    )
}
