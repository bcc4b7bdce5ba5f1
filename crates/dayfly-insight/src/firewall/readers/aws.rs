//! AWS: what `aws ec2 describe-network-acls` and `describe-security-groups` print.
//!
//! An ACL has numbered entries, the lowest that matches decides, and answers need an entry of their
//! own. A security group only permits, and answers pass. Where both are given both have to permit.

use dayfly_ports::PortRange;
use serde_json::Value;

use super::ReadError;
use super::simple::{Simple, addresses, family_of};
use crate::firewall::model::{
    Condition, Dialect, Rule, Ruleset, Spans, Test, Verdict, protocol_number,
};

/// Reads ACLs, security groups, or a document with both.
///
/// # Errors
/// [`ReadError`] when there is neither.
pub fn read(document: &Value) -> Result<Ruleset, ReadError> {
    let list = |key: &str| document.get(key).and_then(Value::as_array);
    let mut ruleset = Ruleset::default();
    if let Some(acls) = list("NetworkAcls") {
        for (index, acl) in acls.iter().enumerate() {
            if index == 0 {
                ruleset.merge(network_acl(acl).into_ruleset());
            } else {
                let name = acl.get("NetworkAclId").and_then(Value::as_str).unwrap_or("another ACL");
                ruleset.remarks.push(format!(
                    "{name} was left out: a subnet has one ACL, and the first of the file was read"
                ));
            }
        }
    }
    if let Some(groups) = list("SecurityGroups") {
        ruleset.merge(security_groups(groups).into_ruleset());
    }
    if ruleset.chains.is_empty() {
        return Err(ReadError::new(
            "this JSON has neither \"NetworkAcls\" nor \"SecurityGroups\": it is not what aws ec2 prints",
        ));
    }
    Ok(ruleset)
}

fn network_acl(acl: &Value) -> Simple {
    let name = acl.get("NetworkAclId").and_then(Value::as_str).unwrap_or("acl");
    let mut simple = Simple::new(Dialect::Aws, name);
    simple.stateful = false;
    simple.accepts_outgoing = false;
    simple.priority = -1;
    let mut entries: Vec<&Value> =
        acl.get("Entries").and_then(Value::as_array).into_iter().flatten().collect();
    let number = |entry: &Value| entry.get("RuleNumber").and_then(Value::as_u64).unwrap_or(0);
    entries.sort_by_key(|entry| number(entry));
    for entry in entries {
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        let mut conditions = protocol(entry.get("Protocol"));
        conditions.extend(port_range(entry.get("PortRange"), "From", "To"));
        let egress = entry.get("Egress").and_then(Value::as_bool).unwrap_or(false);
        if let Some(cidr) = text("CidrBlock").or(text("Ipv6CidrBlock")) {
            conditions.extend(peer(cidr, egress));
        }
        let allows = text("RuleAction") == Some("allow");
        let mut rule = Rule::new(conditions, if allows { Verdict::Accept } else { Verdict::Drop });
        rule.handle = number(entry);
        rule.text = format!("rule {}", number(entry)).into();
        if egress { simple.outgoing.push(rule) } else { simple.incoming.push(rule) }
    }
    simple
}

fn security_groups(groups: &[Value]) -> Simple {
    let mut simple = Simple::new(Dialect::Aws, "security groups");
    simple.accepts_outgoing = false;
    for group in groups {
        let name = group.get("GroupId").and_then(Value::as_str).unwrap_or("group");
        for (key, egress) in [("IpPermissions", false), ("IpPermissionsEgress", true)] {
            for permission in group.get(key).and_then(Value::as_array).into_iter().flatten() {
                let rules = permissions(permission, egress, name);
                if egress { simple.outgoing.extend(rules) } else { simple.incoming.extend(rules) }
            }
        }
    }
    simple
}

/// One rule for each peer that a permission names.
fn permissions(permission: &Value, egress: bool, name: &str) -> Vec<Rule> {
    let mut common = protocol(permission.get("IpProtocol"));
    common.extend(port_range(Some(permission), "FromPort", "ToPort"));
    let items = |list: &str, key: &str| -> Vec<String> {
        let list = permission.get(list).and_then(Value::as_array).into_iter().flatten();
        list.filter_map(|item| item.get(key)?.as_str().map(str::to_owned)).collect()
    };
    let mut rules = Vec::new();
    let mut add = |more: Vec<Condition>, who: &str| {
        let mut conditions = common.clone();
        conditions.extend(more);
        let mut rule = Rule::new(conditions, Verdict::Accept);
        rule.text = format!("{name}, {who}").into();
        rules.push(rule);
    };
    for cidr in items("IpRanges", "CidrIp").iter().chain(&items("Ipv6Ranges", "CidrIpv6")) {
        add(peer(cidr, egress), cidr);
    }
    for (list, key, what) in [
        ("UserIdGroupPairs", "GroupId", "members of"),
        ("PrefixListIds", "PrefixListId", "addresses of"),
    ] {
        for id in items(list, key) {
            let who = format!("{what} {id}");
            add(vec![Condition::depends(who.as_str())], &who);
        }
    }
    rules
}

fn protocol(value: Option<&Value>) -> Vec<Condition> {
    let name = match value {
        Some(Value::String(name)) => name.clone(),
        Some(number) => number.to_string(),
        None => return Vec::new(),
    };
    match protocol_number(&name) {
        _ if name == "-1" || name == "all" => Vec::new(),
        Some(number) => vec![Condition::protocols(&[number])],
        None => vec![Condition::opaque(format!("protocol {name}"))],
    }
}

/// -1 is for everything, and ICMP has types where others have ports.
fn port_range(value: Option<&Value>, from: &str, to: &str) -> Option<Condition> {
    let end = |key: &str| u16::try_from(value?.get(key)?.as_i64()?).ok();
    let range = PortRange::new(end(from)?, end(to)?).ok()?;
    Some(Condition::Is(Test::DestinationPort(Spans::from(range))))
}

fn peer(cidr: &str, egress: bool) -> Vec<Condition> {
    let (Some(set), Some(family)) = (addresses([cidr]), family_of(cidr)) else {
        return vec![Condition::opaque(format!("address {cidr}"))];
    };
    let test = if egress { Test::Destination(set) } else { Test::Source(set) };
    vec![Condition::Is(Test::Family(family)), Condition::Is(test)]
}
