//! The fake hosts themselves: what they print is what the real systems print.

use dayfly_testkit::{FakeHost, Login, needs, privileged};

#[test]
fn a_host_is_its_system_and_forgets_at_boot() {
    privileged!();
    needs!("sshd", "openssh-server");
    let host = FakeHost::start("freebsd");
    assert_eq!(host.sh("uname -s; uname -r"), "FreeBSD\n14.1-RELEASE-p5\n");
    assert_eq!(host.sh("sysctl -n net.inet.ip.portrange.first"), "10000\n");
    assert_eq!(
        host.sh("sysctl net.inet.ip.portrange.first=80"),
        "net.inet.ip.portrange.first: 10000 -> 1024\n"
    );
    let _ = host.sh("echo net.inet.ip.portrange.last=60000 >> /etc/sysctl.conf");
    host.boot();
    assert_eq!(host.sh("sysctl -n net.inet.ip.portrange.first"), "10000\n");
    assert_eq!(host.sh("sysctl -n net.inet.ip.portrange.last"), "60000\n");
    // Nothing of it reaches this machine.
    assert!(!std::fs::read_to_string("/etc/sysctl.conf").unwrap_or_default().contains("portrange"));
}

#[test]
fn ssh_gets_in() {
    privileged!();
    needs!("sshd", "openssh-server");
    for (system, login, command, expected) in [
        ("linux", Login::Usual, "cat /proc/sys/net/ipv4/ip_local_port_range", "32768\t60999\n"),
        ("aix", Login::Csh, "no -o tcp_ephemeral_low", "tcp_ephemeral_low = 32768\n"),
        ("windows", Login::Usual, "ver", "\r\nMicrosoft Windows [Version 10.0.20348.2700]\r\n"),
        ("hpux", Login::Foreign, "ndd", "% Unknown command\n"),
    ] {
        let host = FakeHost::with_login(system, login);
        let output =
            host.command("ssh").args(["root@127.0.0.1", command]).output().expect("ssh runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{system}: {said}");
    }
}
