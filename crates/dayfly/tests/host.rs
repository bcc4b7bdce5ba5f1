//! Other hosts, through a real sshd: what is shown, and what is planned from it.
#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use std::process::Output;

use dayfly_testkit::{FakeHost, Login, Namespace, SocketOptions, needs, privileged};

/// What dayfly says about a host: exit code, standard output, standard error.
fn dayfly(host: &FakeHost, words: &str) -> String {
    let mut command = host.command(env!("CARGO_BIN_EXE_dayfly"));
    let url = host.url();
    command.args(words.split(' ').map(|word| if word == "HOST" { &url } else { word }));
    shown(command.env_remove("COLUMNS").output().unwrap())
}

fn shown(output: Output) -> String {
    let code = output.status.code().unwrap();
    let (out, err) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
    format!("[{code}]\n{}{}", out.unwrap(), err.unwrap())
}

const BSD: &str = "Active Internet connections (including servers)
Proto Recv-Q Send-Q Local Address          Foreign Address        (state)
tcp4       0      0 10.0.0.5.50000         198.51.100.7.443       ESTABLISHED
tcp4       0      0 10.0.0.5.50001         198.51.100.7.443       TIME_WAIT
tcp6       0      0 2001:db8::5.50002      2001:db8::7.443        ESTABLISHED
tcp4       0      0 10.0.0.5.22            198.51.100.9.50000     ESTABLISHED
tcp4       0      0 *.22                   *.*                    LISTEN
udp4       0      0 *.514                  *.*
";

const SOLARIS: &str = "
TCP: IPv4
   Local Address        Remote Address    Swind Send-Q Rwind Recv-Q    State
-------------------- -------------------- ----- ------ ----- ------ -----------
      *.22                 *.*                0      0 49152      0 LISTEN
10.0.0.5.50000       198.51.100.7.443     32120      0 24820      0 ESTABLISHED
10.0.0.5.50001       198.51.100.7.443     32120      0 24820      0 TIME_WAIT
";

const WINDOWS: &str = "
Active Connections

  Proto  Local Address          Foreign Address        State
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING
  TCP    10.0.0.5:50000         198.51.100.7:443       ESTABLISHED
  TCP    10.0.0.5:50001         198.51.100.7:443       TIME_WAIT
  UDP    0.0.0.0:50005          *:*
";

fn list(system: &str) -> &'static str {
    match system {
        "solaris" | "illumos" => SOLARIS,
        "windows" | "windows-xp" => WINDOWS,
        _ => BSD,
    }
}

/// A row of the table, on one host after the other.
fn every(words: &str) -> String {
    let mut all = String::new();
    for system in [
        "aix",
        "bsdos",
        "dragonfly",
        "freebsd",
        "hpux",
        "illumos",
        "irix",
        "macos",
        "netbsd",
        "openbsd",
        "solaris",
        "tru64",
        "windows",
        "windows-xp",
    ] {
        let host = FakeHost::start(system);
        host.netstat(list(system));
        all += &format!("--- {system} ---\n{}", dayfly(&host, words));
    }
    all
}

#[test]
fn every_system_shows_its_settings_and_sockets() {
    privileged!();
    needs!("sshd", "openssh-server");
    insta::assert_snapshot!(every("--host HOST"));
}

/// The same sockets, seen from within by netlink and from without through ssh.
#[test]
fn linux_is_judged_as_from_within() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = FakeHost::start("linux");
    let namespace = host.namespace();
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40019");
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40003,40010-40012");
    let kept = namespace.run(|| {
        let tcp = SocketOptions::tcp();
        let (four, six) = ("127.0.0.1:80".parse().unwrap(), "[::1]:81".parse().unwrap());
        let servers = [tcp.listen(four).unwrap(), tcp.listen(six).unwrap()];
        let blocked = tcp.listen("127.0.0.1:40005".parse().unwrap()).unwrap();
        let clients: Vec<_> =
            [four, four, four, six].iter().map(|to| tcp.connect(*to).unwrap()).collect();
        (servers, blocked, clients)
    });
    let json = |words: &[&str]| -> serde_json::Value {
        let mut command = host.command(env!("CARGO_BIN_EXE_dayfly"));
        let output = command.arg("show").args(words).arg("--json").output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    // Neither ssh's own connection, which comes and goes, nor what only one side can see.
    let rows = |report: &serde_json::Value| {
        let namespace = &report["namespaces"][0];
        let rows = namespace["destinations"].as_array().unwrap().iter();
        let rows: Vec<_> = rows.filter(|row| row["port"] != 22).cloned().collect();
        (namespace["id"].clone(), namespace["settings"].clone(), rows)
    };
    let (within, without) = (json(&[]), json(&["--host", &host.url()]));
    let (within, without) = (rows(&within), rows(&without));
    assert_eq!(within.0, without.0);
    assert_eq!(within.1["reserved"], without.1["reserved"]);
    assert_eq!(within.1["tw_reuse"], without.1["tw_reuse"]);
    assert_eq!(within.2.len(), 2);
    for (within, without) in within.2.iter().zip(&without.2) {
        for name in ["destination", "port", "source", "usable", "used", "time_wait"] {
            assert_eq!(within[name], without[name], "{name}");
        }
    }
    drop(kept);
}

