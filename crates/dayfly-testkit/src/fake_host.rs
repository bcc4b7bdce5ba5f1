//! Hosts with other operating systems, reached through a real sshd.
//!
//! A fake host has its own root, laid over this machine's by overlayfs, so that every path is the
//! real one and nothing outside changes; its own network namespace; and the commands of its system
//! as small programs (`hosts/host.py`, which says what each imitates and from which document).
//! Everything else in it is Debian's: shells, awk, cp. Linux is not imitated: it is the real kernel
//! in a namespace, with the real procps and systemd-sysctl.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::environment::{command, search_path};
use crate::processes::end_all_in;
use crate::{Folder, Namespace};

/// A host that answers ssh at 127.0.0.1 in its own network namespace; gone when dropped.
#[derive(Debug)]
pub struct FakeHost {
    sshd: Child,
    namespace: Namespace,
    /// Keys, and the `ssh` that knows them.
    folder: Folder,
}

/// Which shell a user gets at login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Login {
    /// What the system has: sh, or cmd.exe.
    Usual,
    /// tcsh, as root had on the BSDs for long.
    Csh,
    /// PowerShell, which an administrator can make the default on Windows.
    PowerShell,
    /// A program that knows no command.
    Foreign,
}

/// Commands that are replaced, by system. Each is a link to `host.py`.
fn commands(system: &str) -> &'static [&'static str] {
    match system {
        "aix" => &["no", "oslevel"],
        "android" => &["getprop"],
        "freebsd" | "dragonfly" | "netbsd" | "openbsd" => &["sysctl"],
        "macos" => &["sysctl", "sw_vers", "plutil", "launchctl"],
        "hpux" => &["ndd"],
        "solaris" => &["ndd", "svccfg", "svcadm", "svcs"],
        "illumos" => &["ipadm", "svccfg", "svcadm", "svcs"],
        "tru64" => &["sysconfig", "sysconfigdb"],
        "windows" | "windows-xp" => &["cmd"],
        _ => &[],
    }
}

