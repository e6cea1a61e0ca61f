//! An EPYC server with two Qualcomm Cloud AI 100 cards: 32 MSI vectors, no
//! MSI-X, no function level reset.

use host::record::Recording;

use super::{GIB, KIB, MIB, host_bridge, nvme, root_port};
use crate::machines::attached::Disk;
use crate::machines::config::{Kind, aer, express, link, msi, msix, pm, serial};
use crate::machines::function::{Function, function};
use crate::machines::machine::Machine;

pub fn machine() -> Recording {
    let cmdline = "root=/dev/nvme0n1p2 ro amd_iommu=on";
    let mut machine = Machine::new("x86_64", "6.8.0-31-generic", cmdline, 128 * GIB);
    machine.x86("AuthenticAMD", 48);
    machine.places.prefetchable = 0x200_0000_0000;
    machine.add(host_bridge("0000:00:00.0", (0x1022, 0x1480)).subsystem(0x1022, 0x1480).numa(0));
    let unit = function("0000:00:00.2", (0x1022, 0x1481), 0x080600).subsystem(0x1022, 0x1481);
    machine.add(unit.numa(0).caps([msi(4, false)]));
    cards(&mut machine);
    others(&mut machine);
    machine.amd_unit(0, "0000:00:00.2", "58f77ef22294ade");
    machine.acpi_table("IVRS", &[0; 12]);
    machine.remaps_interrupts();
    machine.groups(0..13, "DMA-FQ");
    in_use(&mut machine);
    machine.finish()
}

fn dummy(machine: &mut Machine, slot: u8, group: u32) {
    let address = format!("0000:00:{slot:02x}.0");
    machine.add(host_bridge(&address, (0x1022, 0x1482)).multifunction().numa(0).group(group));
}

fn cards(machine: &mut Machine) {
    dummy(machine, 1, 0);
    for card in 0..2u8 {
        let bus = card + 1;
        let port = format!("0000:00:01.{bus}");
        let ports = root_port(&port, (0x1022, 0x1483), (bus, bus), link(4, 16));
        machine.add(ports.subsystem(0x1022, 0x1453).numa(0).group(1 + u32::from(card)));
        let address = format!("0000:{bus:02x}:00.0");
        machine.add(
            function(&address, (0x17cb, 0xa100), 0x120000)
                .subsystem(0x17cb, 0xa100)
                .below(&port)
                .driver("qaic")
                .group(6 + u32::from(card))
                .numa(0)
                .memory64(0, 4 * KIB)
                .prefetchable(2, 2 * MIB)
                .prefetchable(4, 64 * KIB)
                .interrupt(1, 90 + u32::from(card))
                .caps([pm(), msi(32, true), express(Kind::Endpoint, false, Some(link(4, 8)))])
                .extended([aer(), serial(0x0200_0000_0000_2000 + u64::from(card))])
                .resets("bus"),
        );
        let number = u32::from(card);
        machine.character(&address, "accel", &format!("accel/accel{number}"), (261, number));
    }
}

fn others(machine: &mut Machine) {
    dummy(machine, 3, 3);
    machine.add(root_port("0000:00:03.1", (0x1022, 0x1483), (3, 3), link(3, 4)).numa(0).group(4));
    let drive = nvme("0000:03:00.0", (0x144d, 0xa80a), link(3, 4)).subsystem(0x144d, 0xa801);
    machine.add(drive.below("0000:00:03.1").numa(0).group(8));
    machine.add(root_port("0000:00:03.2", (0x1022, 0x1483), (4, 4), link(2, 4)).numa(0).group(5));
    for port in 0..2u8 {
        let address = format!("0000:04:00.{port}");
        machine.add(
            function(&address, (0x8086, 0x1521), 0x020000)
                .subsystem(0x15d9, 0x1521)
                .revision(1)
                .multifunction()
                .below("0000:00:03.2")
                .driver("igb")
                .group(9 + u32::from(port))
                .numa(0)
                .memory32(0, 128 * KIB)
                .memory32(3, 16 * KIB)
                .interrupt(port + 1, 100 + u32::from(port))
                .caps([
                    pm(),
                    msi(1, true),
                    msix(10, (3, 0), (3, 0x2000)),
                    express(Kind::Endpoint, true, Some(link(2, 4))),
                ])
                .extended([aer(), serial(0x0200_00ff_ff00_0002)])
                .resets("flr bus"),
        );
        let path = machine.path(&address);
        machine.interface(&path, &format!("eno{}", port + 1), 2 + u32::from(port), port == 0);
    }
    let lpc = function("0000:00:14.3", (0x1022, 0x790e), 0x060100).revision(0x51);
    let bus = function("0000:00:14.0", (0x1022, 0x790b), 0x0c0500).revision(0x61);
    machine.add(bus.driver("piix4_smbus").multifunction().numa(0).group(11));
    machine.add(lpc.multifunction().numa(0).group(11));
    // The management controller's screen, conventional PCI behind a bridge.
    screen(machine);
}

fn screen(machine: &mut Machine) {
    machine.add(root_port("0000:00:05.1", (0x1022, 0x1483), (5, 6), link(2, 1)).numa(0).group(12));
    let bridge = crate::machines::function::bridge("0000:05:00.0", (0x1a03, 0x1150), (6, 6));
    let bridge = Function { driver: None, ..bridge }.below("0000:00:05.1").revision(4);
    machine
        .add(bridge.numa(0).group(12).caps([express(Kind::ToPci, false, Some(link(2, 1))), pm()]));
    machine.add(
        function("0000:06:00.0", (0x1a03, 0x2000), 0x030000)
            .subsystem(0x15d9, 0x1b0c)
            .revision(0x41)
            .below("0000:05:00.0")
            .driver("ast")
            .group(12)
            .numa(0)
            .memory32(0, 16 * MIB)
            .memory32(1, 128 * KIB)
            .io(2, 128)
            .interrupt(1, 60)
            .caps([pm(), msi(1, false)])
            .boot_vga(true)
            .resets("bus"),
    );
    machine.card("0000:06:00.0", 0, &[("VGA-1", "connected", "enabled")]);
    machine.console("0000:06:00.0", "astdrmfb");
}

fn in_use(machine: &mut Machine) {
    let disk = Disk {
        name: "nvme0n1",
        number: (259, 0),
        sectors: 1_875_385_008,
        partitions: &[(2048, 1_048_576), (1_050_624, 1_874_331_648)],
    };
    machine.nvme("0000:03:00.0", "SAMSUNG MZQL2960HCJR-00A07", disk);
    machine.mounts(&[
        ("259:2", "/", "ext4", "/dev/nvme0n1p2"),
        ("259:1", "/boot/efi", "vfat", "/dev/nvme0n1p1"),
    ]);
    machine.swaps(&[]);
    machine.network(&["eno1"]);
    machine.text("/dev/kvm", "");
}
