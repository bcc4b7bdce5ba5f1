//! Owners of real sockets in real processes.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its ground fails")]

use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::process::Stdio;

use dayfly_linux::observe::Degradation;
use dayfly_linux::owners::find;
use dayfly_testkit::{Folder, command, needs, privileged};

fn inode(socket: impl AsFd) -> u32 {
    rustix::fs::fstat(socket).unwrap().st_ino.try_into().unwrap()
}

#[test]
fn this_process_owns_its_sockets_and_nobody_owns_the_others() {
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (tcp, udp) = (inode(&tcp), inode(&udp));
    let owners = find([tcp, udp, u32::MAX, 0]);
    let owner = owners.of(tcp).unwrap();
    assert_eq!(owners.of(udp), Some(owner));
    assert_eq!(owner.pid, std::process::id());
    let program = std::env::args().next().unwrap();
    assert!(owner.command.starts_with(&program), "{owner:?}");
    assert!(!owner.user.is_empty());
    assert_eq!((owners.of(u32::MAX), owners.of(0)), (None, None));
}

#[test]
fn a_process_in_another_pid_and_network_namespace_is_found() {
    privileged!();
    needs!("unshare", "util-linux");
    needs!("python3", "python3");
    let script = "import os, socket, sys, time\n\
        s = socket.socket(); s.bind(('', 4711)); s.listen()\n\
        print(os.fstat(s.fileno()).st_ino, flush=True)\n\
        sys.stdin.read()";
    let mut child = command("unshare")
        .args(["--pid", "--fork", "--net", "python3", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut output = child.stdout.take().unwrap();
    let mut byte = [0];
    while output.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {
        line.push(char::from(byte[0]));
    }
    let inode: u32 = line.parse().unwrap();
    let owners = find([inode]);
    let owner = owners.of(inode).cloned();
    drop(child.stdin.take());
    child.wait().unwrap();
    let owner = owner.unwrap();
    assert!(owner.command.contains("python3 -c import os, socket"), "{owner:?}");
    assert!(!owner.command.contains('\n'), "{owner:?}");
    assert_ne!(owner.pid, child.id());
    assert_eq!(owner.user, "root");
}

#[test]
fn what_may_not_be_looked_into_is_counted() {
    privileged!();
    needs!("setpriv", "util-linux");
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    // The same program again, from where everybody may run it.
    let this = std::env::current_exe().unwrap();
    let folder = Folder::new();
    folder.bring([&this]);
    let output = command("setpriv")
        .args(["--reuid=65534", "--clear-groups", "--inh-caps=-all", "--"])
        .arg(folder.path().join(this.file_name().unwrap()))
        .args(["--exact", "unprivileged_part", "--nocapture"])
        .env("DAYFLY_HIDDEN_INODE", inode(&held).to_string())
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("hidden as it should be"), "{text}");
}

/// Does its work only when run by the test above, as another user.
#[test]
fn unprivileged_part() {
    let Some(inode) = std::env::var_os("DAYFLY_HIDDEN_INODE") else { return };
    let inode = inode.to_str().unwrap().parse().unwrap();
    let owners = find([inode]);
    assert_eq!(owners.of(inode), None);
    let unowned = owners.unowned([inode, 0]);
    assert!(
        matches!(unowned, Some(Degradation::Unowned { sockets: 1, hidden: 1.. })),
        "{unowned:?}"
    );
    println!("hidden as it should be");
}
