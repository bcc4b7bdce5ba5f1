//! Registered services whose ports lie inside a range.
//!
//! A listener inside the range loses its port when a connection was handed it first. The names are
//! those of the IANA service name registry; only services that hosts of today listen for are here.

use dayfly_ports::{Port, PortRange};

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

/// A warning when services are registered inside the range. What helps depends on whether single
/// ports can be reserved.
pub(crate) fn inside(range: PortRange, reservable: bool) -> Option<Remark> {
    let found: Vec<String> = SERVICES
        .iter()
        .filter(|(port, _)| range.contains(Port::new(*port)))
        .map(|(port, name)| format!("{port} {name}"))
        .collect();
    let (first, rest) = found.split_at(found.len().min(4));
    if first.is_empty() {
        return None;
    }
    let more = if rest.is_empty() { "" } else { " and others" };
    let remedy = if reservable {
        "reserve those that this host listens on, or begin at 49152"
    } else {
        "begin at 49152, or start them before programs that connect"
    };
    Some(Remark::warning(format!(
        "Registered services lie inside the range: {}{more}. One that starts late finds its port \
         taken by a connection; {remedy}.",
        first.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_what_lies_inside() {
        let text = |range: &str| inside(range.parse().unwrap(), true).map(|remark| remark.text);
        assert_eq!(text("49152-65535"), None);
        assert!(text("10000-65535").unwrap().contains("10050 zabbix-agent"));
        assert!(text("33060").unwrap().contains("33060 mysqlx. "));
        assert!(SERVICES.is_sorted());
    }
}
