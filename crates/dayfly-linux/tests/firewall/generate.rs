//! Rulesets that nobody would write, in every word that the model understands.

/// Numbers that look random and are the same in every run (SplitMix64).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Dice(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn some(
        &mut self,
        most: usize,
        word: &mut dyn FnMut(&mut Self) -> String,
        join: &str,
    ) -> String {
        let count = 1 + self.below(most);
        (0..count).map(|_| word(self)).collect::<Vec<_>>().join(join)
    }
}

/// Ports that rules name; probes go to them and to their neighbours.
pub(crate) const PORTS: [u16; 9] = [20, 21, 80, 1024, 20000, 32768, 40000, 60999, 65535];
/// Prefixes and addresses that rules name.
const V4: [&str; 5] =
    ["10.9.0.2", "192.0.2.7", "192.0.2.0/24", "10.0.0.0/8", "192.0.2.1-192.0.2.9"];
const V6: [&str; 4] = ["fd09::2", "fd77::5", "fd77::/16", "fd00::1-fd10::1"];

fn port(dice: &mut Dice) -> u16 {
    PORTS[dice.below(PORTS.len())]
}

fn port_range(dice: &mut Dice, to: char) -> String {
    let (a, b) = (port(dice), port(dice));
    if a == b { a.to_string() } else { format!("{}{to}{}", a.min(b), a.max(b)) }
}

/// Spans that do not overlap, as nft asks of sets.
fn apart(dice: &mut Dice) -> Vec<String> {
    let mut ends: Vec<u16> = (0..2 + 2 * dice.below(2)).map(|_| port(dice)).collect();
    ends.sort_unstable();
    ends.dedup();
    ends.chunks(2)
        .map(|pair| match pair {
            [low, high] => format!("{low}-{high}"),
            pair => pair[0].to_string(),
        })
        .collect()
}

