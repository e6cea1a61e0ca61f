//! An 8-GPU server (EPYC Rome, A100 SXM4): in each quadrant two switches, each
//! with two GPUs, two network cards and NVMe; six NVSwitches; virtual
//! functions on two network cards.

use host::record::Recording;

use super::{GIB, KIB, MIB, host_bridge, nvme, root_port, switch_port};
use crate::machines::attached::Disk;
use crate::machines::config::{
    ACS_ISOLATES, Kind, Link, SrIov, acs, aer, ari, ats, express, link, msi, msix, pm, resizable,
    serial,
};
use crate::machines::function::{Function, function};
use crate::machines::machine::Machine;

const SWITCH: (u16, u16) = (0x1000, 0xc010);
const GPU: (u16, u16) = (0x10de, 0x20b0);
const NIC: (u16, u16) = (0x15b3, 0x101b);
const NIC_VF: (u16, u16) = (0x15b3, 0x101c);
const NVSWITCH: (u16, u16) = (0x10de, 0x1af1);
/// Virtual functions that are on, on the first card of two quadrants.
const ACTIVE: u16 = 4;

/// What is counted while the machine grows.
struct Count {
    group: u32,
    gpu: u32,
    nic: u32,
    nvme: u32,
}

pub fn machine() -> Recording {
    let cmdline = "root=/dev/nvme0n1p2 ro amd_iommu=on iommu=pt";
    let mut machine = Machine::new("x86_64", "5.15.0-1063-nvidia", cmdline, 1024 * GIB);
    machine.x86("AuthenticAMD", 43);
    machine.places.memory = 0x8000_0000;
    machine.places.prefetchable = 0x200_0000_0000;
    let mut count = Count { group: 0, gpu: 0, nic: 0, nvme: 0 };
    for (quadrant, bus) in [0x00u8, 0x40, 0x80, 0xc0].into_iter().enumerate() {
        quadrant_of(&mut machine, &mut count, quadrant, bus);
    }
    nvswitches(&mut machine, &mut count);
    drive(&mut machine, &mut count);
    machine.acpi_table("IVRS", &[0; 12]);
    machine.remaps_interrupts();
    machine.groups(0..count.group, "identity");
    machine.network(&["eno1"]);
    machine.interface("/devices/virtual", "docker0", 40, false);
    machine.mounts(&[
        ("259:2", "/", "ext4", "/dev/nvme0n1p2"),
        ("259:1", "/boot/efi", "vfat", "/dev/nvme0n1p1"),
    ]);
    machine.swaps(&[]);
    machine.text("/dev/kvm", "");
    machine.text(
        "/proc/driver/nvidia/version",
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.161.08\n",
    );
    machine.finish()
}

impl Count {
    fn next_group(&mut self) -> u32 {
        self.group += 1;
        self.group - 1
    }
}

/// Host bridge, IOMMU, and two root ports with a switch each.
fn quadrant_of(machine: &mut Machine, count: &mut Count, quadrant: usize, bus: u8) {
    let numa = quadrant as i32 * 2 + 1;
    let at = |slot: &str| format!("0000:{bus:02x}:{slot}");
    machine.add(host_bridge(&at("00.0"), (0x1022, 0x1480)).subsystem(0x1022, 0x1480).numa(numa));
    let unit = function(&at("00.2"), (0x1022, 0x1481), 0x080600).subsystem(0x1022, 0x1481);
    machine.add(unit.numa(numa).caps([msi(4, false)]));
    machine.amd_unit(quadrant as u32, &at("00.2"), "58f77ef22294ade");
    for (index, slot) in ["01", "03"].into_iter().enumerate() {
        let group = count.next_group();
        machine
            .add(host_bridge(&at(&format!("{slot}.0")), (0x1022, 0x1482)).group(group).numa(numa));
        let first = bus + 1 + 0x10 * index as u8;
        let port = at(&format!("{slot}.1"));
        let ports = root_port(&port, (0x1022, 0x1483), (first, first + 0xe), link(4, 16));
        // The dummy host bridge and its port are functions of one slot.
        machine.add(ports.subsystem(0x1022, 0x1483).group(group).numa(numa));
        switch(machine, count, (&port, first, numa));
    }
}

