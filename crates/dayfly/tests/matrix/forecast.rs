//! What `dayfly firewall check` says will happen.

use dayfly_insight::ftp::Mode;
use dayfly_ports::PortSet;
use dayfly_testkit::Namespace;
use serde_json::Value;

use crate::place::dayfly;
use crate::{Cell, Guard};

/// Whether the cell's transfer will work.
pub(crate) fn works(guarded: &Namespace, cell: &Cell) -> bool {
    let flow = match (cell.guard, cell.mode, cell.server.is_encrypted()) {
        (Guard::Client, Mode::Active, false) => "ftp-active",
        (Guard::Client, Mode::Active, true) => "ftps-active",
        (Guard::Client, Mode::Passive, false) => "ftp-passive",
        (Guard::Client, Mode::Passive, true) => "ftps-passive",
        (Guard::Server, Mode::Passive, false) => "ftp-passive-server",
        (Guard::Server, Mode::Passive, true) => "ftps-passive-server",
        // The server opens the connection: there is nothing that could be let in.
        (Guard::Server, Mode::Active, _) => "outgoing",
    };
    decided(&told(guarded, flow), &cell.server.sends_from())
}

/// Whether a TFTP transfer will work from a server that answers from these ports.
pub(crate) fn tftp_works(guarded: &Namespace, answers: Option<(u16, u16)>) -> bool {
    let (low, high) = answers.unwrap_or((32_768, 60_999));
    decided(&told(guarded, "tftp"), &format!("{low}-{high}").parse().unwrap())
}

fn told(guarded: &Namespace, flow: &str) -> Value {
    let report = dayfly(&["firewall", "check", "--netns", guarded.name()]);
    let namespace = &report["namespaces"][0];
    let lists = [&namespace["flows"], &namespace["outgoing"]];
    let flows = lists.into_iter().flat_map(|list| list.as_array().unwrap());
    let mut found = flows.filter(|one| one["flow"] == flow && one["family"] != "ipv6");
    found.next().unwrap_or_else(|| panic!("no {flow} in {report:#}")).clone()
}

/// A condition is met if the other side sends from the ports that it names.
fn decided(flow: &Value, sends_from: &PortSet) -> bool {
    let met = match flow["needs"].as_str() {
        None => true,
        Some(needs) => {
            let ports = needs.strip_prefix("source port ").unwrap_or_else(|| panic!("{flow}"));
            let ports: PortSet = ports.parse().unwrap();
            (sends_from - &ports).is_empty()
        }
    };
    match flow["verdict"].as_str().unwrap() {
        "passes" => met,
        "blocked" => false,
        _ => panic!("undecided: {flow}"),
    }
}
