//! What real hosts print, in every spelling; and the plans that the documents spell out.

use dayfly_ports::{PortSet, Protocol};
use proptest::prelude::*;

use super::*;
use crate::{Class, Current, Family, Plan, Refusal, Request, decoded};

fn system(name: &str) -> &'static System {
    find(name).unwrap()
}

fn read(name: &str, text: &str) -> Current {
    let current = system(name).read(text).unwrap();
    // Whatever the line ends and blank lines round it, the same.
    for variant in [
        text.replace('\n', "\r\n"),
        text.replace('\n', "\n\n"),
        format!("# prompt\n{text}\nend of it\n"),
    ] {
        assert_eq!(system(name).read(&variant).as_ref(), Ok(&current), "{name}: {variant}");
    }
    // A terminal's copy holds the commands. For ndd and netsh they say what a number is.
    if !matches!(name, "solaris" | "hpux" | "windows") {
        let typed: String =
            system(name).reads.iter().map(|command| format!("# {command}\n{command}\n")).collect();
        assert_eq!(system(name).read(&format!("{typed}{text}")).as_ref(), Ok(&current), "{name}");
    }
    current
}

/// `tcp 32768-65535; udp ...` of all that was read.
fn ranges(current: &Current) -> String {
    let texts: Vec<_> = current
        .ranges
        .iter()
        .map(|found| {
            let end = |end: Option<u16>| end.map_or("?".to_owned(), |port| port.to_string());
            format!("{} {}-{}", found.slot.scope(), end(found.low), end(found.high))
        })
        .collect();
    texts.join("; ")
}

fn plan(name: &str, range: &str) -> Plan {
    asked(name, range, None).unwrap()
}

fn asked(name: &str, range: &str, current: Option<&str>) -> Result<Plan, Refusal> {
    let current = current.map(|text| system(name).read(text).unwrap());
    let range = Some(range.parse().unwrap());
    system(name).plan(&Request { range, current: current.as_ref(), ..Request::default() })
}

fn actions(plan: &Plan) -> Vec<String> {
    plan.steps.iter().map(|step| step.action.to_string()).collect()
}

fn undo(plan: &Plan) -> Vec<String> {
    plan.undo().map(ToString::to_string).collect()
}

#[test]
fn every_system_is_found_and_well_formed() {
    let names: Vec<_> = SYSTEMS.iter().map(|system| system.name).collect();
    assert!(names.is_sorted(), "{names:?}");
    for system in SYSTEMS {
        assert_eq!(find(&system.name.to_uppercase()).map(|found| found.name), Some(system.name));
        for alias in system.aliases {
            assert_eq!(find(alias).map(|found| found.name), Some(system.name), "{alias}");
        }
        assert!(system.slots.iter().all(|slot| !slot.defaults.is_empty()), "{}", system.name);
        assert!(system.page.starts_with(&format!("# {}\n", system.title)), "{}", system.name);
        assert!(system.page.len() > 400, "{}", system.name);
    }
    assert!(find("plan9").is_none());
}

#[test]
fn aix_reads() {
    let dump = "\n                 arpqsize = 1024\n            delayackports = {}\n\
        ie5_old_multicast_mapping = 0\n     net_malloc_frag_mask = {512:2048}\n\
        \x20      tcp_ephemeral_high = 65535\n        tcp_ephemeral_low = 32768\n\
        \x20      udp_ephemeral_high = 65500\n        udp_ephemeral_low = 9000\n";
    assert_eq!(ranges(&read("aix", dump)), "tcp 32768-65535; udp 9000-65500");
    let stanza = "no:\n        udp_ephemeral_high = \"65500\"\n        udp_ephemeral_low = \"9000\"\n\
        \x20       tcp_ephemeral_high = \"65500\"\n        tcp_ephemeral_low = \"9000\"\n";
    assert_eq!(ranges(&read("aix", stanza)), "tcp 9000-65500; udp 9000-65500");
    // `no -p -a` where boot and current differ.
    let mixed = "tcp_ephemeral_high = NONE\ntcp_ephemeral_low = 32768\n";
    assert_eq!(ranges(&read("aix", mixed)), "tcp 32768-?");
    assert!(system("aix").read("tcp_ephemeral_low = 65536\n").is_err());
    assert!(system("aix").read("arpqsize = 1024\n").is_err());
}

