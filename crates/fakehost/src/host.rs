//! A pretended machine, and looking at it. What is in it: [`crate::build`]
//! and [`crate::usage`]; what goes wrong with it: [`crate::faults`].

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Bdf;
use tempfile::TempDir;

use crate::disk::FakeDisk;
use crate::inject::Op;
use crate::kernel::{FakeKernel, Shared, State};
use crate::machine::Machine;
use crate::presets::address;
use crate::runner::FakeRunner;
use crate::snapshot::TreeSnapshot;

/// A machine below a folder. Clones are doors to the same machine.
#[derive(Clone, Debug)]
pub struct FakeHost {
    pub(crate) shared: Shared,
    root: PathBuf,
    /// The functions that the last call added: those that `group` moves.
    pub(crate) last: Vec<Bdf>,
    _folder: Option<Arc<TempDir>>,
}

impl Default for FakeHost {
    fn default() -> Self {
        Self::new()
    }
}

/// Machines.
impl FakeHost {
    /// A machine with an IOMMU, the modules `vfio-pci` and `pci-stub` to be
    /// loaded, and no device. Its tree lies in memory where there is room: a
    /// test makes hundreds of files, twenty times faster than on a disk.
    pub fn new() -> Self {
        Self::new_in(&memory().unwrap_or_else(std::env::temp_dir))
    }

    /// The same, in a temporary folder below this one. A function takes about
    /// 150 KiB.
    pub fn new_in(parent: &Path) -> Self {
        let folder = tempfile::Builder::new().prefix("fakehost").tempdir_in(parent);
        let folder = folder.expect("a temporary folder");
        let root = folder.path().join("root");
        std::fs::create_dir(&root).expect("a folder in a new temporary folder");
        let machine = Machine::new(&root);
        machine.complete();
        machine.put_modules();
        machine.put_iommu();
        Self::around(machine, Some(folder))
    }

    /// A machine from a tree that is there, such as an unpacked recording. It
    /// is changed in place. Each driver knows the devices that it has now.
    pub fn from_dir(root: &Path) -> Self {
        let mut machine = Machine::new(root);
        machine.complete();
        machine.adopt();
        Self::around(machine, None)
    }

    fn around(machine: Machine, folder: Option<TempDir>) -> Self {
        let root = machine.tree.root().to_owned();
        let shared = Shared::new(machine);
        Self { shared, root, last: Vec::new(), _folder: folder.map(Arc::new) }
    }

    /// No IOMMU: no groups. To be called before devices are added.
    #[must_use]
    pub fn without_iommu(self) -> Self {
        self.with(|state| {
            state.machine.iommu = false;
            for path in ["sys/class/iommu", "sys/devices/virtual", "sys/kernel/iommu_groups"] {
                state.machine.tree.remove(path);
            }
        })
    }

    /// A file of the machine, by its path below the root.
    #[must_use]
    pub fn file(self, path: &str, content: &str) -> Self {
        self.with(|state| state.machine.tree.put(path, content))
    }

    pub(crate) fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.shared.lock());
        self
    }
}

/// Doors and sights.
impl FakeHost {
    /// The folder that stands for `/`.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The door for writes.
    pub fn kernel(&self) -> FakeKernel {
        FakeKernel(self.shared.clone())
    }

    /// The door for commands.
    pub fn runner(&self) -> FakeRunner {
        FakeRunner(self.shared.clone())
    }

    /// The gate for changes of files.
    pub fn disk(&self) -> FakeDisk {
        FakeDisk(self.shared.clone())
    }

    /// Everything that was asked of the machine so far, in order.
    pub fn log(&self) -> Vec<Op> {
        self.shared.lock().log.clone()
    }

    /// The whole tree as a value.
    pub fn snapshot_tree(&self) -> TreeSnapshot {
        TreeSnapshot::of(&self.root)
    }

    /// The driver that has a function now.
    pub fn driver_of(&self, bdf: &str) -> Option<String> {
        self.shared.lock().machine.driver_of(address(bdf))
    }

    /// An attribute of a function, without the line feed; `None` when it is not there.
    pub fn attribute(&self, bdf: &str, name: &str) -> Option<String> {
        self.shared.lock().machine.attribute(address(bdf), name)
    }

    /// Whether a unit is active; `None` when there is no such unit.
    pub fn is_active(&self, unit: &str) -> Option<bool> {
        self.shared.lock().machine.units.get(unit).copied()
    }
}

/// The memory file system of the machine that the tests run on, if it has
/// room for some trees (a container's often has 64 MiB), and unless `TMPDIR`
/// says otherwise.
fn memory() -> Option<PathBuf> {
    const ROOM: u64 = 256 << 20;
    if std::env::var_os("TMPDIR").is_some() {
        return None;
    }
    let folder: PathBuf = ["/", "dev", "shm"].iter().collect();
    let stat = rustix::fs::statvfs(&folder).ok()?;
    let writable = rustix::fs::access(&folder, rustix::fs::Access::WRITE_OK).is_ok();
    (writable && stat.f_bavail * stat.f_frsize >= ROOM).then_some(folder)
}
