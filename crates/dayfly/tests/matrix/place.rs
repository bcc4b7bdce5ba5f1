//! Where it happens: a client, a server, a cable between, and a folder that goes away.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use dayfly_testkit::{Folder, Namespace, command};
use serde_json::Value;

pub(crate) const SERVER: &str = "10.8.0.1";
/// What every server has to give.
pub(crate) const CONTENT: &str = "a file\n";

pub(crate) struct Place {
    pub(crate) client: Namespace,
    pub(crate) server: Namespace,
    pub(crate) folder: Folder,
}

impl Place {
    pub(crate) fn new() -> Place {
        let (client, server) = (Namespace::new(), Namespace::new());
        client.connect_to(&server, ("near", "10.8.0.2/24"), ("far", "10.8.0.1/24"));
        Place { client, server, folder: served() }
    }

    /// Writes a file into the folder.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }
}

/// Loads rules, as a file for nft.
pub(crate) fn nft(namespace: &Namespace, rules: &str) {
    let mut nft = namespace.command("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().unwrap();
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

/// What `dayfly` prints as JSON, whatever its exit code.
pub(crate) fn dayfly(words: &[&str]) -> Value {
    let mut command = command(env!("CARGO_BIN_EXE_dayfly"));
    let output = command.args(words).arg("--json").stdin(Stdio::null()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
        panic!("dayfly {}: {error}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr))
    })
}

/// What servers serve: a file, and a place for uploads.
fn served() -> Folder {
    let folder = Folder::new();
    let path = folder.path();
    fs::create_dir_all(path.join("files/in")).unwrap();
    fs::create_dir_all(path.join("empty")).unwrap();
    fs::write(path.join("files/a.txt"), CONTENT).unwrap();
    fs::set_permissions(path.join("files/in"), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// A server that ends with the value.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A server with everything that it starts: all of it has ended when the value is gone.
pub(crate) struct Household(Child);

impl Household {
    /// Runs a shell script in a namespace, with processes and mounts of its own. What it leaves in
    /// the background goes on.
    pub(crate) fn start(namespace: &Namespace, script: &str) -> Household {
        let mut command = namespace.command("unshare");
        // With the first process of a namespace the kernel ends all the others, and waits for them.
        let script = format!("{script}\nread forever");
        command.args(["--mount", "--pid", "--fork", "sh", "-c", &script]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Household(command.spawn().unwrap())
    }
}

impl Drop for Household {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
