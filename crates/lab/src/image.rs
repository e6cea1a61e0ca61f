//! What lab hosts start from: the root file system, kernel and initramfs of most of them, built once by
//! `image/base/build` and then taken from `target/lab/image-HASH/` as long as nothing in `image/base/` changes; and
//! disks with a boot loader, made of the same by `image/disk/build`, in `target/lab/disk-PARTS-HASH/`.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use crate::command::succeed;
use crate::error::{AtPath, Result};
use crate::places;

/// Debian's release of the lab host.
pub const SUITE: &str = "trixie";
/// The disk in the directory of [`ensure_disk`].
pub(crate) const DISK: &str = "disk.raw";

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
        let hash = hash(&[SUITE], &source(""), &[source("base")])?;
        let image = Self { dir: places::lab().join(format!("image-{hash}")) };
        build_once((&image.dir, "root.ext4"), TURN, "the lab host's image", |to| {
            let mut script = Command::new(source("base").join("build"));
            script.arg(SUITE).arg(to);
            script
        })?;
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
}

/// The directory of a disk that a lab host boots from by itself, made of these parts (`image/disk/PART/`). It is built
/// when there is none yet (half a minute).
pub(crate) fn ensure_disk(parts: &[String], base: &Image) -> Result<PathBuf> {
    let folder = source("disk");
    let mut sources = vec![folder.join("build")];
    sources.extend(parts.iter().map(|part| folder.join(part)));
    let base_name = base.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let hash = hash(&[SUITE, &base_name], &source(""), &sources)?;
    let dir = places::lab().join(format!("disk-{}-{hash}", parts.join("-")));
    let what = format!("a disk with {}", parts.join(" and "));
    build_once((&dir, DISK), TURN, &what, |to| {
        let mut script = Command::new(folder.join("build"));
        script.arg(SUITE).arg(&base.dir).arg(to).args(parts);
        script
    })?;
    Ok(dir)
}

/// Who makes images waits for it.
const TURN: &str = "image.lock";

/// Makes a directory by a script where the file in it that proves it whole is missing. The script builds beside the
/// final place, and the result is moved there: a build that was cut off is none. Of several processes that ask at
/// once, one builds and the others wait for its turn to end.
pub(crate) fn build_once(
    (dir, proof): (&Path, &str),
    turn: &str,
    what: &str,
    script: impl Fn(&Path) -> Command,
) -> Result<()> {
    let is_there = || dir.join(proof).exists();
    if is_there() {
        return Ok(());
    }
    fs::create_dir_all(places::lab()).at("create", places::lab())?;
    let _turn = lock(turn)?;
    if is_there() {
        return Ok(());
    }
    let unfinished = dir.with_extension("unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished).at("create", &unfinished)?;
    eprintln!("lab: building {what} ({SUITE}; about a minute, once)");
    succeed(script(&unfinished).stdin(Stdio::null()))?;
    fs::rename(&unfinished, dir).at("finish", dir)
}

/// Waits for and holds a lock file in `target/lab/` until the value is dropped.
pub(crate) fn lock(name: &str) -> Result<File> {
    let path = places::lab().join(name);
    let file = File::create(&path).at("create", &path)?;
    file.lock().at("lock", &path)?;
    Ok(file)
}

/// A part of `image/`.
fn source(part: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("image").join(part)
}

/// A hash over these words and over the names, from `base` on, and the bytes of all files at and below these paths.
pub(crate) fn hash(words: &[&str], base: &Path, sources: &[PathBuf]) -> Result<String> {
    let mut files = Vec::new();
    for path in sources {
        collect(path, &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    words.iter().for_each(|word| hash.update(word));
    for path in files {
        let content = fs::read(&path).at("read", &path)?;
        hash.update(path.strip_prefix(base).unwrap_or(&path).as_os_str().as_encoded_bytes());
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(crate::hex(&hash.finalize()[..8]))
}

/// A file, or all files below a directory.
pub(crate) fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(path).at("list", path)? {
        collect(&entry.at("list", path)?.path(), files)?;
    }
    Ok(())
}
