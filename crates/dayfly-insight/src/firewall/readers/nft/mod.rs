//! nftables: what `nft -j list ruleset` prints (libnftables-json(5), schema version 1).
//!
//! Rules of iptables' nftables variant are in it as well, with its own matches closed
//! (`{"xt": {"name": "multiport"}}`, without the ports): those are opaque here, and
//! [`Listed::compat`] tells so that the caller asks `iptables-save` instead.

mod field;
mod rule;
mod set;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;
use serde_json::value::RawValue;

use self::set::Sets;
use super::ReadError;
use crate::firewall::model::{
    Base, Chain, Condition, Dialect, Family, Hook, Names, Rule, Ruleset, Test, Verdict,
};

/// A ruleset and the tables in it that iptables wrote.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    /// All of it.
    pub ruleset: Ruleset,
    /// Whether there are rules that only `iptables-save` or `ip6tables-save` can tell.
    pub compat: Vec<Family>,
}

/// Reads a ruleset.
///
/// # Errors
/// [`ReadError`] when the text is not JSON or not nft's.
pub fn read(text: &str) -> Result<Ruleset, ReadError> {
    Ok(listed(text, &[])?.ruleset)
}

/// Reads a ruleset, but for the tables of iptables of these families, which are left to
/// [`iptables`](super::iptables).
///
/// # Errors
/// [`ReadError`] when the text is not JSON or not nft's.
pub fn listed(text: &str, without_compat: &[Family]) -> Result<Listed, ReadError> {
    let mut reader = Reader::default();
    let mut compat: Vec<Family> = Vec::new();
    let left_out = |object: &Value| {
        let family = family_of(text_of(object, "family")).flatten();
        family.is_some_and(|family| without_compat.contains(&family))
            && TABLES.contains(&text_of(object, "table"))
    };
    // Rules name chains and sets wherever those are listed, so they come last. There may be very
    // many of them: one at a time is taken apart.
    let mut rules = Vec::new();
    for raw in objects(text)? {
        if raw.get().starts_with("{\"rule\"") {
            rules.push(raw);
            continue;
        }
        let object: Value = serde_json::from_str(raw.get()).map_err(not_json)?;
        if object.get("rule").is_some() {
            rules.push(raw);
        }
        let Some((kind, object)) = object.as_object().and_then(|object| object.iter().next())
        else {
            continue;
        };
        match kind.as_str() {
            "table" => reader.table(object),
            "chain" if !left_out(object) => reader.chain(object),
            "set" | "map" => reader.sets.add(object),
            "ct helper" => reader.helper(object),
            _ => {}
        }
    }
    for raw in rules {
        let object: Value = serde_json::from_str(raw.get()).map_err(not_json)?;
        let Some(rule) = object.get("rule") else { continue };
        compat.extend(is_compat(rule).filter(|family| !compat.contains(family)));
        if !left_out(rule) {
            reader.rule(rule);
        }
    }
    Ok(Listed { ruleset: reader.finish(), compat })
}

/// The objects of a listing, each as it is written.
fn objects(text: &str) -> Result<Vec<&RawValue>, ReadError> {
    let foreign = || ReadError::new("this JSON has no \"nftables\": it is not what nft prints");
    let document: &RawValue = serde_json::from_str(text).map_err(not_json)?;
    let members: BTreeMap<String, &RawValue> =
        serde_json::from_str(document.get()).map_err(|_| foreign())?;
    let listed = members.get("nftables").ok_or_else(foreign)?;
    serde_json::from_str(listed.get()).map_err(|_| foreign())
}

fn not_json(error: serde_json::Error) -> ReadError {
    ReadError::new(format_args!("this is not JSON: {error}"))
}

/// The tables that iptables writes to.
const TABLES: [&str; 5] = ["filter", "nat", "mangle", "raw", "security"];

/// The family of the `iptables-save` that can tell this rule, if it has closed parts.
fn is_compat(rule: &Value) -> Option<Family> {
    let closed = |statement: &Value| statement.get("xt").is_some();
    let expressions = rule.get("expr").and_then(Value::as_array)?;
    if !TABLES.contains(&text_of(rule, "table")) || !expressions.iter().any(closed) {
        return None;
    }
    family_of(text_of(rule, "family")).flatten()
}

