//! Building a pretended machine, and looking at it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::Bdf;
use rustix::io::Errno;
use tempfile::TempDir;

use crate::driver::Driver;
use crate::inject::{Fault, Injection, Moment, On, Op};
use crate::kernel::{FakeKernel, Shared, State};
use crate::machine::Machine;
use crate::mdev::MdevType;
use crate::presets::{self, address};
use crate::runner::FakeRunner;
use crate::snapshot::TreeSnapshot;
use crate::spec::{Express, FunctionSpec};

/// A machine below a folder. Clones are doors to the same machine.
#[derive(Clone, Debug)]
pub struct FakeHost {
    pub(crate) shared: Shared,
    root: PathBuf,
    /// The functions that the last call added: those that `group` moves.
    last: Vec<Bdf>,
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
    /// loaded, and no device.
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("fakehost").tempdir();
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

    fn with(self, change: impl FnOnce(&mut State)) -> Self {
        change(&mut self.shared.lock());
        self
    }
}

/// Devices. Addresses are the kernel's form (`0000:65:00.0`).
impl FakeHost {
    /// Any function.
    #[must_use]
    pub fn function(mut self, spec: FunctionSpec) -> Self {
        self.last = vec![spec.bdf];
        self.with(|state| state.machine.add_function(&spec))
    }

    /// A consumer graphics card on the driver `nvidia`.
    #[must_use]
    pub fn gpu(self, bdf: &str) -> Self {
        self.function(presets::gpu(address(bdf)))
    }

    /// The sound function of the card before it, in its group.
    #[must_use]
    pub fn with_audio(self) -> Self {
        self.with_function(1, presets::gpu_audio)
    }

    /// The USB function of the card before it, in its group.
    #[must_use]
    pub fn with_usb(self) -> Self {
        self.with_function(2, presets::gpu_usb)
    }

    /// The USB-C controller of the card before it, in its group.
    #[must_use]
    pub fn with_ucsi(self) -> Self {
        self.with_function(3, presets::gpu_ucsi)
    }

    /// Another function of the device before it, in its group.
    #[must_use]
    pub fn with_function(mut self, number: u8, spec: impl Fn(Bdf) -> FunctionSpec) -> Self {
        let first = *self.last.first().unwrap_or_else(|| panic!("there is no device before it"));
        let bdf = Bdf::new(first.domain(), first.bus(), first.device(), number);
        let bdf = bdf.unwrap_or_else(|error| panic!("{error}"));
        self.last.push(bdf);
        self.with(|state| {
            let group = state.machine.group_of(first);
            let spec = spec(bdf);
            state.machine.add_function(&FunctionSpec { group: spec.group.or(group), ..spec });
        })
    }

    /// A server's accelerator on the driver `nvidia`.
    #[must_use]
    pub fn accelerator(self, bdf: &str) -> Self {
        self.function(presets::accelerator(address(bdf)))
    }

    /// An NVMe drive; the first is `nvme0` with `nvme0n1`, and so on.
    #[must_use]
    pub fn nvme(self, bdf: &str) -> Self {
        let count = self.shared.lock().machine.tree.names("sys/class/nvme").len();
        self.function(presets::nvme(address(bdf), &format!("nvme{count}")))
    }

    /// A network card with one interface.
    #[must_use]
    pub fn nic(self, bdf: &str, interface: &str) -> Self {
        self.function(presets::nic(address(bdf), interface))
    }

    /// A network card that can have so many virtual functions.
    #[must_use]
    pub fn sriov_nic(self, bdf: &str, interface: &str, total: u16) -> Self {
        self.function(presets::sriov_nic(address(bdf), interface, total))
    }

    /// QEMU's `edu`: an accelerator without a driver.
    #[must_use]
    pub fn edu(self, bdf: &str) -> Self {
        self.function(presets::edu(address(bdf)))
    }

    /// A host bridge without a driver.
    #[must_use]
    pub fn host_bridge(self, bdf: &str) -> Self {
        self.function(presets::host_bridge(address(bdf)))
    }

    /// A root port to one bus. What is added on that bus stands below it.
    #[must_use]
    pub fn root_port(self, bdf: &str, bus: u8) -> Self {
        self.function(presets::bridge(address(bdf), Express::ROOT_PORT, (bus, bus)))
    }

    /// A bridge to conventional PCI.
    #[must_use]
    pub fn pci_bridge(self, bdf: &str, bus: u8) -> Self {
        self.function(presets::bridge(address(bdf), Express::TO_PCI_BRIDGE, (bus, bus)))
    }

    /// A switch: its upstream port, the bus inside, and a downstream port to
    /// each of the buses below, in slots from 0 on.
    #[must_use]
    pub fn switch(self, bdf: &str, inside: u8, below: &[u8]) -> Self {
        let up = address(bdf);
        let last = below.iter().copied().max().unwrap_or(inside);
        let upstream = presets::bridge(up, Express::UPSTREAM_PORT, (inside, last));
        below.iter().enumerate().fold(self.function(upstream), |host, (slot, bus)| {
            let down = Bdf::new(up.domain(), inside, slot as u8, 0);
            let down = down.unwrap_or_else(|error| panic!("{error}"));
            host.function(presets::bridge(down, Express::DOWNSTREAM_PORT, (*bus, *bus)))
        })
    }

