//! Lists in the shape that each system prints, with what is peculiar to it.

use super::*;

fn shown(text: &str) -> Vec<String> {
    let listing = listed(text);
    assert!(listing.is_list);
    let show = |socket: &Listed| {
        let left = socket.left_ms.map(|left| format!(" {left}")).unwrap_or_default();
        format!("{} {:?}{left}", socket.tuple, socket.phase)
    };
    listing.sockets.iter().map(show).collect()
}

#[test]
fn freebsd() {
    let text = "Active Internet connections (including servers)
Proto Recv-Q Send-Q Local Address          Foreign Address        (state)
tcp4       0      0 10.0.0.5.49152         198.51.100.7.443       ESTABLISHED
tcp4       0      0 10.0.0.5.10001         198.51.100.7.443       TIME_WAIT
tcp6       0      0 2001:db8::5.50000      2001:db8:1:2:3:4:5:6.443 FIN_WAIT_2
tcp6       0      0 fe80::1%em0.50001      fe80::2%em0.22         SYN_SENT
tcp46      0      0 *.80                   *.*                    LISTEN
tcp6       0      0 *.22                   *.*                    LISTEN
tcp4       0      0 10.0.0.5.7             *.*                    CLOSED
tcp4       0      0 *.*                    *.*                    CLOSED
udp4       0      0 *.514                  *.*
udp6       0      0 ::1.123                *.*
udp4       0      0 10.0.0.5.40000         192.0.2.53.53
icm4       0      0 *.*                    *.*
Active UNIX domain sockets
Address          Type   Recv-Q Send-Q            Inode             Conn             Refs          Nextref Addr
fffff80003b5a400 stream      0      0                0 fffff80003b5a500                0                0
";
    assert_eq!(
        shown(text),
        [
            "tcp 10.0.0.5:49152 -> 198.51.100.7:443 Connected",
            "tcp 10.0.0.5:10001 -> 198.51.100.7:443 TimeWait",
            "tcp [2001:db8::5]:50000 -> [2001:db8:1:2:3:4:5:6]:443 Connected",
            "tcp [fe80::1]:50001 -> [fe80::2]:22 Connected",
            "tcp 0.0.0.0:80 -> 0.0.0.0:0 Listening",
            "tcp 0.0.0.0:22 -> 0.0.0.0:0 Listening",
            "tcp 10.0.0.5:7 -> 0.0.0.0:0 Bound",
            "udp 0.0.0.0:514 -> 0.0.0.0:0 Bound",
            "udp [::1]:123 -> [::]:0 Bound",
            "udp 10.0.0.5:40000 -> 192.0.2.53:53 Connected",
        ]
    );
}

/// macOS prints many more columns with -v; HP-UX, AIX, OpenBSD and Tru64 differ in blanks.
#[test]
fn the_family_of_bsd() {
    for line in [
        "tcp4       0      0  10.0.0.5.49152         192.0.2.1.443          ESTABLISHED   14832  1083  131072  131600    x:912   00102",
        "tcp        0      0  10.0.0.5.49152         192.0.2.1.443           ESTABLISHED",
        "tcp          0      0  10.0.0.5.49152         192.0.2.1.443          ESTABLISHED",
        "tcp4       0     48  10.0.0.5.49152         192.0.2.1.443          ESTABLISHED\r",
    ] {
        assert_eq!(shown(line), ["tcp 10.0.0.5:49152 -> 192.0.2.1:443 Connected"]);
    }
}

#[test]
fn addresses_that_lost_their_end_are_counted() {
    let listing = listed(
        "tcp6       0      0 2001:db8:1:2:3:4.50000 2001:db8:9:8:7:6.443   ESTABLISHED
tcp4       0      0 10.0.0.5.50001         192.0.2.1.443          ESTABLISHED
tcp6       0      0 2001:db8:0:1:1234:50000 2001:db8:85a3:8d3:1319:443 ESTABLISHED
",
    );
    assert_eq!((listing.cut, listing.sockets.len()), (2, 1));
}

