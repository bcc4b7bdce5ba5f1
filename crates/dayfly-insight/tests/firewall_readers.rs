//! Rules of every firewall that runs elsewhere, as its commands print them: what is open, and to
//! whom it depends on what.

#![expect(clippy::unwrap_used, reason = "a broken fixture fails the test")]

use dayfly_insight::firewall::check::{Relation, check};
use dayfly_insight::firewall::flows::{FlowKind, Host};
use dayfly_insight::firewall::model::{Dialect, Family};
use dayfly_insight::firewall::outcome::Outcome;
use dayfly_insight::firewall::packet::{Direction, Packet};
use dayfly_insight::firewall::readers::{Format, read};
use dayfly_insight::firewall::region::Region;
use dayfly_insight::firewall::remedies::remedies;
use dayfly_insight::firewall::writers::Opening;
use dayfly_insight::firewall::writers::emit::{Wish, emit};
use dayfly_insight::why::Shell;
use dayfly_ports::{PortSet, Protocol};
use proptest::prelude::*;

fn outcome(text: &str, direction: Direction, protocol: Protocol) -> (Format, Outcome) {
    let (format, ruleset) = read(text).unwrap();
    let packet = Packet::first(direction, Family::Ipv4, protocol);
    (format, ruleset.evaluate(&packet, &Region::product(&PortSet::FULL, &PortSet::FULL)))
}

/// The ports to which anybody may connect, and those for which it depends.
fn open(text: &str, protocol: Protocol) -> (Format, String, String) {
    let (format, outcome) = outcome(text, Direction::In, protocol);
    let depends = outcome.passed.intersection(&outcome.blocked);
    (format, outcome.surely_passed().ports().to_string(), depends.ports().to_string())
}

const PF: &str = r#"
# macros and tables
ext_if = "em0"
tcp_services = "{ ssh, 80, https }"
table <friends> const { 192.0.2.0/24, !192.0.2.9 }
set skip on lo
set block-policy return
scrub in all
block all
pass out quick inet proto tcp from any to any flags S/SA keep state
pass in on $ext_if proto tcp to port $tcp_services
pass in proto tcp from any port 20 to (em0) port 49152:65535 keep state
pass in proto tcp from 198.51.100.0/24 \
    to any port 1023 >< 1026
block in quick proto tcp from any to any port 50000 <> 65534
pass in proto udp to any port { 53, 60000:61000 }
"#;

const IPFW: &str = "\
00100 allow ip from any to any via lo0
00200 deny ip from any to 127.0.0.0/8
00300 check-state :default
00400 allow tcp from me to any setup keep-state :default
00500 allow tcp from any to me 22,80,49152-65535 in setup keep-state :default
00600 deny tcp from any to me dst-port 60000 in
00700 allow udp from 192.0.2.0/24 to any 69 in
00800 allow udp from any 53 to me in
65535 deny ip from any to any
";

const NETSH: &str = "
Rule Name:                            FTP passive
----------------------------------------------------------------------
Enabled:                              Yes
Direction:                            In
Profiles:                             Domain,Private,Public
Grouping:                             
LocalIP:                              Any
RemoteIP:                             Any
Protocol:                             TCP
LocalPort:                            49152-65535,21
RemotePort:                           Any
Edge traversal:                       No
Action:                               Allow

Rule Name:                            No web
----------------------------------------------------------------------
Enabled:                              Yes
Direction:                            In
Profiles:                             Domain,Private,Public
Grouping:                             
LocalIP:                              Any
RemoteIP:                             Any
Protocol:                             TCP
LocalPort:                            60000
RemotePort:                           Any
Edge traversal:                       No
Action:                               Block

Rule Name:                            At home
----------------------------------------------------------------------
Enabled:                              Yes
Direction:                            In
Profiles:                             Private
Grouping:                             
LocalIP:                              Any
RemoteIP:                             LocalSubnet
Protocol:                             TCP
LocalPort:                            445
RemotePort:                           Any
Edge traversal:                       No
Action:                               Allow

