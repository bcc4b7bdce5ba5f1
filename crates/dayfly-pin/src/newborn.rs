//! A process that is about to become a program, and shares its parent's memory until then, as after
//! vfork(2): nothing has to be copied for it or handed over by it.

use std::ffi::c_void;
use std::os::fd::{AsRawFd, BorrowedFd};

use rustix::io::{Errno, Result};
use rustix::process::Pid;

use crate::sys::checked;

/// Enough for what the standard library does before `execve()`; what is not touched takes no memory.
const STACK: usize = 1 << 18;

/// Starts a process that does this, and waits until it has become a program or is over. What it
/// writes into memory is there for the caller; its descriptors are the caller's own until it leaves
/// them (unshare(2)). If it comes back from its work, it is over.
///
/// The caller must be a process of one thread.
pub(crate) fn start<Work: FnMut()>(mut work: Work) -> Result<Pid> {
    let mut stack = stack();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_FILES | libc::SIGCHLD;
    #[expect(unsafe_code, reason = "clone(2) has no safe wrapper")]
    // SAFETY: the stack is of this length, aligned, and lives until the call returns, at which time
    // the child has left this memory; in the meantime the caller's only thread stands still. The
    // child gets what it is told to do through a pointer to it.
    let child = unsafe {
        let top = stack.as_mut_ptr().add(stack.capacity());
        libc::clone(enter::<Work>, top.cast(), flags, (&raw mut work).cast())
    };
    Pid::from_raw(checked(child.into())? as i32).ok_or(Errno::SRCH)
}

/// The same, with descriptors of its own and as one that was never outside of this cgroup. Moving a
/// process there takes ten milliseconds.
pub(crate) fn start_in_group<Work: FnMut()>(group: BorrowedFd<'_>, mut work: Work) -> Result<Pid> {
    let mut stack = stack();
    let arguments = CloneArguments {
        flags: INTO_GROUP | (libc::CLONE_VM | libc::CLONE_VFORK) as u64,
        exit_signal: libc::SIGCHLD as u64,
        stack: stack.as_mut_ptr() as u64,
        stack_size: (stack.capacity() * size_of::<u128>()) as u64,
        group: group.as_raw_fd() as u64,
        ..CloneArguments::default()
    };
    // SAFETY: as above.
    #[expect(unsafe_code, reason = "clone3(2) has no wrapper at all")]
    let child = unsafe { clone3(&arguments, enter::<Work>, (&raw mut work).cast()) };
    // The kernel's own way of saying it, without the C library in between.
    let child = i32::try_from(child).map_err(|_| Errno::INVAL)?;
    if child < 0 {
        return Err(Errno::from_raw_os_error(-child));
    }
    Pid::from_raw(child).ok_or(Errno::SRCH)
}

fn stack() -> Vec<u128> {
    Vec::with_capacity(STACK / size_of::<u128>())
}

/// The child's first function. Its result is the exit code.
extern "C" fn enter<Work: FnMut()>(work: *mut c_void) -> i32 {
    #[expect(unsafe_code, reason = "clone(2) hands over a bare pointer")]
    // SAFETY: it is the one that the parent gave, which waits with it.
    let work = unsafe { &mut *work.cast::<Work>() };
    work();
    127
}

/// `struct clone_args` (clone3(2), since 5.7 with a cgroup).
#[derive(Default)]
#[repr(C)]
struct CloneArguments {
    flags: u64,
    handle: u64,
    child: u64,
    parent: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    thread_storage: u64,
    numbers: [u64; 2],
    group: u64,
}

/// `CLONE_INTO_CGROUP` (`include/uapi/linux/sched.h`).
const INTO_GROUP: u64 = 1 << 33;

/// Makes a process that calls `enter` with `work` on the stack of the arguments, and ends with what
/// it returns. Returns the process number, or an error below 0.
///
/// The kernel returns twice, on two stacks: no function can be called in between, and so this is
/// not `syscall()`.
#[expect(unsafe_code, reason = "clone3(2) has no wrapper at all")]
unsafe fn clone3(
    arguments: &CloneArguments,
    enter: extern "C" fn(*mut c_void) -> i32,
    work: *mut c_void,
) -> i64 {
    let result;
    // SAFETY: the child begins on a stack of its own, with the registers as they are, and never
    // leaves this block; for the parent it is one system call.
    #[cfg(target_arch = "x86_64")]
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "mov edi, eax",
            "mov eax, {exit}",
            "syscall",
            "2:",
            exit = const libc::SYS_exit_group,
            inlateout("rax") libc::SYS_clone3 => result,
            in("rdi") std::ptr::from_ref(arguments),
            in("rsi") size_of::<CloneArguments>(),
            in("r12") work,
            in("r13") enter,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    // SAFETY: as above.
    #[cfg(target_arch = "aarch64")]
    unsafe {
        std::arch::asm!(
            "svc #0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, x20",
            "blr x21",
            "mov x8, {exit}",
            "svc #0",
            "2:",
            exit = const libc::SYS_exit_group,
            inlateout("x0") std::ptr::from_ref(arguments) => result,
            in("x1") size_of::<CloneArguments>(),
            in("x8") libc::SYS_clone3,
            in("x20") work,
            in("x21") enter,
        );
    }
    result
}
