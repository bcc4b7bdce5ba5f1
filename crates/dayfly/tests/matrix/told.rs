//! What servers really say, next to what `dayfly ftp` makes of their words and their files.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use dayfly_insight::ftp::Mode;
use dayfly_ports::{Port, PortSet};
use dayfly_testkit::{needs, privileged};
use serde_json::Value;

use crate::clients::{Client, fetch};
use crate::place::{Place, Running, SERVER, dayfly, nft};
use crate::servers::{Server, has_pyftpdlib, start, web};
use crate::{RANGE_FROM_20, filter};

/// What a client sees when it asks for a passive port so often.
fn session(place: &Place, times: u32) -> String {
    let script = format!(
        "import ftplib\nftp = ftplib.FTP('{SERVER}', timeout=20)\nftp.set_debuglevel(1)\n\
         ftp.login()\nfor _ in range({times}): ftp.sendcmd('PASV')\nftp.sendcmd('EPSV')\n"
    );
    let mut command = place.client.command("python3");
    let output = command.args(["-c", &script]).stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The ports that a session names, as `dayfly ftp explain` reads them.
fn explained(place: &Place, session: &str) -> BTreeSet<u16> {
    let file = place.write("session.txt", session);
    let told = dayfly(&["ftp", "explain", file.to_str().unwrap()]);
    let session = &told["sessions"][0];
    let connections = session["connections"].as_array().unwrap();
    assert_eq!(session["misread"], Value::Array(vec![]));
    for one in connections {
        assert_eq!((&one["mode"], &one["connects"]), (&"passive".into(), &"client".into()));
        let address = &one["address"];
        assert!(*address == SERVER || address.is_null(), "{one}");
    }
    connections.iter().map(|one| one["port"].as_u64().unwrap() as u16).collect()
}

#[test]
fn servers_name_the_ports_that_their_files_are_read_as() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    if !has_pyftpdlib(module_path!(), line!()) {
        return;
    }
    let cases = [
        (Server::Vsftpd, None, "own", "1024-65535"),
        (Server::Vsftpd, Some((50_000, 50_009)), "limited", "50000-50009"),
        // It says nothing, and goes up to the last port.
        (Server::Vsftpd, Some((65_000, 50_000)), "limited", "65000-65535"),
        (Server::Vsftpd, Some((500, 1_100)), "limited", "1024-1100"),
        (Server::Pyftpdlib, None, "system", "32768-60999"),
        (Server::Pyftpdlib, Some((50_000, 50_009)), "limited", "50000-50009"),
    ];
    std::thread::scope(|scope| {
        for (server, passive, kind, ports) in cases {
            scope.spawn(move || {
                let place = Place::new();
                let _server = start(&place, server, passive);
                let found = dayfly(&["ftp", "check", "--netns", place.server.name()]);
                let read = &found["servers"][0];
                assert_eq!(read["passive"], kind, "{found}");
                if kind != "system" {
                    assert_eq!(read["passive_ports"], ports, "{found}");
                }
                let expected: PortSet = ports.parse().unwrap();
                let named = explained(&place, &session(&place, 30));
                // Thirty answers out of ten ports name more than one, of many ports about thirty.
                assert!(named.len() > 2, "{named:?}");
                assert!(named.iter().all(|&port| expected.contains(Port::new(port))), "{named:?}");
            });
        }
    });
}

#[test]
fn a_service_inside_the_passive_range_is_named() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    needs!("python3", "python3");
    let place = Place::new();
    let _server = start(&place, Server::Vsftpd, Some((20_000, 20_009)));
    let netns = ["--netns", place.server.name()];
    let check = || dayfly(&[&["ftp", "check", "--clients", "10"], &netns[..]].concat());
    assert_eq!(check()["servers"][0]["issues"], Value::Array(vec![]));
    let web = web(&place, 20_005);
    let found = check();
    let issue = &found["servers"][0]["issues"][0];
    assert_eq!(issue["kind"], "shared");
    let said = issue["evidence"][0].as_str().unwrap();
    assert!(said.ends_with("listens on 0.0.0.0:20005, inside the passive range"), "{said}");
    let doctor = dayfly(&[&["doctor", "--only", "DF043"], &netns[..]].concat());
    assert_eq!(doctor["findings"][0]["evidence"][0], said);
    drop(web);
    assert_eq!(check()["servers"][0]["issues"], Value::Array(vec![]));
}

#[test]
fn a_capture_is_explained_with_the_rule_that_decides() {
    privileged!();
    needs!("vsftpd", "vsftpd");
    needs!("curl", "curl");
    needs!("tcpdump", "tcpdump");
    let place = Place::new();
    let _server = start(&place, Server::Vsftpd, Some((50_000, 50_009)));
    nft(&place.client, &filter(RANGE_FROM_20));
    place.client.sysctl("net.ipv4.ip_local_port_range", "20000 20100");
    let file = place.folder.path().join("session.pcap").display().to_string();
    let mut capture = place.client.command("tcpdump");
    capture.args(["-U", "-Z", "root", "-s", "0", "-i", "near", "-w", &file, "tcp"]);
    let mut capture = Running(capture.stderr(Stdio::piped()).spawn().unwrap());
    let mut said = BufReader::new(capture.0.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("listening on") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "tcpdump does not listen");
    }
    assert!(!fetch(&place, Client::Curl, Mode::Active, false));
    assert!(fetch(&place, Client::Curl, Mode::Passive, false));
    // Written as they come; the last of them a moment later.
    let begun = Instant::now();
    let told = loop {
        let told = dayfly(&["ftp", "explain", "--netns", place.client.name(), &file]);
        let worked = |one: &Value| one["connections"][0]["outcome"] == "worked";
        let sessions = told["sessions"].as_array().unwrap();
        if sessions.len() == 2 && worked(&sessions[1]) {
            break told;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{told:#}");
        std::thread::sleep(Duration::from_millis(50));
    };
    let sessions = told["sessions"].as_array().unwrap();
    let ends = (&sessions[0]["client"], &sessions[0]["server"]);
    assert_eq!(ends, (&"10.8.0.2".into(), &SERVER.into()));
    let failed = &sessions[0]["connections"][0];
    assert_eq!(failed["mode"], "active", "{failed:#}");
    assert_eq!(failed["firewall"]["verdict"], "blocked", "{failed:#}");
    let why = failed["firewall"]["why"].as_str().unwrap();
    assert!(why.contains(&format!("our port {} is dropped", failed["port"])), "{why}");
    assert!((20_000..=20_100).contains(&failed["port"].as_u64().unwrap()), "{failed:#}");
    let fetched = &sessions[1]["connections"][0];
    assert_eq!(fetched["firewall"]["verdict"], "passes", "{fetched:#}");
    assert!((50_000..=50_009).contains(&fetched["port"].as_u64().unwrap()), "{fetched:#}");
    assert_eq!(fetched["purpose"], "RETR a.txt");
}
