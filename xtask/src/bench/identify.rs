//! What `dayfly identify` costs next to reading the same bytes and doing nothing, and next to
//! tcpdump looking for the same packets.
//!
//! Two captures of a gibibyte each: traffic as it is (a SYN in a hundred packets, 700 bytes each),
//! and the worst there is (every packet is short and opens a connection of another host).

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::median;
use super::process::{Took, measure};
use crate::shell::{self, Done};

/// What a part of this bench is called by.
pub(crate) const READ: &str = "read-bytes";

/// What is promised of a gibibyte on one core.
const MOST_SECONDS: f64 = 3.0;
const SIZE: u64 = 1 << 30;
const ROUNDS: usize = 5;
const PROGRAMS: [&str; 3] = ["read bytes", "dayfly identify", "tcpdump -r"];

/// Writes the captures, measures, prints the table; fails when a promise is not kept.
pub(crate) fn run(_words: &[&str]) -> Done {
    let cargo = shell::cargo();
    shell::run(&cargo, &["build", "--release", "-p", "dayfly", "-p", "xtask"])?;
    let folder = std::env::var_os("CARGO_TARGET_DIR")
        .map_or_else(|| shell::root().join("target"), PathBuf::from);
    let mut broken = Vec::new();
    for (name, payload, syn_every) in [("traffic", 630, 100), ("openings", 0, 1)] {
        let file = folder.join(format!("bench-{name}.pcap"));
        let made = write(&file, payload, syn_every);
        let measured = made
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))
            .and_then(|packets| take_turns(&folder, &file).map(|took| (packets, took)));
        // Nothing to do about a refusal here.
        let _ = fs::remove_file(&file);
        let (packets, took) = measured?;
        println!(
            "{name}: {packets} packets in 1 GiB, {ROUNDS} rounds: median s, ns per packet, peak KiB"
        );
        for (program, took) in PROGRAMS.iter().zip(&took) {
            let seconds = seconds(took);
            let peak = took.iter().map(|took| took.peak_kib).max().unwrap_or(0);
            println!(
                "  {program:<16} {seconds:>7.3} {:>7.0} {peak:>9}",
                seconds * 1e9 / packets as f64
            );
        }
        let [bare, ours, theirs] = [&took[0], &took[1], &took[2]].map(|took| seconds(took));
        println!(
            "  identify / bytes = {:.2}, tcpdump / identify = {:.2}",
            ours / bare,
            theirs / ours
        );
        let kept = ours <= MOST_SECONDS;
        println!(
            "{} {ours:.2} s, at most {MOST_SECONDS}",
            if kept { "kept:  " } else { "BROKEN:" }
        );
        if !kept {
            broken.push(name);
        }
    }
    if broken.is_empty() { Ok(()) } else { Err(format!("not kept: {}", broken.join(", "))) }
}

fn take_turns(folder: &Path, file: &Path) -> Result<[Vec<Took>; 3], String> {
    let release = folder.join("release");
    let mut commands = [
        Command::new(release.join("xtask")),
        Command::new(release.join("dayfly")),
        Command::new("tcpdump"),
    ];
    commands[0].args(["bench", READ]).arg(file);
    commands[1].args(["identify", "--json", "--top", "5"]).arg(file);
    commands[2].args(["-n", "-w", "/dev/null", "-Z", "root", "-r"]).arg(file);
    commands[2].arg("tcp[tcpflags] & tcp-syn != 0 or udp").stderr(std::process::Stdio::null());
    let mut all = [const { Vec::new() }; 3];
    for _ in 0..ROUNDS {
        for (took, command) in all.iter_mut().zip(&mut commands) {
            took.push(measure(command)?);
        }
    }
    Ok(all)
}

fn seconds(took: &[Took]) -> f64 {
    median(took.iter().map(|took| took.elapsed.as_secs_f64()))
}

/// Writes a capture of Ethernet frames with so much payload; returns how many.
fn write(file: &Path, payload: usize, syn_every: u32) -> std::io::Result<u64> {
    let mut out = BufWriter::with_capacity(1 << 20, File::create(file)?);
    out.write_all(b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\x04\0\x01\0\0\0")?;
    let mut frame = vec![0_u8; 54 + payload];
    frame[12..14].copy_from_slice(&[8, 0]);
    frame[14] = 0x45;
    frame[16..18].copy_from_slice(&(40 + payload as u16).to_be_bytes());
    frame[22] = 64;
    frame[23] = 6;
    frame[46] = 5 << 4;
    let length = (frame.len() as u32).to_le_bytes();
    let record = 16 + frame.len() as u64;
    let packets = SIZE / record;
    for number in 0..packets as u32 {
        // Ten thousand hosts, a thousand destinations.
        let (host, destination) = (number % 10_007, number % 1_009);
        frame[26..30].copy_from_slice(&(0x0a00_0000 | host).to_be_bytes());
        frame[30..34].copy_from_slice(&(0xc633_0000 | destination).to_be_bytes());
        let port = 32_768 + (number / 10_007 * 2 % 28_232) as u16;
        frame[34..36].copy_from_slice(&port.to_be_bytes());
        frame[36..38].copy_from_slice(&443_u16.to_be_bytes());
        frame[38..42].copy_from_slice(&number.to_be_bytes());
        frame[47] = if number % syn_every == 0 { 0x02 } else { 0x10 };
        out.write_all(&(number / 10_000).to_le_bytes())?;
        out.write_all(&(number % 10_000 * 100).to_le_bytes())?;
        out.write_all(&length)?;
        out.write_all(&length)?;
        out.write_all(&frame)?;
    }
    out.flush()?;
    Ok(packets)
}

/// Reads a file in pieces and adds its bytes up: the least that anything does that looks at it.
pub(crate) fn read_bytes(words: &[&str]) -> Done {
    let [file] = words else { return Err("one file is read".to_owned()) };
    let failed = |error: std::io::Error| format!("{file} cannot be read: {error}");
    let mut input = File::open(file).map_err(failed)?;
    let mut piece = vec![0; 1 << 20];
    let mut sum = 0_u64;
    loop {
        let count = input.read(&mut piece).map_err(failed)?;
        if count == 0 {
            break;
        }
        sum = piece[..count].iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
    }
    println!("{sum}");
    Ok(())
}