#[test]
fn bsds_read() {
    let freebsd = "net.inet.ip.portrange.first: 10000\nnet.inet.ip.portrange.hifirst: 49152\n\
        net.inet.ip.portrange.hilast: 65535\nnet.inet.ip.portrange.last: 65535\n\
        net.inet.ip.portrange.lowfirst: 1023\nnet.inet.ip.portrange.lowlast: 600\n\
        net.inet.ip.portrange.randomized: 1\nnet.inet.ip.portrange.reservedhigh: 1023\n";
    let found = "tcp, udp, sctp 10000-65535; tcp, udp, sctp, high class 49152-65535; \
        tcp, udp, sctp, low class 600-1023";
    assert_eq!(ranges(&read("freebsd", freebsd)), found);
    let reversed: String = freebsd.lines().rev().flat_map(|line| [line, "\n"]).collect();
    assert_eq!(ranges(&read("freebsd", &reversed)), found);
    let changed = "net.inet.ip.portrange.first: 10000 -> 32768\n";
    assert_eq!(ranges(&read("freebsd", changed)), "tcp, udp, sctp 32768-?");
    let macos = freebsd.replace("10000", "49152");
    assert!(ranges(&read("macos", &macos)).starts_with("tcp, udp 49152-65535;"));
    assert!(ranges(&read("dragonfly", freebsd)).starts_with("tcp, udp 10000-65535;"));
    for equals in ["=", " = "] {
        let openbsd = "net.inet.ip.portfirst=1024\nnet.inet.ip.portlast=49151\n\
            net.inet.ip.porthifirst=49152\nnet.inet.ip.porthilast=65535\n\
            net.inet.tcp.baddynamic=587,749,750,751,853,871,2049,6000-6010\n\
            net.inet.udp.baddynamic=\n"
            .replace('=', equals);
        let current = read("openbsd", &openbsd);
        let found = "tcp, udp 1024-49151; tcp, udp, high class 49152-65535";
        assert_eq!(ranges(&current), found);
        assert_eq!(current.reserved(Protocol::Tcp).map(PortSet::len), Some(18));
        assert_eq!(current.reserved(Protocol::Udp).map(PortSet::len), Some(0));
    }
    let netbsd = "net.inet.ip.anonportmin = 49152\nnet.inet.ip.anonportmax = 65535\n\
        net.inet6.ip6.anonportmin = 50000\nnet.inet6.ip6.anonportmax = 60000\n\
        net.inet.ip.lowportmin = 600\nnet.inet.ip.lowportmax = 1023\n";
    assert_eq!(
        ranges(&read("netbsd", netbsd)),
        "tcp, udp over ipv4 49152-65535; tcp, udp over ipv6 50000-60000; \
         tcp, udp over ipv4, low class 600-1023"
    );
}

#[test]
fn crossed_ends_are_told_as_they_are() {
    let text = "net.inet.ip.portrange.first: 60000\nnet.inet.ip.portrange.last: 10000\n";
    let current = read("freebsd", text);
    assert_eq!(current.ranges[0].ends(), Some((60000, 10000)));
    assert_eq!(current.ranges[0].range(), "10000-60000".parse().ok());
}

