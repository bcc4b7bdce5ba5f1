//! gVisor's port manager, from Debian's packages: a small Go program of ours drives it.

use super::figure::Figure;
use super::{Measured, OCCUPANCIES};
use crate::shell;

const SECTION: &str = "gVisor's ports package (Debian golang-gvisor-gvisor-dev): reserve + release";
const PACKAGES: [&str; 2] = ["golang-go", "golang-gvisor-gvisor-dev"];
const SOURCE: &str = "xtask/peers/gvisor/main.go";
const PROGRAM: &str = "target/gvisor-peer";

pub(super) fn measure() -> Measured {
    let installed = shell::answers("dpkg", &[&["--status"], PACKAGES.as_slice()].concat());
    if !installed {
        if !shell::output("id", &["-u"])?.trim().eq("0") {
            return Err(format!("needs: sudo apt-get install {}", PACKAGES.join(" ")));
        }
        let words = ["install", "--yes", "--no-install-recommends"];
        shell::run("apt-get", &[&words, PACKAGES.as_slice()].concat())?;
    }
    // Debian puts Go sources where GOPATH finds them; modules would want the network.
    let environment = ["GO111MODULE=off", "GOPATH=/usr/share/gocode", "GOFLAGS="];
    let build = ["go", "build", "-o", PROGRAM, SOURCE];
    shell::run("env", &[environment.as_slice(), &build].concat())?;
    let printed = shell::output(&format!("./{PROGRAM}"), &[])?;
    let mut figures = Vec::new();
    for line in printed.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [taken, mean, median] = words.as_slice() else {
            return Err(format!("the Go program printed {line:?}"));
        };
        let named =
            OCCUPANCIES.iter().find(|(count, at)| taken == at || *taken == count.to_string());
        let Some((_, at)) = named else { continue };
        for (what, value) in [("gvisor mean", mean), ("gvisor median", median)] {
            let value = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
            figures.push(Figure::new(SECTION, what, *at, value, "ns"));
        }
    }
    Ok(figures)
}
