//! What real hosts print, in every spelling.

use super::*;

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