/// Distinct ones, as nft asks of sets and maps.
fn distinct(dice: &mut Dice, most: usize) -> Vec<u16> {
    let mut ports: Vec<u16> = (0..1 + dice.below(most)).map(|_| port(dice)).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// A whole ruleset for `nft -f`.
pub(crate) fn nft(dice: &mut Dice) -> String {
    let mut text = String::from("flush ruleset\n");
    let tables = 1 + dice.below(2);
    for table in 0..tables {
        let family = match (table, dice.below(4)) {
            (_, 0) => "ip",
            (_, 1) => "ip6",
            _ => "inet",
        };
        text.push_str(&nft_table(dice, family, table));
    }
    text
}

fn nft_table(dice: &mut Dice, family: &str, number: usize) -> String {
    let mut text = format!("table {family} t{number} {{\n");
    let spans = apart(dice).join(", ");
    text.push_str(&format!(
        " set ports {{\n type inet_service\n flags interval\n elements = {{ {spans} }}\n }}\n"
    ));
    let v4 = ["10.9.0.2", "192.0.2.0/25"][dice.below(2)];
    text.push_str(&format!(
        " set hosts {{\n type ipv4_addr\n flags interval\n elements = {{ {v4}, 198.51.100.0/24 }}\n }}\n"
    ));
    let pairs: Vec<String> =
        distinct(dice, 3).iter().map(|port| format!("192.0.2.7 . {port}")).collect();
    text.push_str(&format!(
        " set pairs {{\n type ipv4_addr . inet_service\n elements = {{ {} }}\n }}\n",
        pairs.join(", ")
    ));
    let verdicts: Vec<String> = distinct(dice, 3)
        .iter()
        .map(|port| format!("{port} : {}", dice.pick(&["accept", "drop", "continue", "goto leaf"])))
        .collect();
    for leaf in ["leaf", "branch"] {
        text.push_str(&format!(" chain {leaf} {{\n"));
        let targets: &[&str] = if leaf == "leaf" { &[] } else { &["leaf"] };
        for _ in 0..dice.below(4) {
            text.push_str(&format!("  {}\n", nft_rule(dice, family, targets)));
        }
        text.push_str(" }\n");
    }
    text.push_str(&format!(
        " map verdicts {{\n type inet_service : verdict\n elements = {{ {} }}\n }}\n",
        verdicts.join(", ")
    ));
    let hooks: &[(&str, &[&str])] = &[
        ("input", &["0", "-10", "10"]),
        ("prerouting", &["-300", "-150", "0"]),
        ("output", &["0", "-150"]),
        ("postrouting", &["0"]),
    ];
    for (index, (hook, priorities)) in hooks.iter().enumerate() {
        if index > 0 && !dice.one_in(3) {
            continue;
        }
        let priority = dice.pick(priorities);
        // Chains that keep out everything everywhere would hide all others.
        let policy = if index == 0 && dice.one_in(2) { "drop" } else { "accept" };
        text.push_str(&format!(
            " chain {hook}{index} {{\n  type filter hook {hook} priority {priority}; policy {policy};\n"
        ));
        for _ in 0..1 + dice.below(7) {
            text.push_str(&format!("  {}\n", nft_rule(dice, family, &["leaf", "branch"])));
        }
        if *hook == "prerouting" && priority == "-300" && dice.one_in(2) {
            text.push_str(&format!("  udp dport {} notrack\n", port_range(dice, '-')));
        }
        text.push_str(" }\n");
    }
    if dice.one_in(3) {
        // Whatever their priority, chains of NAT are called at one place.
        let priority = dice.pick(&["-100", "-100", "-160", "50"]);
        text.push_str(&format!(" chain nat {{\n  type nat hook prerouting priority {priority}\n"));
        for _ in 0..1 + dice.below(3) {
            text.push_str(&format!("  {}\n", nft_translation(dice, family)));
        }
        text.push_str(" }\n");
    }
    text.push_str("}\n");
    text
}

/// Ports that nothing is sent to: only NAT leads there.
const TARGETS: [u16; 3] = [7, 2222, 50_000];

fn nft_translation(dice: &mut Dice, family: &str) -> String {
    let v4 = match family {
        "ip" => true,
        "ip6" => false,
        _ => dice.one_in(2),
    };
    let subject = Subject { v4, inet: family == "inet", protocol: dice.pick(&["tcp", "udp"]) };
    let protocol = subject.protocol;
    let words = dice.some(2, &mut |dice| nft_match(dice, &subject), " ");
    let words = format!("meta l4proto {protocol} {words}");
    let port = TARGETS[dice.below(TARGETS.len())];
    let to = if family == "inet" { if v4 { "ip to" } else { "ip6 to" } } else { "to" };
    let address = if v4 { "10.9.0.1" } else { "[fd09::1]" };
    match dice.below(8) {
        0 => format!("{words} accept"),
        1 => format!("{words} redirect"),
        2..=4 => format!("{words} dnat {to} {address}:{port}"),
        _ => format!("{words} redirect to :{port}"),
    }
}

/// What a rule is about: nft refuses rules that contradict themselves.
struct Subject<'a> {
    v4: bool,
    inet: bool,
    protocol: &'a str,
}

fn nft_rule(dice: &mut Dice, family: &str, targets: &[&str]) -> String {
    let v4 = match family {
        "ip" => true,
        "ip6" => false,
        _ => dice.one_in(2),
    };
    let subject = Subject {
        v4,
        inet: family == "inet",
        protocol: dice.pick(&["tcp", "tcp", "tcp", "udp", "udp", "th"]),
    };
    let mut words = dice.some(3, &mut |dice| nft_match(dice, &subject), " ");
    if subject.protocol == "th" {
        words.insert_str(0, "meta l4proto { tcp, udp } ");
    }
    if dice.one_in(6) {
        words.push_str(" counter");
    }
    if dice.one_in(12) {
        words.push_str(" meta mark set 0x1");
    }
    let mut verdicts = vec!["accept", "accept", "drop", "drop", "return", "continue", ""];
    if dice.one_in(100) {
        // What the model cannot follow.
        return format!("{words} limit rate 1000/second accept");
    }
    if dice.one_in(9) {
        let port = port(dice);
        let map = format!("{{ {port} : accept, 5000-5010 : drop }}");
        let protocol = subject.protocol;
        let side = dice.pick(&["dport", "sport"]);
        return match dice.below(3) {
            0 => format!("{words} {protocol} {side} vmap @verdicts"),
            1 if v4 => format!(
                "{words} ip saddr . {protocol} {side} vmap {{ 192.0.2.7 . {port} : drop, 10.9.0.2 . {port} : accept }}"
            ),
            _ => format!("{words} {protocol} {side} vmap {map}"),
        };
    }
    let jumps: Vec<String> =
        targets.iter().flat_map(|to| [format!("jump {to}"), format!("goto {to}")]).collect();
    verdicts.extend(jumps.iter().map(String::as_str));
    format!("{words} {}", dice.pick(&verdicts))
}