/// The family of a table; the inner none for both, the outer for tables that no IP packet of this
/// host passes.
fn family_of(name: &str) -> Option<Option<Family>> {
    match name {
        "ip" => Some(Some(Family::Ipv4)),
        "ip6" => Some(Some(Family::Ipv6)),
        "inet" | "netdev" => Some(None),
        _ => None,
    }
}

fn text_of<'a>(object: &'a Value, key: &str) -> &'a str {
    object.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// Family and table: where names of chains and sets belong.
type Table = (String, String);

fn table_of(object: &Value) -> Table {
    (text_of(object, "family").to_owned(), text_of(object, "table").to_owned())
}

#[derive(Default)]
struct Reader {
    chains: Vec<Chain>,
    by_name: HashMap<(Table, String), usize>,
    sets: Sets,
    /// The type (`ftp`) of each named helper.
    helpers: HashMap<(Table, String), Box<str>>,
    dormant: Vec<Table>,
}

impl Reader {
    fn table(&mut self, object: &Value) {
        let flags = object.get("flags").map(Value::to_string).unwrap_or_default();
        if flags.contains("dormant") {
            self.dormant
                .push((text_of(object, "family").to_owned(), text_of(object, "name").to_owned()));
        }
    }

    fn helper(&mut self, object: &Value) {
        let name = text_of(object, "name").to_owned();
        self.helpers.insert((table_of(object), name), text_of(object, "type").into());
    }

    fn chain(&mut self, object: &Value) {
        let table = table_of(object);
        let Some(family) = family_of(&table.0) else { return };
        let name = text_of(object, "name");
        let base = Hook::of_name(text_of(object, "hook"))
            .filter(|_| !self.dormant.contains(&table))
            .map(|hook| Base {
                hook,
                priority: priority(object.get("prio")),
                first_packet_only: text_of(object, "type") == "nat",
                accepts: text_of(object, "policy") != "drop",
            });
        let mut rules = Vec::new();
        if let Some(base) = base
            && let Some(devices) = object.get("dev")
        {
            // Other devices' packets do not come here.
            let names = Names::new(set::scalars(devices).iter().filter_map(|name| name.as_str()));
            let test = match base.hook {
                Hook::Egress => Test::Output(names),
                _ => Test::Input(names),
            };
            rules.push(Rule::new(vec![Condition::Not(test)], Verdict::Accept));
        }
        let full_name = format!("{} {} {name}", table.0, table.1);
        let chain = Chain { name: full_name, dialect: Dialect::Nft, family, base, rules };
        self.by_name.insert((table, name.to_owned()), self.chains.len());
        self.chains.push(chain);
    }

    fn rule(&mut self, object: &Value) {
        let table = table_of(object);
        let key = (table, text_of(object, "chain").to_owned());
        let Some(&index) = self.by_name.get(&key) else { return };
        let context = rule::Context {
            table: &key.0,
            chains: &self.by_name,
            sets: &self.sets,
            helpers: &self.helpers,
        };
        let handle = object.get("handle").and_then(Value::as_u64).unwrap_or(0);
        let statements = object.get("expr").and_then(Value::as_array);
        let statements = statements.map_or(&[][..], Vec::as_slice);
        let mut rules = context.rules(statements);
        for rule in &mut rules {
            rule.handle = handle;
        }
        self.chains[index].rules.extend(rules);
    }

    fn finish(self) -> Ruleset {
        Ruleset { chains: self.chains, remarks: Vec::new() }
    }
}

/// A priority: a number, or in older output a name with an offset is never printed.
fn priority(value: Option<&Value>) -> i32 {
    let number = value.and_then(Value::as_i64).unwrap_or(0);
    number.clamp(i32::MIN.into(), i32::MAX.into()) as i32
}

/// Groups of tests that share their storage.
type Groups = Arc<[Box<[Test]>]>;
