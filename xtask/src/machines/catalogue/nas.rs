//! A four-bay NAS (Celeron J4125, kernel 4.4) with a Coral TPU in an M.2
//! slot. Its MSI-X table and pending bits share a page with other registers.
//! The system lies on MD volumes over the disks of two SATA controllers. So
//! old a kernel has neither `reset_method` nor a file for the architecture, and
//! a group has members only: its `type` came with Linux 4.19.

use host::record::Recording;

use super::{GIB, KIB, MIB, chipset, host_bridge, root_port};
use crate::machines::attached::Disk;
use crate::machines::config::{Kind, acs, aer, express, link, msi, msix, pm};
use crate::machines::function::{Function, function};
use crate::machines::machine::Machine;

pub fn machine() -> Recording {
    let cmdline = "root=/dev/md0 console=ttyS2 intel_iommu=on";
    let mut machine = Machine::new("x86_64", "4.4.302+", cmdline, 8 * GIB);
    machine.x86("GenuineIntel", 39);
    machine.remove("/proc/sys/kernel/arch");
    machine.places.prefetchable = 0x1_8000_0000;
    processor(&mut machine);
    disks(&mut machine);
    network(&mut machine);
    accelerator(&mut machine);
    machine.dmar(39);
    machine.intel_unit(0, 0xfed6_4000, ("1c0000c40660462", "9e2ff0505e"));
    machine.intel_unit(1, 0xfed6_5000, ("d2008c40660462", "f050da"));
    in_use(&mut machine);
    let mut recording = machine.finish();
    for device in &mut recording.devices {
        device.attributes.remove("reset_method");
        device.attributes.remove("power_state");
    }
    recording
}

fn processor(machine: &mut Machine) {
    machine.add(host_bridge("0000:00:00.0", (0x8086, 0x31f0)).revision(6).group(0));
    machine.add(
        function("0000:00:02.0", (0x8086, 0x3185), 0x030000)
            .revision(6)
            .driver("i915")
            .group(1)
            .memory64(0, 16 * MIB)
            .prefetchable(2, 256 * MIB)
            .io(4, 64)
            .interrupt(1, 370)
            .caps([express(Kind::Integrated, true, None), msi(1, false), pm()])
            .boot_vga(true)
            .resets("flr pm"),
    );
    let disk = chipset("0000:00:12.0", (0x8086, 0x31e3), 0x010601).driver("ahci").revision(6);
    machine.add(disk.group(2).memory32(0, 8 * KIB).memory32(5, 2 * KIB).interrupt(1, 364));
    let usb = chipset("0000:00:15.0", (0x8086, 0x31a8), 0x0c0330).driver("xhci_hcd").revision(6);
    machine.add(usb.group(3).memory64(0, 64 * KIB).interrupt(1, 360));
    machine.add(function("0000:00:1f.0", (0x8086, 0x31e8), 0x060100).revision(6).group(4));
}

/// A root port of the processor, one lane wide.
fn port(address: &str, device: u16, bus: u8, group: u32) -> Function {
    let port = root_port(address, (0x8086, device), (bus, bus), link(2, 1));
    port.group(group).revision(6).extended([aer(), acs(0xf, 0xf)])
}

/// The controller of the other two disks.
fn disks(machine: &mut Machine) {
    machine.add(port("0000:00:13.0", 0x31d8, 1, 5));
    machine.add(
        function("0000:01:00.0", (0x1b4b, 0x9215), 0x010601)
            .subsystem(0x1b4b, 0x9215)
            .revision(0x11)
            .below("0000:00:13.0")
            .driver("ahci")
            .group(8)
            .memory32(5, 2 * KIB)
            .rom(64 * KIB)
            .interrupt(1, 365)
            .caps([pm(), msi(1, false), express(Kind::Legacy, false, Some(link(2, 1)))])
            .extended([aer()])
            .resets("pm bus"),
    );
}

/// Its only network card.
fn network(machine: &mut Machine) {
    machine.add(port("0000:00:13.2", 0x31da, 2, 6));
    machine.add(
        function("0000:02:00.0", (0x10ec, 0x8168), 0x020000)
            .subsystem(0x10ec, 0x8168)
            .revision(0x15)
            .below("0000:00:13.2")
            .driver("r8168")
            .group(9)
            .io(0, 256)
            .memory64(2, 4 * KIB)
            .memory64(4, 16 * KIB)
            .interrupt(1, 366)
            .caps([
                pm(),
                msi(1, false),
                express(Kind::Endpoint, false, Some(link(1, 1))),
                msix(4, (4, 0), (4, 0x800)),
            ])
            .extended([aer()])
            .resets("pm bus"),
    );
}

/// The accelerator in the M.2 slot.
fn accelerator(machine: &mut Machine) {
    machine.add(port("0000:00:14.0", 0x31d6, 3, 7));
    machine.add(
        function("0000:03:00.0", (0x1ac1, 0x089a), 0x0000ff)
            .subsystem(0x1ac1, 0x089a)
            .below("0000:00:14.0")
            .group(10)
            .prefetchable(0, 16 * KIB)
            .prefetchable(2, MIB)
            .interrupt(1, 22)
            .caps([
                express(Kind::Endpoint, false, Some(link(2, 1))),
                msix(128, (2, 0x46800), (2, 0x46068)),
                msi(1, false),
                pm(),
            ])
            .extended([aer()])
            .resets("pm bus"),
    );
}

fn in_use(machine: &mut Machine) {
    let parts = &[(8192, 16_777_216), (16_785_408, 4_194_304), (21_241_856, 7_792_795_312)];
    for (index, name) in ["sata1", "sata2", "sata3", "sata4"].into_iter().enumerate() {
        let number = (8, 16 * index as u32);
        let disk = Disk { name, number, sectors: 7_814_037_168, partitions: parts };
        let (controller, port) = if index < 2 { ("0000:00:12.0", 1) } else { ("0000:01:00.0", 3) };
        machine.sata(controller, port + (index as u32 % 2), "WD40EFRX-68N32N0", disk);
    }
    let md = |level| {
        [("md/level", level), ("md/array_state", "clean"), ("size", "16777088"), ("ro", "0")]
    };
    let members =
        |part: &str| ["sata1", "sata2", "sata3", "sata4"].map(|disk| format!("{disk}p{part}"));
    for (name, minor, level, part) in
        [("md0", 0, "raid1", "1"), ("md1", 1, "raid1", "2"), ("md2", 2, "raid5", "3")]
    {
        let members = members(part);
        let members: Vec<&str> = members.iter().map(String::as_str).collect();
        machine.volume(name, (9, minor), &md(level), &members);
    }
    let volume = [
        ("dm/name", "vg1-volume_1"),
        ("dm/uuid", "LVM-uuid1"),
        ("size", "23374000000"),
        ("ro", "0"),
    ];
    machine.volume("dm-0", (253, 0), &volume, &["md2"]);
    let net = machine.path("0000:02:00.0");
    machine.interface(&net, "eth0", 2, true);
    machine.network(&["eth0"]);
    machine.mounts(&[
        ("9:0", "/", "ext4", "/dev/md0"),
        ("253:0", "/volume1", "ext4", "/dev/mapper/vg1-volume_1"),
    ]);
    machine.swaps(&["/dev/md1"]);
    machine.text("/dev/kvm", "");
}