#[test]
fn ndd_reads() {
    for text in ["32768\n\n65535\n", "\n32768\n65535\n", " 32768 \n65535"] {
        assert_eq!(ranges(&read("solaris", text)), "tcp 32768-65535", "{text:?}");
    }
    assert_eq!(
        ranges(&read("solaris", "9000\n65535\n32768\n65500\n")),
        "tcp 9000-65535; udp 32768-65500"
    );
    let session = "# /usr/bin/ndd /dev/udp udp_largest_anon_port udp_smallest_anon_port\n65535\n\n49152\n\
        # /usr/bin/ndd -set /dev/tcp tcp_smallest_anon_port 50001\n\
        # /usr/bin/ndd /dev/tcp tcp_smallest_anon_port tcp_largest_anon_port\n50001\n\n61000\n";
    assert_eq!(ranges(&read("hpux", session)), "tcp 50001-61000; udp 49152-65535");
    assert_eq!(ranges(&read("hpux", "tcp_smallest_anon_port = 50001\n")), "tcp 50001-?");
    let file = "49152\n65535\nTRANSPORT_NAME[0]=ip\nNDD_NAME[0]=ip_forwarding\nNDD_VALUE[0]=0\n";
    let current = read("hpux", file);
    assert_eq!(ranges(&current), "tcp 49152-65535");
    assert_eq!(current.nddconf.as_deref().map(|text| text.lines().count()), Some(3));
    assert!(system("solaris").read("99999\n").is_err());
    assert!(system("solaris").read("ndd: not found\n").is_err());
}

#[test]
fn ipadm_reads() {
    let table = "PROTO PROPERTY           PERM CURRENT PERSISTENT DEFAULT POSSIBLE\n\
        tcp   smallest_anon_port rw   32768       --     32768   1024-65535\n\
        tcp   largest_anon_port  rw   65500       65500  65535   32768-65535\n";
    let current = read("illumos", table);
    assert_eq!(ranges(&current), "tcp 32768-65500");
    assert_eq!(current.ranges[0].boot, (Some(32768), Some(65500)));
    let narrow =
        "PROPERTY CURRENT PROTO\nsmallest_anon_port 1024 udp\nlargest_anon_port 2048 udp\n";
    assert_eq!(ranges(&read("illumos", narrow)), "udp 1024-2048");
    let parsable =
        "sctp:smallest_anon_port:32768::32768\nsctp:largest_anon_port:65535:65535:65535\n";
    let current = read("illumos", parsable);
    assert_eq!(ranges(&current), "sctp 32768-65535");
    assert_eq!(current.ranges[0].boot, (Some(32768), Some(65535)));
}

#[test]
fn constants_and_tru64_read() {
    let header =
        "#define IPPORT_RESERVED         1024 /* x */\n#define IPPORT_MAXPORT          65535\n";
    assert_eq!(ranges(&read("irix", header)), "tcp, udp 1024-65535");
    let header = "#define IPPORT_DYNAMIC 49152\n#define IPPORT_DYNAMIC_LAST 65535\n";
    assert_eq!(ranges(&read("bsdos", header)), "tcp, udp 49152-65535");
    let tru64 = "inet:\nipport_userreserved = 5000\nipport_userreserved_min = 1024\n";
    assert_eq!(ranges(&read("tru64", tru64)), "tcp, udp 1024-5000");
    let old = "inet:\nipport_userreserved = 5000\nipport_userreserved_min = unknown attribute\n";
    assert_eq!(ranges(&read("tru64", old)), "tcp, udp ?-5000");
    let session = "# /sbin/sysconfig -r inet ipport_userreserved=65535 ipport_userreserved_min=49152\n\
        ipport_userreserved: reconfigured\nipport_userreserved = 65535\nipport_userreserved_min = 49152\n";
    assert_eq!(ranges(&read("tru64", session)), "tcp, udp 49152-65535");
    let with_database = format!("{tru64}inet:\n\tipport_userreserved = 65535\n");
    let found = read("tru64", &with_database).ranges[0];
    assert_eq!((found.ends(), found.boot), (Some((1024, 5000)), (None, Some(65535))));
}

