//! Every name that `--json` prints stands in docs/json.md, whichever verb prints it.

use std::io::Write;
use std::process::Stdio;

use dayfly_testkit::{Machine, privileged};
use serde_json::Value;

const PAGE: &str = include_str!("../../../docs/json.md");

#[test]
fn names_are_documented() {
    privileged!();
    let machine = Machine::new();
    for words in [
        "show",
        "show --nat",
        "show --destination 127.0.0.1:80",
        "show --system xp --from -",
        "why 80",
        "why 127.0.0.1:80 --for 0.2",
        "doctor --fail-on critical",
        "systems",
        "plan --system hpux 49152-65535",
        "plan --system linux 49152-65535 --reserve 8080",
        "set 512-65535 --unprivileged-start 512 --for 1h --yes",
        "undo --yes",
        "reserve 1-65535",
        "history",
        "size --target 400",
        "size --target 3000 --behind aws",
        "simulate --system windows --workload http --rate 5",
        "ftp explain 192,168,1,2,7,138",
        "ftp check",
        "firewall check",
    ] {
        let mut child = machine
            .command(env!("CARGO_BIN_EXE_dayfly"))
            .args(words.split(' '))
            .arg("--json")
            .env_remove("DAYFLY_STATE")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Those that read nothing may be over by now.
        let _ = child.stdin.take().unwrap().write_all(b"MaxUserPort REG_DWORD 0xfffe\n");
        let output = child.wait_with_output().unwrap();
        let json: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{words}: {error}"));
        assert_eq!(json["schema_version"], 1, "{words}");
        each_name(&json, &mut |name| {
            assert!(PAGE.contains(&format!("`{name}`")), "{words}: {name} is not in docs/json.md");
        });
    }
}

fn each_name(json: &Value, see: &mut impl FnMut(&str)) {
    match json {
        Value::Object(object) => {
            for (name, value) in object {
                see(name);
                each_name(value, see);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| each_name(value, see)),
        _ => {}
    }
}
