//! The client programs of `programs/`, compiled when a test first wants them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// One way of compiling a source: the file that comes out, the source, the compiler, its words.
struct Recipe {
    name: &'static str,
    source: &'static str,
    compiler: &'static str,
    words: &'static [&'static str],
}

const C: &[&str] = &["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"];
const STATIC_C: &[&str] = &["-O2", "-Wall", "-Wextra", "-Werror", "-pthread", "-static"];
const LIBRARY: &[&str] = &["-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC"];

const RECIPES: [Recipe; 8] = [
    Recipe { name: "client", source: "client.c", compiler: "cc", words: C },
    Recipe { name: "client-static", source: "client.c", compiler: "cc", words: STATIC_C },
    Recipe { name: "client-musl", source: "client.c", compiler: "musl-gcc", words: STATIC_C },
    Recipe { name: "client-go", source: "client.go", compiler: "go", words: &["build"] },
    Recipe { name: "uring", source: "uring.c", compiler: "cc", words: C },
    Recipe { name: "daemon", source: "daemon.c", compiler: "cc", words: C },
    Recipe { name: "deny", source: "deny.c", compiler: "cc", words: C },
    Recipe { name: "preload.so", source: "preload.c", compiler: "cc", words: LIBRARY },
];

/// Compiles whatever is older than its source and returns the folder with all of them; the client
/// in Python (`client.py`) is there too.
///
/// Needs cc with a static C library, musl-gcc and go: ask [`needs!`](crate::needs) first. Tests that
/// run at the same time wait for the one that compiles.
///
/// # Panics
/// When a compiler is missing or refuses.
#[must_use]
pub fn programs() -> PathBuf {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("programs");
    let folder = target().join("programs");
    fs::create_dir_all(&folder).expect("the target folder can be written");
    let lock = fs::File::create(folder.join(".lock")).expect("a lock can be made");
    lock.lock().expect("the lock can be taken");
    for recipe in &RECIPES {
        compile(recipe, &sources, &folder);
    }
    let script = "client.py";
    if !is_newer(&folder.join(script), &sources.join(script)) {
        fs::copy(sources.join(script), folder.join(script)).expect("the script can be copied");
    }
    folder
}

/// Where cargo builds.
fn target() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target");
    std::env::var_os("CARGO_TARGET_DIR").map_or(workspace, PathBuf::from)
}

fn compile(recipe: &Recipe, sources: &Path, folder: &Path) {
    let (source, product) = (sources.join(recipe.source), folder.join(recipe.name));
    if is_newer(&product, &source) {
        return;
    }
    // A compiler that is killed leaves nothing that looks like a product.
    let unfinished = folder.join(format!("{}.new", recipe.name));
    let done = Command::new(recipe.compiler)
        .args(recipe.words)
        .arg("-o")
        .args([&unfinished, &source])
        // Of no meaning to C: no modules and no cgo, so the network is not asked and the program
        // is static.
        .env("GO111MODULE", "off")
        .env("CGO_ENABLED", "0")
        .env("GOFLAGS", "")
        .env("GOCACHE", folder.join("go-cache"))
        .output()
        .unwrap_or_else(|error| panic!("{} does not run: {error}", recipe.compiler));
    assert!(
        done.status.success(),
        "{} does not compile {}: {}",
        recipe.compiler,
        recipe.source,
        String::from_utf8_lossy(&done.stderr)
    );
    fs::rename(unfinished, product).expect("the target folder can be written");
}

fn is_newer(product: &Path, source: &Path) -> bool {
    let time = |path: &Path| fs::metadata(path).and_then(|data| data.modified()).ok();
    time(product) > time(source)
}
