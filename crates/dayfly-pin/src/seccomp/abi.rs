//! Which numbers the calls that open a connection have, on each architecture that this kernel runs
//! programs of.
//!
//! The numbers are from the kernel's tables: `arch/x86/entry/syscalls/syscall_{32,64}.tbl`,
//! `scripts/syscall.tbl` (aarch64), `arch/arm/tools/syscall.tbl`, and `include/uapi/linux/net.h`
//! for `socketcall`.

/// A call that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// `connect(fd, address, length)`.
    Connect,
    /// `sendto(fd, bytes, length, flags, address, length)`.
    SendTo,
    /// `sendmsg(fd, message, flags)`.
    SendMessage,
    /// `sendmmsg(fd, messages, count, flags)`.
    SendMessages,
    /// `bind(fd, address, length)`.
    Bind,
    /// `listen(fd, backlog)`.
    Listen,
    /// `socketcall(which, arguments)` of 32-bit x86: one of the above, with its arguments in memory.
    Multiplexed,
    /// `io_uring_setup`: a ring connects without any of the above.
    IoUringSetup,
}

/// The calls of one kind of program.
pub(crate) struct Abi {
    /// `AUDIT_ARCH_*` (`include/uapi/linux/audit.h`).
    pub(crate) architecture: u32,
    /// Whether its pointers have 32 bits.
    pub(crate) narrow: bool,
    /// Call numbers.
    pub(crate) calls: &'static [(u32, Call)],
}

#[cfg(target_arch = "x86_64")]
pub(crate) const ABIS: &[Abi] = &[
    Abi {
        architecture: 0xC000_003E,
        narrow: false,
        calls: &[
            (42, Call::Connect),
            (44, Call::SendTo),
            (46, Call::SendMessage),
            (307, Call::SendMessages),
            (49, Call::Bind),
            (50, Call::Listen),
            (425, Call::IoUringSetup),
            // x32: the same architecture, with a bit set in the number. Where it differs in the
            // layout of its messages it has numbers of its own.
            (X32 | 42, Call::Connect),
            (X32 | 44, Call::SendTo),
            (X32 | 518, Call::SendMessage),
            (X32 | 538, Call::SendMessages),
            (X32 | 49, Call::Bind),
            (X32 | 50, Call::Listen),
            (X32 | 425, Call::IoUringSetup),
        ],
    },
    Abi {
        architecture: 0x4000_0003,
        narrow: true,
        calls: &[
            (362, Call::Connect),
            (369, Call::SendTo),
            (370, Call::SendMessage),
            (345, Call::SendMessages),
            (361, Call::Bind),
            (363, Call::Listen),
            (102, Call::Multiplexed),
            (425, Call::IoUringSetup),
        ],
    },
];

/// `__X32_SYSCALL_BIT` (`arch/x86/include/uapi/asm/unistd.h`).
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

#[cfg(target_arch = "aarch64")]
pub(crate) const ABIS: &[Abi] = &[
    Abi {
        architecture: 0xC000_00B7,
        narrow: false,
        calls: &[
            (203, Call::Connect),
            (206, Call::SendTo),
            (211, Call::SendMessage),
            (269, Call::SendMessages),
            (200, Call::Bind),
            (201, Call::Listen),
            (425, Call::IoUringSetup),
        ],
    },
    Abi {
        architecture: 0x4000_0028,
        narrow: true,
        calls: &[
            (283, Call::Connect),
            (290, Call::SendTo),
            (296, Call::SendMessage),
            (374, Call::SendMessages),
            (282, Call::Bind),
            (284, Call::Listen),
            (425, Call::IoUringSetup),
        ],
    },
];

/// What `socketcall` multiplexes, by its first argument.
pub(crate) const MULTIPLEXED: &[(u32, Call)] = &[
    (2, Call::Bind),
    (3, Call::Connect),
    (4, Call::Listen),
    (11, Call::SendTo),
    (16, Call::SendMessage),
    (20, Call::SendMessages),
];

/// The call behind an architecture and a number, and whether its pointers have 32 bits.
pub(crate) fn call_of(architecture: u32, number: u32) -> Option<(Call, bool)> {
    let abi = ABIS.iter().find(|abi| abi.architecture == architecture)?;
    let (_, call) = abi.calls.iter().find(|(each, _)| *each == number)?;
    // x32 is narrow as well: its messages have the layout of 32-bit pointers.
    Some((*call, abi.narrow || number & 0x4000_0000 != 0))
}
