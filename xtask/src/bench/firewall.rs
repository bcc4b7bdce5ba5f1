//! What `dayfly firewall check` costs on a ruleset of 50,000 rules, next to `nft -c -f` of the same
//! rules, which reads and translates them and asks nothing.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::median;
use super::process::{Took, measure};
use crate::shell::{self, Done};

/// What is promised.
const MOST_SECONDS: f64 = 2.0;
const RULES: u32 = 50_000;
const ROUNDS: usize = 5;

/// What a rule looks like: its name, the rule in nft's words and the matches in nft's JSON.
type Shape = (&'static str, fn(&mut Random) -> (String, String));

const SHAPES: [Shape; 4] = [
    ("addresses kept out", |random| {
        let address = random.address();
        (format!("ip saddr {address} drop"), format!("{},{}", saddr(&address), "{\"drop\":null}"))
    }),
    ("ports let in", |random| {
        let port = random.port();
        (format!("tcp dport {port} accept"), format!("{},{ACCEPT}", tcp("dport", port)))
    }),
    ("ports for addresses", |random| {
        let (address, port) = (random.address(), random.port());
        (
            format!("ip saddr {address} tcp dport {port} accept"),
            format!("{},{},{ACCEPT}", saddr(&address), tcp("dport", port)),
        )
    }),
    ("source ports", |random| {
        let (source, port) = (random.port(), random.port());
        (
            format!("tcp sport {source} tcp dport {port} accept"),
            format!("{},{},{ACCEPT}", tcp("sport", source), tcp("dport", port)),
        )
    }),
];

const ACCEPT: &str = "{\"accept\":null}";

fn matches(protocol: &str, field: &str, right: &str) -> String {
    format!(
        "{{\"match\":{{\"op\":\"==\",\"left\":{{\"payload\":{{\"protocol\":\"{protocol}\",\
         \"field\":\"{field}\"}}}},\"right\":{right}}}}}"
    )
}

fn saddr(address: &str) -> String {
    matches("ip", "saddr", &format!("\"{address}\""))
}

fn tcp(field: &str, port: u32) -> String {
    matches("tcp", field, &port.to_string())
}

/// Writes the rules, measures, prints the table; fails when the promise is not kept.
pub(crate) fn run(_words: &[&str]) -> Done {
    let cargo = shell::cargo();
    shell::run(&cargo, &["build", "--release", "-p", "dayfly"])?;
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| shell::root().join("target"), PathBuf::from);
    let mut broken = Vec::new();
    println!("{RULES} rules, {ROUNDS} rounds: median s, peak MiB");
    for (name, shape) in SHAPES {
        let files = [folder.join("bench-firewall.nft"), folder.join("bench-firewall.json")];
        let measured = write(&files, shape).and_then(|()| take_turns(&folder, &files));
        for file in &files {
            // Nothing to do about a refusal here.
            let _ = fs::remove_file(file);
        }
        let [nft, ours] = measured?;
        for (program, took) in [("nft -c -f", &nft), ("dayfly firewall check", &ours)] {
            let peak = took.iter().map(|took| took.peak_kib).max().unwrap_or(0) / 1024;
            println!("  {name:<20} {program:<22} {:>6.2} {peak:>6}", seconds(took));
        }
        let ours = seconds(&ours);
        let kept = ours <= MOST_SECONDS;
        println!(
            "{} {ours:.2} s, at most {MOST_SECONDS}; nft / dayfly = {:.2}",
            if kept { "kept:  " } else { "BROKEN:" },
            seconds(&nft) / ours
        );
        if !kept {
            broken.push(name);
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("not kept: {}", broken.join(", "))) }
}

fn seconds(took: &[Took]) -> f64 {
    median(took.iter().map(|took| took.elapsed.as_secs_f64()))
}

fn write(files: &[PathBuf; 2], shape: fn(&mut Random) -> (String, String)) -> Result<(), String> {
    let mut random = Random(1);
    let mut nft = String::from(
        "table inet big {\n chain input {\n  type filter hook input priority 0; policy drop;\n  ct state established accept\n",
    );
    let mut json = String::from(
        "{\"nftables\":[{\"chain\":{\"family\":\"inet\",\"table\":\"big\",\"name\":\"input\",\
         \"handle\":1,\"type\":\"filter\",\"hook\":\"input\",\"prio\":0,\"policy\":\"drop\"}}",
    );
    let mut rule = |handle: u32, expression: &str| {
        let _ = write!(
            json,
            ",{{\"rule\":{{\"family\":\"inet\",\"table\":\"big\",\"chain\":\"input\",\
             \"handle\":{handle},\"expr\":[{expression}]}}}}"
        );
    };
    let established = "{\"match\":{\"op\":\"in\",\"left\":{\"ct\":{\"key\":\"state\"}},\
                       \"right\":\"established\"}},{\"accept\":null}";
    rule(2, established);
    for number in 0..RULES {
        let (words, expression) = shape(&mut random);
        let _ = writeln!(nft, "  {words}");
        rule(number + 3, &expression);
    }
    nft.push_str(" }\n}\n");
    json.push_str("]}");
    for (file, text) in files.iter().zip([nft, json]) {
        fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(())
}

fn take_turns(folder: &Path, files: &[PathBuf; 2]) -> Result<[Vec<Took>; 2], String> {
    let dayfly = folder.join("release").join("dayfly");
    let mut took = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        let mut nft = Command::new("nft");
        nft.args(["-c", "-f"]).arg(&files[0]).stderr(Stdio::null());
        took[0].push(measure(&mut nft)?);
        // Findings are no failure here.
        let mut ours = Command::new("sh");
        ours.args(["-c", "\"$0\" firewall check --json --from \"$1\"; test $? -le 1"]);
        ours.arg(&dayfly).arg(&files[1]);
        took[1].push(measure(&mut ours)?);
    }
    Ok(took)
}

/// Numbers that look random and are the same in every run (Knuth's MMIX).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as u32
    }

    fn port(&mut self) -> u32 {
        1 + self.next() % 65_535
    }

    fn address(&mut self) -> String {
        let number = self.next();
        format!(
            "{}.{}.{}.{}",
            1 + number % 220,
            number >> 8 & 255,
            number >> 16 & 255,
            self.next() % 256
        )
    }
}
