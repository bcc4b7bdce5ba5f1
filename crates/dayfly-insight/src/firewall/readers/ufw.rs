//! ufw: its own files `user.rules` and `user6.rules` (ufw-framework(8)), which are iptables' with
//! only the chains that a person's rules go to.
//!
//! Around them stands what ufw comes with: open connections pass, what no rule is about is kept out
//! and let out (`DEFAULT_INPUT_POLICY` of `/etc/default/ufw` is DROP).

use super::ReadError;
use super::iptables;
use super::simple::open_connections;
use crate::firewall::model::{Base, Chain, Dialect, Family, Hook, Rule, Ruleset, Verdict};

/// Reads a file of rules.
///
/// # Errors
/// [`ReadError`] when it is none of ufw's.
pub(super) fn read(text: &str) -> Result<Ruleset, ReadError> {
    let family = if text.contains(":ufw6-user-input") { Family::Ipv6 } else { Family::Ipv4 };
    let mut ruleset = iptables::read(text, family)?;
    let chain = |side: &str| {
        let suffix = format!("-user-{side}");
        let named = |chain: &Chain| chain.name.ends_with(&suffix);
        ruleset.chains.iter().position(named)
    };
    let (Some(input), Some(output)) = (chain("input"), chain("output")) else {
        return Err(ReadError::new("there is no chain ufw-user-input: it is not ufw's"));
    };
    for chain in &mut ruleset.chains {
        chain.dialect = Dialect::Ufw;
    }
    if !ruleset.chains.iter().any(|chain| chain.base.is_some()) {
        for (hook, target, accepts) in [(Hook::Input, input, false), (Hook::Output, output, true)] {
            let side = if hook == Hook::Input { "in" } else { "out" };
            ruleset.chains.push(Chain {
                name: format!("ufw default {side}"),
                dialect: Dialect::Ufw,
                family: Some(family),
                base: Some(Base { hook, priority: 0, first_packet_only: false, accepts }),
                rules: vec![open_connections(), Rule::always(Verdict::Jump(target))],
            });
        }
    }
    Ok(ruleset)
}