#[test]
fn solaris() {
    let text = "
UDP: IPv4
   Local Address        Remote Address      State
-------------------- -------------------- ----------
      *.111                                 Idle
      *.*                                   Unbound
10.0.0.5.40000       192.0.2.53.53        Connected

TCP: IPv4
   Local Address        Remote Address    Swind Send-Q Rwind Recv-Q    State
-------------------- -------------------- ----- ------ ----- ------ -----------
      *.*                  *.*                0      0 49152      0 IDLE
      *.22                 *.*                0      0 49152      0 LISTEN
      *.5000               *.*                0      0 49152      0 BOUND
192.168.0.60.32784   192.168.0.72.6000    32120      0 24820     32 ESTABLISHED
192.168.0.60.32785   192.168.0.72.6000    32120      0 24820      0 TIME_WAIT

TCP: IPv6
   Local Address                     Remote Address                 Swind Send-Q Rwind Recv-Q   State      If
--------------------------------- --------------------------------- ----- ------ ----- ------ ----------- -----
      *.22                              *.*                             0      0 49152      0 LISTEN
2001:db8::5.32790                 2001:db8::7.443                   64436      0 64436      0 ESTABLISHED
fe80::8:20ff:fe1.32791            fe80::1.443                       64436      0 64436      0 ESTABLISHED net0

SCTP:
        Local Address                   Remote Address          Swind  Send-Q Rwind  Recv-Q StrsI/O  State
------------------------------- ------------------------------- ------ ------ ------ ------ ------- -----------
0.0.0.0.40001                   192.0.2.9.2905                  102400      0 102400      0  32/32  ESTABLISHED

Active UNIX domain sockets
Address  Type          Vnode     Conn  Local Addr      Remote Addr
";
    assert_eq!(
        shown(text),
        [
            "udp 0.0.0.0:111 -> 0.0.0.0:0 Bound",
            "udp 10.0.0.5:40000 -> 192.0.2.53:53 Connected",
            "tcp 0.0.0.0:22 -> 0.0.0.0:0 Listening",
            "tcp 0.0.0.0:5000 -> 0.0.0.0:0 Bound",
            "tcp 192.168.0.60:32784 -> 192.168.0.72:6000 Connected",
            "tcp 192.168.0.60:32785 -> 192.168.0.72:6000 TimeWait",
            "tcp [::]:22 -> [::]:0 Listening",
            "tcp [2001:db8::5]:32790 -> [2001:db8::7]:443 Connected",
            "tcp [fe80::8:20ff:fe1]:32791 -> [fe80::1]:443 Connected",
            "sctp 0.0.0.0:40001 -> 192.0.2.9:2905 Connected",
        ]
    );
    // illumos, -u: the owner stands before the counters.
    let owned = "TCP: IPv4
192.168.1.1.40022    192.168.1.79.34640   root        531 sshd           134664     51  128872      0 ESTABLISHED
192.168.1.1.40022    192.168.1.79.34640   af          533 sshd           134664     51  128872      0 ESTABLISHED
";
    assert_eq!(shown(owned), ["tcp 192.168.1.1:40022 -> 192.168.1.79:34640 Connected"]);
}

#[test]
fn windows() {
    let text = "\r\nActive Connections\r\n\r
  Proto  Local Address          Foreign Address        State           PID\r
  TCP    0.0.0.0:135            0.0.0.0:0              LISTENING       1012\r
  TCP    0.0.0.0:50009          0.0.0.0:0              BOUND           7\r
  TCP    10.0.0.5:49700         20.1.2.3:443           ESTABLISHED     4120\r
  TCP    10.0.0.5:49701         20.1.2.3:443           TIME_WAIT       0\r
  TCP    [::]:135               [::]:0                 LISTENING       1012\r
  TCP    [fe80::1%12]:49702     [2001:db8::1]:443      CLOSE_WAIT      4\r
  UDP    0.0.0.0:500            *:*                                    3\r
  UDP    [fe80::1%5]:1900       *:*\r
";
    assert_eq!(
        shown(text),
        [
            "tcp 0.0.0.0:135 -> 0.0.0.0:0 Listening",
            "tcp 0.0.0.0:50009 -> 0.0.0.0:0 Bound",
            "tcp 10.0.0.5:49700 -> 20.1.2.3:443 Connected",
            "tcp 10.0.0.5:49701 -> 20.1.2.3:443 TimeWait",
            "tcp [::]:135 -> [::]:0 Listening",
            "tcp [fe80::1]:49702 -> [2001:db8::1]:443 Connected",
            "udp 0.0.0.0:500 -> 0.0.0.0:0 Bound",
            "udp [fe80::1]:1900 -> [::]:0 Bound",
        ]
    );
}

#[test]
fn windows_in_other_languages() {
    let german = "Aktive Verbindungen\r
  Proto  Lokale Adresse         Remoteadresse          Status\r
  TCP    0.0.0.0:135            0.0.0.0:0              ABH\u{fffd}REN\r
  TCP    10.0.0.5:49700         20.1.2.3:443           HERGESTELLT\r
  TCP    10.0.0.5:49701         20.1.2.3:443           WARTEND\r
";
    assert_eq!(
        shown(german),
        [
            "tcp 0.0.0.0:135 -> 0.0.0.0:0 Listening",
            "tcp 10.0.0.5:49700 -> 20.1.2.3:443 Connected",
            "tcp 10.0.0.5:49701 -> 20.1.2.3:443 TimeWait",
        ]
    );
    let other = listed(
        "  TCP    10.0.0.5:49700         20.1.2.3:443           \u{fffd}\u{fffd}\u{fffd}\r\n",
    );
    assert_eq!((other.unknown_states, other.sockets[0].phase), (1, Phase::Connected));
}