Rule Name:                            Off
----------------------------------------------------------------------
Enabled:                              No
Direction:                            In
Profiles:                             Domain,Private,Public
Grouping:                             
LocalIP:                              Any
RemoteIP:                             Any
Protocol:                             TCP
LocalPort:                            1-65535
RemotePort:                           Any
Edge traversal:                       No
Action:                               Allow

Ok.
";

const NETSH_GERMAN: &str = "
Regelname:                            FTP passiv
----------------------------------------------------------------------
Aktiviert:                            Ja
Richtung:                             Eingehend
Profile:                              Domäne,Privat,Öffentlich
Gruppierung:                          
Lokales IP:                           Beliebig
Remote-IP:                            Beliebig
Protokoll:                            TCP
Lokaler Port:                         49152-65535
Remoteport:                           Beliebig
Edgeausnahme:                         Nein
Aktion:                               Zulassen
OK.
";

const POWERSHELL: &str = r#"[
 {"DisplayName":"FTP","Enabled":1,"Direction":1,"Action":2,"Profile":0,"Protocol":"TCP",
  "LocalPort":["21","49152-65535"],"RemotePort":"Any","RemoteAddress":"Any","Program":"Any"},
 {"DisplayName":"App","Enabled":"True","Direction":"Inbound","Action":"Allow","Profile":"Any",
  "Protocol":"TCP","LocalPort":"Any","Program":"C:\\app.exe"}
]"#;

const AWS: &str = r#"{"NetworkAcls":[{"NetworkAclId":"acl-1","Entries":[
 {"CidrBlock":"0.0.0.0/0","Egress":false,"PortRange":{"From":1024,"To":65535},"Protocol":"6","RuleAction":"allow","RuleNumber":110},
 {"CidrBlock":"0.0.0.0/0","Egress":false,"PortRange":{"From":3389,"To":3389},"Protocol":"6","RuleAction":"deny","RuleNumber":100},
 {"CidrBlock":"0.0.0.0/0","Egress":false,"Protocol":"-1","RuleAction":"deny","RuleNumber":32767},
 {"CidrBlock":"0.0.0.0/0","Egress":true,"Protocol":"-1","RuleAction":"allow","RuleNumber":100}]}],
 "SecurityGroups":[{"GroupId":"sg-1","IpPermissions":[
  {"IpProtocol":"tcp","FromPort":3000,"ToPort":4000,"IpRanges":[{"CidrIp":"0.0.0.0/0"}]},
  {"IpProtocol":"tcp","FromPort":5432,"ToPort":5432,"IpRanges":[],"UserIdGroupPairs":[{"GroupId":"sg-2"}]}],
  "IpPermissionsEgress":[{"IpProtocol":"-1","IpRanges":[{"CidrIp":"0.0.0.0/0"}]}]}]}"#;

const ZONE: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<zone><short>Public</short>
 <service name="ssh"/><service name="ftp"/>
 <port port="49152-65535" protocol="tcp"/>
 <source-port port="53" protocol="udp"/>
 <rule family="ipv4"><source address="192.0.2.0/24"/><port port="8080" protocol="tcp"/><accept/></rule>
 <rule><port port="50000" protocol="tcp"/><reject/></rule>
</zone>"#;

#[test]
fn what_is_open_is_read_from_every_firewall() {
    for (name, text, format, tcp, depends) in [
        ("pf", PF, Format::Pf, "50000-65534", ""),
        ("ipfw", IPFW, Format::Ipfw, "22,80,49152-65535", ""),
        ("netsh", NETSH, Format::Netsh, "21,49152-59999,60001-65535", "445"),
        ("netsh in German", NETSH_GERMAN, Format::Netsh, "49152-65535", ""),
        ("powershell", POWERSHELL, Format::PowerShell, "21,49152-65535", "0-20,22-49151"),
        ("aws", AWS, Format::Aws, "3000-3388,3390-4000", "5432"),
        ("firewalld", ZONE, Format::Firewalld, "21-22,49152-49999,50001-65535", "8080"),
    ] {
        let found = open(text, Protocol::Tcp);
        assert_eq!(found, (format, tcp.to_owned(), depends.to_owned()), "{name}");
    }
}

