//! A connection through the user's own `ssh`: their configuration, keys, agent, known hosts and
//! jump hosts, and their own questions where there is a terminal.
//!
//! One connection carries all commands (`ControlMaster`, ssh_config(5)): the user's, if one is
//! open, else one that is ours alone, in a folder that nobody else can enter. It ends with the
//! value, and by itself a minute after this process was killed.

use std::fs::{self, DirBuilder};
use std::io::{self, IsTerminal};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use dayfly_linux::observe::hash_seed;

use super::address::Address;
use super::child::{self, ChildError};
use super::complaint::complaint;
use super::{HostError, Output};

/// How long it may take to connect, questions for passwords included.
const CONNECT: Duration = Duration::from_secs(120);
/// How long a command may take.
const LIMIT: Duration = Duration::from_secs(60);
/// The longest path that a socket can have, without what ssh appends while it makes it.
const LONGEST_SOCKET: usize = 107 - 18;

/// An open connection.
#[derive(Debug)]
pub(super) struct Ssh {
    /// `ssh`, but in tests.
    program: PathBuf,
    address: Address,
    /// As the user wrote it.
    pub(super) name: String,
    /// The folder of our own socket; none where the user's connection is used.
    folder: Option<PathBuf>,
}

impl Ssh {
    /// Connects, through this program.
    pub(super) fn open(program: PathBuf, address: &Address) -> Result<Self, HostError> {
        let name = address.to_string();
        let mut ssh = Ssh { program, name, address: address.clone(), folder: None };
        if ssh.has_own_of_user()? {
            return Ok(ssh);
        }
        ssh.folder = private_folder();
        let mut command = ssh.command();
        if ssh.folder.is_some() {
            command.args(["-f", "-N", "-o", "ControlMaster=yes", "-o", "ControlPersist=60"]);
            ssh.add_place(&mut command);
            let output = ssh.answer(child::run(&mut command, b"", CONNECT))?;
            if !output.is_success() {
                return Err(complaint(&ssh.name, &output));
            }
        }
        Ok(ssh)
    }

    /// Types a command into the login shell of the other side, which may be any shell. Status 255
    /// may be the command's, or that of an ssh that lost the connection.
    pub(super) fn run(&self, command: &str, input: &[u8]) -> Result<Output, HostError> {
        let mut ssh = self.command();
        if self.folder.is_some() {
            ssh.args(["-o", "ControlMaster=no"]);
        }
        self.add_place(&mut ssh);
        ssh.arg(command);
        self.answer(child::run(&mut ssh, input, LIMIT))
    }

    /// Whether a connection that the user keeps open is there.
    fn has_own_of_user(&self) -> Result<bool, HostError> {
        let mut command = self.command();
        command.args(["-O", "check"]);
        self.add_place(&mut command);
        Ok(self.answer(child::run(&mut command, b"", LIMIT))?.is_success())
    }

    /// ssh with what holds for every call. No terminal, no forwarding of anything, and silent but
    /// for errors: banners are not for us.
    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env("LC_ALL", "C").args(["-T", "-x", "-a"]);
        let mut options = vec![
            "LogLevel=ERROR",
            "ClearAllForwardings=yes",
            "RemoteCommand=none",
            "ConnectTimeout=20",
            "ServerAliveInterval=10",
            "ServerAliveCountMax=3",
        ];
        if !io::stdin().is_terminal() && !io::stderr().is_terminal() {
            options.push("BatchMode=yes");
        }
        for option in options {
            command.args(["-o", option]);
        }
        if let Some(folder) = &self.folder {
            let socket = folder.join("socket");
            command.arg("-o").arg(format!("ControlPath={}", socket.display()));
        }
        command
    }

    /// Whom to call. After `--` nothing is an option, and no part of an address begins with `-`.
    fn add_place(&self, command: &mut Command) {
        if let Some(user) = &self.address.user {
            command.args(["-l", user]);
        }
        if let Some(port) = self.address.port {
            command.args(["-p", &port.to_string()]);
        }
        command.args(["--", &self.address.host]);
    }

    fn answer(&self, done: Result<Output, ChildError>) -> Result<Output, HostError> {
        let name = &self.name;
        done.map_err(|error| match error {
            ChildError::Start(error) if error.kind() == io::ErrorKind::NotFound => {
                HostError::new("the program ssh is not on the search path")
                    .hint("install it: apt-get install openssh-client")
            }
            ChildError::Start(error) => HostError::new(format_args!("ssh cannot be run: {error}")),
            ChildError::Late => HostError::lost(format_args!("{name} did not answer in time")),
            ChildError::Flood => HostError::lost(format_args!("{name} printed without end")),
        })
    }
}

impl Drop for Ssh {
    fn drop(&mut self) {
        if self.folder.is_none() {
            return;
        }
        let mut command = self.command();
        command.args(["-O", "exit"]);
        self.add_place(&mut command);
        // Whatever goes wrong here ends by itself a minute later.
        let _ = child::run(&mut command, b"", Duration::from_secs(5));
        if let Some(folder) = &self.folder {
            let _ = fs::remove_dir_all(folder);
        }
    }
}

/// A folder for a socket that only this user can enter; none where it can be made neither in the
/// user's folder for temporary files nor in everybody's.
fn private_folder() -> Option<PathBuf> {
    let name = format!("dayfly-{}-{:08x}", std::process::id(), hash_seed() as u32);
    let places = [std::env::temp_dir(), PathBuf::from("/tmp")];
    let mut folders = places.iter().map(|place| place.join(&name));
    folders
        .find(|folder| fits_socket(folder) && DirBuilder::new().mode(0o700).create(folder).is_ok())
}

/// Whether ssh can make a socket there: not where the path would be too long for one, or has what
/// ssh would expand.
fn fits_socket(folder: &Path) -> bool {
    folder.to_str().is_some_and(|text| {
        text.len() + "/socket".len() <= LONGEST_SOCKET && !text.contains(['%', '"', ' ', '$', '~'])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_needs_a_short_and_plain_path() {
        for (folder, fits) in [
            ("/tmp/dayfly-1-2", true),
            ("/home/a user/tmp/dayfly-1-2", false),
            ("/tmp/%h/dayfly-1-2", false),
            (&format!("/{}/dayfly-1-2", "x".repeat(80)), false),
        ] {
            assert_eq!(fits_socket(Path::new(folder)), fits, "{folder}");
        }
    }
}
