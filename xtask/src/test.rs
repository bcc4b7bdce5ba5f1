//! `cargo xtask test`: everything that can fail, the privileged tests included.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::daemons::Quiet;
use crate::shell::{self, Done};

/// What tests run, how to see that it is there, and the Debian package it comes from.
const NEEDED: &[(&str, &[&str], &str)] = &[
    ("ip", &["-V"], "iproute2"),
    ("ss", &["-V"], "iproute2"),
    ("/usr/bin/python3", &["-V"], "python3"),
    ("strace", &["-V"], "strace"),
    ("nft", &["-v"], "nftables"),
    ("iptables-nft-restore", &["--version"], "iptables"),
    ("test", &["-x", "/usr/bin/firewall-offline-cmd"], "firewalld"),
    ("test", &["-x", "/usr/sbin/ufw"], "ufw"),
    ("tcpdump", &["--version"], "tcpdump"),
    ("sysctl", &["-V"], "procps"),
    // Only its program that applies sysctl.d at boot is run.
    ("test", &["-x", "/lib/systemd/systemd-sysctl"], "systemd"),
    ("unshare", &["-V"], "util-linux"),
    ("shellcheck", &["--version"], "shellcheck"),
    ("curl", &["--version"], "curl"),
    ("musl-gcc", &["--version"], "musl-tools"),
    ("go", &["version"], "golang-go"),
    // sshd has no option that only tells its version.
    ("test", &["-x", "/usr/sbin/sshd"], "openssh-server"),
    ("ssh", &["-V"], "openssh-client"),
    ("tcsh", &["--version"], "tcsh"),
    ("openssl", &["version"], "openssl"),
    ("lftp", &["--version"], "lftp"),
    ("vsftpd", &["-v"], "vsftpd"),
    ("/usr/bin/python3", &["-c", "import pyftpdlib"], "python3-pyftpdlib"),
    ("/usr/bin/python3", &["-c", "import OpenSSL"], "python3-openssl"),
    ("in.tftpd", &["-V"], "tftpd-hpa"),
    ("tftp", &["-V"], "tftp-hpa"),
    // Neither has an option that only tells its version.
    ("test", &["-x", "/usr/sbin/rpcinfo"], "rpcbind"),
    ("test", &["-x", "/usr/sbin/rpc.statd"], "nfs-common"),
];

/// The model checker takes the place of threads and atomics, so what it checks is a build of its
/// own.
const LOOM: [&str; 10] = [
    "test",
    "--quiet",
    "--package",
    "dayfly-alloc",
    "--test",
    "loom",
    "--config",
    "build.rustflags=['--cfg','loom']",
    "--target-dir",
    "target/loom",
];

/// Installs what is missing, then runs the doc tests and the tests.
///
/// The tests come last so that their runner's summary closes the output.
pub(crate) fn run(filter: &[&str]) -> Done {
    install()?;
    let cargo = shell::cargo();
    if filter.is_empty() {
        shell::run(&cargo, &["test", "--quiet", "--workspace", "--doc"])?;
        shell::run(&cargo, &LOOM)?;
    }
    let words: &[&str] = if shell::answers(&cargo, &["nextest", "--version"]) {
        &["nextest", "run", "--workspace", "--no-fail-fast"]
    } else {
        &["test", "--workspace", "--no-fail-fast", "--lib", "--bins", "--tests", "--"]
    };
    let list = shell::root().join("target/skipped");
    // There is none but after a run that skipped something.
    let _ = fs::remove_file(&list);
    let done =
        shell::run_with(&cargo, &[words, filter].concat(), &[("DAYFLY_SKIPPED", list.as_os_str())]);
    say_skipped(&list);
    done
}

/// How many tests did not do their work here, and why.
fn say_skipped(list: &Path) {
    let reasons = fs::read_to_string(list).unwrap_or_default();
    let mut counts = BTreeMap::<&str, u32>::new();
    for reason in reasons.lines() {
        *counts.entry(reason).or_default() += 1;
    }
    for (reason, count) in counts {
        eprintln!("skipped ({count}): {reason}");
    }
}

fn install() -> Done {
    let missing = NEEDED.iter().filter(|(program, words, _)| !shell::answers(program, words));
    let packages: BTreeSet<&str> = missing.map(|(_, _, package)| *package).collect();
    let packages = Vec::from_iter(packages);
    if packages.is_empty() {
        return Ok(());
    }
    let words = [&["install", "--yes", "--no-install-recommends"], packages.as_slice()].concat();
    if !shell::output("id", &["-u"]).is_ok_and(|user| user.trim() == "0") {
        eprintln!("some tests will be skipped; to run them: sudo apt-get {}", words.join(" "));
        return Ok(());
    }
    let _quiet = Quiet::begin()?;
    shell::run("apt-get", &["update", "--quiet"])?;
    shell::run("apt-get", &words)
}
