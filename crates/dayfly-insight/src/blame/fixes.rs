//! What to change in which program, as data.
//!
//! The option is `IP_BIND_ADDRESS_NO_PORT`, number 24 at level `IPPROTO_IP` (0), Linux 4.2. Where a
//! program offers no way to set it, leaving the source address to the routing table
//! (`ip route ... src ADDRESS`) makes the bind unnecessary.

/// A piece of advice for one program or language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fix {
    /// Names of the executable that it is for, without version; `*` at the end stands for any rest.
    pub programs: &'static [&'static str],
    /// Who it is for, in words.
    pub product: &'static str,
    /// What to change.
    pub advice: &'static str,
}

/// Advice for a program: what is known about its executable, else what there is to know about
/// every language that a program may be written in.
#[must_use]
pub fn fixes_for(executable: &str) -> Vec<&'static Fix> {
    let known: Vec<&Fix> = FIXES.iter().filter(|fix| fix.is_for(executable)).collect();
    if known.is_empty() {
        FIXES.iter().filter(|fix| fix.programs.is_empty()).collect()
    } else {
        known
    }
}

impl Fix {
    fn is_for(&self, executable: &str) -> bool {
        self.programs.iter().any(|name| match name.strip_suffix('*') {
            Some(start) => executable.starts_with(start),
            None => executable == *name,
        })
    }
}

const FIXES: &[Fix] = &[
    Fix {
        programs: &["nginx*", "openresty"],
        product: "nginx",
        advice: "update to nginx 1.11.4 or later, which sets IP_BIND_ADDRESS_NO_PORT for `proxy_bind ADDRESS`; take the port out of `proxy_bind ADDRESS:PORT`",
    },
    Fix {
        programs: &["haproxy*"],
        product: "HAProxy",
        advice: "write `source ADDRESS` without ports (recent HAProxy sets IP_BIND_ADDRESS_NO_PORT then); `source ADDRESS:LOW-HIGH` pins ports",
    },
    Fix {
        programs: &["envoy*"],
        product: "Envoy",
        advice: "update to a release from after July 2026 (pull request 45916), or add to upstream_bind_config the socket option {level: 0, name: 24, int_value: 1, state: STATE_PREBIND}",
    },
    Fix {
        programs: &["squid*", "(squid*"],
        product: "Squid",
        advice: "update to Squid 6 or later, which sets IP_BIND_ADDRESS_NO_PORT for tcp_outgoing_address (pull request 1115)",
    },
    Fix {
        programs: &["ss-local", "ss-server", "ss-redir", "ss-tunnel", "ss-manager"],
        product: "shadowsocks-libev",
        advice: "take `local_address` and `local_ipv4_address` out of the configuration and give the route a source address: ip route change ... src ADDRESS",
    },
    Fix {
        programs: &["dig"],
        product: "dig",
        advice: "leave `-b ADDRESS` out, or expect one port per query",
    },
    Fix {
        programs: &["java"],
        product: "Java",
        advice: "do not bind the socket: `new Socket(host, port)` instead of a local address, and let the route choose it (ip route change ... src ADDRESS); Java has no name for the option",
    },
    Fix {
        programs: &["python*", "uwsgi", "gunicorn*"],
        product: "Python",
        advice: "before bind(): sock.setsockopt(socket.IPPROTO_IP, 24, 1); `source_address=` of create_connection and http.client does not do so, so leave it out or open the socket yourself",
    },
    Fix {
        programs: &["node*", "nodejs"],
        product: "Node.js",
        advice: "leave `localAddress` out of net.connect() and http.Agent, and give the route a source address (ip route change ... src ADDRESS); Node.js has no name for the option",
    },
    Fix {
        programs: &[],
        product: "Go",
        advice: "net.Dialer{LocalAddr: ...} binds first: set the option in Dialer.Control with unix.SetsockoptInt(int(fd), unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1), or leave LocalAddr out",
    },
    Fix {
        programs: &[],
        product: "C, C++, Rust",
        advice: "before bind(): setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one)",
    },
    Fix {
        programs: &[],
        product: "any program",
        advice: "take the source address out of its configuration and give the route one: ip route change ... src ADDRESS",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_for_the_program_or_for_all() {
        let products = |name| fixes_for(name).iter().map(|fix| fix.product).collect::<Vec<_>>();
        assert_eq!(products("nginx"), ["nginx"]);
        assert_eq!(products("python3.12"), ["Python"]);
        assert_eq!(products("(squid-1)"), ["Squid"]);
        assert_eq!(products("mydaemon"), ["Go", "C, C++, Rust", "any program"]);
        assert_eq!(products("javaish").len(), 3);
    }
}