#[test]
fn the_last_rule_of_pf_decides_unless_one_is_quick() {
    let text = PF.replace("50000 <> 65534", "50000:50010");
    let (_, tcp, depends) = open(&text, Protocol::Tcp);
    assert_eq!(tcp, "49152-49999,50011-65535");
    assert_eq!(depends, "22,80,443,1024-1025");
}

#[test]
fn udp_and_source_ports_are_read_as_well() {
    assert_eq!(open(PF, Protocol::Udp).1, "53,60000-61000");
    let (_, ipfw) = outcome(IPFW, Direction::In, Protocol::Udp);
    assert!(ipfw.surely_passed().contains(53, 40000) && !ipfw.surely_passed().contains(54, 40000));
    assert_eq!(ipfw.passed.intersection(&ipfw.blocked).ports().to_string(), "69");
    let (_, pf) = outcome(PF, Direction::In, Protocol::Tcp);
    assert!(pf.surely_passed().contains(20, 50000) && !pf.surely_passed().contains(21, 50000));
    let (_, zone) = outcome(ZONE, Direction::In, Protocol::Udp);
    assert!(zone.surely_passed().contains(53, 7) && !zone.surely_passed().contains(7, 53));
}

#[test]
fn ways_out_are_read_as_well() {
    for text in [IPFW, NETSH, AWS, ZONE, PF] {
        let (_, out) = outcome(text, Direction::Out, Protocol::Tcp);
        let open = out.passed.contains(40000, 443);
        assert!(open, "{text}");
    }
    let (_, udp) = outcome(IPFW, Direction::Out, Protocol::Udp);
    assert!(udp.passed.is_empty());
}

#[test]
fn what_is_emitted_is_read_back() {
    let ports = |text: &str| Box::new(text.parse::<PortSet>().unwrap());
    let opening = Opening {
        protocol: Protocol::Tcp,
        source_ports: Some(ports("20")),
        ports: ports("20000-20100,30000,40000-40001"),
    };
    let wish = Wish { openings: vec![opening], ..Wish::default() };
    for (dialect, around) in [
        (Dialect::Pf, "block all\n"),
        (Dialect::Ipfw, ""),
        (Dialect::Iptables, "*filter\n:INPUT DROP [0:0]\n"),
    ] {
        let emitted = emit(dialect, &wish).unwrap();
        let emitted = emitted.strip_prefix("*filter\n").unwrap_or(&emitted);
        let (_, outcome) = outcome(&format!("{around}{emitted}"), Direction::In, Protocol::Tcp);
        let passed = outcome.surely_passed();
        assert_eq!(passed.ports().to_string(), "20000-20100,30000,40000-40001", "{dialect:?}");
        assert!(passed.contains(20, 30000) && !passed.contains(21, 30000), "{dialect:?}");
    }
}

/// Files can say what no kernel takes: the walk ends, and says that it does not know.
#[test]
fn jumps_that_cross_or_go_in_circles_come_to_an_end() {
    let jump =
        |from: usize, to: usize| format!("-A c{from} -m limit --limit 3/sec -j c{to}\n").repeat(4);
    let chains = |count: usize| (0..count).map(|n| format!(":c{n} - [0:0]\n")).collect::<String>();
    let crossed: String = (0..13).map(|n| jump(n, n + 1)).collect();
    for (count, jumps) in [(1, jump(0, 0)), (3, jump(0, 1) + &jump(1, 0)), (14, crossed)] {
        let text = format!(
            "*filter\n:INPUT DROP [0:0]\n{}-A INPUT -j c0\n{jumps}\
             -A c0 -p tcp -m limit --limit 1/sec -j ACCEPT\nCOMMIT\n",
            chains(count)
        );
        let (_, outcome) = outcome(&text, Direction::In, Protocol::Tcp);
        assert!(!outcome.opaque.is_empty(), "{text}");
        assert!(outcome.decisions.len() < 700_000, "{}", outcome.decisions.len());
    }
}

