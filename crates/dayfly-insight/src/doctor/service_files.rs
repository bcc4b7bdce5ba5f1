//! Ports in the files of services: systemd socket units, compose files, Kubernetes manifests.

use dayfly_ports::{Port, PortRange, Protocol};
use yaml_rust2::Yaml;

use super::ConfiguredPort;
use super::yaml::documents;

/// The ports that a `.socket` unit listens on (`systemd.socket(5)`): `ListenStream=` and
/// `ListenDatagram=` with a port, an address and a port, or several of them.
#[must_use]
pub fn socket_unit(file: &str, text: &str) -> Vec<ConfiguredPort> {
    let service = file.rsplit('/').next().unwrap_or(file).to_owned();
    let lines = text.lines().filter_map(|line| line.trim().split_once('='));
    let listens = lines.filter_map(|(key, value)| {
        let protocol = match key.trim() {
            "ListenStream" => Protocol::Tcp,
            "ListenDatagram" => Protocol::Udp,
            _ => return None,
        };
        // A path or an abstract socket is no port.
        let value = value.trim();
        let port = value.rsplit(':').next().filter(|_| !value.starts_with(['/', '@']))?;
        Some((protocol, port.parse::<Port>().ok()?))
    });
    listens
        .filter(|(_, port)| *port != Port::MIN)
        .map(|(protocol, port)| ConfiguredPort {
            protocol,
            ports: PortRange::single(port),
            service: service.clone(),
            file: file.to_owned(),
        })
        .collect()
}

/// The host ports that a compose file publishes: `ports:` of its services, short form
/// (`"8080:80"`, `"127.0.0.1:9000-9010:9000-9010/udp"`) and long form (`published: 8080`).
#[must_use]
pub fn compose(file: &str, text: &str) -> Vec<ConfiguredPort> {
    let mut found = Vec::new();
    for document in documents(text) {
        let Some(services) = document["services"].as_hash() else { continue };
        for (name, service) in services {
            let name = name.as_str().unwrap_or("a service");
            for entry in service["ports"].as_vec().into_iter().flatten() {
                let Some((protocol, ports)) = published(entry) else { continue };
                found.push(ConfiguredPort {
                    protocol,
                    ports,
                    service: name.to_owned(),
                    file: file.to_owned(),
                });
            }
        }
    }
    found
}

/// The host's ports that a Kubernetes manifest takes: `hostPort`, `nodePort`, the ports of
/// containers on the host's network, and the span of `--service-node-port-range`.
#[must_use]
pub fn manifest(file: &str, text: &str) -> Vec<ConfiguredPort> {
    let mut found = Vec::new();
    for document in documents(text) {
        let name = document["metadata"]["name"].as_str().unwrap_or("a manifest").to_owned();
        let mut add = |protocol, ports| {
            found.push(ConfiguredPort {
                protocol,
                ports,
                service: name.clone(),
                file: file.to_owned(),
            });
        };
        let on_host = document["spec"]["hostNetwork"].as_bool() == Some(true);
        walk(&document, on_host, &mut add);
        if is_api_server(&document) && !mentions_node_ports(&document) {
            add_span(DEFAULT_NODE_PORTS, &mut add);
        }
    }
    found
}

const NODE_PORTS: &str = "--service-node-port-range=";
/// What the API server hands out to services of the type NodePort unless it is told otherwise
/// (Kubernetes' `kubeoptions.DefaultServiceNodePortRange`).
const DEFAULT_NODE_PORTS: &str = "30000-32767";

fn is_api_server(document: &Yaml) -> bool {
    any_text(document, &|text| text.rsplit('/').next() == Some("kube-apiserver"))
}

fn mentions_node_ports(document: &Yaml) -> bool {
    any_text(document, &|text| text.starts_with(NODE_PORTS))
}

/// Whether an argument of a container's command satisfies the test.
fn any_text(document: &Yaml, test: &dyn Fn(&str) -> bool) -> bool {
    let containers = document["spec"]["containers"].as_vec().into_iter().flatten();
    let words = containers.flat_map(|container| {
        let lists = [&container["command"], &container["args"]];
        lists.into_iter().filter_map(Yaml::as_vec).flatten()
    });
    words.filter_map(Yaml::as_str).any(test)
}

fn walk(node: &Yaml, on_host: bool, add: &mut impl FnMut(Protocol, PortRange)) {
    match node {
        Yaml::Array(items) => items.iter().for_each(|item| walk(item, on_host, add)),
        Yaml::Hash(fields) => {
            let protocol = protocol(&node["protocol"]);
            for (key, value) in fields {
                let taken = match key.as_str() {
                    Some("hostPort" | "nodePort") => true,
                    Some("containerPort") => on_host,
                    _ => false,
                };
                if let Some(ports) = single(value).filter(|_| taken) {
                    add(protocol, ports);
                }
                walk(value, on_host, add);
            }
        }
        Yaml::String(text) => {
            if let Some(span) = text.strip_prefix(NODE_PORTS) {
                add_span(span, add);
            }
        }
        _ => {}
    }
}

