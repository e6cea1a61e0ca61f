//! Reading what is in an image of an initramfs, against the usual tool that unpacks the same image to nowhere.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use lab::{Archive, Image};
use tempfile::TempDir;

use super::turns::{self, Turns, Who};
use crate::shell::cargo;

const ROUNDS: usize = 11;
/// Modules of so many bytes go into the image: most of a distribution's, as an image for any machine has them.
const MODULES: u64 = 320 << 20;

/// How an image is packed, and unpacked by hand.
struct Tool {
    name: &'static str,
    pack: &'static [&'static str],
    unpack: &'static [&'static str],
}

const TOOLS: &[Tool] = &[
    Tool { name: "gzip", pack: &["gzip", "-c"], unpack: &["gzip", "-dc"] },
    Tool { name: "zstd", pack: &["zstd", "-q", "-9", "-c"], unpack: &["zstd", "-qdc"] },
    Tool { name: "xz", pack: &["xz", "-3", "--check=crc32", "-T0", "-c"], unpack: &["xz", "-dc"] },
    Tool { name: "lz4", pack: &["lz4", "-q", "-l", "-9", "-c"], unpack: &["lz4", "-qdc"] },
];

pub fn table(rounds: Option<usize>) -> anyhow::Result<String> {
    cargo(&["build", "--quiet", "--release", "-p", "host", "--example", "initramfs"])?;
    let folder = lab::places::target().join("bench");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    let work = TempDir::with_prefix_in("initramfs-", &folder).context("temporary folder")?;
    let count = archive(work.path())?;
    let mut text = String::from(
        "| image | packed | unpacked | time | spread | CPU time | passthru | the tool | peak memory |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for tool in TOOLS {
        eprintln!("bench: an image packed by {}", tool.name);
        text += &tool.row(work.path(), count, rounds.unwrap_or(ROUNDS))?;
    }
    let _ = writeln!(text, "\n{count} modules in each image.");
    Ok(text)
}

/// `archive` in a folder, of modules of the lab's kernel; how many.
fn archive(work: &Path) -> anyhow::Result<usize> {
    let root = Image::ensure()?.root();
    let dump = format!("rdump /usr/lib/modules {}", work.display());
    let debugfs = Command::new("/sbin/debugfs").args(["-R", &dump]).arg(&root).output();
    ensure!(debugfs.context("debugfs")?.status.success(), "debugfs reads no modules");
    let mut modules = Vec::new();
    files(&work.join("modules"), &mut modules)?;
    modules.retain(|path| path.to_string_lossy().ends_with(".ko.xz"));
    modules.sort();
    for some in modules.chunks(500) {
        let unpacked = Command::new("xz").args(["-d", "-q", "-T0"]).args(some).status();
        ensure!(unpacked.context("xz")?.success(), "xz unpacks no modules");
    }
    let (mut archive, mut bytes, mut count) = (Archive::default(), 0, 0);
    for path in modules.iter().map(|path| path.with_extension("")) {
        let content = fs::read(&path).with_context(|| path.display().to_string())?;
        let name = path.strip_prefix(work).context("name of a module")?.display().to_string();
        archive.file(&format!("usr/lib/{name}"), 0o644, &content);
        (bytes, count) = (bytes + content.len() as u64, count + 1);
        if bytes > MODULES {
            break;
        }
    }
    ensure!(count > 0, "the lab's image has no modules");
    fs::remove_dir_all(work.join("modules")).context("modules")?;
    fs::write(work.join("archive"), archive.finish()).context("archive")?;
    Ok(count)
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            files(&entry.path(), found)?;
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

impl Tool {
    fn row(&self, work: &Path, count: usize, rounds: usize) -> anyhow::Result<String> {
        let image = work.join(self.name);
        self.pack(&work.join("archive"), &image)?;
        let reader = lab::places::target().join("release/examples/initramfs");
        let ours = [reader.display().to_string(), image.display().to_string()];
        let unpack = self.unpack.iter().map(|word| (*word).to_owned());
        let theirs: Vec<String> = unpack.chain([image.display().to_string()]).collect();
        check(&ours, count)?;
        let turns = turns::take(&ours, &theirs, rounds)?;
        let unpacked = size(&work.join("archive"))?;
        let row = told(self.name, &turns, [size(&image)?, unpacked]);
        fs::remove_file(&image).context("image")?;
        Ok(row)
    }

    fn pack(&self, archive: &Path, image: &Path) -> anyhow::Result<()> {
        let to = File::create(image).with_context(|| image.display().to_string())?;
        let mut command = Command::new(self.pack[0]);
        command.args(&self.pack[1..]).arg(archive).stdin(Stdio::null()).stdout(to);
        let status = command.status().with_context(|| format!("{} (setup/install)", self.name))?;
        ensure!(status.success(), "{} failed ({status})", self.name);
        Ok(())
    }
}

/// Reading must find every module, or it was no reading.
fn check(ours: &[String], count: usize) -> anyhow::Result<()> {
    let output =
        Command::new(&ours[0]).args(&ours[1..]).output().with_context(|| ours[0].clone())?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(text.contains(&format!(": {count} modules\n")), "not {count} modules but: {text}");
    Ok(())
}

fn size(path: &Path) -> anyhow::Result<f64> {
    Ok(fs::metadata(path).with_context(|| path.display().to_string())?.len() as f64 / 1e6)
}

fn told(name: &str, turns: &Turns, [packed, unpacked]: [f64; 2]) -> String {
    format!(
        "| {name} | {packed:.0} MB | {unpacked:.0} MB | **{:.2}** | ±{:.0} % | {:.2} | {:.0} ms | {:.0} ms | {:.0} / {:.0} MB |\n",
        turns.time(),
        turns.spread(),
        turns.cpu(),
        turns.millis(Who::Ours),
        turns.millis(Who::Theirs),
        turns.peak(Who::Ours),
        turns.peak(Who::Theirs),
    )
}