/// The same firewall, seen from within and from without through ssh.
#[test]
fn a_firewall_is_judged_as_from_within() {
    privileged!();
    needs!("sshd", "openssh-server");
    needs!("nft", "nftables");
    let host = FakeHost::start("linux");
    let (namespace, far) = (host.namespace(), Namespace::new());
    namespace.connect_to(&far, ("lan0", "10.9.0.1/24"), ("lan1", "10.9.0.2/24"));
    namespace.sysctl("net.ipv4.ip_local_port_range", "40000 40999");
    namespace.sysctl("net.ipv4.ip_local_reserved_ports", "40003,40010-40012");
    let kept = namespace.run(|| {
        let at = |address: &str| SocketOptions::tcp().listen(address.parse().unwrap()).unwrap();
        [at("10.9.0.1:50050"), at("127.0.0.1:50051")]
    });
    let check = |place: &[&str]| -> (serde_json::Value, Option<i32>) {
        let mut command = host.command(env!("CARGO_BIN_EXE_dayfly"));
        let output = command.args(["firewall", "check", "--json"]).args(place).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let mut document: serde_json::Value =
            serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
        (document["namespaces"][0].take(), output.status.code())
    };
    for rules in [
        "",
        "nft add table inet filter
        nft 'add chain inet filter input { type filter hook input priority 0; policy drop; }'
        nft add rule inet filter input iif lo accept
        nft add rule inet filter input ct state established,related accept
        nft add rule inet filter input tcp dport 50000-50100 accept
        nft add rule inet filter input udp dport 40000-40999 accept",
        // With iptables' own words, which nft cannot tell.
        // Not on lo, where ssh's own answers come in.
        "iptables -A INPUT -i lan0 -p tcp -m multiport --dports 50200:50300 \
            -m time --timestart 08:00 -j DROP
        iptables -A INPUT -i lan0 -p tcp -m multiport --dports 40000:40100 -j DROP",
    ] {
        let _ = host.sh(rules);
        let (within, code) = check(&["--netns", namespace.name()]);
        let (without, code_without) = check(&["--host", &host.url()]);
        assert_eq!(code, code_without);
        for name in ["id", "range", "open", "flows", "outgoing", "compared", "findings", "remarks"]
        {
            assert_eq!(within[name], without[name], "{name} after {rules}");
        }
        let places = |report: &serde_json::Value| -> Vec<serde_json::Value> {
            let exposed = report["exposed"].as_array().unwrap().iter();
            exposed.map(|one| one["port"].clone()).collect()
        };
        assert_eq!(places(&within), places(&without));
        assert_eq!(places(&within).len(), usize::from(!rules.is_empty()));
        let moves = without["remedies"].as_array().unwrap().iter();
        let moves: Vec<_> = moves.filter_map(|one| one["do"].as_str()).collect();
        // Every command is one for that host.
        let (set, nft) = ("--host ssh://root@127.0.0.1", "ssh ssh://root@127.0.0.1 'nft ");
        assert_eq!(moves.iter().any(|one| one.ends_with(set)), !rules.is_empty(), "{moves:?}");
        assert_eq!(moves.iter().any(|one| one.starts_with(nft)), !rules.is_empty(), "{moves:?}");
    }
    drop(kept);
}

const PF: &str = "block drop all
pass in proto tcp from any to any port = ssh flags S/SA keep state
pass in proto tcp from any to any port 49152:65535 flags S/SA keep state
pass out all flags S/SA keep state
";

