//! What the doctor says of FTP, TFTP and RPC servers that really run.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use dayfly_testkit::{Namespace, needs, privileged};
use serde_json::Value;

use crate::place::{Place, dayfly, nft};
use crate::servers::{Server, start, tftpd};
use crate::{PASSIVE, filter};

/// The evidence of a rule in the namespace, as one text; empty without a finding.
fn found(namespace: &Namespace, code: &str) -> String {
    let told = dayfly(&["doctor", "--only", code, "--netns", namespace.name()]);
    let findings = told["findings"].as_array().unwrap().iter();
    findings.map(|one| one["evidence"].to_string()).collect()
}

#[test]
fn a_firewall_that_leaves_other_ports_open_than_the_server_uses() {
    privileged!();
    needs!("nft", "nftables");
    needs!("vsftpd", "vsftpd");
    let place = Place::new();
    let _server = start(&place, Server::VsftpdTls, Some(PASSIVE));
    assert_eq!(found(&place.server, "DF044"), "");
    nft(&place.server, &filter("tcp dport { 21, 50000-50004 } accept"));
    let said = found(&place.server, "DF044");
    assert!(
        said.contains("does not let clients in to 5 of 10 passive ports (50005-50009)"),
        "{said}"
    );
    assert!(said.contains("with encryption no helper"), "{said}");
    nft(&place.server, "flush ruleset\n");
    nft(&place.server, &filter("tcp dport { 21, 50000-50009 } accept"));
    assert_eq!(found(&place.server, "DF044"), "");
}

#[test]
fn a_tftp_server_without_ports_of_its_own() {
    privileged!();
    needs!("in.tftpd", "tftpd-hpa");
    let place = Place::new();
    let any = tftpd(&place, None);
    let said = found(&place.server, "DF045");
    assert!(said.contains("in.tftpd answers from any port of the system's range"), "{said}");
    drop(any);
    let inside = tftpd(&place, Some((40_000, 40_009)));
    let said = found(&place.server, "DF045");
    assert!(said.contains("answers from 40000-40009, which other programs are given"), "{said}");
    drop(inside);
    let _own = tftpd(&place, Some((30_200, 30_299)));
    assert_eq!(found(&place.server, "DF045"), "");
}

/// rpcbind and statd, in namespaces of their own: both keep files under fixed names. They end when
/// their standard input does.
struct Statd(Child);

impl Statd {
    fn start(namespace: &Namespace, options: &str) -> Statd {
        let script = format!(
            "set -e; mount -t tmpfs none /run; mount -t tmpfs none /var/lib/nfs; \
             mkdir -p /run/rpcbind /run/sendsigs.omit.d /var/lib/nfs/sm /var/lib/nfs/sm.bak; \
             rpcbind -f & until rpcinfo -p 127.0.0.1 >/dev/null 2>&1; do sleep 0.05; done; \
             rpc.statd --foreground --no-notify {options} & read forever"
        );
        let mut command = namespace.command("unshare");
        // With the first process of a namespace the kernel ends all the others.
        command.args(["--mount", "--pid", "--fork", "sh", "-c", &script]);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        Statd(command.spawn().unwrap())
    }
}

impl Drop for Statd {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn programs(namespace: &Namespace) -> usize {
    let mut command = namespace.command("rpcinfo");
    let output = command.args(["-p", "127.0.0.1"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter(|line| line.trim_start().starts_with("100024 ")).count()
}

#[test]
fn an_rpc_service_that_nobody_pinned() {
    privileged!();
    needs!("rpcinfo", "rpcbind");
    needs!("rpc.statd", "nfs-common");
    for (options, low) in [("", None), ("-p 32765 -o 32766", Some("0.0.0.0:853"))] {
        let namespace = Namespace::new();
        let _statd = Statd::start(&namespace, options);
        let begun = Instant::now();
        while programs(&namespace) < 2 {
            assert!(begun.elapsed() < Duration::from_secs(20), "rpc.statd does not come up");
            std::thread::sleep(Duration::from_millis(50));
        }
        let service =
            low.map(|place| namespace.run(|| std::net::TcpListener::bind(place).unwrap()));
        let unpinned = found(&namespace, "DF046");
        let in_danger = found(&namespace, "DF047");
        if service.is_none() {
            assert!(unpinned.contains("status (100024), rpc.statd (pid "), "{unpinned}");
            assert!(unpinned.contains(") has tcp "), "{unpinned}");
            assert!(unpinned.contains("status (100024) has udp "), "{unpinned}");
            assert_eq!(in_danger, "");
        } else {
            assert_eq!(unpinned, "");
            assert!(in_danger.contains(" listens on 853"), "{in_danger}");
        }
    }
}

#[test]
fn a_quiet_namespace_has_nothing_of_it() {
    privileged!();
    let namespace = Namespace::new();
    let codes = "DF040,DF041,DF042,DF043,DF044,DF045,DF046,DF047";
    let told = dayfly(&["doctor", "--only", codes, "--netns", namespace.name()]);
    assert_eq!(told["findings"], Value::Array(vec![]));
}
