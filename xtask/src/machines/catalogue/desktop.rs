//! A desktop: a Core i7-8700K on Z390, an RTX 2080 whose four functions share
//! a group with their root port, the monitor on the processor's graphics.

use host::record::Recording;

use super::{GIB, KIB, MIB, chipset, host_bridge, nvme, root_port};
use crate::machines::attached::Disk;
use crate::machines::config::{Kind, aer, express, link, msi, pm};
use crate::machines::function::{Function, function};
use crate::machines::machine::{MSI, Machine};

const BOARD: (u16, u16) = (0x1043, 0x8694);
const CARD: (u16, u16) = (0x1043, 0x8661);

pub fn machine() -> Recording {
    let cmdline = "root=/dev/nvme0n1p2 ro quiet intel_iommu=on iommu=pt";
    let mut machine = Machine::new("x86_64", "6.8.0-45-generic", cmdline, 32 * GIB);
    machine.x86("GenuineIntel", 39);
    machine.places.prefetchable = 0x40_0000_0000;
    processor(&mut machine);
    card(&mut machine);
    board(&mut machine);
    machine.dmar(39);
    machine.intel_unit(0, 0xfed9_0000, ("1c0000c40660462", "19e2ff0505e"));
    machine.intel_unit(1, 0xfed9_1000, ("d2008c40660462", "f050da"));
    machine.groups([0, 1, 5, 6, 7, 8], "DMA-FQ");
    let stolen = format!("0x000000008b800000 0x000000008fffffff direct-relaxable\n{MSI}");
    machine.group(2, "DMA-FQ", &stolen);
    let keyboard = format!("0x000000008a9b6000 0x000000008abfffff direct-relaxable\n{MSI}");
    machine.group(3, "DMA-FQ", &keyboard);
    in_use(&mut machine);
    machine.finish()
}

fn processor(machine: &mut Machine) {
    machine.add(host_bridge("0000:00:00.0", (0x8086, 0x3ec2)).group(0));
    let mut port = root_port("0000:00:01.0", (0x8086, 0x1901), (1, 1), link(3, 16)).group(1);
    // The processor's port has no Access Control Services: all behind it is one group.
    port.extended = vec![aer()];
    machine.add(port);
}

/// A function of the card.
fn part(function: Function) -> Function {
    let part = function.below("0000:00:01.0").group(1).subsystem(CARD.0, CARD.1);
    part.revision(0xa1).multifunction()
}

/// The functions of the card, in the order of the slot.
fn card(machine: &mut Machine) {
    let legacy = |flr| [pm(), msi(1, false), express(Kind::Legacy, flr, Some(link(3, 16)))];
    machine.add(
        part(function("0000:01:00.0", (0x10de, 0x1e87), 0x030000))
            .driver("nouveau")
            .memory32(0, 16 * MIB)
            .prefetchable(1, 256 * MIB)
            .prefetchable(3, 32 * MIB)
            .io(5, 128)
            .rom(512 * KIB)
            .interrupt(1, 141)
            .caps(legacy(true))
            .extended([aer()])
            .boot_vga(false)
            .resets("flr bus"),
    );
    companions(machine);
    machine.card("0000:01:00.0", 1, &[("DP-2", "disconnected", "disabled")]);
}

/// The card's other functions: sound, USB, and the controller of its USB-C port.
fn companions(machine: &mut Machine) {
    let endpoint = || [pm(), msi(1, false), express(Kind::Endpoint, false, Some(link(3, 16)))];
    machine.add(
        part(function("0000:01:00.1", (0x10de, 0x10f8), 0x040300))
            .driver("snd_hda_intel")
            .memory32(0, 16 * KIB)
            .interrupt(2, 17)
            .caps(endpoint())
            .extended([aer()]),
    );
    machine.add(
        part(function("0000:01:00.2", (0x10de, 0x1ad8), 0x0c0330))
            .driver("xhci_hcd")
            .prefetchable(0, 256 * KIB)
            .prefetchable(3, 64 * KIB)
            .interrupt(3, 126)
            .caps(endpoint())
            .extended([aer()]),
    );
    machine.add(
        part(function("0000:01:00.3", (0x10de, 0x1ad9), 0x0c8000))
            .driver("nvidia-gpu")
            .memory32(0, 4 * KIB)
            .interrupt(4, 127)
            .caps(endpoint())
            .extended([aer()]),
    );
}

