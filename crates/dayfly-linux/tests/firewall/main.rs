//! The model of a firewall against the kernel: generated rulesets, packets really sent.

#![expect(clippy::unwrap_used, reason = "a test that cannot prepare its ground fails")]

mod generate;
mod probe;

use std::collections::BTreeSet;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::{Command, Stdio};
use std::time::Duration;

use dayfly_insight::firewall::model::{Condition, Effect, Family, Ruleset, Test, Verdict};
use dayfly_insight::firewall::outcome::Outcome;
use dayfly_insight::firewall::packet::{ACK, Direction, Packet, SYN, Translation};
use dayfly_insight::firewall::region::Region;
use dayfly_linux::firewall::rules;
use dayfly_ports::{PortSet, Protocol};
use dayfly_testkit::{Namespace, needs, privileged};

use self::generate::{Dice, PORTS};
use self::probe::{End, Shot};

const INSIDE: [&str; 2] = ["10.9.0.1", "fd09::1"];
const OUTSIDE: [&str; 4] = ["10.9.0.2", "192.0.2.7", "fd09::2", "fd77::5"];

/// Two hosts on a cable; the outer one never answers by itself.
struct Ground {
    host: Namespace,
    outer: Namespace,
    host_end: End,
    outer_end: End,
}

impl Ground {
    fn lay() -> Ground {
        let (host, outer) = (Namespace::new(), Namespace::new());
        host.connect_to(&outer, ("lan0", "10.9.0.1/24"), ("lan1", "10.9.0.2/24"));
        host.add_address("lan0", "fd09::1/64");
        outer.add_address("lan1", "fd09::2/64");
        for namespace in [&host, &outer] {
            for interface in ["all", "default", "lan0", "lan1"] {
                let key = format!("net.ipv4.conf.{interface}.rp_filter");
                let path = format!("/proc/sys/{}", key.replace('.', "/"));
                if namespace.run(|| std::path::Path::new(&path).exists()) {
                    namespace.sysctl(&key, "0");
                }
            }
        }
        host.add_route("default via 10.9.0.2");
        host.add_route("default via fd09::2 dev lan0");
        let silent = "table inet silent {\n chain out {\n type filter hook output priority 0\n tcp flags rst drop\n icmp type destination-unreachable drop\n icmpv6 type destination-unreachable drop\n }\n}\n";
        feed(&outer, "nft", &["-f", "-"], silent);
        let ground =
            Ground { host_end: host.run(End::open), outer_end: outer.run(End::open), host, outer };
        ground.acquaint();
        ground
    }

    /// Sends until both ends know each other's hardware address.
    fn acquaint(&self) {
        for (from, to) in [(INSIDE[0], OUTSIDE[0]), (INSIDE[1], OUTSIDE[2])] {
            let there = shot(Protocol::Udp, (from, 7), (to, 7), 0);
            let back = shot(Protocol::Udp, (to, 7), (from, 7), 0);
            for (sender, receiver, shot) in
                [(&self.host_end, &self.outer_end, there), (&self.outer_end, &self.host_end, back)]
            {
                let expected = BTreeSet::from([1]);
                let met = (0..100).any(|_| {
                    sender.send(&shot, 1);
                    receiver.await_arrivals(&expected, Duration::from_millis(50)).contains(&1)
                });
                assert!(met, "{shot:?} never arrives");
            }
        }
    }
}

fn shot(protocol: Protocol, from: (&str, u16), to: (&str, u16), flags: u8) -> Shot {
    let place =
        |(address, port): (&str, u16)| SocketAddr::new(address.parse::<IpAddr>().unwrap(), port);
    Shot { protocol, from: place(from), to: place(to), flags, acknowledges: None }
}

/// Runs a program in the namespace with this input; whether it was content.
fn feed(namespace: &Namespace, program: &str, words: &[&str], input: &str) -> bool {
    let mut command: Command = namespace.command(program);
    let mut child =
        command.args(words).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    if !done.status.success() {
        eprintln!("refused: {}", String::from_utf8_lossy(&done.stderr));
    }
    done.status.success()
}

