//! What a rule of iptables does.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::firewall::model::{Effect, Rule, Target, Verdict};

/// Targets that decide nothing about a packet.
const HARMLESS: [&str; 20] = [
    "LOG",
    "NFLOG",
    "ULOG",
    "TCPMSS",
    "CLASSIFY",
    "DSCP",
    "TOS",
    "AUDIT",
    "CHECKSUM",
    "TRACE",
    "SECMARK",
    "CONNSECMARK",
    "TTL",
    "HL",
    "LED",
    "IDLETIMER",
    "TCPOPTSTRIP",
    "RATEEST",
    "SET",
    "CONNMARK",
];

/// Gives a rule its target.
pub(super) fn apply(
    target: &str,
    options: &[String],
    jumps: bool,
    chains: &HashMap<String, usize>,
    rule: &mut Rule,
) {
    if let Some(&chain) = chains.get(target) {
        rule.verdict = if jumps { Verdict::Jump(chain) } else { Verdict::Goto(chain) };
        return;
    }
    let value = |name: &str| {
        let at = options.iter().position(|word| word == name)?;
        options.get(at + 1).map(String::as_str)
    };
    match target {
        "ACCEPT" => rule.verdict = Verdict::Accept,
        "DROP" | "REJECT" => rule.verdict = Verdict::Drop,
        "RETURN" => rule.verdict = Verdict::Return,
        // What leaves under another address has passed this chain.
        "SNAT" | "MASQUERADE" | "NETMAP" => rule.verdict = Verdict::Accept,
        "REDIRECT" | "DNAT" => {
            let to = value(if target == "DNAT" { "--to-destination" } else { "--to-ports" });
            rule.verdict = match target_of(target, to) {
                Some(target) => Verdict::Translate(target),
                None => Verdict::Opaque(format!("-j {target}").into()),
            }
        }
        "NOTRACK" => rule.effects.push(Effect::Untracked),
        "CT" => {
            if options.iter().any(|word| word == "--notrack") {
                rule.effects.push(Effect::Untracked);
            }
            if let Some(helper) = value("--helper") {
                rule.effects.push(Effect::Helper(helper.into()));
            }
        }
        "MARK" => rule.effects.push(Effect::Mark(value("--set-xmark").and_then(whole_mark))),
        "CONNMARK" if options.iter().any(|word| word == "--restore-mark") => {
            rule.effects.push(Effect::Mark(None));
        }
        name if HARMLESS.contains(&name) => {}
        name => rule.verdict = Verdict::Opaque(format!("-j {name}").into()),
    }
}

/// `8080`, `10.0.0.1`, `10.0.0.1:8080`, `[2001:db8::1]:8080`; none where it is one of several
/// places.
fn target_of(name: &str, to: Option<&str>) -> Option<Target> {
    match (name, to) {
        ("REDIRECT", None) => Some(Target { address: None, port: None }),
        ("REDIRECT", Some(port)) => Some(Target { address: None, port: Some(port.parse().ok()?) }),
        (_, Some(to)) => {
            if let Ok(place) = to.parse::<SocketAddr>() {
                return Some(Target { address: Some(place.ip()), port: Some(place.port()) });
            }
            let address = to.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
            Some(Target { address: Some(address), port: None })
        }
        (_, None) => None,
    }
}

/// `0x1/0xffffffff`: a mark that replaces the old one altogether.
fn whole_mark(text: &str) -> Option<u32> {
    let (value, mask) = text.split_once('/')?;
    let number = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    (number(mask)? == u32::MAX).then(|| number(value))?
}
