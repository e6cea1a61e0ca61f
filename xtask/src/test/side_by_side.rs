//! All that starts emulated machines, several at a time: the test files of the lab and the demo. Each machine keeps
//! one processor busy. Plain `cargo test` and `cargo xtask demo` run the same, one after the other.

use std::cmp::Reverse;
use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::bail;

use crate::shell;

/// How many at a time: a lab host takes a processor and 2.5 GB.
pub const LANES: usize = 2;

/// What cargo is to run.
struct Job {
    name: String,
    cargo: Vec<String>,
}

/// Builds all test files of a package, then runs them and the demo. What one says is printed when it has ended.
pub fn run(package: &str, long: bool) -> anyhow::Result<()> {
    shell::cargo(&["test", "--quiet", "--package", package, "--no-run"])?;
    shell::cargo(&["test", "--quiet", "--package", package, "--lib", "--bins"])?;
    let demo = Job { name: "demo".to_owned(), cargo: ["xtask", "demo"].map(str::to_owned).into() };
    let jobs = test_files(package)?.into_iter().map(|file| {
        let mut cargo: Vec<String> =
            ["test", "--quiet", "--package", package, "--test", &file].map(str::to_owned).into();
        if long {
            cargo.extend(["--", "--long"].map(str::to_owned));
        }
        Job { name: file, cargo }
    });
    let jobs: Mutex<VecDeque<Job>> = Mutex::new(jobs.chain([demo]).collect());
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(job) = next(&jobs) {
                    if let Err(error) = job.run() {
                        push(&failed, format!("{}: {error:#}", job.name));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

fn next(jobs: &Mutex<VecDeque<Job>>) -> Option<Job> {
    jobs.lock().ok()?.pop_front()
}

fn push(failed: &Mutex<Vec<String>>, text: String) {
    // A lane that panicked took no list with it.
    failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
}

/// What takes longest by far, which its length does not tell: it restarts its machine again and again.
const SLOWEST: &str = "boot_grub";

/// The test files, those first that are likely to take longest: what begins last keeps all others waiting.
fn test_files(package: &str) -> anyhow::Result<Vec<String>> {
    let metadata = shell::cargo_metadata()?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let targets = packages
        .filter(|found| found["name"] == package)
        .flat_map(|found| found["targets"].as_array().into_iter().flatten())
        .filter(|target| target["kind"][0] == "test");
    let mut files: Vec<(u64, String)> = targets
        .filter_map(|target| {
            let length = std::fs::metadata(target["src_path"].as_str()?).ok()?.len();
            Some((length, target["name"].as_str()?.to_owned()))
        })
        .collect();
    if !files.iter().any(|(_, name)| name == SLOWEST) {
        bail!("there is no test file {SLOWEST} any more: another one is to begin first");
    }
    files.sort_by_key(|(length, name)| Reverse((name == SLOWEST, *length)));
    if files.is_empty() {
        bail!("package {package} has no test files");
    }
    Ok(files.into_iter().map(|(_, name)| name).collect())
}

impl Job {
    fn run(&self) -> anyhow::Result<()> {
        let start = Instant::now();
        let args: Vec<&str> = self.cargo.iter().map(String::as_str).collect();
        let output = shell::cargo_quietly(&args)?;
        let mut out = std::io::stderr().lock();
        writeln!(out, "── {}, {:.1} s", self.name, start.elapsed().as_secs_f64())?;
        out.write_all(&output.stdout)?;
        out.write_all(&output.stderr)?;
        match output.status.success() {
            true => Ok(()),
            false => bail!("failed ({})", output.status),
        }
    }
}
