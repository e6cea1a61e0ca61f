//! What the POWER9 host is made of: its disk, a compiler for its processor, and the binaries that this compiler makes.
//! All comes from Debian packages that are unpacked and not installed (docs/decisions/0014), once, into directories of
//! `target/lab/` that are named by the hash of what describes them. Nothing is started here but their makers.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build;
use crate::command::succeed;
use crate::error::Result;
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
fn made(part: &str, proof: &str, what: &str) -> Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("power9").join(part);
    let hash = image::hash(&[SUITE], &source, std::slice::from_ref(&source))?;
    let dir = places::lab().join(format!("power9-{part}-{hash}"));
    image::build_once((&dir, proof), &format!("power9-{part}.lock"), what, |unfinished| {
        let mut script = Command::new(source.join("build"));
        script.arg(SUITE).arg(unfinished);
        script
    })?;
    Ok(dir)
}
