//! A Haswell desktop on an H81 board, whose firmware offers no IOMMU: no
//! DMAR table, no groups. The GTX 970 is the only screen.

use host::record::Recording;

use super::{GIB, KIB, MIB, chipset, host_bridge, root_port};
use crate::machines::attached::Disk;
use crate::machines::config::{Kind, aer, express, link, msi, msix, pm};
use crate::machines::function::{Function, function};
use crate::machines::machine::Machine;

const BOARD: (u16, u16) = (0x1462, 0x7817);

pub fn machine() -> Recording {
    let cmdline = "root=/dev/sda2 ro quiet";
    let mut machine = Machine::new("x86_64", "6.1.0-28-amd64", cmdline, 8 * GIB);
    machine.x86("GenuineIntel", 39);
    machine.places.prefetchable = 0xc000_0000;
    machine.add(host_bridge("0000:00:00.0", (0x8086, 0x0c00)).subsystem(BOARD.0, BOARD.1));
    card(&mut machine);
    board(&mut machine);
    machine.no_tables();
    machine.folder("/sys/kernel/iommu_groups");
    machine.remove("/sys/module/vfio_pci");
    in_use(&mut machine);
    machine.finish()
}

fn card(machine: &mut Machine) {
    let mut port = root_port("0000:00:01.0", (0x8086, 0x0c01), (1, 1), link(3, 16));
    port.extended = Vec::new();
    machine.add(port);
    let part = |function: Function| {
        function.below("0000:00:01.0").subsystem(0x1462, 0x3160).revision(0xa1).multifunction()
    };
    machine.add(
        part(function("0000:01:00.0", (0x10de, 0x13c2), 0x030000))
            .driver("nvidia")
            .memory32(0, 16 * MIB)
            .prefetchable(1, 256 * MIB)
            .prefetchable(3, 32 * MIB)
            .io(5, 128)
            .rom(512 * KIB)
            .interrupt(1, 31)
            .caps([pm(), msi(1, false), express(Kind::Legacy, false, Some(link(3, 16)))])
            .extended([aer()])
            .boot_vga(true)
            .resets("bus")
            .framebuffer(1, 8 * MIB, "BOOTFB"),
    );
    machine.add(
        part(function("0000:01:00.1", (0x10de, 0x0fbb), 0x040300))
            .driver("snd_hda_intel")
            .memory32(0, 16 * KIB)
            .interrupt(2, 17)
            .caps([pm(), msi(1, false), express(Kind::Endpoint, false, Some(link(3, 16)))])
            .extended([aer()]),
    );
    // Without modesetting the driver leaves the console to the firmware's screen.
    machine.card("0000:01:00.0", 1, &[]);
    machine.screen("simple-framebuffer.0", "simple-framebuffer");
    machine.nvidia("0000:01:00.0", "NVIDIA GeForce GTX 970", 0);
}

fn board(machine: &mut Machine) {
    let on_board = |function: Function| function.subsystem(BOARD.0, BOARD.1).revision(5);
    let usb = chipset("0000:00:14.0", (0x8086, 0x8c31), 0x0c0330).driver("xhci_hcd");
    machine.add(on_board(usb.memory64(0, 64 * KIB).interrupt(1, 26)));
    machine.add(root_port("0000:00:1c.0", (0x8086, 0x8c10), (2, 2), link(2, 1)));
    machine.add(
        function("0000:02:00.0", (0x10ec, 0x8168), 0x020000)
            .subsystem(0x1462, 0x7817)
            .revision(0x0c)
            .below("0000:00:1c.0")
            .driver("r8169")
            .io(0, 256)
            .memory64(2, 4 * KIB)
            .prefetchable(4, 16 * KIB)
            .interrupt(1, 18)
            .caps([
                pm(),
                msi(1, false),
                express(Kind::Endpoint, false, Some(link(1, 1))),
                msix(4, (4, 0), (4, 0x800)),
            ])
            .extended([aer()])
            .resets("pm bus"),
    );
    machine.add(on_board(function("0000:00:1f.0", (0x8086, 0x8c5c), 0x060100).multifunction()));
    let disk = chipset("0000:00:1f.2", (0x8086, 0x8c02), 0x010601).driver("ahci");
    machine.add(on_board(disk.memory32(5, 2 * KIB).interrupt(2, 27)));
    let bus = function("0000:00:1f.3", (0x8086, 0x8c22), 0x0c0500).driver("i801_smbus");
    machine.add(on_board(bus.memory64(0, 256).io(4, 32).interrupt(3, 18)));
}

fn in_use(machine: &mut Machine) {
    let sda = Disk {
        name: "sda",
        number: (8, 0),
        sectors: 488_397_168,
        partitions: &[(2048, 1_048_576), (1_050_624, 470_000_000), (471_050_624, 17_344_512)],
    };
    machine.sata("0000:00:1f.2", 1, "Samsung SSD 850", sda);
    let net = machine.path("0000:02:00.0");
    machine.interface(&net, "enp2s0", 2, true);
    machine.network(&["enp2s0"]);
    machine.mounts(&[("8:2", "/", "ext4", "/dev/sda2"), ("8:1", "/boot", "ext4", "/dev/sda1")]);
    machine.swaps(&["/dev/sda3"]);
    machine.text("/dev/kvm", "");
}
