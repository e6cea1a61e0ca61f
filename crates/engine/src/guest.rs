//! What was asked for, as a hypervisor is told it.
//!
//! In: a request, the machine that is looked at, the instance's folder. Out: a
//! [`GuestSpec`], [`HostFacts`], and the images to lay a layer over. Files are
//! looked at, programs are asked what they are; nothing is made. A plan for
//! another machine is made of what is below its root: what this one has
//! (processor, KVM, hugepages, firmware, limits) is not mixed in.

mod facts;
mod memory;
mod program;

use std::fs;
use std::path::{Path, PathBuf};

use host::guests;
use host::paths::Root;
use host::run::{CommandRunner, stderr_tail};
use hypervisors::machine::{
    Console, Disk, DiskFormat, Firmware, Machine, Network, Numa, SparePorts,
};
use hypervisors::qemu::{disk, firmware};
use hypervisors::{GuestSpec, HostDevice, HostFacts, HostFunction, Reserve};
use model::port::{Cmd, Output, Runner};
use model::reason::{Code, Reason};
use model::{Bdf, Snapshot};

use crate::error::Error;
use crate::instances::Files;
use crate::present;
use crate::request::{NetworkRequest, RunRequest};

pub(crate) use memory::{against_memory, memory_for};
pub(crate) use program::{Asking, Notes, is_installed, version_of};

/// A layer to be made before the guest starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overlay {
    pub base: PathBuf,
    pub format: DiskFormat,
    pub path: PathBuf,
}

/// A guest that can be rendered.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub spec: GuestSpec,
    pub facts: HostFacts,
    pub overlay: Option<Overlay>,
}

/// The machine that a guest is planned for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Observed<'a> {
    pub root: &'a Root,
    pub snapshot: &'a Snapshot,
}

/// What a request means on a machine.
pub(crate) fn wanted(
    at: Observed<'_>,
    request: &RunRequest,
    devices: Vec<HostDevice>,
    files: &Files,
    asking: Option<Asking>,
) -> Result<Wanted, Error> {
    let snapshot = at.snapshot;
    let machine = machine(at, request)?;
    let uuid = random_uuid()?;
    let mut spec = GuestSpec::new(request.name.as_str(), &uuid, machine, request.memory);
    spec.accel = request.accel;
    spec.cpus = request.cpus;
    spec.hide_kvm = request.hide_kvm;
    spec.memory.numa = numa(snapshot, &devices);
    spec.memory.hugepages = memory::hugepages(at.root, request, spec.memory.numa);
    spec.firmware = firmware(at.root, request, files)?;
    spec.kernel = request.kernel.clone();
    spec.network = network(&request.network, &uuid);
    spec.devices = devices;
    spec.iommu = request.iommu;
    spec.container = request.container;
    spec.spare = SparePorts { reserve: room(snapshot, request.spare.reserve), ..request.spare };
    spec.console = Some(Console { socket: files.console(), log: files.console_log() });
    spec.monitors = vec![files.monitor(), files.supervisor_monitor(), files.events()];
    spec.extra = request.extra.clone();
    let overlay = request.image.as_deref().map(|image| overlay(image, files)).transpose()?;
    spec.disks.extend(overlay.iter().map(|overlay| Disk {
        path: overlay.path.clone(),
        format: DiskFormat::Qcow2,
        read_only: false,
    }));
    let facts = facts::facts(at, request, &spec, asking)?;
    Ok(Wanted { spec, facts, overlay })
}

/// The functions to hand over, by the slots that they sit in.
pub(crate) fn host_devices(snapshot: &Snapshot, devices: &[Bdf]) -> Vec<HostDevice> {
    HostDevice::by_slot(host_functions(snapshot, devices))
}

/// Functions as a hypervisor is told them. Their places are those that one on
/// that machine sees, wherever its tree is.
pub(crate) fn host_functions(snapshot: &Snapshot, functions: &[Bdf]) -> Vec<HostFunction> {
    let root = Root::real();
    let functions = functions.iter().filter_map(|bdf| snapshot.get(*bdf));
    functions
        .map(|function| HostFunction::from_facts(function, root.pci_device(function.bdf)))
        .collect()
}

/// Room at a spare port for any device that this machine has, and could hand
/// over later.
fn room(snapshot: &Snapshot, least: Reserve) -> Reserve {
    let movable = snapshot.functions.values().filter(|function| !function.stays());
    let movable: Vec<Bdf> = movable.map(|function| function.bdf).collect();
    let devices = host_devices(snapshot, &movable);
    Reserve::for_any(&devices).max_of(least)
}