/// Another system's firewalls, and rules that nobody may see: those are unknown, not none.
#[test]
fn firewalls_of_other_systems() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = FakeHost::start("freebsd");
    host.netstat(BSD);
    let program = |name: &str, text: &str| {
        let _ = host.sh(&format!(
            "cat > /usr/sbin/{name} <<'END_OF_TEXT'\n#!/bin/sh\n{text}\nEND_OF_TEXT\nchmod 755 /usr/sbin/{name}"
        ));
    };
    let mut all = String::new();
    let mut say = |title: &str, host: &FakeHost, words: &str| {
        all += &format!("--- {title} ---\n{}", dayfly(host, words));
    };
    const CHECK: &str = "firewall check --host HOST --flow ftp-active,ftp-passive";
    program("ipfw", "echo 'ipfw: retrieving config failed: Protocol not available' >&2; exit 1");
    program(
        "pfctl",
        &format!("case $* in *info*) echo 'Status: Enabled';; *) cat <<E\n{PF}E\nesac"),
    );
    say("pf", &host, CHECK);
    program("pfctl", "echo 'Status: Disabled for 0 days 00:01:00'");
    say("pf is off", &host, CHECK);
    program("pfctl", "echo 'pfctl: /dev/pf: Permission denied' >&2; exit 1");
    say("no privilege", &host, CHECK);
    let _ = host.sh("rm /usr/sbin/pfctl");
    say("no command", &host, CHECK);
    let aix = FakeHost::start("aix");
    aix.netstat(BSD);
    say("no reader", &aix, CHECK);
    say("wrong input", &host, "firewall check --host HOST --netns x");
    say("wrong input", &host, "firewall check --host db");
    say("wrong input", &host, "firewall check --host HOST --range 1-2");
    let linux = FakeHost::start("linux");
    let _ = linux.sh("mv /usr/sbin/nft /usr/sbin/nft.away; mkdir -p /usr/local/sbin");
    say("no nft", &linux, CHECK);
    let _ = linux.sh(
        "printf '#!/bin/sh\necho \"Operation not permitted (you must be root)\" >&2; exit 1\n' \
        > /usr/sbin/nft; chmod 755 /usr/sbin/nft",
    );
    say("no privilege on Linux", &linux, CHECK);
    insta::assert_snapshot!(all);
}

/// As `pfctl -sr` prints them there.
const PF_OPENBSD: &str = "block return all
pass out all flags S/SA
pass in inet proto tcp from any to any port 22 flags S/SA
pass in proto tcp from any port 20 to any port 49152:65535 flags S/SA
block return in on ! lo0 proto tcp from any to any port 6000:6010
";
const PF_MACOS: &str = "scrub-anchor \"com.apple/*\" all fragment reassemble
anchor \"com.apple/*\" all
block drop in proto tcp from any to any port 49152:65535
";
/// The same by `pfctl -a '*' -sr`.
const PF_MACOS_WHOLE: &str = "scrub-anchor \"com.apple/*\" all fragment reassemble {
}
anchor \"com.apple/*\" all {
  anchor \"200.AirDrop/*\" all {
  }
  anchor \"250.ApplicationFirewall/*\" all {
    block drop in proto tcp from any to any port 22
  }
}
block drop in proto tcp from any to any port 49152:65535
";

/// `netsh advfirewall firewall show rule name=all verbose`: a rule for each of these ports.
fn netsh(rules: &[(&str, &str)]) -> String {
    let line = "-".repeat(70);
    let rule = |(name, ports): &(&str, &str)| {
        format!(
            "\r\nRule Name:                            {name}\r\n{line}\r\n\
             Enabled:                              Yes\r\n\
             Direction:                            In\r\n\
             Profiles:                             Domain,Private,Public\r\n\
             Grouping:                             \r\n\
             LocalIP:                              Any\r\n\
             RemoteIP:                             Any\r\n\
             Protocol:                             TCP\r\n\
             LocalPort:                            {ports}\r\n\
             RemotePort:                           Any\r\n\
             Edge traversal:                       No\r\n\
             Program:                              Any\r\n\
             InterfaceTypes:                       Any\r\n\
             Security:                             NotRequired\r\n\
             Rule source:                          Local Setting\r\n\
             Action:                               Allow\r\n"
        )
    };
    rules.iter().map(rule).collect::<String>() + "Ok.\r\n\r\n"
}

