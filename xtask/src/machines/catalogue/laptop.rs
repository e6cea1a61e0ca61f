//! A hybrid laptop: the processor's graphics drive the screen (stolen memory
//! is reserved in its group), the GTX 1650 sleeps in D3cold, the root disk is
//! an encrypted NVMe, wireless is the only network.

use host::record::Recording;

use super::{GIB, KIB, MIB, chipset, host_bridge, nvme, root_port};
use crate::machines::attached::Disk;
use crate::machines::config::{Kind, aer, express, link, msi, msix, pm, serial};
use crate::machines::function::{Function, function};
use crate::machines::machine::{MSI, Machine};

const BOARD: (u16, u16) = (0x1558, 0x8550);

pub fn machine() -> Recording {
    let cmdline = "root=/dev/mapper/volume1 ro quiet splash intel_iommu=on";
    let mut machine = Machine::new("x86_64", "6.11.9-100.fc39.x86_64", cmdline, 16 * GIB);
    machine.x86("GenuineIntel", 39);
    graphics(&mut machine);
    screen(&mut machine);
    board(&mut machine);
    machine.dmar(39);
    machine.intel_unit(0, 0xfed9_0000, ("1c0000c40660462", "19e2ff0505e"));
    machine.intel_unit(1, 0xfed9_1000, ("d2008c40660462", "f050da"));
    machine.groups([1, 2, 4, 5, 6, 7, 8, 9], "DMA-FQ");
    let stolen = format!("0x000000009b800000 0x000000009fffffff direct-relaxable\n{MSI}");
    machine.group(0, "DMA-FQ", &stolen);
    let keyboard = format!("0x0000000099b23000 0x0000000099b42fff direct-relaxable\n{MSI}");
    machine.group(3, "DMA-FQ", &keyboard);
    in_use(&mut machine);
    machine.finish()
}

fn graphics(machine: &mut Machine) {
    machine.add(host_bridge("0000:00:00.0", (0x8086, 0x3ec4)).subsystem(BOARD.0, BOARD.1).group(1));
    let mut port = root_port("0000:00:01.0", (0x8086, 0x1901), (1, 1), link(3, 16)).group(2);
    port.extended = vec![aer()];
    machine.add(port);
    let part = |function: Function| {
        function
            .below("0000:00:01.0")
            .group(2)
            .subsystem(BOARD.0, BOARD.1)
            .revision(0xa1)
            .multifunction()
    };
    machine.add(
        part(function("0000:01:00.0", (0x10de, 0x1f91), 0x030000))
            .driver("nouveau")
            .memory32(0, 16 * MIB)
            .prefetchable(1, 256 * MIB)
            .prefetchable(3, 32 * MIB)
            .io(5, 128)
            .rom(512 * KIB)
            .interrupt(1, 16)
            .boot_vga(false)
            .resets("flr bus")
            .suspended(),
    );
    machine.add(
        part(function("0000:01:00.1", (0x10de, 0x10fa), 0x040300))
            .driver("snd_hda_intel")
            .memory32(0, 16 * KIB)
            .interrupt(2, 17)
            .suspended(),
    );
    machine.card("0000:01:00.0", 0, &[("HDMI-A-1", "disconnected", "disabled")]);
}

/// The processor's own, which the firmware has started.
fn screen(machine: &mut Machine) {
    machine.add(
        function("0000:00:02.0", (0x8086, 0x3e9b), 0x030000)
            .subsystem(BOARD.0, BOARD.1)
            .driver("i915")
            .group(0)
            .memory64(0, 16 * MIB)
            .prefetchable(2, 256 * MIB)
            .io(4, 64)
            .interrupt(1, 139)
            .caps([express(Kind::Integrated, true, None), msi(1, false), pm()])
            .boot_vga(true)
            .resets("flr pm"),
    );
    machine.card("0000:00:02.0", 1, &[("eDP-1", "connected", "enabled")]);
    machine.console("0000:00:02.0", "i915drmfb");
}

