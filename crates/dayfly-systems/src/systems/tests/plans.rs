//! The plans that the documents spell out, limits, and lists of reserved ports.

use super::*;

#[test]
fn solaris_to_the_letter() {
    let plan = asked("solaris", "49152-61000", Some("32768\n\n65535\n32768\n\n65535\n")).unwrap();
    assert_eq!(
        actions(&plan)[..2],
        [
            "/usr/sbin/ndd -set /dev/tcp tcp_smallest_anon_port 49152",
            "/usr/sbin/ndd -set /dev/tcp tcp_largest_anon_port 61000",
        ]
    );
    assert_eq!(
        undo(&plan)[4..],
        [
            "/usr/sbin/ndd -set /dev/tcp tcp_largest_anon_port 65535",
            "/usr/sbin/ndd -set /dev/tcp tcp_smallest_anon_port 32768",
        ]
    );
}

#[test]
fn hpux_to_the_letter() {
    let now = "49152\n65535\n49152\n65535\n";
    let plan = asked("hp-ux", "50001-61000", Some(now)).unwrap();
    assert_eq!(
        actions(&plan)[..2],
        [
            "/usr/bin/ndd -set /dev/tcp tcp_smallest_anon_port 50001",
            "/usr/bin/ndd -set /dev/tcp tcp_largest_anon_port 61000",
        ]
    );
    let Some(Action::Edit(edit)) = plan.steps.last().map(|step| &step.action) else {
        panic!("no edit of nddconf");
    };
    let added = edit.apply("TRANSPORT_NAME[3]=ip\nNDD_NAME[3]=x\nNDD_VALUE[3]=1\n");
    assert!(added.contains(
        "TRANSPORT_NAME[4]=tcp\nNDD_NAME[4]=tcp_largest_anon_port\nNDD_VALUE[4]=61000\n"
    ));
    assert!(added.ends_with("NDD_NAME[7]=udp_smallest_anon_port\nNDD_VALUE[7]=50001\n"));
}

#[test]
fn windows_to_the_letter() {
    assert_eq!(
        actions(&plan("windows", "10000-10999")),
        [
            "netsh int ipv4 set dynamicport tcp start=10000 num=1000",
            "netsh int ipv4 set dynamicport udp start=10000 num=1000",
            "netsh int ipv6 set dynamicport tcp start=10000 num=1000",
            "netsh int ipv6 set dynamicport udp start=10000 num=1000",
        ]
    );
    let key = r"HKLM\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
    assert_eq!(
        actions(&plan("xp", "1024-65534")),
        [format!("reg add {key} /v MaxUserPort /t REG_DWORD /d 65534 /f")]
    );
}

#[test]
fn the_other_documents_to_the_letter() {
    // One command for each setting, where the documents have one for both: a refusal of the second
    // leaves nothing half done.
    let known = "ipport_userreserved = 5000\nipport_userreserved_min = 1024\n";
    let tru64 = asked("tru64", "49152-65535", Some(known)).unwrap();
    assert_eq!(
        actions(&tru64)[..2],
        [
            "/sbin/sysconfig -r inet ipport_userreserved=65535",
            "/sbin/sysconfig -r inet ipport_userreserved_min=49152",
        ]
    );
    let plan = plan("aix", "49152-65535");
    assert_eq!(
        actions(&plan)[..2],
        ["no -p -o tcp_ephemeral_high=65535", "no -p -o tcp_ephemeral_low=49152"]
    );
    let linux = asked("linux", "49152-65535", Some("32768\t60999\n")).unwrap();
    assert_eq!(actions(&linux)[0], "sysctl -w net.ipv4.ip_local_port_range=\"49152 65535\"");
    assert_eq!(undo(&linux)[1], "sysctl -w net.ipv4.ip_local_port_range=\"32768 60999\"");
}

#[test]
fn iana_range_on_each_system() {
    for system in SYSTEMS {
        let plan = asked(system.name, "49152-65535", None);
        match system.name {
            // Asking for what cannot be had says what can.
            "irix" | "windows-xp" => assert!(!plan.unwrap_err().hint.is_empty()),
            "bsdos" => assert!(plan.unwrap().steps.is_empty()),
            _ => {
                let plan = plan.unwrap();
                assert!(!plan.steps.is_empty(), "{}", system.name);
                assert!(plan.steps.iter().all(|step| !step.undo.is_empty()), "{}", system.name);
                assert!(plan.changes.iter().all(|change| change.to == PortRange::DYNAMIC));
            }
        }
    }
}

