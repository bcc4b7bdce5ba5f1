//! The seccomp filter: which calls stop and wait for the supervisor.
//!
//! Classic BPF (seccomp(2), `Documentation/userspace-api/seccomp_filter.rst`), assembled so that
//! every jump skips one known body: no label, no offset beyond 255.

use super::abi::{ABIS, Call, MULTIPLEXED};

/// What the filter is asked to stop, beside `connect` and TCP Fast Open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scope {
    /// Datagrams sent from sockets that were never connected.
    pub(crate) udp: bool,
    /// `bind` and `listen`.
    pub(crate) offer: bool,
}

/// The kernel's limit (`BPF_MAXINSNS`, `include/uapi/linux/bpf_common.h`).
#[cfg(test)]
const MOST: usize = 4096;

// Offsets in `struct seccomp_data`; both architectures are little-endian.
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENTS: u32 = 16;

/// The filter for this kernel's architectures.
pub(crate) fn assemble(scope: Scope) -> Vec<libc::sock_filter> {
    let mut program = vec![load(ARCHITECTURE)];
    for abi in ABIS {
        let mut body = vec![load(NUMBER)];
        for &(number, call) in abi.calls {
            if let Some(action) = action(call, scope) {
                body.push(unless_equal(number, action.len()));
                body.extend(action);
            }
        }
        body.push(give(libc::SECCOMP_RET_ALLOW));
        // Longer than a conditional jump reaches: jump over an unconditional one.
        program.push(if_equal(abi.architecture, 1));
        program.push(jump(body.len()));
        program.extend(body);
    }
    // No kernel of this architecture runs programs of a third one.
    program.push(give(libc::SECCOMP_RET_KILL_PROCESS));
    program
}

/// What happens to a call; none when it is let through. Ends in a return on every path.
fn action(call: Call, scope: Scope) -> Option<Vec<libc::sock_filter>> {
    let stop = || give(libc::SECCOMP_RET_USER_NOTIF);
    let allow = || give(libc::SECCOMP_RET_ALLOW);
    let fast_open = |argument: u32| {
        let flags = argument_low(argument);
        vec![load(flags), unless_any(libc::MSG_FASTOPEN as u32, 1), stop(), allow()]
    };
    match call {
        Call::Connect => Some(vec![stop()]),
        // Only with an address does it connect or send from a socket that is not connected.
        Call::SendTo if scope.udp => Some(vec![
            load(argument_low(4)),
            unless_equal(0, 1),
            load(argument_low(4) + 4),
            if_equal(0, 1),
            stop(),
            allow(),
        ]),
        Call::SendTo => Some(fast_open(3)),
        Call::SendMessage | Call::SendMessages if scope.udp => Some(vec![stop()]),
        Call::SendMessage => Some(fast_open(2)),
        Call::SendMessages => Some(fast_open(3)),
        Call::Bind | Call::Listen => scope.offer.then(|| vec![stop()]),
        Call::Multiplexed => {
            let mut body = vec![load(argument_low(0))];
            for &(which, call) in MULTIPLEXED {
                // Flags and addresses are in memory: the supervisor looks.
                if action(call, scope).is_some() {
                    body.push(unless_equal(which, 1));
                    body.push(stop());
                }
            }
            body.push(allow());
            Some(body)
        }
        Call::IoUringSetup => Some(vec![give(libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32)]),
    }
}

const fn argument_low(index: u32) -> u32 {
    ARGUMENTS + 8 * index
}

fn load(offset: u32) -> libc::sock_filter {
    instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, offset)
}

fn give(action: u32) -> libc::sock_filter {
    instruction(libc::BPF_RET | libc::BPF_K, 0, 0, action)
}

/// Skips `skipped` instructions, whatever is loaded.
fn jump(skipped: usize) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JA, 0, 0, skipped as u32)
}

/// Skips if what is loaded equals `value`.
fn if_equal(value: u32, skipped: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, skipped, 0, value)
}

/// Skips unless what is loaded equals `value`.
fn unless_equal(value: u32, skipped: usize) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, skipped as u8, value)
}