#[test]
fn linux_reads() {
    for text in [
        "32768\t60999\n",
        "32768^I60999$\n",
        "net.ipv4.ip_local_port_range = 32768\t60999\n",
        "net.ipv4.ip_local_port_range=\"32768 60999\"\n",
        "/proc/sys/net/ipv4/ip_local_port_range:32768\t60999\n",
        "# cat /proc/sys/net/ipv4/ip_local_port_range\n32768\t60999\n",
    ] {
        assert_eq!(ranges(&read("linux", text)), "tcp, udp, sctp 32768-60999", "{text:?}");
        assert_eq!(ranges(&read("android", text)), "tcp, udp, sctp 32768-60999", "{text:?}");
    }
    let all = "net.ipv4.ip_local_port_range = 1024\t4999\nnet.ipv4.ip_local_reserved_ports = 1-4,10\n\
        net.ipv4.ip_unprivileged_port_start = 80\n";
    let current = read("linux", all);
    assert_eq!(current.reserved(Protocol::Udp).map(ToString::to_string).as_deref(), Some("1-4,10"));
    assert_eq!(current.floor, Some(80));
    let none = read("linux", "net.ipv4.ip_local_reserved_ports = \n");
    assert_eq!(none.reserved(Protocol::Tcp).map(PortSet::len), Some(0));
    let old = "net.ipv4.ip_local_port_range = 32768\t61000\nsysctl: cannot stat \
        /proc/sys/net/ipv4/ip_unprivileged_port_start: No such file or directory\n";
    assert_eq!(ranges(&read("linux", old)), "tcp, udp, sctp 32768-61000");
    let files = "/proc/sys/net/ipv4/ip_local_port_range:32768\t60999\n\
        /proc/sys/net/ipv4/ip_local_reserved_ports:\n";
    assert_eq!(read("android", files).reserved(Protocol::Tcp).map(PortSet::len), Some(0));
    assert!(system("linux").read("net.ipv4.ip_local_port_range = 5 x\n").is_err());
}

#[test]
fn windows_reads_in_every_language() {
    let english = "\r\nProtocol tcp Dynamic Port Range\r\n---------------------------------\r\n\
        Start Port      : 49152\r\nNumber of Ports : 16384\r\n\r\n";
    assert_eq!(ranges(&read("windows", english)), "tcp over ipv4 49152-65535");
    let chinese = "\n协议 tcp 动态端口范围\n---------------------------------\n启动端口        : 1024\n端口数          : 13977\n";
    assert_eq!(ranges(&read("windows", chinese)), "tcp over ipv4 1024-15000");
    let japanese =
        "プロトコル udp の動的ポートの範囲\n開始ポート      ： 49152\nポート数        ： 16384\n";
    assert_eq!(ranges(&read("windows", japanese)), "udp over ipv4 49152-65535");
    let oem = b"\x83v\x83\x8d\x83g\x83R\x83\x8b tcp \x82\xcc\r\n\x8aJ\x8en\x83|\x81[\x83g : 49152\r\n\x90\x94 : 16384\r\n";
    assert_eq!(ranges(&read("windows", &decoded(oem))), "tcp over ipv4 49152-65535");
    let four = english.repeat(2);
    assert_eq!(
        ranges(&read("windows", &four)),
        "tcp over ipv4 49152-65535; tcp over ipv6 49152-65535"
    );
    let named = format!("C:\\>netsh int ipv6 show dynamicport tcp\r\n{english}");
    assert_eq!(ranges(&read("windows", &named)), "tcp over ipv6 49152-65535");
    let object = "SettingName                   : Automatic\nMinRto(ms)                    : 300\n\
        DynamicPortRangeStartPort     : \nDynamicPortRangeNumberOfPorts : \n\
        SettingName                   : Custom\nDynamicPortRangeStartPort     : 49152\n\
        DynamicPortRangeNumberOfPorts : 16384\nAutoReusePortRangeStartPort   : 0\n";
    assert_eq!(
        ranges(&read("windows", object)),
        "tcp over ipv4 49152-65535; tcp over ipv6 49152-65535"
    );
    let both = format!(
        "{object}\nDynamicPortRangeStartPort     : 1024\nDynamicPortRangeNumberOfPorts : 64511\n"
    );
    assert!(ranges(&read("windows", &both)).ends_with("udp over ipv6 1024-65534"));
    let asked = "PS C:\\> Get-NetUDPSetting\nDynamicPortRangeStartPort     : 1024\n\
        DynamicPortRangeNumberOfPorts : 64511\n";
    assert!(ranges(&read("windows", asked)).starts_with("udp over ipv4 1024-65534"));
    let beyond = english.replace("16384", "16385");
    assert!(system("windows").read(&beyond).is_err());
}