#[test]
fn limits_are_each_systems_own() {
    let refused = |name, range| asked(name, range, None).unwrap_err().message;
    assert!(refused("netbsd", "50000").contains("below the high end"));
    assert!(refused("netbsd", "1000-2000").contains("1024-65535"));
    assert!(refused("windows", "50000-50253").contains("255 is the least"));
    assert!(refused("windows", "1000-2000").contains("1025"));
    assert!(refused("linux", "80-65535").contains("EINVAL"));
    assert!(refused("solaris", "1000-65535").contains("1024-65535"));
    assert!(refused("freebsd", "100-200").contains("nothing"));
    assert!(refused("openbsd", "0-1000").contains("port 0"));
    assert!(refused("xp", "1024-65535").contains("65534"));
    assert!(refused("xp", "1025-65534").contains("always 1024"));
    let clamped = plan("freebsd", "600-2000");
    assert_eq!(clamped.changes[0].to, "1024-2000".parse().unwrap());
    let warned = |name, range, word: &str| {
        plan(name, range).remarks.iter().any(|remark| remark.text.contains(word))
    };
    assert!(warned("windows", "1024-65535", "KB 929851"));
    assert!(warned("linux", "40000-40002", "parity"));
    assert!(!warned("linux", "40000-40001", "parity"));
    assert!(warned("freebsd", "600-2000", "without a word"));
    assert!(warned("linux", "10000-65535", "10050 zabbix-agent"));
}

#[test]
fn classes_and_protocols_are_chosen() {
    let request = |class, protocols| Request {
        range: "50000-60000".parse().ok(),
        class,
        protocols,
        ..Request::default()
    };
    let high = system("freebsd").plan(&request(Class::High, &[])).unwrap();
    assert!(actions(&high)[1].contains("portrange.hifirst=50000"));
    assert!(system("aix").plan(&request(Class::High, &[])).is_err());
    let sctp = [Protocol::Sctp];
    assert!(system("aix").plan(&request(Class::Default, &sctp)).is_err());
    let solaris = system("solaris").plan(&request(Class::Default, &sctp)).unwrap();
    assert!(actions(&solaris)[0].contains("/dev/sctp"));
    let tcp = system("linux").plan(&request(Class::Default, &[Protocol::Tcp])).unwrap();
    assert!(tcp.remarks.iter().any(|remark| remark.text.contains("for udp and sctp as well")));
    let udp = system("windows").plan(&request(Class::Default, &[Protocol::Udp])).unwrap();
    assert_eq!(
        udp.changes.iter().map(|change| change.slot.family).collect::<Vec<_>>(),
        [Family::Ipv4, Family::Ipv6]
    );
}

#[test]
fn a_hole_in_linux() {
    let hole: PortSet = "50000-50010".parse().unwrap();
    let now = system("linux").read("net.ipv4.ip_local_reserved_ports = 8080\n").unwrap();
    let request = Request { reserve: Some(&hole), current: Some(&now), ..Request::default() };
    let plan = system("linux").plan(&request).unwrap();
    assert_eq!(
        actions(&plan)[0],
        "sysctl -w net.ipv4.ip_local_reserved_ports=\"8080,50000-50010\""
    );
    assert_eq!(undo(&plan)[1], "sysctl -w net.ipv4.ip_local_reserved_ports=\"8080\"");
    let android = system("android").plan(&request).unwrap();
    assert!(actions(&android)[0].starts_with("echo 8080,50000-50010 > /proc"));
    assert!(undo(&android)[1].starts_with("echo 8080 > /proc"));
    assert!(system("aix").plan(&Request { reserve: Some(&hole), ..Request::default() }).is_err());
    let windows =
        system("windows").plan(&Request { reserve: Some(&hole), ..Request::default() }).unwrap();
    assert_eq!(
        actions(&windows)[0],
        "netsh int ipv4 add excludedportrange protocol=tcp startport=50000 numberofports=11"
    );
    let openbsd =
        system("openbsd").plan(&Request { reserve: Some(&hole), ..Request::default() }).unwrap();
    assert_eq!(actions(&openbsd)[0], "sysctl net.inet.tcp.baddynamic=+50000-50010");
}

