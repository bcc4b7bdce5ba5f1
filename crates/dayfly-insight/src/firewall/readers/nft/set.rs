//! Sets and maps, and the values in them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use dayfly_ports::PortRange;
use serde_json::Value;

use super::{Table, table_of, text_of};
use crate::firewall::model::AddressSet;

/// Every named set and map.
#[derive(Default)]
pub(super) struct Sets {
    elements: HashMap<(Table, String), Vec<Value>>,
    /// Big sets of addresses are used by many rules: they are read once.
    addresses: Mutex<HashMap<(Table, String), Arc<AddressSet>>>,
}

impl Sets {
    pub(super) fn add(&mut self, object: &Value) {
        let elements = object.get("elem").and_then(Value::as_array).cloned().unwrap_or_default();
        let key = (table_of(object), text_of(object, "name").to_owned());
        self.elements.insert(key, elements);
    }

    /// The elements of the set that `right` is or names; none if there is no such set.
    pub(super) fn elements<'a>(
        &'a self,
        table: &Table,
        right: &'a Value,
    ) -> Option<Vec<&'a Value>> {
        if let Some(name) = right.as_str().and_then(|text| text.strip_prefix('@')) {
            let elements = self.elements.get(&(table.clone(), name.to_owned()))?;
            return Some(elements.iter().map(unwrapped).collect());
        }
        match right.get("set") {
            Some(Value::Array(elements)) => Some(elements.iter().map(unwrapped).collect()),
            Some(one) => Some(vec![unwrapped(one)]),
            None => Some(scalars(right)),
        }
    }

    /// The addresses of the set that `right` is or names; none if one of them is not an address.
    pub(super) fn addresses(&self, table: &Table, right: &Value) -> Option<Arc<AddressSet>> {
        let name = right.as_str().and_then(|text| text.strip_prefix('@'));
        let key = name.map(|name| (table.clone(), name.to_owned()));
        let mut known = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(set) = key.as_ref().and_then(|key| known.get(key)) {
            return Some(Arc::clone(set));
        }
        let spans: Option<Vec<_>> =
            self.elements(table, right)?.into_iter().map(address_span).collect();
        let set = Arc::new(AddressSet::new(spans?));
        if let Some(key) = key {
            known.insert(key, Arc::clone(&set));
        }
        Some(set)
    }
}

/// A value without the wrapper that carries its counter, time-out or comment.
pub(super) fn unwrapped(value: &Value) -> &Value {
    value.get("elem").and_then(|elem| elem.get("val")).unwrap_or(value)
}

/// The alternatives of a value: those of a list or of an `|`, else itself.
pub(super) fn scalars(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().flat_map(scalars).collect(),
        Value::Object(object) => match object.get("|") {
            Some(values) => scalars(values),
            None => vec![value],
        },
        value => vec![value],
    }
}

/// The ports of a value.
pub(super) fn port_range(value: &Value) -> Option<PortRange> {
    if let Some(ends) = value.get("range").and_then(Value::as_array) {
        let [low, high] = ends.as_slice() else { return None };
        return PortRange::new(port(low)?, port(high)?).ok();
    }
    if let Some(prefix) = value.get("prefix") {
        let address = port(prefix.get("addr")?)?;
        let host = u16::MAX.checked_shr(u32::try_from(prefix.get("len")?.as_u64()?).ok()?);
        let host = host.unwrap_or(0);
        return PortRange::new(address & !host, address | host).ok();
    }
    let port = port(value)?;
    PortRange::new(port, port).ok()
}

fn port(value: &Value) -> Option<u16> {
    match value {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn address_span(value: &Value) -> Option<(IpAddr, IpAddr)> {
    if let Some(ends) = value.get("range").and_then(Value::as_array) {
        let [low, high] = ends.as_slice() else { return None };
        return Some((low.as_str()?.parse().ok()?, high.as_str()?.parse().ok()?));
    }
    if let Some(prefix) = value.get("prefix") {
        let address = prefix.get("addr")?.as_str()?.parse().ok()?;
        return AddressSet::prefix(address, prefix.get("len")?.as_u64()?.try_into().ok()?);
    }
    AddressSet::span_of_text(value.as_str()?)
}

/// An unsigned number, also as a text in hexadecimal.
pub(super) fn number(value: &Value) -> Option<u32> {
    match value {
        Value::Number(number) => number.as_u64()?.try_into().ok(),
        Value::String(text) => match text.strip_prefix("0x") {
            Some(digits) => u32::from_str_radix(digits, 16).ok(),
            None => text.parse().ok(),
        },
        _ => None,
    }
}