/// Makes the client's `ssh` and the host's root, enters that and becomes sshd. Whatever is mounted
/// here goes away with it.
const PREPARE: &str = r#"
set -e
d=$1 system=$2 login=$3 sources=$4; shift 4
mkdir "$d/bin" "$d/disk"
printf '#!/bin/sh\nexec /usr/bin/ssh -F %s/config "$@"\n' "$d" > "$d/bin/ssh"
chmod 755 "$d/bin/ssh"
mount -t tmpfs tmpfs "$d/disk"
mkdir "$d/disk/up" "$d/disk/work" "$d/disk/root"
root=$d/disk/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$d/disk/up,workdir=$d/disk/work" "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
mkdir -p "$root/run/sshd" "$root/run/fakehost" "$root/etc/fakehost" "$root/usr/lib/fakehost"
chmod 755 "$root"
echo "$system" > "$root/etc/fakehost/system"
cp "$sources"/*.py "$root/usr/lib/fakehost/"
chmod 755 "$root/usr/lib/fakehost/"*.py
for command; do
    rm -f "$root/usr/bin/$command" "$root/usr/sbin/$command"
    ln -s /usr/lib/fakehost/host.py "$root/usr/bin/$command"
    ln -s /usr/lib/fakehost/host.py "$root/usr/sbin/$command"
done
case $system in solaris | illumos | hpux) ln -sf /bin/sh "$root/sbin/sh" ;; esac
case $system in
solaris | illumos)
    # The services of the machine below are not to start when this host boots.
    rm -rf "$root/etc/rc2.d"
    ln -sf /usr/bin/awk "$root/usr/bin/nawk"; mkdir -p "$root/etc/rc2.d" "$root/var/svc/manifest/site" "$root/lib/svc/method" ;;
hpux) mkdir -p "$root/etc/rc.config.d" "$root/sbin/rc2.d" "$root/sbin/init.d" "$root/var/adm" ;;
aix) mkdir -p "$root/etc/tunables" ;;
macos) mkdir -p "$root/Library/LaunchDaemons" ;;
android) mkdir -p "$root/data/adb/service.d" "$root/system/bin" ; ln -s /bin/sh "$root/system/bin/sh" ;;
bsdos)
    mkdir -p "$root/usr/include/netinet"
    printf '#define\tIPPORT_RESERVED\t\t1024\n#define\tIPPORT_DYNAMIC\t\t49152\n#define\tIPPORT_DYNAMIC_LAST\t65535\n' > "$root/usr/include/netinet/in.h" ;;
irix)
    mkdir -p "$root/usr/include/netinet"
    printf '#define\tIPPORT_RESERVED\t\t1024\n#define\tIPPORT_MAXPORT\t\t65535\n' > "$root/usr/include/netinet/in.h" ;;
openbsd | netbsd | freebsd | dragonfly) rm -f "$root/etc/sysctl.conf" ;;
esac
sed -i 's/^root:[^:]*:/root:*:/' "$root/etc/shadow"
shell=/bin/sh force=
case $login in
Csh) shell=/bin/tcsh ;;
PowerShell) touch "$root/etc/fakehost/powershell" ;;
Foreign) printf '#!/bin/sh\necho "%% Unknown command"; exit 1\n' > "$root/usr/lib/fakehost/foreign"
    chmod 755 "$root/usr/lib/fakehost/foreign"; force="ForceCommand /usr/lib/fakehost/foreign" ;;
esac
case $system in windows*) force="ForceCommand /usr/bin/cmd" ;; esac
sed -i "s|^\(root:.*\):[^:]*\$|\1:$shell|" "$root/etc/passwd"
cp "$d/host_key" "$root/etc/fakehost/key"
cp "$d/user_key.pub" "$root/etc/fakehost/authorized"
cat > "$root/etc/fakehost/sshd" <<END
ListenAddress 127.0.0.1
HostKey /etc/fakehost/key
AuthorizedKeysFile /etc/fakehost/authorized
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PidFile none
$force
END
chmod 600 "$root/etc/fakehost/key"
exec chroot "$root" /usr/sbin/sshd -D -e -f /etc/fakehost/sshd
"#;

impl FakeHost {
    /// Starts a host with this system, by the name that dayfly knows it by.
    ///
    /// # Panics
    /// When it cannot be prepared; ask [`privileged!`](crate::privileged) first, and
    /// [`needs!`](crate::needs) for sshd and python3.
    #[must_use]
    pub fn start(system: &str) -> FakeHost {
        FakeHost::with_login(system, Login::Usual)
    }

    /// The same, with another login shell.
    ///
    /// # Panics
    /// As [`FakeHost::start`].
    #[must_use]
    pub fn with_login(system: &str, login: Login) -> FakeHost {
        let namespace = Namespace::new();
        let folder = Folder::new();
        for key in ["host_key", "user_key"] {
            let mut command = command("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]);
            succeed(command.arg(folder.path().join(key)));
        }
        client(&folder);
        let mut command = namespace.command("unshare");
        command.args(["--mount", "sh", "-c", PREPARE, "sh"]).arg(folder.path()).arg(system);
        command.arg(format!("{login:?}")).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/hosts"));
        if system != "linux" {
            command.args(commands(system)).args(["netstat", "fakehost-boot"]);
            if !system.starts_with("windows") {
                command.arg("uname");
            }
        }
        let mut sshd =
            command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("unshare runs");
        wait_for(&mut sshd);
        FakeHost { sshd, namespace, folder }
    }

    /// How to name it: `ssh://root@127.0.0.1`.
    #[must_use]
    pub fn url(&self) -> String {
        "ssh://root@127.0.0.1".to_owned()
    }

    /// The network namespace that it listens in.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The folder with the keys (`user_key`), `known_hosts`, the client's configuration (`config`)
    /// and an `ssh` in `bin` that uses them.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A command on this machine, in the host's network namespace, whose `ssh` knows the keys.
    #[must_use]
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut path = OsString::from(self.folder.path().join("bin"));
        path.push(":");
        path.push(search_path());
        let mut command = self.namespace.command(program);
        command.env("PATH", path);
        command
    }

    /// What a shell script prints that runs on the host, as root, without ssh.
    ///
    /// # Panics
    /// When it fails.
    #[must_use]
    pub fn sh(&self, script: &str) -> String {
        let mut command = self.namespace.command("nsenter");
        command.args(["--mount", "--root", "--target", &self.sshd.id().to_string(), "--"]);
        succeed(command.args(["/bin/sh", "-c", &format!("cd /\n{script}")]))
    }

    /// A file of the host; none if there is none.
    #[must_use]
    pub fn file(&self, path: &str) -> Option<String> {
        let script = format!("if test -f '{path}'; then echo x; cat '{path}'; fi");
        self.sh(&script).strip_prefix("x\n").map(str::to_owned)
    }

    /// Forgets what is in force and does what the system does at boot.
    pub fn boot(&self) {
        // A new Linux namespace starts with the defaults, and systemd-sysctl reads the files. Only
        // what belongs to the namespace is written: the rest of /proc/sys is this machine's.
        let script = "if test -x /usr/bin/fakehost-boot; then fakehost-boot; else
            echo 32768 60999 > /proc/sys/net/ipv4/ip_local_port_range
            echo > /proc/sys/net/ipv4/ip_local_reserved_ports
            /lib/systemd/systemd-sysctl --prefix=/net/ipv4/ip_local_port_range \
                --prefix=/net/ipv4/ip_local_reserved_ports
        fi";
        let _ = self.sh(script);
    }

    /// Makes the kernel refuse every write to these settings, until the next boot.
    pub fn refuse(&self, names: &[&str]) {
        let _ = self.sh(&format!("echo '{}' > /run/fakehost/refuse", names.join("\n")));
    }

    /// Takes [`FakeHost::refuse`] back.
    pub fn accept(&self) {
        let _ = self.sh("rm -f /run/fakehost/refuse");
    }

    /// What `netstat` prints from now on, whatever its options.
    pub fn netstat(&self, text: &str) {
        let _ =
            self.sh(&format!("cat > /etc/fakehost/netstat <<'END_OF_TEXT'\n{text}END_OF_TEXT\n"));
    }
}

impl Drop for FakeHost {
    fn drop(&mut self) {
        // Everything that it mounted goes with its last process: what waits there to take a change
        // back would keep it for as long.
        if let Ok(own) = fs::File::open(format!("/proc/{}/ns/mnt", self.sshd.id())) {
            end_all_in("mnt", &own);
        }
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

/// What makes `ssh` know the host and the user's key, and nothing of this machine's user.
fn client(folder: &Folder) {
    let (folder, place) = (folder.path(), folder.path().display());
    let key = fs::read_to_string(folder.join("host_key.pub")).expect("the key was made");
    fs::write(folder.join("known_hosts"), format!("127.0.0.1 {key}"))
        .expect("a file can be written");
    let config = format!(
        "Host *\n  IdentityFile {place}/user_key\n  IdentitiesOnly yes\n  IdentityAgent none\n  \
         UserKnownHostsFile {place}/known_hosts\n  GlobalKnownHostsFile none\n  \
         StrictHostKeyChecking yes\n"
    );
    fs::write(folder.join("config"), config).expect("a file can be written");
}

/// Waits until sshd says that it listens, and lets it talk on.
fn wait_for(sshd: &mut Child) {
    let mut lines = BufReader::new(sshd.stderr.take().expect("it is piped")).lines();
    let mut said = Vec::new();
    for line in &mut lines {
        let line = line.unwrap_or_default();
        if line.starts_with("Server listening") {
            thread::spawn(move || lines.for_each(drop));
            return;
        }
        said.push(line);
    }
    panic!("sshd does not start: {}", said.join("\n"));
}

fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}", said.trim_end());
    String::from_utf8_lossy(&output.stdout).into_owned()
}
