//! Every format and link, and whatever else may come.

use std::net::{Ipv4Addr, Ipv6Addr};

use dayfly_ports::Protocol;
use proptest::prelude::*;

use super::*;

/// A TCP SYN from port 40000 to 443, with options.
fn syn() -> Vec<u8> {
    let mut segment = vec![0; 20];
    segment[..2].copy_from_slice(&40000_u16.to_be_bytes());
    segment[2..4].copy_from_slice(&443_u16.to_be_bytes());
    segment[4..8].copy_from_slice(&7_u32.to_be_bytes());
    segment[12] = 7 << 4;
    segment[13] = 0x02;
    segment.extend([2, 4, 5, 0xb4, 1, 3, 3, 7]);
    segment
}

fn ipv4(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x45, 0];
    packet.extend((20 + payload.len() as u16).to_be_bytes());
    packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0, 192, 0, 2, 1, 198, 51, 100, 7]);
    packet.extend(payload);
    packet
}

fn ipv6(next: u8, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((payload.len() as u16).to_be_bytes());
    packet.extend([next, 64]);
    packet.extend("2001:db8::1".parse::<Ipv6Addr>().unwrap().octets());
    packet.extend("2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
    packet.extend(payload);
    packet
}

fn ethernet(kind: u16, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0; 12];
    frame.extend(kind.to_be_bytes());
    frame.extend(payload);
    frame
}

fn of(link: LinkType, bytes: &[u8]) -> Result<Segment, Undecoded> {
    decode(&Frame { time: None, link, bytes })
}

/// The tuple of a frame that opens a connection.
fn opened(link: LinkType, bytes: &[u8]) -> String {
    let segment = of(link, bytes).unwrap();
    assert!(matches!(segment.role, Role::Opens { mark: 7, .. }), "{segment:?}");
    assert_eq!(segment.ttl, 64);
    segment.tuple.to_string()
}

const V4: &str = "tcp 192.0.2.1:40000 -> 198.51.100.7:443";
const V6: &str = "tcp [2001:db8::1]:40000 -> [2001:db8::2]:443";

#[test]
fn every_link_leads_to_ip() {
    let packet = ipv4(6, &syn());
    let with = |head: &[u8]| [head, &packet].concat();
    let tagged = |tags: &[u8]| ethernet(0x8100, &[tags, &packet].concat());
    for (link, bytes) in [
        (LinkType::ETHERNET, ethernet(0x0800, &packet)),
        (LinkType::ETHERNET, tagged(&[0, 5, 8, 0])),
        (
            LinkType::ETHERNET,
            ethernet(0x88a8, &[&[0, 5, 0x81, 0, 0, 6, 8, 0], &packet[..]].concat()),
        ),
        (
            LinkType::ETHERNET,
            ethernet(0x8864, &[&[0x11, 0, 0, 1, 0, 50, 0, 0x21], &packet[..]].concat()),
        ),
        (
            LinkType::ETHERNET,
            ethernet(0x8847, &[&[0, 0, 0x10, 64, 0, 0, 0x21, 64], &packet[..]].concat()),
        ),
        (LinkType::LINUX_SLL, with(&[0, 4, 3, 4, 0, 6, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0])),
        (LinkType::LINUX_SLL2, with(&[8, 0, 0, 0, 0, 0, 0, 1, 3, 4, 4, 6, 0, 0, 0, 0, 0, 0, 0, 0])),
        (LinkType::RAW, packet.clone()),
        (LinkType(12), packet.clone()),
        (LinkType::IPV4, packet.clone()),
        (LinkType::NULL, with(&[2, 0, 0, 0])),
        (LinkType::NULL, with(&[0, 0, 0, 2])),
        (LinkType::LOOP, with(&[0, 0, 0, 2])),
        (LinkType::PPP, with(&[0xff, 3, 0, 0x21])),
        (LinkType::PPP, with(&[0, 0x21])),
    ] {
        assert_eq!(opened(link, &bytes), V4, "{link} {bytes:?}");
    }
    for (bytes, why) in [
        (ethernet(0x0806, &[0; 28]), Undecoded::NotIp),
        (tagged(&[0, 5]), Undecoded::NotIp),
        (ethernet(0x8100, &[]), Undecoded::CutOff),
        (vec![0; 10], Undecoded::CutOff),
        (ethernet(0x8100, &[0x81, 0].repeat(40)), Undecoded::NotIp),
    ] {
        assert_eq!(of(LinkType::ETHERNET, &bytes), Err(why));
    }
    assert_eq!(of(LinkType(147), &packet), Err(Undecoded::Link(LinkType(147))));
}

