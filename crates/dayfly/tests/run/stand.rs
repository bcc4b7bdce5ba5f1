//! Where a program is run and watched: a namespace, a server that says who came, and a folder with
//! the programs that an ordinary user may enter.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use dayfly_testkit::{Finished, Folder, Namespace, Witness, finish, programs};

/// Nothing here takes longer than a second, except on a machine that does much else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// Where the server listens.
pub(crate) const SERVER: u16 = 7000;
/// Of the system alone: a folder that a user may not enter changes what a failed search says.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// Debian's `nobody`; any number would do, since no name is looked up.
const NOBODY: &str = "65534";

/// Returns from the calling test when it cannot run here: namespaces, compilers and curl are used.
#[macro_export]
macro_rules! stand {
    () => {
        dayfly_testkit::privileged!();
        dayfly_testkit::needs!("cc", "gcc");
        dayfly_testkit::needs!("musl-gcc", "musl-tools");
        dayfly_testkit::needs!("go", "golang-go");
        dayfly_testkit::needs!("curl", "curl");
        dayfly_testkit::needs!("ip", "iproute2");
    };
}

/// Who runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Who {
    Root,
    /// Without a privilege, and without a way into the folder of the checkout.
    User,
}

/// Who can run it, and how.
pub(crate) const VIAS: [(Who, &str); 3] =
    [(Who::Root, "seccomp"), (Who::User, "seccomp"), (Who::Root, "bpf")];

/// Ends with the value.
pub(crate) struct Stand {
    pub(crate) witness: Witness,
    /// The server's addresses, IPv4 and IPv6.
    pub(crate) v4: &'static str,
    pub(crate) v6: &'static str,
    folder: Folder,
    // After the witness, so that sockets are closed before their namespace goes.
    pub(crate) client: Namespace,
    _server: Option<Namespace>,
}

impl Stand {
    /// Client and server on loopback.
    pub(crate) fn near() -> Stand {
        let client = Namespace::new();
        let witness = serve(&client);
        Stand {
            witness,
            v4: "127.0.0.1",
            v6: "::1",
            folder: public_folder(),
            client,
            _server: None,
        }
    }

    /// The server at the other end of a cable, where the rules for loopback do not hold.
    pub(crate) fn far() -> Stand {
        let (client, server) = (Namespace::new(), Namespace::new());
        client.connect_to(&server, ("east", "10.9.0.1/24"), ("west", "10.9.0.2/24"));
        client.add_address("east", "10.9.0.3/24");
        client.add_address("east", "fd09::1/64");
        server.add_address("west", "10.9.0.4/24");
        server.add_address("west", "fd09::2/64");
        let witness = serve(&server);
        Stand {
            witness,
            v4: "10.9.0.2",
            v6: "fd09::2",
            folder: public_folder(),
            client,
            _server: Some(server),
        }
    }

    /// A program of the folder, `dayfly` among them.
    pub(crate) fn path(&self, name: &str) -> String {
        self.folder.file(name)
    }

    /// A place for a file that does not exist yet.
    pub(crate) fn new_file(&self) -> PathBuf {
        static COUNTER: AtomicU32 = AtomicU32::new(0);
        self.folder.path().join(format!("file-{}", COUNTER.fetch_add(1, Ordering::Relaxed)))
    }

    /// A command in the client's namespace; standard input is empty.
    pub(crate) fn command(&self, who: Who, words: &[String]) -> Command {
        let user = ["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups"];
        let mut command = match who {
            Who::Root => self.client.command(&words[0]),
            Who::User => {
                let mut command = self.client.command("setpriv");
                command.args(user).arg(&words[0]);
                command
            }
        };
        command
            .args(&words[1..])
            .stdin(Stdio::null())
            .current_dir("/")
            .env("NO_COLOR", "1")
            .env("PATH", PATH);
        command
    }

    /// `dayfly run OPTIONS -- WORDS`, both split at spaces; a word `@NAME` is a program of ours,
    /// `@4` and `@6` are the server's address and port.
    pub(crate) fn run(&self, who: Who, options: &str, words: &str) -> Finished {
        finish(&mut self.run_command(who, options, words), PATIENCE)
    }

    /// `dayfly run OPTIONS -- bash -c SCRIPT`.
    pub(crate) fn shell(&self, who: Who, options: &str, script: &str) -> Finished {
        let mut words = self.words(&format!("@dayfly run {options} -- bash -c"));
        words.push(script.to_owned());
        finish(&mut self.command(who, &words), PATIENCE)
    }

    /// The command of [`run`](Stand::run).
    pub(crate) fn run_command(&self, who: Who, options: &str, words: &str) -> Command {
        let line = format!("@dayfly run {options} -- {words}");
        self.command(who, &self.words(&line))
    }

    /// Any line, split at spaces, with `@` as in [`run`](Stand::run).
    pub(crate) fn words(&self, line: &str) -> Vec<String> {
        let mut words = Vec::new();
        for word in line.split_whitespace() {
            match word.strip_prefix('@') {
                Some("4") => words.extend([self.v4.to_owned(), SERVER.to_string()]),
                Some("6") => words.extend([self.v6.to_owned(), SERVER.to_string()]),
                Some(name) => words.push(self.path(name)),
                None => words.push(word.to_owned()),
            }
        }
        words
    }

    /// The folders in `/proc` of all processes that run this stand's own copy of dayfly.
    pub(crate) fn supervisors(&self) -> Vec<String> {
        let dayfly = PathBuf::from(self.path("dayfly"));
        let is_one = |path: &Path| fs::read_link(path.join("exe")).is_ok_and(|exe| exe == dayfly);
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let own = processes.filter(|entry| is_one(&entry.path()));
        own.map(|entry| entry.path().display().to_string()).collect()
    }

    /// The ports of everybody who came since this was last asked.
    pub(crate) fn ports(&self) -> Vec<u16> {
        self.witness.take().into_iter().map(|seen| seen.client.port()).collect()
    }
}

impl Drop for Stand {
    /// What a program left behind has ended or ends at once; the supervisor takes its filters and
    /// its cgroup down before it goes, and that has to happen before everything here is killed.
    fn drop(&mut self) {
        let begun = Instant::now();
        while !std::thread::panicking() && !self.supervisors().is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{:?} goes on for ever", self.supervisors());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn serve(namespace: &Namespace) -> Witness {
    // Data in the first packet, both ways, without a cookie (net/ipv4/tcp_fastopen.c).
    namespace.sysctl("net.ipv4.tcp_fastopen", &0x607.to_string());
    let address = SocketAddr::new([0; 16].into(), SERVER);
    namespace.run(|| Witness::open(address)).unwrap()
}

/// Copies of everything that is run: the checkout may be where nobody else may look.
fn public_folder() -> Folder {
    let folder = Folder::new();
    let products = fs::read_dir(programs()).unwrap().map(|entry| entry.unwrap().path());
    let dayfly = PathBuf::from(env!("CARGO_BIN_EXE_dayfly"));
    folder.bring(products.chain([dayfly]).filter(|path| path.is_file()));
    folder
}
