//! Running a program to its end and saying what it took.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a program took from start to finish.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Took {
    /// By the clock.
    pub(crate) elapsed: Duration,
    /// Of the processor, in the program itself and in the kernel on its behalf.
    pub(crate) processor: Duration,
    /// The most memory it had at once, in KiB (`ru_maxrss` of getrusage(2)). A process starts as a
    /// copy of the one that starts it, so it is never less than what that one had.
    pub(crate) peak_kib: u64,
}

/// Runs the command, its output thrown away.
pub(crate) fn measure(command: &mut Command) -> Result<Took, String> {
    command.stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let child = command.spawn().map_err(|error| format!("{command:?} does not run: {error}"))?;
    let (status, usage) = wait4(child.id())?;
    let elapsed = start.elapsed();
    if status != 0 {
        return Err(format!("{command:?} failed, with wait status {status:#x}"));
    }
    let processor = duration(usage.ru_utime) + duration(usage.ru_stime);
    Ok(Took { elapsed, processor, peak_kib: usage.ru_maxrss.unsigned_abs() })
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs())
        + Duration::from_micros(time.tv_usec.unsigned_abs())
}

fn wait4(process: u32) -> Result<(i32, libc::rusage), String> {
    let mut status = 0;
    #[expect(unsafe_code, reason = "only wait4 tells what one child took")]
    // SAFETY: rusage is made of integers, for which zero is a value; both pointers are to values
    // of the right type that live until the call returns.
    let (ended, usage) = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        (libc::wait4(process.cast_signed(), &raw mut status, 0, &raw mut usage), usage)
    };
    if ended == process.cast_signed() {
        Ok((status, usage))
    } else {
        Err(format!("cannot wait for {process}: {}", std::io::Error::last_os_error()))
    }
}
