//! Every program, every way to name a destination, one port or several, inside the kernel's range
//! or outside, as root or as an ordinary user, by both backends.

use std::fmt;

use crate::attempt::Attempt;
use crate::mechanism::Mechanism;
use crate::program::{Call, Program};
use crate::stand::{PATIENCE, Stand, Who};

/// The kernel's range; what is forced lies inside or above it.
const RANGE: (u16, u16) = (32768, 60999);
/// Ports that a cell may use, so that no cell meets another's TIME_WAIT.
const ROOM: u16 = 4;
/// At once, where there is a range.
const SEVERAL: usize = 3;

#[test]
fn seccomp_as_root() {
    crate::stand!();
    all(Who::Root, Mechanism::Seccomp);
}

#[test]
fn seccomp_as_a_user() {
    crate::stand!();
    all(Who::User, Mechanism::Seccomp);
}

#[test]
fn bpf_as_root() {
    crate::stand!();
    all(Who::Root, Mechanism::Bpf);
}

/// Root gets BPF where it is enough, and the other way where it is not.
#[test]
fn root_need_not_choose() {
    crate::stand!();
    let stand = Stand::near();
    for (index, call) in Call::ALL.into_iter().enumerate() {
        let port = RANGE.1 + 1 + index as u16;
        let attempt = Attempt {
            who: Who::Root,
            mechanism: Mechanism::Automatic,
            ports: port..=port,
            call,
            program: Program::Static,
            count: 1,
            patience: PATIENCE,
        };
        assert_eq!(attempt.make(&stand), Ok(()), "{call:?}");
    }
}

/// What the matrix asserts can fail: without dayfly no cell gets its port by chance.
#[test]
fn nothing_is_forced_without() {
    crate::stand!();
    let stand = Stand::near();
    for cell in cells(Who::User, Mechanism::Nothing) {
        if cell.single && !cell.inside {
            let why = cell.attempt().make(&stand).unwrap_err();
            assert!(why.contains("wanted") && why.contains("exit status: 0"), "{cell}: {why}");
        }
    }
}

fn all(who: Who, mechanism: Mechanism) {
    let stand = Stand::near();
    stand.client.sysctl("net.ipv4.ip_local_port_range", &format!("{} {}", RANGE.0, RANGE.1));
    let cells = cells(who, mechanism);
    let failed: Vec<String> = cells
        .iter()
        .filter_map(|cell| {
            let why = cell.attempt().make(&stand).err()?;
            Some(format!("{cell}: {why}"))
        })
        .collect();
    assert!(failed.is_empty(), "{} of {} cells:\n{}", failed.len(), cells.len(), failed.join("\n"));
}

/// One combination.
#[derive(Clone, Copy)]
struct Cell {
    index: u16,
    who: Who,
    mechanism: Mechanism,
    single: bool,
    inside: bool,
    call: Call,
    program: Program,
}

fn cells(who: Who, mechanism: Mechanism) -> Vec<Cell> {
    let mut cells = Vec::new();
    for program in Program::ALL {
        for call in Call::ALL.into_iter().filter(|&call| program.has(call)) {
            if mechanism == Mechanism::Bpf && call.is_beyond_bpf() {
                continue;
            }
            for (single, inside) in [(true, true), (true, false), (false, true), (false, false)] {
                let index = cells.len() as u16;
                cells.push(Cell { index, who, mechanism, single, inside, call, program });
            }
        }
    }
    cells
}

impl Cell {
    fn attempt(self) -> Attempt {
        let first = if self.inside { RANGE.0 } else { RANGE.1 + 1 } + self.index * ROOM;
        Attempt {
            who: self.who,
            mechanism: self.mechanism,
            ports: first..=if self.single { first } else { first + ROOM - 1 },
            call: self.call,
            program: self.program,
            count: if self.single { 1 } else { SEVERAL },
            patience: PATIENCE,
        }
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ports = if self.single { "one port" } else { "a range" };
        let place = if self.inside { "inside" } else { "outside" };
        let Cell { who, mechanism, call, program, .. } = self;
        write!(f, "{who:?} {mechanism:?}, {ports} {place}, {program:?} {call:?}")
    }
}
