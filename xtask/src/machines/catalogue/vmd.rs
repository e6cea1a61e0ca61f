//! A Xeon server whose NVMe drives stand behind two VMD controllers, in the
//! domains 0x10000 and 0x10001; a RAID controller that the firmware keeps
//! memory for.

use host::record::Recording;

use super::{GIB, KIB, MIB, host_bridge, nvme, root_port};
use crate::machines::attached::Disk;
use crate::machines::config::{Kind, aer, express, link, msi, msix, pm};
use crate::machines::function::function;
use crate::machines::machine::{MSI, Machine};

pub fn machine() -> Recording {
    let cmdline = "root=/dev/sda2 ro intel_iommu=on iommu=pt";
    let mut machine = Machine::new("x86_64", "5.14.0-427.el9.x86_64", cmdline, 192 * GIB);
    machine.x86("GenuineIntel", 46);
    machine.places.prefetchable = 0x3800_0000_0000;
    board(&mut machine);
    raid(&mut machine);
    volume(&mut machine, "0000:5d:05.5", "10000", 6);
    volume(&mut machine, "0000:d7:05.5", "10001", 7);
    drives(&mut machine);
    machine.dmar(46);
    for (index, registers) in [0xd37f_c000u64, 0xe0ff_c000, 0xfbff_c000].into_iter().enumerate() {
        machine.intel_unit(index as u32, registers, ("8d2078c106f0466", "f020de"));
    }
    machine.groups([0, 1, 2, 4, 5, 6, 7], "identity");
    let firmware = format!("0x000000006f340000 0x000000006f3cffff direct\n{MSI}");
    machine.group(3, "identity", &firmware);
    in_use(&mut machine);
    machine.finish()
}

fn board(machine: &mut Machine) {
    machine.add(host_bridge("0000:00:00.0", (0x8086, 0x2020)).revision(4).numa(0).group(0));
    machine.add(root_port("0000:00:1c.0", (0x8086, 0xa190), (1, 1), link(3, 1)).numa(0).group(1));
    for port in 0..2u8 {
        let address = format!("0000:01:00.{port}");
        machine.add(
            function(&address, (0x8086, 0x1521), 0x020000)
                .subsystem(0x1590, 0x00e5)
                .revision(1)
                .multifunction()
                .below("0000:00:1c.0")
                .driver("igb")
                .group(4 + u32::from(port))
                .numa(0)
                .memory32(0, 128 * KIB)
                .memory32(3, 16 * KIB)
                .interrupt(port + 1, 16)
                .caps([
                    pm(),
                    msi(1, true),
                    msix(10, (3, 0), (3, 0x2000)),
                    express(Kind::Endpoint, true, Some(link(2, 4))),
                ])
                .extended([aer()])
                .resets("flr bus"),
        );
        let path = machine.path(&address);
        machine.interface(&path, &format!("eno{}", port + 1), 2 + u32::from(port), true);
    }
}

/// The controller of the system's disk, which the firmware shares memory with.
fn raid(machine: &mut Machine) {
    machine.add(
        root_port("0000:3a:00.0", (0x8086, 0x2030), (0x3b, 0x3b), link(3, 8)).numa(0).group(2),
    );
    machine.add(
        function("0000:3b:00.0", (0x9005, 0x028f), 0x010700)
            .subsystem(0x103c, 0x0650)
            .revision(1)
            .below("0000:3a:00.0")
            .driver("smartpqi")
            .group(3)
            .numa(0)
            .memory64(0, 32 * KIB)
            .io(4, 256)
            .interrupt(1, 26)
            .caps([
                pm(),
                msix(64, (0, 0x2000), (0, 0x3000)),
                express(Kind::Endpoint, true, Some(link(3, 8))),
            ])
            .extended([aer()])
            .resets("flr bus"),
    );
}

/// A VMD controller with a domain behind it: two root ports, a drive at each.
/// Everything there uses the controller's requester id, and so its group.
fn volume(machine: &mut Machine, controller: &str, domain: &str, group: u32) {
    let numa = if group == 6 { 0 } else { 1 };
    machine.add(
        function(controller, (0x8086, 0x201d), 0x010400)
            .revision(4)
            .driver("vmd")
            .group(group)
            .numa(numa)
            .prefetchable(0, 32 * MIB)
            .memory32(2, 32 * MIB)
            .prefetchable(4, MIB)
            .caps([msix(33, (4, 0), (4, 0x1000)), express(Kind::Integrated, false, None), pm()])
            .resets("pm"),
    );
    machine.root_behind(&format!("{domain}:00"), controller);
    for slot in 0..2u8 {
        let bus = slot + 1;
        let port = format!("{domain}:00:{slot:02x}.0");
        let ids = (0x8086, 0x2030 + u16::from(slot));
        machine
            .add(root_port(&port, ids, (bus, bus), link(3, 4)).revision(4).group(group).numa(numa));
        let drive = nvme(&format!("{domain}:{bus:02x}:00.0"), (0x8086, 0x0a54), link(3, 4));
        machine.add(drive.subsystem(0x8086, 0x4702).below(&port).group(group).numa(numa));
    }
}

fn drives(machine: &mut Machine) {
    let names = [
        ("10000:01:00.0", "nvme0n1"),
        ("10000:02:00.0", "nvme1n1"),
        ("10001:01:00.0", "nvme2n1"),
        ("10001:02:00.0", "nvme3n1"),
    ];
    for (index, (address, name)) in names.into_iter().enumerate() {
        let disk =
            Disk { name, number: (259, index as u32), sectors: 3_907_029_168, partitions: &[] };
        machine.nvme(address, "INTEL SSDPE2KE020T7", disk);
    }
}

fn in_use(machine: &mut Machine) {
    let sda = Disk {
        name: "sda",
        number: (8, 0),
        sectors: 937_637_552,
        partitions: &[(2048, 1_228_800), (1_230_848, 936_404_992)],
    };
    machine.sata("0000:3b:00.0", 1, "LOGICAL VOLUME", sda);
    machine.mounts(&[
        ("8:2", "/", "xfs", "/dev/sda2"),
        ("8:1", "/boot/efi", "vfat", "/dev/sda1"),
        ("259:0", "/srv", "xfs", "/dev/nvme0n1"),
    ]);
    machine.swaps(&[]);
    machine.network(&["eno1"]);
    machine.text("/dev/kvm", "");
}