fn nft_match(dice: &mut Dice, subject: &Subject) -> String {
    let Subject { v4, inet, protocol } = *subject;
    let side = dice.pick(&["dport", "dport", "dport", "sport"]);
    let not = dice.pick(&["", "", "!= "]);
    let tcp = protocol == "tcp";
    match dice.below(26) {
        0..=3 => format!("{protocol} {side} {not}{}", port(dice)),
        4..=7 => format!("{protocol} {side} {not}{}", port_range(dice, '-')),
        8 | 9 => format!("{protocol} {side} {not}{{ {} }}", apart(dice).join(", ")),
        10 => {
            let operator = dice.pick(&["<", ">", "<=", ">="]);
            format!("{protocol} {side} {operator} {}", 1 + dice.below(65534))
        }
        11 => format!("{protocol} {side} {not}@ports"),
        12 if tcp => "tcp sport . tcp dport { 20 . 1024-65535, 21 . 80, 1-19 . 20000 }".to_owned(),
        13 if v4 => format!("ip saddr . {protocol} dport {not}@pairs"),
        14 if v4 => format!("ip saddr {not}@hosts"),
        13 | 14 => format!("ip6 saddr {{ fd77::/16, fd09::2 }} {protocol} {side} {}", port(dice)),
        15..=17 if v4 => format!("ip saddr {not}{}", V4[dice.below(V4.len())]),
        15..=17 => format!("ip6 saddr {not}{}", V6[dice.below(V6.len())]),
        18 if protocol != "th" => format!("meta l4proto {protocol}"),
        19 => format!(
            "ct state {}",
            dice.pick(&[
                "new",
                "established",
                "invalid",
                "!= new",
                "new,established",
                "{ new, untracked }",
                "related",
                "untracked",
            ])
        ),
        20 => format!("meta mark {not}0x1"),
        21 => "iifname \"lan*\"".to_owned(),
        22 if tcp => format!(
            "tcp flags {}",
            dice.pick(&["syn", "& (syn|ack) == syn", "& (fin|syn|rst|ack) != syn", "ack"])
        ),
        23 => dice
            .pick(&["fib daddr type local", "meta pkttype host", "ct direction original"])
            .to_owned(),
        24 if v4 && inet => "meta nfproto ipv4".to_owned(),
        25 if v4 => format!(
            "ip saddr . {protocol} sport {{ 192.0.2.7 . {}, 10.9.0.2 . 1-1023 }}",
            1024 + dice.below(60000)
        ),
        _ => format!("{protocol} dport {}", port_range(dice, '-')),
    }
}