fn machine(at: Observed<'_>, request: &RunRequest) -> Result<Machine, Error> {
    let made = match (&request.machine, at.snapshot.machine.arch.known()) {
        (Some(name), _) => Machine::named(name),
        (None, Some(arch)) => Machine::for_arch(arch),
        (None, None) if at.root.is_real() => Machine::for_arch(std::env::consts::ARCH),
        (None, None) => {
            let text = "the machine's architecture is not known, and so not what to emulate";
            let hint = "--machine-type names it: q35 for x86, pseries for POWER";
            Err(Reason::machine(Code::Unsupported, text, hint))
        }
    };
    made.map_err(Error::refused)
}

/// The node of all devices, where there is more than one to choose from.
/// Memory there is preferred, not demanded: a start that fails for want of
/// it would be worse than a slow one.
fn numa(snapshot: &Snapshot, devices: &[HostDevice]) -> Option<Numa> {
    let node = |bdf: Bdf| snapshot.get(bdf)?.numa_node.known().copied().flatten();
    let functions = devices.iter().flat_map(|device| &device.functions);
    let nodes: Option<Vec<u32>> = functions.map(|function| node(function.bdf)).collect();
    let nodes = nodes?;
    let first = *nodes.first()?;
    let everywhere = snapshot.functions.values().filter_map(|function| node(function.bdf));
    let choice = everywhere.into_iter().any(|other| other != first);
    (choice && nodes.iter().all(|node| *node == first))
        .then_some(Numa { node: first, strict: false })
}

fn firmware(root: &Root, request: &RunRequest, files: &Files) -> Result<Firmware, Error> {
    if !request.uefi {
        return Ok(Firmware::Default);
    }
    let described = guests::firmware(root);
    let texts = described.known().into_iter().flatten();
    let Some(installed) = firmware::choose(texts.map(String::as_str)) else {
        let folder = root.shown(&root.qemu_firmware());
        let text = format!("no UEFI for guests is described in {folder}");
        let hint = "install OVMF (Debian: ovmf, Fedora: edk2-ovmf)";
        return Err(Error::refused(Reason::machine(Code::Unsupported, text, hint)));
    };
    let (code, template) = (installed.code, installed.template);
    // A recording has what describes it, and not the firmware itself.
    if root.is_real() {
        present::file(&code)?;
        present::file(&template)?;
    }
    Ok(Firmware::Ovmf { code, template, nvram: files.nvram() })
}

fn network(request: &NetworkRequest, uuid: &str) -> Network {
    let mac = mac(uuid);
    match request {
        NetworkRequest::None => Network::None,
        NetworkRequest::User { forwards } => Network::User { mac, forwards: forwards.clone() },
        NetworkRequest::Tap { interface } => Network::Tap { mac, interface: interface.clone() },
    }
}

/// An address in QEMU's range (52:54:00), the rest from the guest's random number.
fn mac(uuid: &str) -> String {
    let digits: Vec<&str> = uuid.get(..6).map_or_else(Vec::new, |digits| {
        (0..3).filter_map(|at| digits.get(2 * at..2 * at + 2)).collect()
    });
    format!("52:54:00:{}", digits.join(":"))
}

fn random_uuid() -> Result<String, Error> {
    let here = Root::real();
    guests::random_uuid(&here).map_err(|error| Error::file(here.random_uuid(), error))
}

/// What an image is, asked of `qemu-img`.
fn overlay(image: &Path, files: &Files) -> Result<Overlay, Error> {
    use std::os::unix::fs::FileTypeExt;
    let base = image.canonicalize().map_err(|error| Error::file(image, error))?;
    let kind = fs::metadata(&base).map_err(|error| Error::file(&base, error))?.file_type();
    let output = run_well(&disk::info(&base))?;
    let info = disk::parse_info(&output.stdout)
        .map_err(|source| Error::Image { path: base.clone(), source: Box::new(source) })?;
    match info.disk_format(kind.is_block_device()) {
        Some(format) => Ok(Overlay { base, format, path: files.overlay() }),
        None => {
            let text = format!("{} is a {} image", base.display(), info.format);
            let hint = "convert it: `qemu-img convert -O qcow2 OLD NEW`";
            Err(Error::refused(Reason::machine(Code::Unsupported, text, hint)))
        }
    }
}

/// Runs a command that has to succeed.
pub(crate) fn run_well(cmd: &Cmd) -> Result<Output, Error> {
    let output = CommandRunner.run(cmd)?;
    match output.status {
        Some(0) => Ok(output),
        _ => Err(failed(cmd, &output)),
    }
}

fn failed(cmd: &Cmd, output: &Output) -> Error {
    Error::Command { cmd: cmd.to_string(), said: stderr_tail(output).to_owned() }
}