#[test]
fn ip_is_looked_through() {
    let raw = |packet: &[u8]| of(LinkType::RAW, packet);
    assert_eq!(opened(LinkType::RAW, &ipv6(6, &syn())), V6);
    // Hop-by-hop, routing, destination options, authentication, and a first fragment.
    let hop = [&[43, 0, 0, 0, 0, 0, 0, 0][..], &[60, 0, 0, 0, 0, 0, 0, 0]].concat();
    let more = [&[51, 0, 0, 0, 0, 0, 0, 0][..], &[44, 4], &[0; 22], &[6, 0, 0, 1, 0, 0, 0, 9]];
    assert_eq!(opened(LinkType::RAW, &ipv6(0, &[&hop[..], &more.concat(), &syn()].concat())), V6);
    assert_eq!(raw(&ipv6(44, &[6, 0, 0, 8, 0, 0, 0, 9, 0, 0])), Err(Undecoded::Fragment));
    assert_eq!(raw(&ipv6(0, &[0, 0, 0, 0, 0, 0, 0, 0].repeat(20))), Err(Undecoded::Damaged));
    assert_eq!(raw(&ipv6(0, &[6, 200])), Err(Undecoded::CutOff));
    // Options of IPv4, no total length, a fragment, a header shorter than any.
    let mut options = ipv4(6, &[&[1; 4][..], &syn()].concat());
    options[0] = 0x46;
    assert_eq!(opened(LinkType::RAW, &options), V4);
    let mut offloaded = ipv4(6, &syn());
    offloaded[2..4].fill(0);
    assert_eq!(opened(LinkType::RAW, &offloaded), V4);
    let mut fragment = ipv4(6, &syn());
    fragment[7] = 1;
    assert_eq!(raw(&fragment), Err(Undecoded::Fragment));
    let mut short = ipv4(6, &syn());
    short[0] = 0x44;
    assert_eq!(raw(&short), Err(Undecoded::Damaged));
    assert_eq!(raw(&ipv4(1, &[8, 0, 0, 0])), Err(Undecoded::Transport(1)));
    assert_eq!(raw(&ipv4(6, &syn()[..10])), Err(Undecoded::CutOff));
    assert_eq!(raw(&[]), Err(Undecoded::CutOff));
    assert_eq!(raw(&[0x00; 40]), Err(Undecoded::NotIp));
}

#[test]
fn roles_are_told() {
    let role = |protocol, payload: &[u8]| of(LinkType::RAW, &ipv4(protocol, payload)).unwrap().role;
    let mut segment = syn();
    segment[13] = 0x12;
    segment[8..12].copy_from_slice(&8_u32.to_be_bytes());
    assert_eq!(role(6, &segment), Role::Answers { mark: 7 });
    for flags in [0x10, 0x04, 0x06, 0x11] {
        segment[13] = flags;
        assert_eq!(role(6, &segment), Role::Continues, "{flags:#x}");
    }
    assert_eq!(role(17, &[0, 53, 156, 64, 0, 8, 0, 0]), Role::Datagram);
    let sctp = |kind: u8| {
        [&[0x9c, 0x40, 0, 80, 0, 0, 0, 9, 0, 0, 0, 0, kind, 0, 0, 20], &[0, 0, 0, 5][..]].concat()
    };
    assert!(matches!(role(132, &sctp(1)), Role::Opens { mark: 5, .. }));
    assert_eq!(role(132, &sctp(2)), Role::Answers { mark: 9 });
    assert_eq!(role(132, &sctp(0)), Role::Continues);
    // Stacks differ in their options, not in values that follow the route.
    let stack = |payload: &[u8]| match role(6, payload) {
        Role::Opens { stack, .. } => stack,
        other => panic!("{other:?}"),
    };
    let (mut other_size, mut other_order) = (syn(), syn());
    other_size[23] = 0x50;
    other_order[20..].copy_from_slice(&[1, 3, 3, 7, 2, 4, 5, 0xb4]);
    assert_eq!(stack(&syn()), stack(&other_size));
    assert_ne!(stack(&syn()), stack(&other_order));
}

/// A capture of these packets, a second and a microsecond apart.
fn pcap(big: bool, nanoseconds: bool, link: u32, packets: &[Vec<u8>]) -> Vec<u8> {
    let number = |number: u32| if big { number.to_be_bytes() } else { number.to_le_bytes() };
    let mut bytes = Vec::new();
    bytes.extend(number(if nanoseconds { 0xa1b2_3c4d } else { 0xa1b2_c3d4 }));
    bytes.extend(if big { [0, 2, 0, 4] } else { [2, 0, 4, 0] });
    [0, 0, 65535, link].into_iter().for_each(|field| bytes.extend(number(field)));
    for (index, packet) in packets.iter().enumerate() {
        let fields = [index as u32, 1, packet.len() as u32, packet.len() as u32];
        fields.into_iter().for_each(|field| bytes.extend(number(field)));
        bytes.extend(packet);
    }
    bytes
}