#[test]
fn windows_reads_exclusions() {
    let table = "\nProtocol tcp Port Exclusion Ranges\n\nStart Port    End Port\n----------    --------\n\
        \x20     5357        5357\n     50000       50059     *\n\n* - Administered port exclusions.\n";
    let current = read("windows", table);
    let ports = current.reserved(Protocol::Tcp).map(ToString::to_string);
    assert_eq!(ports.as_deref(), Some("5357,50000-50059"));
    let empty = "Protocol udp Port Exclusion Ranges\n----------    --------\n";
    assert_eq!(read("windows", empty).reserved(Protocol::Udp).map(PortSet::len), Some(0));
}

#[test]
fn windows_xp_reads() {
    let key = "\nHKEY_LOCAL_MACHINE\\SYSTEM\\CurrentControlSet\\Services\\Tcpip\\Parameters\n";
    assert_eq!(ranges(&read("xp", key)), "tcp, udp 1024-5000");
    let set = format!(
        "{key}    MaxUserPort    REG_DWORD    0xfffe\n    ReservedPorts    REG_MULTI_SZ    1433-1434\\04000-4000\\0\\0\n"
    );
    let current = read("xp", &set);
    assert_eq!(ranges(&current), "tcp, udp 1024-65534");
    let ports = current.reserved(Protocol::Tcp).map(ToString::to_string);
    assert_eq!(ports.as_deref(), Some("1433-1434,4000"));
    assert_eq!(ranges(&read("xp", "\"MaxUserPort\"=dword:0000fffe\n")), "tcp, udp 1024-65534");
    assert!(system("xp").read("MaxUserPort REG_DWORD 0x1ffff\n").is_err());
    assert!(system("xp").read("hello\n").is_err());
}

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
        let said =
            if system.reserving.is_some() { "is not known" } else { "keeps no single ports" };
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

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any text is read or refused by each system, and what is read can be planned from.
    #[test]
    fn any_text_is_read_or_refused(
        text in "(\\PC|\n){0,60}",
        words in prop::collection::vec(prop::sample::select(WORDS.to_vec()), 0..30),
        bytes in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        for text in [text, words.concat(), decoded(&bytes)] {
            for system in SYSTEMS {
                let Ok(current) = system.read(&text) else { continue };
                let request = Request {
                    range: "20000-29999".parse().ok(),
                    current: Some(&current),
                    ..Request::default()
                };
                if let Ok(plan) = system.plan(&request) {
                    prop_assert!(!plan.script().is_empty());
                }
            }
        }
    }

    /// Whatever range, the plan says where it leads, and every step can be taken back.
    #[test]
    fn any_range_is_planned_or_refused(a in any::<u16>(), b in any::<u16>()) {
        let range = PortRange::new(a.min(b), a.max(b)).unwrap();
        for system in SYSTEMS {
            let request = Request { range: Some(range), ..Request::default() };
            match system.plan(&request) {
                Ok(plan) => {
                    for change in &plan.changes {
                        prop_assert_eq!(change.to.intersection(range), Some(change.to));
                    }
                    prop_assert!(plan.steps.iter().all(|step| !step.undo.is_empty()));
                }
                Err(refusal) => prop_assert!(!refusal.hint.is_empty()),
            }
        }
    }
}

const WORDS: [&str; 36] = [
    "\n",
    "\r\n",
    " ",
    "\t",
    "=",
    ": ",
    " = ",
    "->",
    "NONE",
    "--",
    "0",
    "1024",
    "49152",
    "65535",
    "65536",
    "4294967296",
    "tcp",
    "udp",
    "ipv6",
    "Start Port : ",
    "DynamicPortRangeStartPort : ",
    "MaxUserPort",
    "0xfffe",
    "tcp_ephemeral_low",
    "tcp_ephemeral_high",
    "net.inet.ip.portrange.first",
    "net.inet.ip.portrange.last",
    "tcp_smallest_anon_port",
    "tcp_largest_anon_port",
    "net.ipv4.ip_local_port_range",
    "ip_local_reserved_ports",
    "net.inet.ip.anonportmin",
    "net.inet.ip.portfirst",
    "PROTO PROPERTY CURRENT\n",
    "NDD_NAME[0]=",
    "smallest_anon_port",
];
