//! Room for many sockets.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files as far as the kernel allows and returns it.
///
/// Root may go up to `fs.nr_open`; anybody else up to their hard limit.
pub fn raise_open_files() -> u64 {
    let most = std::fs::read_to_string("/proc/sys/fs/nr_open")
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(1 << 20);
    let now = getrlimit(Resource::Nofile);
    let as_root = Rlimit { current: Some(most), maximum: Some(most) };
    if setrlimit(Resource::Nofile, as_root).is_err() {
        // Never above what is already allowed, so this cannot be refused; were it, tests that
        // need more would say EMFILE.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    }
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}