/// Blocks of a pcapng file.
struct Blocks {
    big: bool,
    bytes: Vec<u8>,
}

impl Blocks {
    fn u16(&self, number: u16) -> [u8; 2] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn u32(&self, number: u32) -> [u8; 4] {
        if self.big { number.to_be_bytes() } else { number.to_le_bytes() }
    }

    fn block(&mut self, kind: u32, body: &[u8]) {
        let padded = body.len().next_multiple_of(4);
        let length = self.u32(padded as u32 + 12);
        let kind = self.u32(kind);
        self.bytes.extend(kind);
        self.bytes.extend(length);
        self.bytes.extend(body);
        self.bytes.resize(self.bytes.len() + padded - body.len(), 0);
        self.bytes.extend(length);
    }

    fn section(&mut self) {
        let body = [&self.u32(0x1a2b_3c4d)[..], &self.u16(1), &self.u16(0), &[0xff; 8]].concat();
        self.block(0x0a0d_0d0a, &body);
    }

    fn interface(&mut self, link: u16, options: &[u8]) {
        let body = [&self.u16(link)[..], &[0, 0], &self.u32(0), options].concat();
        self.block(1, &body);
    }

    fn packet(&mut self, interface: u32, ticks: u64, packet: &[u8]) {
        let length = self.u32(packet.len() as u32);
        let (high, low) = (self.u32((ticks >> 32) as u32), self.u32(ticks as u32));
        let body = [&self.u32(interface)[..], &high, &low, &length, &length, packet].concat();
        self.block(6, &body);
    }
}

/// A frame's time, link and bytes.
type Found = (Option<u64>, LinkType, Vec<u8>);

/// What a reader finds: the frames and how it ends.
fn read(bytes: &[u8]) -> (Vec<Found>, Result<usize, FormatError>) {
    let mut reader = Reader::new();
    let (mut at, mut frames) = (0, Vec::new());
    loop {
        match reader.next(&bytes[at..]) {
            Step::Frame { consumed, frame } => {
                frames.push((frame.time, frame.link, frame.bytes.to_vec()));
                at += consumed;
            }
            Step::Skip(count) => {
                at = (at as u64 + count).min(bytes.len() as u64) as usize;
            }
            Step::More(needed) => {
                assert!(needed > bytes.len() - at, "it has that many");
                return (frames, Ok(bytes.len() - at));
            }
            Step::Broken(error) => return (frames, Err(error)),
        }
    }
}

#[test]
fn both_orders_and_resolutions_of_pcap() {
    let packets = [ethernet(0x0800, &ipv4(6, &syn())), vec![1, 2, 3], Vec::new()];
    for (big, nanoseconds) in [(false, false), (false, true), (true, false), (true, true)] {
        let bytes = pcap(big, nanoseconds, 1, &packets);
        let (frames, end) = read(&bytes);
        assert_eq!(end, Ok(0));
        let unit = if nanoseconds { 1 } else { 1000 };
        for (index, (time, link, bytes)) in frames.iter().enumerate() {
            assert_eq!(*time, Some(index as u64 * 1_000_000_000 + unit));
            assert_eq!((*link, bytes), (LinkType::ETHERNET, &packets[index]));
        }
        assert_eq!(frames.len(), 3);
        // Cut anywhere, everything before the cut is there.
        for cut in 0..bytes.len() {
            let (some, end) = read(&bytes[..cut]);
            assert!(some.len() <= 3 && frames.starts_with(&some));
            assert!(end.is_ok(), "{cut}: {end:?}");
        }
    }
}