/// Skips unless what is loaded shares a bit with `mask`.
fn unless_any(mask: u32, skipped: u8) -> libc::sock_filter {
    instruction(libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K, 0, skipped, mask)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> libc::sock_filter {
    libc::sock_filter { code: code as u16, jt, jf, k }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Runs a filter as the kernel does (`seccomp_cbpf`, `net/core/filter.c`).
    fn run(program: &[libc::sock_filter], data: &[u8; 64]) -> u32 {
        let (mut at, mut accumulator) = (0, 0);
        loop {
            let step = program[at];
            at += 1;
            let jump = |taken: bool| usize::from(if taken { step.jt } else { step.jf });
            match u32::from(step.code) {
                code if code == libc::BPF_LD | libc::BPF_W | libc::BPF_ABS => {
                    let at = step.k as usize;
                    accumulator = u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
                }
                code if code == libc::BPF_JMP | libc::BPF_JA => at += step.k as usize,
                code if code == libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K => {
                    at += jump(accumulator == step.k);
                }
                code if code == libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K => {
                    at += jump(accumulator & step.k != 0);
                }
                code if code == libc::BPF_RET | libc::BPF_K => return step.k,
                code => panic!("instruction {code:#x}"),
            }
        }
    }

    fn data(architecture: u32, number: u32, arguments: [u64; 6]) -> [u8; 64] {
        let mut data = [0; 64];
        data[0..4].copy_from_slice(&number.to_le_bytes());
        data[4..8].copy_from_slice(&architecture.to_le_bytes());
        for (index, argument) in arguments.iter().enumerate() {
            data[16 + 8 * index..][..8].copy_from_slice(&argument.to_le_bytes());
        }
        data
    }

    /// The same decision, written down as a rule.
    fn expected(call: Option<Call>, arguments: [u64; 6], scope: Scope) -> u32 {
        let fast_open = |index: usize| arguments[index] as u32 & libc::MSG_FASTOPEN as u32 != 0;
        let stops = match call {
            None => false,
            Some(Call::IoUringSetup) => return libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32,
            Some(Call::Connect) => true,
            Some(Call::SendTo) if scope.udp => arguments[4] != 0,
            Some(Call::SendMessage | Call::SendMessages) if scope.udp => true,
            Some(Call::SendTo | Call::SendMessages) => fast_open(3),
            Some(Call::SendMessage) => fast_open(2),
            Some(Call::Bind | Call::Listen) => scope.offer,
            Some(Call::Multiplexed) => match arguments[0] as u32 {
                2 | 4 => scope.offer,
                3 | 11 | 16 | 20 => true,
                _ => false,
            },
        };
        if stops { libc::SECCOMP_RET_USER_NOTIF } else { libc::SECCOMP_RET_ALLOW }
    }

    const SCOPES: [Scope; 4] = [
        Scope { udp: false, offer: false },
        Scope { udp: true, offer: false },
        Scope { udp: false, offer: true },
        Scope { udp: true, offer: true },
    ];

    #[test]
    fn it_fits_and_every_path_returns() {
        for scope in SCOPES {
            let program = assemble(scope);
            assert!(program.len() < MOST);
            for (at, step) in program.iter().enumerate() {
                let furthest = match u32::from(step.code) & 0x07 {
                    libc::BPF_JMP if step.k != 0 && step.jt == 0 && step.jf == 0 => step.k as usize,
                    libc::BPF_JMP => usize::from(step.jt.max(step.jf)),
                    _ => 0,
                };
                assert!(at + 1 + furthest < program.len() || furthest == 0);
            }
            assert_eq!(u32::from(program.last().unwrap().code), libc::BPF_RET | libc::BPF_K);
        }
    }

    #[test]
    fn another_architecture_is_refused() {
        let program = assemble(Scope::default());
        assert_eq!(run(&program, &data(0, 42, [0; 6])), libc::SECCOMP_RET_KILL_PROCESS);
    }

    proptest! {
        #[test]
        fn it_decides_as_written_down(
            scope in prop::sample::select(&SCOPES[..]),
            abi in 0..ABIS.len(),
            any in 0_u32..600,
            listed in any::<Option<prop::sample::Index>>(),
            arguments in prop::array::uniform6(prop_oneof![
                Just(0), 0_u64..30, any::<u64>(), Just(1 << 32), Just(libc::MSG_FASTOPEN as u64)
            ]),
        ) {
            let abi = &ABIS[abi];
            let number = listed.map_or(any, |index| abi.calls[index.index(abi.calls.len())].0);
            let call = abi.calls.iter().find(|(each, _)| *each == number).map(|(_, call)| *call);
            let found = run(&assemble(scope), &data(abi.architecture, number, arguments));
            prop_assert_eq!(found, expected(call, arguments, scope));
        }
    }
}
