//! A newcomer's broken FTP: `dayfly firewall check` names the cause, and each remedy that it prints,
//! typed as it is printed, lets the file through.

use dayfly_insight::ftp::Mode;
use dayfly_testkit::{needs, privileged, type_in};
use serde_json::Value;

use crate::clients::{Client, fetch};
use crate::place::{Place, Running, dayfly, nft};
use crate::servers::{Server, has_pyftpdlib, start};
use crate::{Guard, PASSIVE, RANGE_FROM_20, filter};

/// What is broken.
#[derive(Clone, Copy)]
struct Trouble {
    guard: Guard,
    rules: &'static str,
    range: Option<&'static str>,
    server: Server,
    client: Client,
    mode: Mode,
    flow: &'static str,
    /// Words of the cause.
    because: &'static str,
}

const TROUBLES: [Trouble; 4] = [
    // The range was moved, and nobody thought of the firewall.
    Trouble {
        guard: Guard::Client,
        rules: RANGE_FROM_20,
        range: Some("20000 20100"),
        server: Server::Vsftpd,
        client: Client::Curl,
        mode: Mode::Active,
        flow: "ftp-active",
        because: "the server's connection to our port 20000-20100 is dropped",
    },
    Trouble {
        guard: Guard::Client,
        rules: "",
        range: None,
        server: Server::Pyftpdlib,
        client: Client::Lftp,
        mode: Mode::Active,
        flow: "ftp-active",
        because: "the server's connection to our port 32768-60999 is dropped",
    },
    Trouble {
        guard: Guard::Client,
        rules: "",
        range: None,
        server: Server::PyftpdlibTls,
        client: Client::Ftplib,
        mode: Mode::Active,
        flow: "ftps-active",
        because: "the server's connection to our port 32768-60999 is dropped",
    },
    Trouble {
        guard: Guard::Server,
        rules: "tcp dport 21 accept",
        range: None,
        server: Server::VsftpdTls,
        client: Client::Ftplib,
        mode: Mode::Passive,
        flow: "ftps-passive-server",
        because: "the client's connection to our port 50000-50009 is dropped",
    },
];

/// A place where it is broken.
struct Scene {
    place: Place,
    trouble: Trouble,
    _server: Running,
}

impl Scene {
    fn new(trouble: Trouble) -> Scene {
        let place = Place::new();
        let passive = (trouble.guard == Guard::Server).then_some(PASSIVE);
        let server = start(&place, trouble.server, passive);
        let scene = Scene { place, trouble, _server: server };
        if let Some(range) = trouble.range {
            scene.guarded().sysctl("net.ipv4.ip_local_port_range", range);
        }
        nft(scene.guarded(), &filter(trouble.rules));
        scene
    }

    fn guarded(&self) -> &dayfly_testkit::Namespace {
        match self.trouble.guard {
            Guard::Client => &self.place.client,
            Guard::Server => &self.place.server,
        }
    }

    fn works(&self) -> bool {
        let Trouble { client, mode, server, .. } = self.trouble;
        fetch(&self.place, client, mode, server.is_encrypted())
    }

    /// The flow as `firewall check` sees it, and the remedies.
    fn check(&self) -> (Value, Vec<String>) {
        let netns = self.guarded().name();
        let flow = self.trouble.flow;
        let report = dayfly(&["firewall", "check", "--netns", netns, "--flow", flow]);
        let namespace = &report["namespaces"][0];
        let remedies = namespace["remedies"].as_array().unwrap().iter();
        let actions = remedies.map(|one| one["do"].as_str().unwrap().to_owned()).collect();
        (namespace["flows"][0].clone(), actions)
    }
}

#[test]
fn each_remedy_lets_the_file_through() {
    privileged!();
    needs!("nft", "nftables");
    needs!("vsftpd", "vsftpd");
    needs!("curl", "curl");
    needs!("lftp", "lftp");
    needs!("openssl", "openssl");
    if !has_pyftpdlib(module_path!(), line!()) {
        return;
    }
    std::thread::scope(|scope| {
        for trouble in TROUBLES {
            scope.spawn(move || {
                let broken = Scene::new(trouble);
                let (flow, remedies) = broken.check();
                assert_eq!(flow["verdict"], "blocked", "{flow}");
                let why = flow["why"].as_str().unwrap();
                assert!(why.contains(trouble.because), "{why}");
                assert!(!broken.works(), "{why}");
                assert!(!remedies.is_empty(), "{flow}");
                for index in 0..remedies.len() {
                    // Names differ from place to place, what helps does not.
                    let mended = Scene::new(trouble);
                    let action = mended.check().1[index].clone();
                    type_in(&action, env!("CARGO_BIN_EXE_dayfly"));
                    assert_eq!(mended.check().0["verdict"], "passes", "{action}");
                    assert!(mended.works(), "{action}");
                }
            });
        }
    });
}
