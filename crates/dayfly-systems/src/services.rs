//! Registered services whose ports lie inside a range.
//!
//! A listener inside the range loses its port when a connection was handed it first. Which ports are
//! registered is in `data/registered-ports.txt`: the ports from 1024 on of the registry "Service Name
//! and Transport Protocol Port Number" of IANA, as Wireshark 4.0.17 of August 2024 has it. Names have
//! only services that hosts of today listen for; some of them never registered their port.

use dayfly_ports::{Port, PortRange, PortSet};

use crate::remark::Remark;

const SERVICES: [(u16, &str); 32] = [
    (1433, "ms-sql-s"),
    (1521, "oracle"),
    (1812, "radius"),
    (1883, "mqtt"),
    (2049, "nfs"),
    (2379, "etcd-client"),
    (3128, "squid"),
    (3260, "iscsi-target"),
    (3306, "mysql"),
    (3389, "ms-wbt-server"),
    (4369, "epmd"),
    (5060, "sip"),
    (5353, "mdns"),
    (5432, "postgresql"),
    (5672, "amqp"),
    (5900, "rfb"),
    (5985, "wsman"),
    (6000, "x11"),
    (6379, "redis"),
    (6443, "sun-sr-https (Kubernetes)"),
    (8080, "http-alt"),
    (8443, "pcsync-https"),
    (9042, "cassandra"),
    (9092, "kafka"),
    (9100, "hp-pdl-datastr"),
    (9200, "wap-wsp (Elasticsearch)"),
    (10050, "zabbix-agent"),
    (10250, "kubelet"),
    (11211, "memcache"),
    (26257, "cockroach"),
    (27017, "mongodb"),
    (33060, "mysqlx"),
];

const REGISTERED: &str = include_str!("../data/registered-ports.txt");

/// Every port from 1024 on that is registered, or that a service above has without.
fn known() -> PortSet {
    let list: String = REGISTERED.split_whitespace().collect();
    // The list is checked by a test.
    let mut ports = list.parse().unwrap_or(PortSet::EMPTY);
    ports.extend(SERVICES.map(|(port, _)| Port::new(port)));
    ports
}

/// A warning when services are registered inside the range. What helps depends on whether single
/// ports can be reserved.
pub(crate) fn inside(range: PortRange, reservable: bool) -> Option<Remark> {
    let count = known().intersection_len(&PortSet::from(range));
    let named: Vec<String> = SERVICES
        .iter()
        .filter(|(port, _)| range.contains(Port::new(*port)))
        .map(|(port, name)| format!("{port} {name}"))
        .take(4)
        .collect();
    if count == 0 {
        return None;
    }
    let among = match named[..] {
        [] => String::new(),
        _ if named.len() == count as usize => format!(": {}", named.join(", ")),
        _ => format!(", among them {}", named.join(", ")),
    };
    let ports = match count {
        1 => "1 port of the range is a service's".to_owned(),
        _ => format!("{count} ports of the range are services' (IANA's registry)"),
    };
    let remedy = if reservable {
        "reserve those that this host listens on, or begin at 49152"
    } else {
        "begin at 49152, or start them before programs that connect"
    };
    Some(Remark::warning(format!(
        "{ports}{among}. One that starts late finds its port taken by a connection; {remedy}."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_lies_inside() {
        let text = |range: &str| inside(range.parse().unwrap(), true).map(|remark| remark.text);
        assert_eq!(text("49152-65535"), None);
        let some = text("10000-65535").unwrap();
        assert!(some.starts_with("609 ports of the range are services' (IANA's registry), "));
        assert!(some.contains("among them 10050 zabbix-agent, "));
        let one = text("33060").unwrap();
        assert!(one.starts_with("1 port of the range is a service's: 33060 mysqlx. "));
        assert!(!text("35000").unwrap().contains("among"));
    }

    #[test]
    fn the_tables_are_whole() {
        assert_eq!(known().len(), 5457);
        assert!(SERVICES.is_sorted());
    }
}