fn board(machine: &mut Machine) {
    let on_board = |function: Function| function.subsystem(BOARD.0, BOARD.1);
    machine.add(
        on_board(function("0000:00:02.0", (0x8086, 0x3e92), 0x030000))
            .driver("i915")
            .group(2)
            .memory64(0, 16 * MIB)
            .prefetchable(2, 256 * MIB)
            .io(4, 64)
            .interrupt(1, 142)
            .caps([express(Kind::Integrated, true, None), msi(1, false), pm()])
            .boot_vga(true)
            .resets("flr pm"),
    );
    machine.card("0000:00:02.0", 0, &[("HDMI-A-1", "connected", "enabled")]);
    machine.console("0000:00:02.0", "i915drmfb");
    let usb = chipset("0000:00:14.0", (0x8086, 0xa36d), 0x0c0330).driver("xhci_hcd");
    machine.add(on_board(usb.group(3).memory64(0, 64 * KIB).interrupt(1, 125).multifunction()));
    let memory = function("0000:00:14.2", (0x8086, 0xa36f), 0x050000);
    machine.add(on_board(memory.group(3).memory64(0, 8 * KIB).memory64(2, 4 * KIB)));
    let disk = chipset("0000:00:17.0", (0x8086, 0xa352), 0x010601).driver("ahci");
    machine
        .add(on_board(disk.group(5).memory32(0, 8 * KIB).memory32(5, 2 * KIB).interrupt(1, 128)));
    machine.add(root_port("0000:00:1b.0", (0x8086, 0xa340), (2, 2), link(3, 4)).group(6));
    let ssd = nvme("0000:02:00.0", (0x144d, 0xa808), link(3, 4)).subsystem(0x144d, 0xa801);
    machine.add(ssd.below("0000:00:1b.0").group(8));
    machine.add(on_board(
        function("0000:00:1f.0", (0x8086, 0xa305), 0x060100).group(7).multifunction(),
    ));
    let audio = chipset("0000:00:1f.3", (0x8086, 0xa348), 0x040300).driver("snd_hda_intel");
    machine.add(on_board(audio.group(7).memory64(0, 16 * KIB).memory64(4, MIB).interrupt(1, 143)));
    let bus = function("0000:00:1f.4", (0x8086, 0xa323), 0x0c0500).driver("i801_smbus");
    machine.add(on_board(bus.group(7).memory64(0, 256).io(4, 32).interrupt(1, 16)));
    let net = chipset("0000:00:1f.6", (0x8086, 0x15bc), 0x020000).driver("e1000e");
    machine.add(on_board(net.group(7).memory32(0, 128 * KIB).interrupt(1, 129)));
}

fn in_use(machine: &mut Machine) {
    let disk = Disk {
        name: "nvme0n1",
        number: (259, 0),
        sectors: 976_773_168,
        partitions: &[(2048, 1_050_624), (1_052_672, 975_718_400)],
    };
    machine.nvme("0000:02:00.0", "Samsung SSD 970 EVO Plus 500GB", disk);
    let sda = Disk {
        name: "sda",
        number: (8, 0),
        sectors: 3_907_029_168,
        partitions: &[(2048, 3_907_026_944)],
    };
    machine.sata("0000:00:17.0", 1, "ST2000DM008-2FR1", sda);
    let net = machine.path("0000:00:1f.6");
    machine.interface(&net, "eno1", 2, true);
    machine.network(&["eno1"]);
    machine.mounts(&[
        ("259:2", "/", "ext4", "/dev/nvme0n1p2"),
        ("259:1", "/boot/efi", "vfat", "/dev/nvme0n1p1"),
        ("8:1", "/mnt/data", "ext4", "/dev/sda1"),
    ]);
    machine.swaps(&[]);
    machine.text("/dev/kvm", "");
}