#[test]
fn only_what_was_asked_is_no_longer_reserved() {
    let ports: PortSet = "8080,9005,50000".parse().unwrap();
    let plan = |name: &str, text: &str| {
        let now = system(name).read(text).unwrap();
        let request =
            Request { unreserve: Some(&ports), current: Some(&now), ..Request::default() };
        system(name).plan(&request).unwrap()
    };
    let linux = plan("linux", "net.ipv4.ip_local_reserved_ports = 80,8080,9000-9010\n");
    let file = "/proc/sys/net/ipv4/ip_local_reserved_ports";
    assert_eq!(actions(&linux)[0], format!("echo 80,9000-9004,9006-9010 > {file}"));
    assert_eq!(undo(&linux)[1], format!("echo 80,8080,9000-9010 > {file}"));
    assert!(linux.remarks.iter().any(|one| one.text == "Not reserved anyway: 50000."));
    let last = plan("linux", "net.ipv4.ip_local_reserved_ports = 8080\n");
    assert_eq!(actions(&last)[0], format!("echo > {file}"));
    assert_eq!(last.steps[0].check.expect, "==");

    let openbsd = plan("openbsd", "net.inet.tcp.baddynamic=587,8080\nnet.inet.udp.baddynamic=\n");
    assert_eq!(actions(&openbsd)[0], "sysctl net.inet.tcp.baddynamic=-8080");
    assert_eq!(openbsd.steps.len(), 2);
    assert_eq!(openbsd.steps[0].check.expect, "=587=");

    let table = "Protocol tcp Port Exclusion Ranges\n\nStart Port    End Port\n----------    --------\n\
                 9000        9010     *\n 50000       50000     *\n 50001       50009\n";
    let windows = plan("windows", table);
    let netsh = "netsh int ipv4";
    let tail = "excludedportrange protocol=tcp startport";
    assert_eq!(
        actions(&windows),
        [
            format!("{netsh} delete {tail}=9000 numberofports=11"),
            format!("{netsh} add {tail}=9000 numberofports=5"),
            format!("{netsh} add {tail}=9006 numberofports=5"),
            format!("{netsh} delete {tail}=50000 numberofports=1"),
        ]
    );
    assert!(
        windows
            .script()
            .contains("findstr /r /c:\"\\<9000  *9010\\>\" >nul\r\nif not errorlevel 1")
    );

    let key = r"HKEY_LOCAL_MACHINE\SYSTEM\CurrentControlSet\Services\Tcpip\Parameters";
    let xp =
        plan("windows-xp", &format!("{key}\n    ReservedPorts    REG_MULTI_SZ    8080-8080\n"));
    assert!(actions(&xp)[0].starts_with("reg delete") && xp.steps[0].check.gone);
}

#[test]
fn what_cannot_be_unreserved_is_said() {
    let ports: PortSet = "50001".parse().unwrap();
    let request = Request { unreserve: Some(&ports), ..Request::default() };
    for system in SYSTEMS {
        let refusal = system.plan(&request).unwrap_err();
        let said = if system.reserving.setting().is_some() {
            "is not known"
        } else {
            "keeps no single ports"
        };
        assert!(refusal.message.contains(said) && !refusal.hint.is_empty(), "{refusal:?}");
    }
    let now = system("windows")
        .read("Protocol tcp Port Exclusion Ranges\n---------- --------\n 50001 50009\n")
        .unwrap();
    let refusal = system("windows").plan(&Request { current: Some(&now), ..request }).unwrap_err();
    assert!(refusal.hint.contains("winnat"), "{refusal:?}");
}

/// A list of more than one write is added to, never replaced in parts.
#[test]
fn a_long_list_of_linux_is_added_in_pieces() {
    let ports: PortSet = (20000..40000).step_by(2).map(dayfly_ports::Port::new).collect();
    let now = system("linux").read("net.ipv4.ip_local_reserved_ports = 8080\n").unwrap();
    let request = Request {
        reserve: Some(&ports),
        current: Some(&now),
        when: When::Runtime,
        ..Request::default()
    };
    for name in ["linux", "android"] {
        let plan = system(name).plan(&request).unwrap();
        let action = &actions(&plan)[0];
        assert_eq!(action.matches("printf").count(), action.matches(" seek=1 ").count(), "{name}");
        assert_eq!(undo(&plan)[0], "echo 8080 > /proc/sys/net/ipv4/ip_local_reserved_ports");
    }
    let boot = system("linux").plan(&Request { when: When::Both, ..request });
    assert!(boot.unwrap_err().hint.contains("--runtime"));
}
