//! What the doctor says of FTP, TFTP and RPC servers that really run.

use dayfly_testkit::{Namespace, needs, privileged};
use serde_json::Value;

use crate::place::{Place, dayfly, nft};
use crate::servers::{Server, start, tftpd};
use crate::{PASSIVE, filter};

/// The evidence of a rule in the namespace, as one text; empty without a finding.
pub(crate) fn found(namespace: &Namespace, code: &str) -> String {
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

#[test]
fn a_quiet_namespace_has_nothing_of_it() {
    privileged!();
    let namespace = Namespace::new();
    let codes = "DF040,DF041,DF042,DF043,DF044,DF045,DF046,DF047,DF053";
    let told = dayfly(&["doctor", "--only", codes, "--netns", namespace.name()]);
    assert_eq!(told["findings"], Value::Array(vec![]));
}