    /// A VMD controller: what is added in `domain` stands behind it, its root
    /// bus being `bus`, and in its group.
    #[must_use]
    pub fn vmd(self, bdf: &str, domain: u32, bus: u8) -> Self {
        let controller = address(bdf);
        self.function(presets::vmd(controller)).with(|state| {
            let machine = &mut state.machine;
            let folder = format!("{}/pci{domain:04x}:{bus:02x}", machine.folder(controller));
            machine.tree.dir(&folder);
            machine.buses.insert((domain, bus), folder);
            machine.controllers.insert(domain, controller);
        })
    }

    /// Put the device before it, all its functions, into this group.
    #[must_use]
    pub fn group(self, number: u32) -> Self {
        let last = self.last.clone();
        self.with(|state| {
            last.iter().for_each(|bdf| state.machine.join_group(*bdf, Some(number)));
        })
    }

    /// A kind of mediated device that the device before it offers.
    #[must_use]
    pub fn mdev_type(self, kind: &MdevType) -> Self {
        let parent = *self.last.first().unwrap_or_else(|| panic!("there is no device before it"));
        self.with(|state| state.machine.add_mdev_type(parent, kind))
    }

    /// A loaded driver that knows these devices but has none yet.
    #[must_use]
    pub fn driver(self, name: &str, ids: &[(u16, u16)]) -> Self {
        self.with(|state| ids.iter().for_each(|ids| state.machine.know_driver(name, *ids)))
    }

    /// A module that `modprobe` loads, with one driver of the same name.
    #[must_use]
    pub fn loadable(self, name: &str, ids: &[(u16, u16)]) -> Self {
        self.with(|state| {
            let driver = Driver::new(name, ids);
            state.machine.loadable.insert(driver.module.clone(), vec![driver]);
        })
    }

    /// Load `vfio-pci` (or another module) as if at boot.
    #[must_use]
    pub fn loaded(self, module: &str) -> Self {
        self.with(|state| {
            let drivers = state.machine.loadable.get(&module.replace('-', "_")).cloned();
            let drivers = drivers.unwrap_or_else(|| panic!("there is no module {module}"));
            drivers.into_iter().for_each(|driver| state.machine.load(driver));
        })
    }

    /// A module that this kernel does not have.
    #[must_use]
    pub fn without_module(self, module: &str) -> Self {
        self.with(|state| {
            state.machine.loadable.remove(&module.replace('-', "_"));
            state.machine.put_modules();
        })
    }

    /// A systemd unit.
    #[must_use]
    pub fn unit(self, name: &str, active: bool) -> Self {
        self.with(|state| {
            state.machine.units.insert(name.to_owned(), active);
        })
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

/// Faults. See [`On`] for which operation they hit.
impl FakeHost {
    /// The kernel refuses one write (a command ends with status 1).
    pub fn refuse(&self, on: On, errno: Errno) {
        self.inject(on, Fault::Refuse(errno), true);
    }

    /// The kernel refuses every such write from now on.
    pub fn refuse_always(&self, on: On, errno: Errno) {
        self.inject(on, Fault::Refuse(errno), false);
    }

    /// One write hangs in the kernel: it comes back as in doubt at once, and
    /// takes effect when [`settle`](Self::settle) is called. Until then every
    /// other write to that function hangs behind it. A command does not end.
    pub fn hang(&self, on: On) {
        self.inject(on, Fault::Hang, true);
    }

    /// What hangs comes through, and its processes end.
    pub fn settle(&self) {
        self.shared.lock().settle(true);
    }

    /// What hangs ends without any effect.
    pub fn settle_without_effect(&self) {
        self.shared.lock().settle(false);
    }

    /// The program dies at this point: see
    /// [`until_killed`](crate::until_killed).
    pub fn kill(&self, moment: Moment) {
        self.shared.lock().death = Some(moment);
    }

    /// Forget the log, the faults that were ordered and the death: counting
    /// begins anew. What hangs, hangs on.
    pub fn calm(&self) {
        let mut state = self.shared.lock();
        state.log.clear();
        state.injections.clear();
        state.death = None;
        state.machine.refused_probes.clear();
    }

    /// A driver's probe of a function fails. `drivers_probe` does not say so.
    pub fn refuse_probe(&self, bdf: &str, driver: &str, errno: Errno) {
        let key = (address(bdf), driver.to_owned());
        self.shared.lock().machine.refused_probes.insert(key, errno);
    }

    /// A function is pulled out.
    pub fn vanish(&self, bdf: &str) {
        self.shared.lock().machine.remove_function(address(bdf));
    }

    /// Somebody else writes: not in the log, not counted, never refused by order.
    pub fn meddle(&self, path: &str, value: &str) {
        let mut state = self.shared.lock();
        let at = state.machine.tree.at(path);
        let real = state.machine.tree.real(&at).unwrap_or_else(|| panic!("there is no {path}"));
        let reacted = state.machine.react(&real, value);
        reacted.unwrap_or_else(|errno| panic!("{path}: {errno}"));
    }

    fn inject(&self, on: On, fault: Fault, once: bool) {
        self.shared.lock().injections.push(Injection { on, fault, once });
    }
}
