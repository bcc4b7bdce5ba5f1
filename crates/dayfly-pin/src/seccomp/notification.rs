//! Takes stopped calls from the kernel and answers them (seccomp_unotify(2)).

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use rustix::io::{Errno, Result};

use crate::sys::checked;

/// `SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP` (`include/uapi/linux/seccomp.h`, since 6.6): the caller and
/// the supervisor take turns, so wake the one on the processor of the other.
const SYNC_WAKE_UP: u64 = 1;

/// What becomes of a stopped call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// It runs as if it had never stopped.
    Continue,
    /// It returns 0 without having run.
    Done,
    /// It fails with this error without having run.
    Fail(Errno),
    /// It waits on: a port comes free soon.
    Later,
}

/// The supervisor's end of an installed filter.
#[derive(Debug)]
pub(crate) struct Listener(OwnedFd);

impl Listener {
    /// Installs the filter for the calling thread and all that it starts from now on. First
    /// without `no_new_privs`, so that setuid programs keep working for who may; then with.
    ///
    /// # Errors
    /// `EBUSY` when a filter above has a listener already: there can be one only.
    #[expect(unsafe_code, reason = "seccomp(2) and prctl(2) have no safe wrapper")]
    pub(crate) fn install(filter: &[libc::sock_filter]) -> Result<Listener> {
        let program =
            libc::sock_fprog { len: filter.len() as u16, filter: filter.as_ptr().cast_mut() };
        let install = |flags: libc::c_ulong| {
            // SAFETY: `program` points to `len` instructions, which the kernel copies.
            let result = unsafe {
                libc::syscall(
                    libc::SYS_seccomp,
                    libc::SECCOMP_SET_MODE_FILTER,
                    flags,
                    &raw const program,
                )
            };
            checked(result)
        };
        // Before 5.19 the kernel does not know the second flag.
        let attempt = || {
            let killable = libc::SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
            match install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER | killable) {
                Err(Errno::INVAL) => install(libc::SECCOMP_FILTER_FLAG_NEW_LISTENER),
                result => result,
            }
        };
        let result = match attempt() {
            Err(Errno::ACCESS) => {
                // SAFETY: this prctl takes numbers only.
                unsafe {
                    libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
                }
                attempt()
            }
            result => result,
        };
        // SAFETY: the kernel has just made this descriptor, for us alone.
        result.map(|number| Listener(unsafe { OwnedFd::from_raw_fd(number as i32) }))
    }

    /// Takes over the listener that a process with the same table of descriptors has installed.
    pub(crate) const fn adopt(listener: OwnedFd) -> Listener {
        Listener(listener)
    }

    /// Asks for quick turns between the caller and the supervisor; a kernel before 6.6 has none.
    pub(crate) fn wake_in_turns(&self) {
        let flags = SYNC_WAKE_UP;
        // This one request takes its flags by value.
        #[expect(unsafe_code, reason = "rustix has no ioctls of seccomp")]
        // SAFETY: SECCOMP_IOCTL_NOTIF_SET_FLAGS takes a number, not a pointer.
        unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags);
        }
    }

    /// The next stopped call. Blocks if there is none.
    ///
    /// # Errors
    /// `ENOENT` when the caller was killed meanwhile.
    #[expect(unsafe_code, reason = "rustix has no ioctls of seccomp")]
    pub(crate) fn receive(&self) -> Result<libc::seccomp_notif> {
        // SAFETY: the structure is made of integers, and the kernel wants it zeroed.
        let mut notification: libc::seccomp_notif = unsafe { std::mem::zeroed() };
        // SAFETY: the kernel fills in one `seccomp_notif`, whose size never changed.
        let result = unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut notification)
        };
        checked(result.into()).map(|_| notification)
    }

    /// Whether the caller still waits: if so, its thread number has not been given to another.
    #[expect(unsafe_code, reason = "rustix has no ioctls of seccomp")]
    pub(crate) fn still_waits(&self, id: u64) -> bool {
        // SAFETY: the kernel reads one 64-bit number.
        let result = unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_ID_VALID, &raw const id)
        };
        result == 0
    }

    /// Lets the caller go on. That it has been killed meanwhile is no error.
    #[expect(unsafe_code, reason = "rustix has no ioctls of seccomp")]
    pub(crate) fn answer(&self, id: u64, answer: Answer) {
        let (error, flags) = match answer {
            Answer::Continue => (0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE as u32),
            Answer::Done => (0, 0),
            Answer::Fail(error) => (-error.raw_os_error(), 0),
            Answer::Later => return,
        };
        let mut response = libc::seccomp_notif_resp { id, val: 0, error, flags };
        // SAFETY: the kernel reads one `seccomp_notif_resp`.
        unsafe {
            libc::ioctl(self.0.as_raw_fd(), libc::SECCOMP_IOCTL_NOTIF_SEND, &raw mut response);
        }
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}