#[test]
fn pcapng_with_sections_interfaces_and_all_kinds_of_packets() {
    for big in [false, true] {
        let mut blocks = Blocks { big, bytes: Vec::new() };
        blocks.section();
        blocks.interface(1, &[]);
        // Nanoseconds, and an hour to add.
        let hour = if big { 3600_i64.to_be_bytes() } else { 3600_i64.to_le_bytes() };
        let (nine, fourteen, eight) = (blocks.u16(9), blocks.u16(14), blocks.u16(8));
        let options =
            [&nine[..], &blocks.u16(1), &[9, 0, 0, 0], &fourteen, &eight, &hour, &[0; 4]].concat();
        blocks.interface(101, &options);
        // 1024ths of a second.
        let options = [&nine[..], &blocks.u16(1), &[0x8a, 0, 0, 0]].concat();
        blocks.interface(276, &options);
        blocks.packet(0, 5, b"one");
        blocks.block(5, b"statistics");
        blocks.packet(1, 7, b"two");
        blocks.packet(2, 2048, b"three");
        blocks.packet(9, 0, b"four");
        let length = blocks.u32(4);
        blocks.block(3, &[&length[..], b"five"].concat());
        let old = [&blocks.u16(1)[..], &[0, 0], &[0; 7], &[0], &length, &length, b"six!"].concat();
        blocks.block(2, &old);
        blocks.section();
        blocks.packet(0, 0, b"seven");

        let (frames, end) = read(&blocks.bytes);
        assert_eq!(end, Ok(0));
        let found: Vec<_> = frames
            .iter()
            .map(|(time, link, bytes)| (*time, link.0, std::str::from_utf8(bytes).unwrap()))
            .collect();
        let hour = 3600 * 1_000_000_000;
        assert_eq!(
            found,
            [
                (Some(5000), 1, "one"),
                (Some(hour + 7), 101, "two"),
                (Some(2_000_000_000), 276, "three"),
                (None, u32::MAX, "four"),
                (None, 1, "five"),
                (Some(hour), 101, "six!"),
                (None, u32::MAX, "seven"),
            ]
        );
    }
}

#[test]
fn what_is_no_capture_is_named() {
    let says = |bytes: &[u8]| read(bytes).1.unwrap_err().to_string();
    assert_eq!(says(b"\x1f\x8b\x08\0"), "it is a gzip file");
    assert_eq!(says(b"snoop\0\0\0\0\0\0\x02"), "it is a snoop capture");
    assert_eq!(says(b"\x7fELF\x02\x01"), "it begins like neither pcap nor pcapng");
    let mut bytes = pcap(false, false, 1, &[vec![0; 60], vec![0; 60]]);
    bytes[24 + 76 + 8..][..4].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(
        says(&bytes),
        "it is damaged at byte 100, behind 1 packets: a packet longer than the capture can hold"
    );
    let mut blocks = Blocks { big: false, bytes: Vec::new() };
    blocks.section();
    let at = blocks.bytes.len();
    blocks.block(6, &[0; 24]);
    blocks.bytes[at + 4] = 35;
    assert_eq!(
        says(&blocks.bytes),
        "it is damaged at byte 28, behind 0 packets: a block of impossible length"
    );
    assert!(Reader::looks_like_text(b"tcp 192.0.2.1:1 192.0.2.2:2\n"));
    assert!(!Reader::looks_like_text(b"\xd4\xc3\xb2\xa1") && !Reader::looks_like_text(b""));
}

proptest! {
    /// Whatever comes, in whatever pieces: no panic, no endless loop, nothing beyond the end.
    #[test]
    fn anything_is_survived(bytes in prop::collection::vec(any::<u8>(), 0..400), link in 0_u32..300) {
        let _ = of(LinkType(link), &bytes);
        read(&bytes).0.iter().for_each(|frame| assert!(frame.2.len() <= bytes.len()));
    }

    /// Damage in a good capture does no more.
    #[test]
    fn damage_is_survived(
        at in 0_usize..500, value: u8, newer: bool, big: bool, link in 0_u16..300,
    ) {
        let mut bytes = if newer {
            let mut blocks = Blocks { big, bytes: Vec::new() };
            blocks.section();
            blocks.interface(link, &[]);
            (0..4).for_each(|time| blocks.packet(0, time, &ethernet(0x0800, &ipv4(6, &syn()))));
            blocks.bytes
        } else {
            pcap(big, false, link.into(), &vec![ethernet(0x86dd, &ipv6(6, &syn())); 4])
        };
        let at = at % bytes.len();
        bytes[at] = value;
        for (time, link, bytes) in read(&bytes).0 {
            let _ = decode(&Frame { time, link, bytes: &bytes });
        }
    }

    /// What a line says is what comes out.
    #[test]
    fn lines_survive(text in "\\PC{0,60}", from: u16, to: u16, address: [u8; 4], time in 0_u32..) {
        let _ = text::line(&text);
        let address = Ipv4Addr::from(address);
        let line = format!("udp {address}:{from} -> {address}:{to} {time}");
        let (tuple, at) = text::line(&line).unwrap().unwrap();
        prop_assert_eq!(tuple.protocol, Protocol::Udp);
        prop_assert_eq!(format!("{tuple} {time}"), line);
        prop_assert_eq!(at, Some(u64::from(time) * 1_000_000_000));
    }
}
