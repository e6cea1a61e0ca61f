//! Where the lab keeps its things: everything it makes lies under `target/lab/`, so `cargo clean` removes it.

use std::path::{Path, PathBuf};

/// The repository's root.
pub fn repository() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Cargo's target directory.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => repository().join(dir),
        None => repository().join("target"),
    }
}

/// All that the lab makes.
pub fn lab() -> PathBuf {
    target().join("lab")
}

/// One directory for each lab host: sockets, logs, disks, the shared files.
pub fn runs() -> PathBuf {
    lab().join("run")
}
