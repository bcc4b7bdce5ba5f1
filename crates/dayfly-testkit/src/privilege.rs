//! Whether this process may do what a test needs, and what to do when it may not.

use std::fs;
use std::io::Write;

use crate::search_path;

/// Bits in `CapEff` of `/proc/self/status` (capabilities(7)).
const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;

/// Returns from the calling test when namespaces cannot be made here.
///
/// With `CI=true` in the environment the test fails instead: there, nothing may be left out.
#[macro_export]
macro_rules! privileged {
    () => {
        if !$crate::has_privilege(module_path!(), line!()) {
            return;
        }
    };
}

/// Returns from the calling test when the program is not installed; fails when `CI=true`.
///
/// `needs!("nft", "nftables")` names the program and the Debian package it comes from.
#[macro_export]
macro_rules! needs {
    ($program:expr, $package:expr) => {
        if !$crate::has_program($program, $package, module_path!(), line!()) {
            return;
        }
    };
}

/// Whether network namespaces can be made; says what is skipped when not. See [`privileged!`].
///
/// # Panics
/// When they cannot and `CI=true`.
#[must_use]
pub fn has_privilege(place: &str, line: u32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .unwrap_or(0);
    let wanted = 1 << CAP_NET_ADMIN | 1 << CAP_SYS_ADMIN;
    if effective & wanted == wanted {
        return true;
    }
    skip(
        place,
        line,
        "it needs CAP_SYS_ADMIN and CAP_NET_ADMIN to make network namespaces: run it as root",
    );
    false
}

/// Whether a program is on the `PATH`; says what is skipped when not. See [`needs!`].
///
/// # Panics
/// When it is not and `CI=true`.
#[must_use]
pub fn has_program(program: &str, package: &str, place: &str, line: u32) -> bool {
    if std::env::split_paths(&search_path()).any(|folder| folder.join(program).is_file()) {
        return true;
    }
    skip(place, line, &format!("it needs {program}: apt-get install {package}"));
    false
}

fn skip(place: &str, line: u32, why: &str) {
    let in_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!in_ci, "{place}:{line} cannot run, and CI=true allows no gaps: {why}");
    eprintln!("skipped: {place}:{line}: {why}");
    // Runners hide what a test says that passes, so `cargo xtask test` asks for it in a file.
    if let Some(list) = std::env::var_os("DAYFLY_SKIPPED") {
        let list = fs::OpenOptions::new().append(true).create(true).open(list);
        let _ = list.and_then(|mut list| list.write_all(format!("{why}\n").as_bytes()));
    }
}