#[test]
fn linux_in_every_dialect() {
    let text = "== order 1
== tcp
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23 1 x 100 0 0 10 0
   1: 0500000A:C000 076433C6:01BB 01 00000000:00000000 02:000AFC80 00000000  1000        0 99 2 x 20 4 30 10 -1
   2: 0500000A:C001 076433C6:01BB 06 00000000:00000000 03:00001388 00000000     0        0 0 3 x
== tcp6
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:C002 B80D0120000000000000000007000000:01BB 01 00000000:00000000 00:00000000 00000000     0        0 1 1 x
== udp
   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops
  123: 00000000:0044 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 x 0
";
    assert_eq!(
        shown(text),
        [
            "tcp 127.0.0.1:22 -> 0.0.0.0:0 Listening",
            "tcp 10.0.0.5:49152 -> 198.51.100.7:443 Connected",
            "tcp 10.0.0.5:49153 -> 198.51.100.7:443 TimeWait 50000",
            "tcp [::1]:49154 -> [2001:db8::7]:443 Connected",
            "udp 0.0.0.0:68 -> 0.0.0.0:0 Bound",
        ]
    );
    // s390x and its like.
    let big = "== order 256\n== tcp\n 0: 7F000001:0016 00000000:0000 0A 0:0 00:00000000 0 0 0 1\n";
    assert_eq!(shown(big), ["tcp 127.0.0.1:22 -> 0.0.0.0:0 Listening"]);

    let netstat = "Active Internet connections (servers and established)
Proto Recv-Q Send-Q Local Address           Foreign Address         State
tcp        0      0 127.0.0.1:22            0.0.0.0:*               LISTEN
tcp        0      0 10.0.0.5:49152          198.51.100.7:443        TIME_WAIT
tcp6       0      0 :::80                   :::*                    LISTEN
tcp6       0      0 ::1:49154               2001:db8::7:443         CLOSE_WAIT
udp        0      0 0.0.0.0:68              0.0.0.0:*
";
    assert_eq!(
        shown(netstat),
        [
            "tcp 127.0.0.1:22 -> 0.0.0.0:0 Listening",
            "tcp 10.0.0.5:49152 -> 198.51.100.7:443 TimeWait",
            "tcp [::]:80 -> [::]:0 Listening",
            "tcp [::1]:49154 -> [2001:db8::7]:443 Connected",
            "udp 0.0.0.0:68 -> 0.0.0.0:0 Bound",
        ]
    );
    let ss = "Netid State   Recv-Q Send-Q      Local Address:Port    Peer Address:Port Process
udp   UNCONN  0      0       10.0.0.5%eth0:68          0.0.0.0:*
tcp   LISTEN  0      128                 *:80                *:*
tcp   ESTAB   0      0            10.0.0.5:49152  198.51.100.7:443   timer:(keepalive,1min,0)
TIME-WAIT 0      0      [::1]:49154         [2001:db8::7]:443
";
    assert_eq!(
        shown(ss),
        [
            "udp 10.0.0.5:68 -> 0.0.0.0:0 Bound",
            "tcp 0.0.0.0:80 -> 0.0.0.0:0 Listening",
            "tcp 10.0.0.5:49152 -> 198.51.100.7:443 Connected",
            "tcp [::1]:49154 -> [2001:db8::7]:443 TimeWait",
        ]
    );
}

#[test]
fn what_is_no_list_is_none() {
    for text in [
        "",
        "hello world",
        "tcp: unknown address family.",
        "sh: netstat: not found",
        "a b c d e f g",
    ] {
        assert_eq!(listed(text), Listing::default(), "{text}");
    }
}

mod random {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_text_is_read(text in "[\\PC\\n]{0,300}") {
            let listing = listed(&text);
            prop_assert!(listing.sockets.iter().all(|socket| socket.tuple.local_port != Port::MIN));
        }

        /// A connection comes back whole from every format that can hold it.
        #[test]
        fn every_format_tells_the_same(
            local in any::<[u8; 4]>(), port in 1..=u16::MAX,
            remote in any::<[u8; 4]>(), peer in 1..=u16::MAX,
        ) {
            let (local, remote) = (Ipv4Addr::from(local), Ipv4Addr::from(remote));
            let hex = |address: Ipv4Addr| format!("{:08X}", u32::from_le_bytes(address.octets()));
            for line in [
                format!("tcp4 0 0 {local}.{port} {remote}.{peer} ESTABLISHED"),
                format!("TCP: IPv4\n{local}.{port} {remote}.{peer} 1 2 3 4 ESTABLISHED"),
                format!("  TCP  {local}:{port}  {remote}:{peer}  ESTABLISHED\r"),
                format!("tcp 0 0 {local}:{port} {remote}:{peer} ESTABLISHED"),
                format!("ESTAB 0 0 {local}:{port} {remote}:{peer}"),
                format!("== tcp\n 7: {}:{port:04X} {}:{peer:04X} 01 0:0 00:0 0", hex(local), hex(remote)),
            ] {
                let listing = listed(&line);
                prop_assert_eq!(listing.sockets.len(), 1, "{}", line);
                let expected = format!("tcp {local}:{port} -> {remote}:{peer}");
                prop_assert_eq!(listing.sockets[0].tuple.to_string(), expected);
                prop_assert_eq!(listing.sockets[0].phase, Phase::Connected);
            }
        }
    }
}
