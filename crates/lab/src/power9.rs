//! What the POWER9 host is made of: its disk, a compiler for its processor, and the binaries that this compiler makes.
//! All comes from Debian packages that are unpacked and not installed (docs/decisions/0014), once, into directories of
//! `target/lab/` that are named by the hash of what describes them. Nothing is started here but their makers.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::build;
use crate::command::succeed;
use crate::error::{AtPath, Result};
use crate::image::{self, Image, SUITE};
use crate::places;

const TARGET: &str = "powerpc64le-unknown-linux-gnu";

/// Cargo's settings for programs that run for seconds in an emulated machine: a quick build is worth more than a quick
/// program.
const PROFILE: &[&str] = &[
    "inherits='dev'",
    "debug=false",
    "incremental=false",
    "panic='abort'",
    "package.\"*\".opt-level=0",
];

/// The disk, the kernel and the initramfs, unpacked when there are none yet (half a minute).
pub(crate) fn image() -> Result<Image> {
    made("image", "root.ext4", "the POWER9 host's image").map(Image::at)
}

/// The compiler, unpacked when there is none yet (half a minute).
pub(crate) fn toolchain() -> Result<PathBuf> {
    made("toolchain", "bin/rustc", "what compiles for POWER9")
}

/// `lab-agent` and `passthru` for POWER. Cargo knows what is fresh; the first build takes a minute or two.
pub(crate) fn binaries() -> Result<Vec<PathBuf>> {
    let tools = toolchain()?.join("bin");
    // Beside the host's own: artefacts of two compilers in one directory void each other.
    let target = places::lab().join("power9-target");
    let mut build = build::cargo();
    build.args(["build", "--quiet", "--target", TARGET, "--target-dir"]).arg(&target);
    build.args(["-p", "cli", "--bin", "passthru", "-p", "lab", "--bin", "lab-agent"]);
    for setting in PROFILE {
        build.args(["--config", &format!("profile.power9.{setting}")]);
    }
    // The compiler comes with its standard library's source, not with the library for POWER. Without unwinding and
    // backtraces that is built in half the time.
    build.args(["--profile", "power9", "-Zbuild-std=std,panic_abort", "-Zbuild-std-features="]);
    build.env("RUSTC_BOOTSTRAP", "1");
    build.env("RUSTC", tools.join("rustc")).env_remove("RUSTFLAGS").env_remove("RUSTC_WRAPPER");
    build.env("CARGO_TARGET_POWERPC64LE_UNKNOWN_LINUX_GNU_LINKER", tools.join("clang"));
    build.env("CC_powerpc64le_unknown_linux_gnu", tools.join("clang"));
    succeed(&mut build)?;
    let folder = target.join(TARGET).join("power9");
    Ok(["lab-agent", "passthru"].map(|name| folder.join(name)).into())
}

/// The directory that `power9/PART/build` makes, built when there is none of this content yet; `proof` is a file in it.
/// Of several processes that ask at once, one builds and the others wait.
fn made(part: &str, proof: &str, what: &str) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("power9").join(part);
    let dir = places::lab().join(format!("power9-{part}-{}", hash_of(&source)?));
    let is_there = || dir.join(proof).exists();
    if is_there() {
        return Ok(dir);
    }
    fs::create_dir_all(places::lab()).at("create", places::lab())?;
    let _turn = image::lock(&format!("power9-{part}.lock"))?;
    if !is_there() {
        // A build that was cut off is none.
        let unfinished = dir.with_extension("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir_all(&unfinished).at("create", &unfinished)?;
        eprintln!("lab: building {what} ({SUITE}; about a minute, once)");
        let mut script = Command::new(source.join("build"));
        succeed(script.arg(SUITE).arg(&unfinished).stdin(Stdio::null()))?;
        fs::rename(&unfinished, &dir).at("finish", &dir)?;
    }
    Ok(dir)
}

/// A hash over the names and bytes of everything in a directory.
fn hash_of(dir: &Path) -> Result<String> {
    let mut files = Vec::new();
    image::collect(dir, &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    hash.update(SUITE);
    for path in files {
        let content = fs::read(&path).at("read", &path)?;
        hash.update(path.strip_prefix(dir).unwrap_or(&path).as_os_str().as_encoded_bytes());
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(crate::hex(&hash.finalize()[..8]))
}