/// Each system's rules by its own command, and on Windows the ports of MS-RPC from the registry.
#[test]
fn firewalls_of_windows_macos_and_openbsd() {
    privileged!();
    needs!("sshd", "openssh-server");
    const CHECK: &str = "firewall check --host HOST --flow ftp-active,ftp-passive";
    let mut all = String::new();
    let mut say = |title: &str, host: &FakeHost| {
        all += &format!("--- {title} ---\n{}", dayfly(host, CHECK));
    };
    for (system, rules, whole) in
        [("openbsd", PF_OPENBSD, ""), ("macos", PF_MACOS, ""), ("macos", PF_MACOS, PF_MACOS_WHOLE)]
    {
        let host = FakeHost::start(system);
        host.netstat(BSD);
        let _ = host.sh(&format!(
            "mkdir -p /sbin; cat > /usr/sbin/pfctl <<'END'\n#!/bin/sh\ncase $* in *info*) \
             echo 'Status: Enabled for 0 days 00:01:00';; -a*) cat <<E\n{whole}E\n;; *) cat <<E\n{rules}E\nesac\nEND\n\
             chmod 755 /usr/sbin/pfctl"
        ));
        say(system, &host);
    }
    let host = FakeHost::start("windows");
    host.netstat(WINDOWS);
    say("windows without rules", &host);
    let write = |text: &str| {
        let _ = host.sh(&format!("cat > /etc/fakehost/advfirewall <<'END'\n{text}END"));
    };
    write(&netsh(&[("FTP", "49152-65535"), ("Mapper", "RPC-EPMap"), ("Endpoints", "RPC")]));
    say("windows", &host);
    write(&netsh(&[("Mapper", "135"), ("Endpoints", "5000-5050")]));
    let _ = host.sh(
        r"cmd 'reg add HKLM\Software\Microsoft\Rpc\Internet /v Ports /t REG_MULTI_SZ /d 5000-5100'
        cmd 'reg add HKLM\Software\Microsoft\Rpc\Internet /v PortsInternetAvailable /t REG_SZ /d Y'
        cmd 'reg add HKLM\Software\Microsoft\Rpc\Internet /v UseInternetPorts /t REG_SZ /d Y'",
    );
    say("windows with RPC's own ports", &host);
    let _ = host.sh("touch /etc/fakehost/powershell");
    say("windows behind PowerShell", &host);
    insta::assert_snapshot!(all);
}

#[test]
fn plans_come_from_what_is_set_there() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = FakeHost::start("solaris");
    let _ = host.sh("ndd -set /dev/tcp tcp_largest_anon_port 40000");
    insta::assert_snapshot!(dayfly(&host, "plan --host HOST 49152-61000"));
    let script = dayfly(&host, "plan --host HOST 49152-61000 --runtime --script");
    assert!(script.contains("tcp_largest_anon_port 61000"), "{script}");
}

/// What a host prints can neither paint on the terminal nor become a command.
#[test]
fn a_hostile_host_gains_nothing() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = FakeHost::start("freebsd");
    let _ = host.sh(
        "printf '#!/bin/sh\nprintf \"net.inet.ip.portrange.first: \\033]0;owned\\007\\033[2J\\n\"\n' > /tmp/x
        rm /usr/sbin/sysctl /usr/bin/sysctl; mv /tmp/x /usr/sbin/sysctl; chmod 755 /usr/sbin/sysctl",
    );
    let said = dayfly(&host, "--host HOST");
    assert!(said.starts_with("[2]\nerror: ssh://root@127.0.0.1: line 1: "), "{said}");
    assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
    let _ = host.sh("printf '#!/bin/sh\nprintf \"Free\\033[31mBSD\\n\"\n' > /tmp/x
        rm /usr/bin/uname /usr/sbin/uname; mv /tmp/x /usr/bin/uname; chmod 755 /usr/bin/uname");
    let said = dayfly(&host, "--host HOST");
    assert!(
        said.contains("its operating system is \"Free?[31mBSD\", which is not known"),
        "{said}"
    );
    for url in ["ssh://-oProxyCommand=id", "ssh://a`id`", "ssh://x;id", "db"] {
        let output = host.command(env!("CARGO_BIN_EXE_dayfly")).args(["--host", url]).output();
        let said = shown(output.unwrap());
        assert!(said.starts_with("[2]\nerror: invalid value"), "{said}");
    }
}

#[test]
fn what_goes_wrong_is_a_sentence() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = FakeHost::start("aix");
    let mut all = dayfly(&host, "--host HOST --netns x");
    all += &dayfly(&host, "plan --host HOST --system aix 49152-65535");
    all += &dayfly(&host, "plan 49152-65535");
    all += &dayfly(&host, "--host ssh://127.0.0.1:9");
    let _ = host.sh("rm /usr/bin/no /usr/sbin/no");
    all += &dayfly(&host, "--host HOST");
    let foreign = FakeHost::with_login("hpux", Login::Foreign);
    all += &dayfly(&foreign, "--host HOST");
    insta::assert_snapshot!(all);
}

#[test]
fn another_host_as_json() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = FakeHost::start("macos");
    host.netstat(BSD);
    insta::assert_snapshot!(dayfly(&host, "--host HOST --json"));
    let narrow = host
        .command(env!("CARGO_BIN_EXE_dayfly"))
        .args(["--host", &host.url()])
        .env("COLUMNS", "60")
        .output();
    insta::assert_snapshot!("sixty_columns", shown(narrow.unwrap()));
}
