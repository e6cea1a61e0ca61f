//! What is emulated: disks, network, console, control sockets, firmware.

use std::path::Path;

use crate::FileCopy;
use crate::machine::{Container, Disk, DiskFormat, Firmware, GuestSpec, Network};

use super::arg::Arg;
use super::topology::Placed;

/// The id of the iommufd object.
const IOMMUFD: &str = "iommufd0";

/// Gives emulated devices their places on the root bus, a slot each.
#[derive(Debug)]
pub(super) struct RootBus {
    name: &'static str,
    next: usize,
}

impl RootBus {
    /// The bus of this name, from slot 1: slot 0 is the host bridge's.
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, next: 1 }
    }

    /// Virtio devices without their old I/O registers: I/O space is scarce.
    fn place(&mut self, arg: Arg) -> Arg {
        let slot = self.next;
        self.next += 1;
        let arg = arg.with("disable-legacy", "on").with("bus", self.name);
        arg.with("addr", format_args!("{slot:#x}"))
    }
}

/// Disks: what backs them, then the device.
pub(super) fn disks(spec: &GuestSpec, bus: &mut RootBus) -> Vec<Arg> {
    let both = spec.disks.iter().enumerate().flat_map(|(index, disk)| {
        let device = Arg::new("-device", "virtio-blk-pci")
            .with("id", format_args!("disk{index}"))
            .with("drive", format_args!("drive{index}"));
        let device = match (index, &spec.kernel) {
            (0, None) => device.with("bootindex", 1),
            _ => device,
        };
        [drive(index, disk), bus.place(device)]
    });
    both.collect()
}

fn drive(index: usize, disk: &Disk) -> Arg {
    let (format, driver) = match disk.format {
        DiskFormat::Raw => ("raw", "file"),
        DiskFormat::Qcow2 => ("qcow2", "file"),
        DiskFormat::Block => ("raw", "host_device"),
    };
    Arg::new("-blockdev", "")
        .with("driver", format)
        .with("node-name", format_args!("drive{index}"))
        .with_on("read-only", disk.read_only)
        .with("discard", "unmap")
        .with("file.driver", driver)
        .with_path("file.filename", &disk.path)
}

/// The network card and what it is plugged into.
pub(super) fn network(spec: &GuestSpec, bus: &mut RootBus) -> Vec<Arg> {
    let (back, mac) = match &spec.network {
        Network::None => return Vec::new(),
        Network::User { mac, forwards } => {
            let user = Arg::new("-netdev", "user").with("id", "net0");
            let back = forwards.iter().fold(user, |arg, forward| {
                let rule = format!("tcp:127.0.0.1:{}-:{}", forward.host, forward.guest);
                arg.with("hostfwd", rule)
            });
            (back, mac)
        }
        // No scripts: whoever made the tap has plugged it in, and the
        // sandbox lets no program start.
        Network::Tap { mac, interface } => {
            let back = Arg::new("-netdev", "tap").with("id", "net0").with("ifname", interface);
            (back.with("script", "no").with("downscript", "no"), mac)
        }
    };
    let device = Arg::new("-device", "virtio-net-pci").with("id", "nic0").with("netdev", "net0");
    vec![back, bus.place(device.with("mac", mac))]
}

/// The serial console: a socket for a client, a log for everything.
pub(super) fn console(spec: &GuestSpec) -> Vec<Arg> {
    let Some(console) = &spec.console else { return Vec::new() };
    let socket = Arg::new("-chardev", "socket")
        .with("id", "console")
        .with_path("path", &console.socket)
        .with("server", "on")
        .with("wait", "off")
        .with_path("logfile", &console.log)
        .with("logappend", "on");
    vec![socket, Arg::new("-serial", "chardev:console")]
}

/// Control sockets.
pub(super) fn monitors(spec: &GuestSpec) -> Vec<Arg> {
    let each = spec.monitors.iter().enumerate().flat_map(|(index, path)| {
        let id = format!("qmp{index}");
        let socket = Arg::new("-chardev", "socket")
            .with("id", &id)
            .with_path("path", path)
            .with("server", "on")
            .with("wait", "off");
        [socket, Arg::new("-mon", "").with("chardev", &id).with("mode", "control")]
    });
    each.collect()
}

/// UEFI from flash: the program read-only, the variables the guest's own.
pub(super) fn flash(firmware: &Firmware) -> Vec<Arg> {
    let Firmware::Ovmf { code, nvram, .. } = firmware else { return Vec::new() };
    let flash = |unit: u8, path: &Path, read_only| {
        Arg::new("-drive", "")
            .with("if", "pflash")
            .with("format", "raw")
            .with("unit", unit)
            .with_on("readonly", read_only)
            .with_path("file", path)
    };
    vec![flash(0, code, true), flash(1, nvram, false)]
}

/// Files to make before the start.
pub(super) fn copies(spec: &GuestSpec) -> Vec<FileCopy> {
    match &spec.firmware {
        Firmware::Default => Vec::new(),
        Firmware::Ovmf { template, nvram, .. } => {
            vec![FileCopy { from: template.clone(), to: nvram.clone() }]
        }
    }
}

/// `-object iommufd`, if it is used.
pub(super) fn iommufd(spec: &GuestSpec) -> Option<Arg> {
    let wanted = spec.container == Container::Iommufd && !spec.devices.is_empty();
    wanted.then(|| Arg::new("-object", "iommufd").with("id", IOMMUFD))
}

/// A device of the host in its place. By `sysfsdev`, never by `host`: that
/// one cannot name a domain above 0xffff (`PCIHostDeviceAddress`).
pub(super) fn vfio(placed: &Placed<'_>, container: Container) -> Arg {
    let host = placed.host;
    let iommufd = (container == Container::Iommufd).then_some(IOMMUFD);
    let (slot, function) = (placed.slot, placed.function);
    Arg::new("-device", "vfio-pci")
        .with("id", host.id())
        .with_path("sysfsdev", &host.sysfs)
        .with("bus", &placed.bus)
        .with("addr", format_args!("{slot:#x}.{function:#x}"))
        .with_on("multifunction", placed.multifunction)
        .with_some("iommufd", iommufd)
        .with_some("romfile", host.rom_file.as_deref().map(Path::display))
}