/// Forgets every tracked connection (`IPCTNL_MSG_CT_DELETE` without a tuple).
fn forget_connections(namespace: &Namespace) {
    use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};
    namespace.run(|| {
        let socket = rustix::net::socket_with(
            AddressFamily::NETLINK,
            SocketType::RAW,
            SocketFlags::CLOEXEC,
            Some(netlink::NETFILTER),
        )
        .unwrap();
        let mut message = [0u8; 20];
        message[0..4].copy_from_slice(&20u32.to_ne_bytes());
        // The subsystem of connection tracking is 1, deleting is 2.
        message[4..6].copy_from_slice(&0x0102u16.to_ne_bytes());
        // A request with an acknowledgement.
        message[6..8].copy_from_slice(&0x5u16.to_ne_bytes());
        rustix::net::send(&socket, &message, SendFlags::empty()).unwrap();
        let mut answer = [0u8; 256];
        rustix::net::recv(&socket, &mut answer[..], RecvFlags::empty()).unwrap();
    });
}

/// Ports around those that rules name.
fn interesting(dice: &mut Dice, extra: usize) -> Vec<u16> {
    let mut ports: Vec<u16> = PORTS
        .iter()
        .flat_map(|&port| [port.saturating_sub(1), port, port.saturating_add(1)])
        .chain((0..extra).map(|_| 1 + dice.below(65535) as u16))
        .filter(|&port| port > 0)
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

#[derive(Default)]
struct Tally {
    rulesets: u32,
    rules: usize,
    unreadable_rules: usize,
    packets: u32,
    passed: u32,
    unknown: u32,
    /// Rulesets with NAT, and answers from where it led.
    translating: u32,
    moved: u32,
}

/// Whether nothing but a closed book is asked for, or done, by a rule.
fn unreadable(ruleset: &Ruleset) -> usize {
    let hidden = |condition: &Condition| {
        matches!(
            condition,
            Condition::Is(Test::Hidden { .. }) | Condition::Not(Test::Hidden { .. })
        )
    };
    let rules = ruleset.chains.iter().flat_map(|chain| &chain.rules);
    rules
        .filter(|rule| {
            rule.conditions.iter().any(hidden) || matches!(rule.verdict, Verdict::Opaque(_))
        })
        .count()
}

/// One packet, and what the model says of it.
struct Asked {
    shot: Shot,
    /// None where the model does not know.
    passes: Option<bool>,
}

fn ask(outcome: &Outcome, shot: Shot) -> Asked {
    let holds = |region: &Region| region.contains(shot.from.port(), shot.to.port());
    let passes = match (holds(&outcome.passed), holds(&outcome.blocked)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        _ => None,
    };
    Asked { shot, passes }
}

/// Sends all of them from one end and holds what arrives at the other against the model.
fn compare(from: &End, to: &End, asked: &[Asked], tally: &mut Tally, text: &str) -> BTreeSet<u16> {
    // What the kernel has answered meanwhile.
    to.arrived(&mut BTreeSet::new());
    for (number, one) in asked.iter().enumerate() {
        from.send(&one.shot, number as u16);
    }
    let expected: BTreeSet<u16> = (0..asked.len() as u16)
        .filter(|&number| asked[usize::from(number)].passes == Some(true))
        .collect();
    let mut arrived = to.await_arrivals(&expected, Duration::from_secs(10));
    // What was dropped could still be on its way: there is nothing to wait for but a moment.
    to.arrived(&mut arrived);
    for (number, one) in asked.iter().enumerate() {
        let came = arrived.contains(&(number as u16));
        match one.passes {
            Some(passes) => {
                assert_eq!(came, passes, "came, model: {:?} through\n{text}", one.shot);
            }
            None => tally.unknown += 1,
        }
        tally.packets += 1;
        tally.passed += u32::from(came);
    }
    arrived
}

fn packet_of(direction: Direction, shot: &Shot) -> Packet {
    let (local, peer) = match direction {
        Direction::In => (shot.to.ip(), shot.from.ip()),
        Direction::Out => (shot.from.ip(), shot.to.ip()),
    };
    let family = if local.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
    Packet {
        interface: Some("lan0".to_owned()),
        local: Some(local),
        peer: Some(peer),
        flags: shot.flags,
        ..Packet::first(direction, family, shot.protocol)
    }
}

fn everything() -> Region {
    Region::product(&PortSet::FULL, &PortSet::FULL)
}

/// Asks about packets from outside, to outside, and the answers to the latter.
fn examine(ground: &Ground, dice: &mut Dice, text: &str, tally: &mut Tally) {
    forget_connections(&ground.host);
    let ruleset = ground.host.run(rules).unwrap();
    tally.rulesets += 1;
    tally.rules += ruleset.rule_count();
    tally.unreadable_rules += unreadable(&ruleset);

    let translates = ruleset
        .chains
        .iter()
        .flat_map(|chain| &chain.rules)
        .any(|rule| matches!(rule.verdict, Verdict::Translate(_)));
    tally.translating += u32::from(translates);
    let mut sources = Sources::new(dice, translates);
    let mut asked = Vec::new();
    let mut arriving = Vec::new();
    for (outside, inside) in OUTSIDE.iter().zip([INSIDE[0], INSIDE[0], INSIDE[1], INSIDE[1]]) {
        for (protocol, flags) in [(Protocol::Tcp, SYN), (Protocol::Tcp, ACK), (Protocol::Udp, 0)] {
            let first = shot(protocol, (outside, 1), (inside, 1), flags);
            let outcome = ruleset.evaluate(&packet_of(Direction::In, &first), &everything());
            for port in interesting(dice, 6) {
                let source = sources.next(dice, outside, protocol, flags);
                asked.push(ask(&outcome, shot(protocol, (outside, source), (inside, port), flags)));
                arriving.push(arrival(&outcome, source, port));
            }
        }
    }
    let came = compare(&ground.outer_end, &ground.host_end, &asked, tally, text);

    let untracked = ruleset
        .chains
        .iter()
        .flat_map(|chain| &chain.rules)
        .any(|rule| rule.effects.contains(&Effect::Untracked));
    if translates && !untracked {
        let mut answers = Vec::new();
        for number in came {
            // The kernel has answered TCP itself, with a reset.
            let index = usize::from(number);
            let (Some(one), Some(Some(translation))) = (asked.get(index), arriving.get(index))
            else {
                continue;
            };
            // Only these addresses are the outer host's own.
            let homes = [OUTSIDE[0], OUTSIDE[2]].map(|home| home.parse::<IpAddr>().unwrap());
            if one.shot.protocol != Protocol::Udp || !homes.contains(&one.shot.from.ip()) {
                continue;
            }
            let first = Packet { translation: *translation, ..packet_of(Direction::In, &one.shot) };
            let outcome = ruleset.evaluate(&first.answer(), &everything());
            let back = Shot { from: one.shot.to, to: one.shot.from, ..one.shot };
            let Asked { mut shot, passes } = ask(&outcome, back);
            if let Translation::To(port) = translation {
                shot.from.set_port(*port);
                tally.moved += 1;
            }
            answers.push(Asked { shot, passes });
        }
        compare(&ground.host_end, &ground.outer_end, &answers, tally, text);
    }
    let mut asked = Vec::new();
    for (outside, inside) in [(OUTSIDE[0], INSIDE[0]), (OUTSIDE[2], INSIDE[1])] {
        for (protocol, flags) in [(Protocol::Tcp, SYN), (Protocol::Udp, 0)] {
            let first = shot(protocol, (inside, 1), (outside, 1), flags);
            let outcome = ruleset.evaluate(&packet_of(Direction::Out, &first), &everything());
            for source in interesting(dice, 2) {
                let port = PORTS[dice.below(PORTS.len())];
                // Not a tuple that has come in already.
                let port = if port < 1024 { port + 2 } else { port };
                asked.push(ask(&outcome, shot(protocol, (inside, source), (outside, port), flags)));
            }
        }
    }
    let sent = compare(&ground.host_end, &ground.outer_end, &asked, tally, text);
    if untracked {
        return;
    }
    let mut answers = Vec::new();
    let mut outcomes: Vec<(Packet, Outcome)> = Vec::new();
    for number in sent {
        let Some(one) = asked.get(usize::from(number)) else { continue };
        let flags = if one.shot.protocol == Protocol::Tcp { SYN | ACK } else { 0 };
        let back = Shot {
            from: one.shot.to,
            to: one.shot.from,
            flags,
            acknowledges: Some(number),
            ..one.shot
        };
        let packet = packet_of(Direction::Out, &one.shot).answer();
        let known = outcomes.iter().position(|(known, _)| *known == packet);
        let index = known.unwrap_or_else(|| {
            outcomes.push((packet.clone(), ruleset.evaluate(&packet, &everything())));
            outcomes.len() - 1
        });
        answers.push(ask(&outcomes[index].1, back));
    }
    compare(&ground.outer_end, &ground.host_end, &answers, tally, text);
}

/// What NAT makes of a pair of ports; none where that depends.
fn arrival(outcome: &Outcome, source: u16, port: u16) -> Option<Translation> {
    let of_pair = outcome.moved.iter().find(|moved| moved.pairs.contains(source, port));
    match of_pair {
        None => Some(Translation::None),
        Some(moved) => moved.certain.then_some(moved.translation),
    }
}

/// Where packets from outside are sent from.
struct Sources {
    usual: [u16; 4],
    /// Where NAT sends several ports to one, no two connections may have the same source.
    used: Option<BTreeSet<(&'static str, Protocol, u16)>>,
}

impl Sources {
    fn new(dice: &mut Dice, translates: bool) -> Sources {
        let usual = [20, 21, 1 + dice.below(1022) as u16, 1024 + dice.below(64000) as u16];
        Sources { usual, used: translates.then(BTreeSet::new) }
    }

    fn next(
        &mut self,
        dice: &mut Dice,
        outside: &'static str,
        protocol: Protocol,
        flags: u8,
    ) -> u16 {
        let Some(used) = &mut self.used else {
            // A tuple of its own for each: SYN and ACK are packets of different connections.
            return self.usual[dice.below(4)] + u16::from(flags == ACK);
        };
        loop {
            let random = [1 + dice.below(1022) as u16, 1024 + dice.below(64000) as u16];
            let source = [20, 21, random[0], random[1]][dice.below(4)];
            // What is sent out later goes to these.
            let later = PORTS.contains(&source) || source > 2 && PORTS.contains(&(source - 2));
            if (source <= 21 || !later) && used.insert((outside, protocol, source)) {
                return source;
            }
        }
    }
}

fn conclude(tally: &Tally) {
    let Tally { rulesets, rules, unreadable_rules, packets, passed, unknown, .. } = tally;
    let Tally { translating, moved, .. } = tally;
    println!(
        "{rulesets} rulesets, {rules} rules ({unreadable_rules} unreadable), \
         {packets} packets ({passed} passed), {unknown} unknown; \
         {translating} with NAT, {moved} answers from other ports"
    );
    assert!(*translating > rulesets / 10 && *moved > 20);
    assert!(unreadable_rules * 50 < *rules, "{unreadable_rules} of {rules} rules are unreadable");
    assert!(unknown * 50 < *packets, "{unknown} of {packets} packets are unknown");
    // Neither a wall nor a hole.
    assert!(*passed > packets / 5 && *passed < packets * 4 / 5);
}

#[test]
fn generated_nft_rulesets_do_what_the_model_says() {
    privileged!();
    needs!("nft", "nftables");
    let ground = Ground::lay();
    let mut dice = Dice::new(1);
    let (mut tally, mut refused) = (Tally::default(), 0);
    while tally.rulesets < 200 {
        let text = generate::nft(&mut dice);
        // Some contradict themselves in ways that nft refuses; not many.
        if !feed(&ground.host, "nft", &["-f", "-"], &text) {
            refused += 1;
            assert!(refused < 40, "{text}");
            continue;
        }
        examine(&ground, &mut dice, &text, &mut tally);
    }
    conclude(&tally);
    drop(ground.outer);
}

#[test]
fn generated_iptables_rulesets_do_what_the_model_says() {
    privileged!();
    needs!("iptables-nft-restore", "iptables");
    needs!("nft", "nftables");
    let ground = Ground::lay();
    let mut dice = Dice::new(2);
    let mut tally = Tally::default();
    while tally.rulesets < 120 {
        let (v4, v6) = (generate::iptables(&mut dice, true), generate::iptables(&mut dice, false));
        assert!(feed(&ground.host, "nft", &["flush", "ruleset"], ""));
        assert!(feed(&ground.host, "iptables-nft-restore", &[], &v4), "{v4}");
        assert!(feed(&ground.host, "ip6tables-nft-restore", &[], &v6), "{v6}");
        examine(&ground, &mut dice, &format!("{v4}\n{v6}"), &mut tally);
    }
    conclude(&tally);
}