fn board(machine: &mut Machine) {
    let on_board = |function: Function| function.subsystem(BOARD.0, BOARD.1).revision(0x10);
    let usb = chipset("0000:00:14.0", (0x8086, 0xa36d), 0x0c0330).driver("xhci_hcd");
    machine.add(on_board(usb.group(3).memory64(0, 64 * KIB).interrupt(1, 124).multifunction()));
    let memory = function("0000:00:14.2", (0x8086, 0xa36f), 0x050000);
    machine.add(on_board(memory.group(3).memory64(0, 8 * KIB).memory64(2, 4 * KIB)));
    let disk = chipset("0000:00:17.0", (0x8086, 0xa353), 0x010601).driver("ahci");
    machine
        .add(on_board(disk.group(4).memory32(0, 8 * KIB).memory32(5, 2 * KIB).interrupt(1, 126)));
    machine.add(root_port("0000:00:1b.0", (0x8086, 0xa340), (2, 2), link(3, 4)).group(5));
    let ssd = nvme("0000:02:00.0", (0x144d, 0xa808), link(3, 4)).subsystem(0x144d, 0xa801);
    machine.add(ssd.below("0000:00:1b.0").group(8));
    machine.add(root_port("0000:00:1d.0", (0x8086, 0xa330), (3, 3), link(2, 1)).group(6));
    machine.add(
        function("0000:03:00.0", (0x8086, 0x2723), 0x028000)
            .subsystem(0x8086, 0x0084)
            .revision(0x1a)
            .below("0000:00:1d.0")
            .driver("iwlwifi")
            .group(9)
            .memory64(0, 16 * KIB)
            .interrupt(1, 18)
            .caps([
                pm(),
                msi(1, false),
                express(Kind::Endpoint, true, Some(link(2, 1))),
                msix(16, (0, 0x2000), (0, 0x3000)),
            ])
            .extended([aer(), serial(0x0200_00ff_ff00_0003)])
            .resets("flr bus"),
    );
    machine.add(on_board(
        function("0000:00:1f.0", (0x8086, 0xa30d), 0x060100).group(7).multifunction(),
    ));
    let audio = chipset("0000:00:1f.3", (0x8086, 0xa348), 0x040300).driver("snd_hda_intel");
    machine.add(on_board(audio.group(7).memory64(0, 16 * KIB).memory64(4, MIB).interrupt(1, 140)));
}

fn in_use(machine: &mut Machine) {
    let disk = Disk {
        name: "nvme0n1",
        number: (259, 0),
        sectors: 1_953_525_168,
        partitions: &[(2048, 1_228_800), (1_230_848, 2_097_152), (3_328_000, 1_950_195_712)],
    };
    machine.nvme("0000:02:00.0", "Samsung SSD 970 PRO 1TB", disk);
    let crypt =
        [("dm/name", "volume1"), ("dm/uuid", "CRYPT-uuid1"), ("size", "1950162944"), ("ro", "0")];
    machine.volume("dm-0", (253, 0), &crypt, &["nvme0n1p3"]);
    let wireless = machine.path("0000:03:00.0");
    machine.interface(&wireless, "wlp3s0", 3, true);
    machine.network(&["wlp3s0"]);
    machine.mounts(&[
        ("0:35", "/", "btrfs", "/dev/mapper/volume1"),
        ("0:35", "/home", "btrfs", "/dev/mapper/volume1"),
        ("259:2", "/boot", "ext4", "/dev/nvme0n1p2"),
        ("259:1", "/boot/efi", "vfat", "/dev/nvme0n1p1"),
    ]);
    let target = machine.block_path("dm-0");
    let uuid = "00000000-0000-4000-8000-000000000002";
    machine.link(&format!("/sys/fs/btrfs/{uuid}/devices/dm-0"), &format!("../../../..{target}"));
    machine.swaps(&[]);
    machine.text("/dev/kvm", "");
}