/// Tables for `iptables-restore`, or `ip6tables-restore`.
pub(crate) fn iptables(dice: &mut Dice, v4: bool) -> String {
    let mut text = String::new();
    for table in ["raw", "mangle", "nat", "filter"] {
        if table != "filter" && !dice.one_in(3) {
            continue;
        }
        text.push_str(&format!("*{table}\n"));
        let chains: &[&str] = match table {
            "raw" => &["PREROUTING", "OUTPUT"],
            "mangle" => &["PREROUTING", "INPUT"],
            "nat" => &["PREROUTING"],
            _ => &["INPUT", "OUTPUT"],
        };
        for chain in chains {
            let policy = if *chain == "INPUT" && dice.one_in(2) { "DROP" } else { "ACCEPT" };
            text.push_str(&format!(":{chain} {policy} [0:0]\n"));
        }
        text.push_str(":leaf - [0:0]\n:branch - [0:0]\n");
        for chain in ["leaf", "branch"].iter().chain(chains) {
            let rules = if *chain == "OUTPUT" { 2 } else { 6 };
            for _ in 0..dice.below(rules) {
                let targets: &[&str] = match *chain {
                    "leaf" => &[],
                    "branch" => &["leaf"],
                    _ => &["leaf", "branch"],
                };
                text.push_str(&format!(
                    "-A {chain} {}\n",
                    iptables_rule(dice, v4, table, chain, targets)
                ));
            }
        }
        text.push_str("COMMIT\n");
    }
    text
}

fn iptables_rule(dice: &mut Dice, v4: bool, table: &str, chain: &str, targets: &[&str]) -> String {
    let mut words = Vec::new();
    let not = dice.pick(&["", "", "! "]);
    let protocol = dice.pick(&["tcp", "tcp", "udp"]);
    words.push(match dice.below(10) {
        0..=3 => format!("-p {protocol} {not}--dport {}", port_range(dice, ':')),
        4 => format!("-p {protocol} {not}--sport {}", port_range(dice, ':')),
        5 | 6 => {
            let ports = apart(dice).join(",").replace('-', ":");
            let side = dice.pick(&["dports", "sports", "ports"]);
            format!("-p {protocol} -m multiport {not}--{side} {ports}")
        }
        7 => "-p tcp --syn".to_owned(),
        8 => format!("-p tcp -m tcp {not}--tcp-flags SYN,ACK,FIN SYN"),
        _ => format!("{not}-p {protocol}"),
    });
    if dice.one_in(3) {
        let plain = V4[dice.below(4)];
        words.push(match dice.below(8) {
            0 => {
                let states = dice.pick(&["NEW", "ESTABLISHED,RELATED", "INVALID", "NEW,UNTRACKED"]);
                format!("-m conntrack {not}--ctstate {states}")
            }
            1 => "-m state --state NEW".to_owned(),
            // Not for chains that packets from here come to.
            2 if chain == "INPUT" || chain == "PREROUTING" => "-i lan+".to_owned(),
            3 => format!("-m mark {not}--mark 0x1"),
            4 if v4 => format!("-m iprange {not}--src-range 192.0.2.1-192.0.2.9"),
            5 => "-m addrtype --dst-type LOCAL".to_owned(),
            _ if v4 => format!("{not}-s {plain}"),
            _ => format!("{not}-s {}", V6[dice.below(3)]),
        });
    }
    let port = TARGETS[dice.below(TARGETS.len())];
    let redirect = format!("REDIRECT --to-ports {port}");
    let address = if v4 { "10.9.0.1" } else { "[fd09::1]" };
    let dnat = format!("DNAT --to-destination {address}:{port}");
    let mut verdicts = vec!["ACCEPT", "ACCEPT", "DROP", "DROP", "RETURN"];
    if table == "nat" {
        // It is no place to drop packets; other protocols than these have no ports.
        verdicts = vec!["ACCEPT", "RETURN"];
        let has_port = words.iter().any(|word| word.starts_with("-p "));
        if has_port && chain == "PREROUTING" {
            verdicts = vec!["ACCEPT", "RETURN", &redirect, &redirect, &dnat, &dnat];
        }
    }
    verdicts.extend(targets);
    match table {
        "mangle" => verdicts.push("MARK --set-mark 1"),
        "raw" => verdicts.push("CT --notrack"),
        "nat" => {}
        _ => verdicts.push("LOG"),
    }
    let verdict = dice.pick(&verdicts);
    let how = if targets.contains(&verdict) && dice.one_in(2) { "-g" } else { "-j" };
    // Connection states are not known to a table before connection tracking.
    format!("{} {how} {verdict}", words.join(" "))
}
