//! Writes on the real kernel: lists of reserved ports of any length, and reserving beside others.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its ground fails")]

use dayfly_linux::sysctl;
use dayfly_ports::{Port, PortSet};
use dayfly_testkit::{Namespace, privileged};

fn set(list: &str) -> PortSet {
    list.parse().unwrap()
}

/// Every second port of a span.
fn every_second(low: u16, high: u16) -> PortSet {
    (low..=high).step_by(2).map(Port::new).collect()
}

fn reserved() -> PortSet {
    set(&sysctl::read(sysctl::RESERVED).unwrap())
}

#[test]
fn lists_longer_than_a_page_are_written_whole() {
    privileged!();
    Namespace::new().run(|| {
        let longest = every_second(1, 65535);
        for list in [set("1"), every_second(20_000, 24_000), longest, set("8080,9000-9010")] {
            sysctl::write(sysctl::RESERVED, &list.to_string()).unwrap();
            assert!(reserved() == list, "{} ports", list.len());
            // As the kernel prints it, to the letter.
            assert_eq!(sysctl::read(sysctl::RESERVED).unwrap(), list.to_string());
        }
        sysctl::write(sysctl::RESERVED, "").unwrap();
        assert!(reserved().is_empty());
    });
}

#[test]
fn what_others_reserved_stays() {
    privileged!();
    Namespace::new().run(|| {
        sysctl::write(sysctl::RESERVED, "8080,9000-9010").unwrap();
        sysctl::reserve(&set("50000-50010")).unwrap();
        assert!(reserved() == set("8080,9000-9010,50000-50010"));
        sysctl::reserve(&PortSet::EMPTY).unwrap();
        assert!(reserved() == set("8080,9000-9010,50000-50010"));
        let many = every_second(20_001, 30_000);
        sysctl::reserve(&many).unwrap();
        let mut all = set("8080,9000-9010,50000-50010");
        all |= &many;
        assert!(reserved() == all);
    });
}

#[test]
fn what_the_kernel_refuses_changes_nothing() {
    privileged!();
    Namespace::new().run(|| {
        const RANGE: &str = "net.ipv4.ip_local_port_range";
        let before = sysctl::read(RANGE).unwrap();
        for wrong in ["60000 50000", "1023 65535", "49152-65535", "0 1"] {
            let error = sysctl::write(RANGE, wrong).unwrap_err();
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{wrong}");
        }
        assert_eq!(sysctl::read(RANGE).unwrap(), before);
        assert!(sysctl::write("net.ipv4.no_such_setting", "1").is_err());
    });
}