/// What anchors hold counts where it is printed; an anchor for some packets stays closed.
#[test]
fn anchors_of_pf_are_opened_where_they_are_printed() {
    let open = "block all\nanchor \"a/*\" all {\n  anchor \"b\" all {\n    pass in proto tcp to \
                port 80\n  }\n}\npass in proto tcp to port 22\n";
    let closed = "block all\nanchor \"a/*\" in on em0 {\n  pass in proto tcp to port { 80, 81 }\n}\n\
                  pass in quick proto tcp to port 22\n";
    let (_, open) = outcome(open, Direction::In, Protocol::Tcp);
    assert_eq!(open.surely_passed().ports().to_string(), "22,80");
    assert!(open.opaque.is_empty());
    let (_, closed) = outcome(closed, Direction::In, Protocol::Tcp);
    assert!(closed.surely_passed().is_empty());
    assert!(closed.opaque.contains(1000, 80));
}

/// A host with these automatic ports.
fn host(range: &str) -> Host {
    let used: PortSet = range.parse().unwrap();
    Host {
        families: vec![Family::Ipv4],
        interface: None,
        addresses: Vec::new(),
        peer: None,
        tcp: Box::new(used.clone()),
        udp: Box::new(used),
        passive: None,
        rpc: None,
    }
}

/// What helps is said in the words of that firewall, and of the system that has it.
#[test]
fn remedies_are_for_that_firewall() {
    let host = host("10000-65535");
    for (rules, wanted) in [
        (
            "block all\npass out all\npass in proto tcp to any port 49152:65535\n",
            [
                "dayfly plan --system freebsd 49152-65535",
                "in pf.conf: pass in proto tcp from any to any port 10000:65535 keep state",
            ],
        ),
        (
            IPFW,
            [
                "dayfly plan --system freebsd 49152-65535",
                "ipfw add allow tcp from any to me 10000-65535 in",
            ],
        ),
    ] {
        let (_, ruleset) = read(rules).unwrap();
        let kinds = [FlowKind::FtpActive];
        let checked = check(&ruleset, &host, &kinds, &[]);
        let said = remedies(&ruleset, &host, &checked, &kinds, &Shell::default());
        let said: Vec<&str> = said.iter().map(|remedy| remedy.action.as_str()).collect();
        for wanted in wanted {
            assert!(said.contains(&wanted), "{wanted} is not in {said:?}");
        }
    }
}

/// Ports that are left over when others have been dropped were not opened for anybody.
#[test]
fn trust_in_an_address_opens_no_span() {
    let host = host("32768-60999");
    for (rules, relation) in [
        (
            "-A INPUT -p tcp --dport 1:2000 -j DROP\n-A INPUT -s 10.0.0.0/8 -j ACCEPT",
            Relation::Closed,
        ),
        ("-A INPUT -s 10.0.0.0/8 -p tcp --dport 32768:60999 -j ACCEPT", Relation::Exact),
        ("-A INPUT -p tcp --dport 32768:60999 -j c\n-A c -s 10.0.0.0/8 -j ACCEPT", Relation::Exact),
    ] {
        let text = format!("*filter\n:INPUT DROP [0:0]\n:c - [0:0]\n{rules}\nCOMMIT\n");
        let (_, ruleset) = read(&text).unwrap();
        let checked = check(&ruleset, &host, &[FlowKind::FtpActive], &[]);
        assert_eq!(checked.compared[0].relation, relation, "{rules}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any text is read or refused, by every reader, and what was read can be asked.
    #[test]
    fn nothing_makes_a_reader_stumble(
        which in 0..7usize,
        cut in any::<prop::sample::Index>(),
        put in any::<prop::sample::Index>(),
        junk in "[-{}\"<>!:,$ a-z0-9\n\\\\]{0,12}",
    ) {
        let text = [PF, IPFW, NETSH, POWERSHELL, AWS, ZONE, NETSH_GERMAN][which];
        let mut chars: Vec<char> = text.chars().collect();
        let at = put.index(chars.len());
        chars.splice(at..at, junk.chars());
        chars.truncate(cut.index(chars.len()) + chars.len() / 2);
        let text: String = chars.into_iter().collect();
        for format in Format::ALL {
            let Ok(ruleset) = format.read(&text) else { continue };
            let packet = Packet::first(Direction::In, Family::Ipv4, Protocol::Tcp);
            let port = Region::product(&PortSet::FULL, &"1-9".parse().unwrap());
            let _ = ruleset.evaluate(&packet, &port);
        }
    }
}
