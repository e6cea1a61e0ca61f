//! The lab host's disk, kernel and initramfs: built once by `image/build`, then taken from
//! `target/lab/image-HASH/` as long as nothing in `image/` changes.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::command::succeed;
use crate::error::{AtPath, Result};
use crate::places;

/// Debian's release of the lab host.
pub const SUITE: &str = "trixie";

/// A finished image; nothing in it changes any more.
#[derive(Debug, Clone)]
pub struct Image {
    dir: PathBuf,
}

impl Image {
    /// One that is finished.
    pub(crate) fn at(dir: PathBuf) -> Self {
        Self { dir }
    }

    /// The image of this checkout, built when there is none yet (about a minute). Of several processes that
    /// ask at once, one builds and the others wait.
    pub fn ensure() -> Result<Self> {
        let dir = places::lab().join(format!("image-{}", content_hash()?));
        let image = Self { dir };
        if image.root().exists() {
            return Ok(image);
        }
        fs::create_dir_all(places::lab()).at("create", places::lab())?;
        let _turn = lock("image.lock")?;
        if !image.root().exists() {
            image.build()?;
        }
        Ok(image)
    }

    /// The root file system (ext4), never written: runs use it with `snapshot=on`.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root.ext4")
    }

    pub fn kernel(&self) -> PathBuf {
        self.dir.join("vmlinuz")
    }

    pub fn initramfs(&self) -> PathBuf {
        self.dir.join("initrd.img")
    }

    /// Reads files out of the root file system, without mounting it; those that are missing are left out.
    pub fn extract(&self, files: &[(String, PathBuf)]) -> Result<()> {
        let mut debugfs = Command::new("/sbin/debugfs");
        let script: String =
            files.iter().map(|(from, to)| format!("dump {from} \"{}\"\n", to.display())).collect();
        let path = self.dir.join(format!("extract-{}", std::process::id()));
        fs::write(&path, script).at("write", &path)?;
        let result = succeed(debugfs.arg("-f").arg(&path).arg(self.root()));
        let _ = fs::remove_file(&path);
        result.map(drop)
    }

    /// Builds beside the final place and moves the result there, so that a build that was cut off is no image.
    fn build(&self) -> Result<()> {
        let script = source().join("build");
        let unfinished = self.dir.with_extension("unfinished");
        let _ = fs::remove_dir_all(&unfinished);
        fs::create_dir_all(&unfinished).at("create", &unfinished)?;
        eprintln!("lab: building the lab host's image ({SUITE}; about a minute, once)");
        succeed(Command::new(script).arg(SUITE).arg(&unfinished).stdin(Stdio::null()))?;
        fs::rename(&unfinished, &self.dir).at("finish", &self.dir)
    }
}

/// Waits for and holds a lock file in `target/lab/` until the value is dropped.
pub(crate) fn lock(name: &str) -> Result<File> {
    let path = places::lab().join(name);
    let file = File::create(&path).at("create", &path)?;
    file.lock().at("lock", &path)?;
    Ok(file)
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("image")
}

/// A hash over the names, modes and bytes of everything in `image/`.
fn content_hash() -> Result<String> {
    let mut files = Vec::new();
    collect(&source(), &mut files)?;
    files.sort();
    let mut hash = Sha256::new();
    hash.update(SUITE);
    for path in files {
        let content = fs::read(&path).at("read", &path)?;
        hash.update(path.strip_prefix(source()).unwrap_or(&path).as_os_str().as_encoded_bytes());
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(crate::hex(&hash.finalize()[..8]))
}

/// All files below a directory.
pub(crate) fn collect(dir: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(dir).at("list", dir)? {
        let path = entry.at("list", dir)?.path();
        if path.is_dir() { collect(&path, files)? } else { files.push(path) }
    }
    Ok(())
}