/// One switch: a GPU, a network card and an NVMe drive below each of its ports.
fn switch(machine: &mut Machine, count: &mut Count, (root, bus, numa): (&str, u8, i32)) {
    let at = |bus: u8, slot: u8| format!("0000:{bus:02x}:{slot:02x}.0");
    let up = at(bus, 0);
    let port = switch_port(&up, SWITCH, (bus + 1, bus + 0xe), (Kind::Upstream, link(4, 16)));
    machine.add(port.below(root).revision(0xb0).group(count.next_group()).numa(numa));
    let mut next = bus + 2;
    for slot in 0..3u8 {
        let down = at(bus + 1, slot * 4);
        // Virtual functions have the routing ids of the next bus.
        let last = if slot == 1 { next + 1 } else { next };
        let port = switch_port(&down, SWITCH, (next, last), (Kind::Downstream, link(4, 16)));
        machine.add(port.below(&up).revision(0xb0).group(count.next_group()).numa(numa));
        let place = (down.as_str(), next, numa);
        match slot {
            0 => gpu(machine, count, place),
            1 => nic(machine, count, place),
            _ => scratch(machine, count, place),
        }
        next = last + 1;
    }
}

fn gpu(machine: &mut Machine, count: &mut Count, (port, bus, numa): (&str, u8, i32)) {
    let address = format!("0000:{bus:02x}:00.0");
    let virtuals = SrIov {
        total: 16,
        active: 0,
        offset: 4,
        stride: 1,
        vf_device: 0x20b0,
        bars: &[(0, 256 * KIB), (2, 4 * GIB), (4, 32 * MIB)],
    };
    machine.add(
        function(&address, GPU, 0x030200)
            .subsystem(0x10de, 0x134f)
            .revision(0xa1)
            .below(port)
            .driver("nvidia")
            .group(count.next_group())
            .numa(numa)
            .memory32(0, 16 * MIB)
            .prefetchable(1, 64 * GIB)
            .prefetchable(3, 32 * MIB)
            .interrupt(1, 200 + count.gpu)
            .caps([
                pm(),
                express(Kind::Endpoint, true, Some(link(4, 16))),
                msix(6, (0, 0xb9_0000), (0, 0xba_0000)),
            ])
            .extended([
                aer(),
                ats(),
                ari(),
                serial(0x0200_0000_0000_1000 + u64::from(count.gpu)),
                // 64 MiB to 64 GiB.
                resizable(1, 0x7ff << 6, 64 * GIB),
            ])
            .sriov(virtuals)
            .resets("flr bus"),
    );
    machine.nvidia(&address, "NVIDIA A100-SXM4-40GB", count.gpu);
    count.gpu += 1;
}

fn nic(machine: &mut Machine, count: &mut Count, (port, bus, numa): (&str, u8, i32)) {
    let active = if matches!(count.nic, 0 | 4) { ACTIVE } else { 0 };
    let address = format!("0000:{bus:02x}:00.0");
    let virtuals = SrIov {
        total: 16,
        active,
        offset: 0x100,
        stride: 1,
        vf_device: NIC_VF.1,
        bars: &[(0, MIB)],
    };
    machine.add(
        mellanox(&address, NIC, link(4, 16), count)
            .below(port)
            .numa(numa)
            .prefetchable(0, 32 * MIB)
            .rom(MIB)
            .interrupt(1, 300 + count.nic)
            .extended([
                aer(),
                serial(0x0200_00ff_ff00_0000 | u64::from(count.nic + 2)),
                ari(),
                acs(0, 0),
            ])
            .sriov(virtuals),
    );
    nic_interfaces(machine, count, (port, bus, numa), active);
}

/// The interface of a network card, its virtual functions and theirs.
fn nic_interfaces(
    machine: &mut Machine,
    count: &mut Count,
    (port, bus, numa): (&str, u8, i32),
    active: u16,
) {
    let address = format!("0000:{bus:02x}:00.0");
    let name = if count.nic == 0 { "eno1".to_owned() } else { format!("enp{bus}s0") };
    let path = machine.path(&address);
    machine.interface(&path, &name, 2 + count.nic, count.nic == 0);
    count.nic += 1;
    for number in 0..usize::from(active) {
        let address = format!("0000:{:02x}:00.{number}", bus + 1);
        // Its own link registers read as zero, and its bus is its physical function's.
        let own = Link { now: (0, 0), ..link(4, 16) };
        let virtual_function = mellanox(&address, NIC_VF, own, count).below(port).numa(numa);
        machine.add(
            virtual_function
                .resets("flr")
                .virtual_of(&format!("0000:{bus:02x}:00.0"), number)
                .extended([ari(), acs(0, 0)]),
        );
        let path = machine.path(&address);
        let index = 100 + count.nic * 8 + number as u32;
        machine.interface(&path, &format!("enp{bus}s0v{number}"), index, false);
    }
}

