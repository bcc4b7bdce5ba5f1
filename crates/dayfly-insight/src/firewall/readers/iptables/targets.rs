//! What a rule of iptables does.

use std::collections::HashMap;

use crate::firewall::model::{Effect, Rule, Verdict};

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

/// `0x1/0xffffffff`: a mark that replaces the old one altogether.
fn whole_mark(text: &str) -> Option<u32> {
    let (value, mask) = text.split_once('/')?;
    let number = |text: &str| u32::from_str_radix(text.strip_prefix("0x")?, 16).ok();
    (number(mask)? == u32::MAX).then(|| number(value))?
}
