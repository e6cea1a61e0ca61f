//! A disk that is full, at every fill there is.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use engine::{Engine, StateDir};
use host::paths::Root;

use crate::given::*;

/// The page of a file system in memory.
const PAGE: u64 = 4096;

/// Runs [`inside`] where a small file system of its own is mounted.
#[test]
fn a_full_disk_stops_a_plan_and_nothing_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let mount = "mount -t tmpfs -o size=6m none \"$1\" && cd \"$1\" && shift && exec \"$@\"";
    let test = std::env::current_exe().unwrap();
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", mount, "sh"])
        .arg(folder.path())
        .arg(test)
        .args(["disk::inside", "--exact", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "needs a small file system as its folder: the test above makes one"]
fn inside() {
    let here = std::env::current_dir().unwrap();
    let mut full = 0_u64;
    // From a disk without room for anything to one with room for all.
    for pages in 0..48 {
        let given = Given::new();
        let before = given.host.snapshot_tree();
        let engine = || engine_at(&given, &here.join("state"));
        engine().recover().unwrap();
        let filler = fill(&here, pages);
        let bound = engine().bind(&request(&[GPU, NVME]));
        if let Err(error) = &bound {
            assert_eq!(error.code(), "state_full", "{pages}: {error}");
            let diff = before.diff(&given.host.snapshot_tree());
            let diff: Vec<_> = diff.iter().filter(|line| !line.contains("vfio")).collect();
            assert_eq!(diff, [""; 0], "{pages}: {error}");
            full += 1;
        }
        fs::remove_file(filler).unwrap();
        engine().recover().unwrap();
        if bound.is_err() {
            engine().bind(&request(&[GPU, NVME])).unwrap();
        }
        engine().release(&typed(&[GPU, NVME])).unwrap();
        assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"), "{pages}");
        assert_eq!(given.host.driver_of(GPU).as_deref(), Some("nvidia"), "{pages}");
        fs::remove_dir_all(here.join("state")).unwrap();
    }
    assert!((1..48).contains(&full), "full {full} times: the disk has the wrong size");
}

fn engine_at(given: &Given, state: &Path) -> Engine {
    let (kernel, runner) = (Box::new(given.host.kernel()), Box::new(given.host.runner()));
    Engine::new(Root::new(given.host.root()), StateDir::new(state), kernel, runner)
        .probe_wait(std::time::Duration::ZERO)
}

/// Fills the disk but for so many pages.
fn fill(folder: &Path, pages: u64) -> PathBuf {
    let path = folder.join("filler");
    let mut file = fs::File::create(&path).unwrap();
    while file.write_all(&[0; PAGE as usize]).is_ok() {}
    let length = file.metadata().unwrap().len() / PAGE * PAGE;
    file.set_len(length.saturating_sub(pages * PAGE)).unwrap();
    path
}
