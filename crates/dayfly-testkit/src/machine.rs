//! A host of its own for programs that change the host: its settings, its files and its processes
//! are nobody else's.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::environment;

/// A network, a mount and a process namespace of their own, so that process 1 is in the same
/// network namespace as everybody and dayfly takes it for the host's. The programs are those of
/// this system. `/etc/sysctl.d`, `/run`, `/usr/local/lib`, `/var/lib`, `/tmp` and `/var/tmp` are its
/// own and empty. So are `/etc/sysctl.conf` and the system's own `sysctl.d`: what they set would be
/// set for the whole machine, since only the settings of the network belong to a namespace. Gone,
/// with every process in it, when dropped.
#[derive(Debug)]
pub struct Machine {
    child: Child,
}

/// The programs that were built may lie in a folder that is hidden: they are brought along.
const SETUP: &str = "\
    mount --bind \"$1\" /mnt || exit 1\n\
    for folder in /etc/sysctl.d /usr/lib/sysctl.d /run /usr/local/lib /var/lib /tmp /var/tmp; do\n    \
        mount -t tmpfs tmpfs $folder || exit 1\n\
    done\n\
    mkdir -p \"$1\" && mount --move /mnt \"$1\" || exit 1\n\
    mkdir -p /run/sysctl.d /usr/local/lib/sysctl.d\n\
    mount --bind /dev/null /etc/sysctl.conf 2> /dev/null\n\
    ip link set lo up\n\
    echo ready\n\
    read rest";

impl Machine {
    /// Makes one.
    ///
    /// # Panics
    /// When the kernel refuses; ask [`privileged!`](crate::privileged) first.
    #[must_use]
    pub fn new() -> Machine {
        environment::settle();
        let test = env::current_exe().expect("a test knows its program");
        // target/debug/deps/TEST
        let built = test.ancestors().nth(3).expect("a test lies three folders deep");
        let mut child = environment::command("unshare")
            .args(["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", SETUP, "sh"])
            .arg(built)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare (util-linux) runs");
        let mut line = String::new();
        let output = child.stdout.take().expect("its output is a pipe");
        BufReader::new(output).read_line(&mut line).expect("it says when it is ready");
        assert_eq!(line, "ready\n", "the machine can be prepared");
        Machine { child }
    }

    /// A command that will run on the machine, with the environment of [`command`](crate::command).
    #[must_use]
    pub fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = environment::command("nsenter");
        command.arg(format!("--net={}", self.namespace("net").display()));
        command.arg(format!("--mount={}", self.namespace("mnt").display()));
        command.arg(format!("--pid={}", self.namespace("pid_for_children").display()));
        command.arg("--").arg(program.as_ref());
        command
    }

    /// Where a file of the machine is found from here.
    #[must_use]
    pub fn path(&self, path: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{path}", self.child.id()))
    }

    /// Writes a setting, named as in sysctl(8).
    ///
    /// # Panics
    /// When the kernel refuses the value.
    pub fn sysctl(&self, key: &str, value: &str) {
        let path = setting(key);
        self.run(|| fs::write(&path, value))
            .unwrap_or_else(|error| panic!("cannot write {value:?} to {key}: {error}"));
    }

    /// Reads a setting, without the newline.
    ///
    /// # Panics
    /// When there is no such setting.
    #[must_use]
    pub fn read_sysctl(&self, key: &str) -> String {
        let path = setting(key);
        self.run(|| fs::read_to_string(&path))
            .unwrap_or_else(|error| panic!("cannot read {key}: {error}"))
            .trim_end()
            .to_owned()
    }

    /// Runs the work in a fresh thread inside the machine's network namespace, with the files of
    /// the caller.
    ///
    /// # Panics
    /// When the namespace cannot be entered, and with whatever the work panics with.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = fs::File::open(self.namespace("net")).expect("the namespace is there");
        let result = thread::scope(|scope| {
            let inside = scope.spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                    .expect("the namespace can be entered");
                work()
            });
            inside.join()
        });
        result.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    fn namespace(&self, kind: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/{kind}", self.child.id()))
    }
}

impl Default for Machine {
    fn default() -> Self {
        Machine::new()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // Its process 1 ends with it, and with that all others.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn setting(key: &str) -> String {
    format!("/proc/sys/{}", key.replace('.', "/"))
}
