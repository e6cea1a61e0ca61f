//! Builds the binaries that go into lab hosts and guests, by the cargo that runs this. Cargo itself knows what
//! is fresh; asking it costs a fraction of a second.

use std::path::PathBuf;
use std::process::Command;

use crate::command::succeed;
use crate::error::Result;
use crate::places;

/// The C library's name is part of the path of what is built for a target named explicitly.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// `lab-agent` and, once this checkout has it, `passthru`. `PASSTHRU_LAB_PROFILE=release` builds the latter with
/// optimisation.
pub(crate) fn host_binaries() -> Result<Vec<PathBuf>> {
    let release = std::env::var("PASSTHRU_LAB_PROFILE").is_ok_and(|profile| profile == "release");
    let folder = places::target().join(if release { "release" } else { "debug" });
    let mut binaries = vec![folder.join("lab-agent")];
    let mut build = cargo();
    build.args(["build", "--quiet", "-p", "lab", "--bin", "lab-agent"]);
    if places::repository().join("crates/cli/Cargo.toml").exists() {
        build.args(["-p", "cli", "--bin", "passthru"]);
        binaries.push(folder.join("passthru"));
    }
    if release {
        build.arg("--release");
    }
    succeed(&mut build)?;
    Ok(binaries)
}

/// The static init of nested guests. It has a profile of its own: small, whatever the workspace prefers.
pub(crate) fn guest() -> Result<PathBuf> {
    let mut build = cargo();
    build.args(["rustc", "--quiet", "-p", "guest", "--bin", "guest", "--target", TARGET]);
    let profile =
        ["inherits='release'", "opt-level='s'", "lto='thin'", "panic='abort'", "strip='symbols'"];
    for setting in profile {
        build.args(["--config", &format!("profile.guest.{setting}")]);
    }
    build.args(["--profile", "guest", "--", "-C", "target-feature=+crt-static"]);
    succeed(&mut build)?;
    Ok(places::target().join(TARGET).join("guest/guest"))
}

/// The cargo that runs this, in the repository.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(places::repository());
    // What cargo tells a test about the test's own crate is not meant for the crates built here.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let of_a_package = text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_BIN_EXE_");
        if of_a_package || text == "CARGO_MANIFEST_DIR" {
            cargo.env_remove(&name);
        }
    }
    cargo
}