fn add_span(text: &str, add: &mut impl FnMut(Protocol, PortRange)) {
    if let Ok(span) = text.parse() {
        add(Protocol::Tcp, span);
    }
}

fn published(entry: &Yaml) -> Option<(Protocol, PortRange)> {
    if entry.as_hash().is_some() {
        let ports = &entry["published"];
        let ports = single(ports).or_else(|| ports.as_str()?.parse().ok())?;
        return Some((protocol(&entry["protocol"]), ports));
    }
    let text = entry.as_str()?;
    let (text, protocol) = match text.rsplit_once('/') {
        Some((text, name)) => (text, name.parse().ok()?),
        None => (text, Protocol::Tcp),
    };
    // HOST:CONTAINER or ADDRESS:HOST:CONTAINER; the container's port alone publishes at random.
    let (host, _container) = text.rsplit_once(':')?;
    let ports = host.rsplit(':').next()?;
    Some((protocol, ports.parse().ok()?))
}

fn single(value: &Yaml) -> Option<PortRange> {
    let number = u16::try_from(value.as_i64()?).ok().filter(|&number| number != 0)?;
    Some(PortRange::single(Port::new(number)))
}

fn protocol(value: &Yaml) -> Protocol {
    value.as_str().and_then(|name| name.parse().ok()).unwrap_or(Protocol::Tcp)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(found: &[ConfiguredPort]) -> Vec<String> {
        let one = |found: &ConfiguredPort| {
            format!("{} {} {}", found.service, found.protocol, found.ports)
        };
        found.iter().map(one).collect()
    }

    #[test]
    fn reads_socket_units() {
        let text = "[Socket]\nListenStream=9090\nListenStream=[::1]:40001\nListenStream=/run/x\n\
                    ListenStream=@abstract\nListenDatagram = 127.0.0.1:50000\nListenStream=0\n\
                    ListenStream=\nAccept=no\n";
        assert_eq!(
            told(&socket_unit("/etc/systemd/system/web.socket", text)),
            [
                "web.socket tcp 9090-9090",
                "web.socket tcp 40001-40001",
                "web.socket udp 50000-50000"
            ]
        );
    }

    #[test]
    fn reads_compose_files() {
        let text = "services:\n  web:\n    ports:\n      - \"8080:80\"\n      - 443\n      \
                    - \"127.0.0.1:9000-9010:9000-9010/udp\"\n      - target: 5\n        \
                    published: 40000\n        protocol: udp\n      - target: 6\n        \
                    published: \"40001-40002\"\n";
        assert_eq!(
            told(&compose("compose.yaml", text)),
            [
                "web tcp 8080-8080",
                "web udp 9000-9010",
                "web udp 40000-40000",
                "web tcp 40001-40002"
            ]
        );
    }

    #[test]
    fn reads_manifests() {
        let text = "kind: Pod\nmetadata: {name: api}\nspec:\n  hostNetwork: true\n  containers:\n  \
                    - command: [kube-apiserver, --service-node-port-range=30000-33000]\n    ports:\n    \
                    - {containerPort: 6443, protocol: TCP}\n    - {containerPort: 9, hostPort: 50001}\n\
                    ---\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  \
                    - {port: 80, nodePort: 32080, protocol: UDP}\n";
        assert_eq!(
            told(&manifest("api.yaml", text)),
            [
                "api tcp 30000-33000",
                "api tcp 6443-6443",
                "api tcp 9-9",
                "api tcp 50001-50001",
                "web udp 32080-32080"
            ]
        );
    }

    #[test]
    fn an_api_server_hands_out_node_ports_unless_told_otherwise() {
        let pod = |words: &str| {
            let text =
                format!("metadata: {{name: api}}\nspec: {{containers: [{{command: [{words}]}}]}}");
            told(&manifest("api.yaml", &text))
        };
        assert_eq!(pod("kube-apiserver, --v=2"), ["api tcp 30000-32767"]);
        assert_eq!(
            pod("/bin/kube-apiserver, --service-node-port-range=40000-40009"),
            ["api tcp 40000-40009"]
        );
        assert!(pod("etcd").is_empty());
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,80}|[a-z:\\[\\]{}/=# \n0-9-]{0,80}") {
            let _ = socket_unit("f", &text);
            let _ = compose("f", &text);
            let _ = manifest("f", &text);
        }
    }
}
