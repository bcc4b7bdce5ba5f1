//! What people do with a remedy: paste it into a shell.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// Types a line into a shell that finds this `dayfly`, and says yes where dayfly asks. What it
/// writes down about changes goes away again. Fails the test where the line fails.
///
/// # Panics
/// When the shell or the command fails.
pub fn type_in(line: &str, dayfly: &str) {
    static COUNTER: AtomicU32 = AtomicU32::new(0);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    let state = std::env::temp_dir().join(format!("dayfly-typed-{}-{counter}", std::process::id()));
    let folder = Path::new(dayfly).parent().unwrap_or(Path::new("/"));
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    // Nobody sits in front of it: without a yes, dayfly only shows what it would do.
    let yes = if line.starts_with("dayfly ") { " --yes" } else { "" };
    let done = Command::new("sh")
        .args(["-c", &format!("{line}{yes}")])
        .env("PATH", path)
        .env("DAYFLY_STATE", &state)
        .stdin(Stdio::null())
        .output()
        .expect("sh runs");
    let _ = fs::remove_dir_all(state);
    assert!(done.status.success(), "{line}: {}", String::from_utf8_lossy(&done.stderr));
}
