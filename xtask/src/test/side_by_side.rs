//! Test files of one package, several at a time: those of the lab wait for emulated machines, each of which
//! keeps one processor busy. Plain `cargo test` runs the same, one after the other.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use anyhow::bail;

use crate::shell;

/// How many at a time: a lab host takes a processor and 2.5 GB.
pub const LANES: usize = 2;

/// Builds all test files of a package, then runs them. What one says is printed when it has ended.
pub fn run(package: &str) -> anyhow::Result<()> {
    shell::cargo(&["test", "--quiet", "--package", package, "--no-run"])?;
    shell::cargo(&["test", "--quiet", "--package", package, "--lib", "--bins"])?;
    let files = Mutex::new(VecDeque::from(test_files(package)?));
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                while let Some(file) = next(&files) {
                    if let Err(error) = run_file(package, &file) {
                        push(&failed, format!("{file}: {error:#}"));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    if failed.is_empty() { Ok(()) } else { bail!("{}", failed.join("\n")) }
}

fn next(files: &Mutex<VecDeque<String>>) -> Option<String> {
    files.lock().ok()?.pop_front()
}

fn push(failed: &Mutex<Vec<String>>, text: String) {
    // A lane that panicked took no list with it.
    failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text);
}

/// The test files, the longest first: it is the likeliest to take longest.
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
    files.sort_by(|left, right| right.cmp(left));
    if files.is_empty() {
        bail!("package {package} has no test files");
    }
    Ok(files.into_iter().map(|(_, name)| name).collect())
}

fn run_file(package: &str, file: &str) -> anyhow::Result<()> {
    let start = Instant::now();
    let output = shell::cargo_quietly(&["test", "--quiet", "--package", package, "--test", file])?;
    let mut out = std::io::stderr().lock();
    writeln!(out, "── {package}: {file}, {:.1} s", start.elapsed().as_secs_f64())?;
    out.write_all(&output.stdout)?;
    out.write_all(&output.stderr)?;
    match output.status.success() {
        true => Ok(()),
        false => bail!("failed ({})", output.status),
    }
}