fn mellanox(address: &str, ids: (u16, u16), link: Link, count: &mut Count) -> Function {
    function(address, ids, 0x020000)
        .subsystem(0x15b3, 0x0007)
        .driver("mlx5_core")
        .group(count.next_group())
        .caps([express(Kind::Endpoint, true, Some(link)), msix(64, (0, 0x2000), (0, 0x3000)), pm()])
        .resets("flr bus")
}

fn scratch(machine: &mut Machine, count: &mut Count, (port, bus, numa): (&str, u8, i32)) {
    let address = format!("0000:{bus:02x}:00.0");
    let drive = nvme(&address, (0x144d, 0xa80a), link(4, 4)).subsystem(0x144d, 0xa812);
    machine.add(drive.below(port).numa(numa).group(count.next_group()));
    count.nvme += 1;
    let names =
        ["nvme1n1", "nvme2n1", "nvme3n1", "nvme4n1", "nvme5n1", "nvme6n1", "nvme7n1", "nvme8n1"];
    let name = names[count.nvme as usize - 1];
    let disk =
        Disk { name, number: (259, 16 * count.nvme), sectors: 7_501_476_528, partitions: &[] };
    machine.nvme(&address, "SAMSUNG MZWLJ3T8HBLS-00007", disk);
}

/// Six NVSwitches behind one switch of the last quadrant.
fn nvswitches(machine: &mut Machine, count: &mut Count) {
    let root = "0000:c0:05.1";
    let port = root_port(root, (0x1022, 0x1483), (0xe1, 0xe8), link(4, 16));
    machine.add(port.group(count.next_group()).numa(7));
    let up = "0000:e1:00.0";
    let port = switch_port(up, SWITCH, (0xe2, 0xe8), (Kind::Upstream, link(4, 16)));
    machine.add(port.below(root).group(count.next_group()).numa(7));
    for index in 0..6u8 {
        let down = format!("0000:e2:{index:02x}.0");
        let bus = 0xe3 + index;
        let port = switch_port(&down, SWITCH, (bus, bus), (Kind::Downstream, link(2, 4)));
        machine.add(port.below(up).group(count.next_group()).numa(7));
        machine.add(
            function(&format!("0000:{bus:02x}:00.0"), NVSWITCH, 0x068000)
                .subsystem(0x10de, 0x13ab)
                .revision(0xa1)
                .below(&down)
                .driver("nvidia-nvswitch")
                .group(count.next_group())
                .numa(7)
                .memory64(0, 32 * MIB)
                .interrupt(1, 400 + u32::from(index))
                .caps([pm(), msi(1, false), express(Kind::Endpoint, true, Some(link(2, 4)))])
                .extended([aer(), acs(ACS_ISOLATES, 0)])
                .resets("flr bus"),
        );
    }
}

/// The system's own drive, on a port of the first processor.
fn drive(machine: &mut Machine, count: &mut Count) {
    let root = "0000:00:05.1";
    let port = root_port(root, (0x1022, 0x1483), (0x30, 0x30), link(4, 4));
    machine.add(port.group(count.next_group()).numa(1));
    let drive = nvme("0000:30:00.0", (0x144d, 0xa80a), link(4, 4)).subsystem(0x144d, 0xa801);
    machine.add(drive.below(root).numa(1).group(count.next_group()));
    let disk = Disk {
        name: "nvme0n1",
        number: (259, 0),
        sectors: 3_750_748_848,
        partitions: &[(2048, 1_048_576), (1_050_624, 3_749_695_488)],
    };
    machine.nvme("0000:30:00.0", "SAMSUNG MZ1LB1T9HALS-00007", disk);
}
