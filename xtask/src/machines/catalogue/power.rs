//! POWER machines: every PCI host bridge is a domain of its own, and every
//! device behind it can have a group (a partitionable endpoint) of its own.

use host::record::Recording;

use super::{GIB, KIB, MIB, root_port, switch_port};
use crate::machines::attached::Disk;
use crate::machines::config::{Kind, Link, aer, express, link, msi, msix, pm, serial};
use crate::machines::function::{Function, function};
use crate::machines::machine::Machine;

const PHB4: (u16, u16) = (0x1014, 0x04c1);
const PHB3: (u16, u16) = (0x1014, 0x03dc);
const PLX: (u16, u16) = (0x10b5, 0x8725);

/// An AC922: four V100, two behind a switch of each processor.
pub fn ac922() -> Recording {
    let mut machine = power("4.18.0-372.el8.ppc64le", 512 * GIB);
    machine.text("/sys/firmware/devicetree/base/model", "8335-GTH\0");
    machine.power("POWER9");
    drive_domain(&mut machine, PHB4);
    gpu_domain(&mut machine, "0004", 4, 0, 2);
    gpu_domain(&mut machine, "0035", 3, 8, 6);
    network_domain(&mut machine, PHB4, 4);
    finish(machine)
}

/// An S822LC for HPC: a P100 directly behind a bridge of each processor.
pub fn s822lc() -> Recording {
    let mut machine = power("4.14.0-49.10.1.el7a.ppc64le", 256 * GIB);
    machine.text("/sys/firmware/devicetree/base/model", "8335-GTB\0");
    machine.power("POWER8NVL (raw)");
    drive_domain(&mut machine, PHB3);
    for (domain, numa, group) in [("0002", 0, 2), ("000a", 8, 3)] {
        let root = format!("{domain}:00:00.0");
        machine.add(root_port(&root, PHB3, (1, 1), link(3, 16)).numa(numa));
        let card = format!("{domain}:01:00.0");
        machine.add(gpu(&card, (0x10de, 0x15f9), 0x116b, 16).below(&root).numa(numa).group(group));
        machine.nvidia(&card, "Tesla P100-SXM2-16GB", group - 2);
    }
    network_domain(&mut machine, PHB3, 4);
    finish(machine)
}

fn power(kernel: &str, memory: u64) -> Machine {
    let cmdline = "root=UUID=value1 ro";
    let mut machine = Machine::new("ppc64le", kernel, cmdline, memory);
    // The kernel is older than the file.
    machine.remove("/proc/sys/kernel/arch");
    machine.places.memory = 0x8000_0000;
    machine.places.offset = 0x600c_0000_0000;
    machine.places.prefetchable = 0x6200_0000_0000;
    machine.folder("/sys/firmware/devicetree/base/pciex@600c3c0000000");
    machine.folder("/sys/module/vfio_iommu_spapr_tce");
    machine
}

fn gpu(address: &str, ids: (u16, u16), subsystem: u16, memory: u64) -> Function {
    function(address, ids, 0x030200)
        .subsystem(0x10de, subsystem)
        .revision(0xa1)
        .driver("nvidia")
        .memory32(0, 16 * MIB)
        .prefetchable(1, memory * GIB)
        .prefetchable(3, 32 * MIB)
        .interrupt(1, 0)
        .caps([pm(), msi(1, false), express(Kind::Endpoint, true, Some(link(3, 16)))])
        .extended([aer()])
        .resets("flr bus")
}

/// The system's NVMe drive, alone behind its host bridge.
fn drive_domain(machine: &mut Machine, bridge: (u16, u16)) {
    machine.add(root_port("0001:00:00.0", bridge, (1, 1), link(3, 8)).numa(0));
    let drive = super::nvme("0001:01:00.0", (0x144d, 0xa80a), link(3, 4)).subsystem(0x144d, 0xa801);
    machine.add(drive.below("0001:00:00.0").numa(0).group(0));
}

/// A switch with a SATA controller and two accelerators behind it.
fn gpu_domain(machine: &mut Machine, domain: &str, first: u8, numa: i32, group: u32) {
    let at = |bus: u8, slot: u8| format!("{domain}:{bus:02x}:{slot:02x}.0");
    let root = at(0, 0);
    let speed = link(3, 8);
    machine.add(root_port(&root, PHB4, (1, 5), speed).numa(numa));
    let up = at(1, 0);
    let port = switch_port(&up, PLX, (2, 5), (Kind::Upstream, speed));
    machine.add(port.below(&root).revision(0xca).numa(numa));
    let mut down = |slot: u8, bus: u8| {
        let port = at(2, slot);
        let down = switch_port(&port, PLX, (bus, bus), (Kind::Downstream, speed));
        machine.add(down.below(&up).revision(0xca).numa(numa));
        port
    };
    let (first_port, second_port) = (down(0x0a, first), down(0x0b, first + 1));
    for (index, (bus, port)) in [(first, first_port), (first + 1, second_port)].iter().enumerate() {
        let card = at(*bus, 0);
        let index = index as u32;
        let function = gpu(&card, (0x10de, 0x1db1), 0x1212, 16).below(port);
        machine.add(function.numa(numa).group(group + index));
        let minor = if numa == 0 { index } else { 2 + index };
        machine.nvidia(&card, "Tesla V100-SXM2-16GB", minor);
    }
}

/// A network card with two ports.
fn network_domain(machine: &mut Machine, bridge: (u16, u16), group: u32) {
    let root = "0005:00:00.0";
    let speed = Link { now: (2, 4), max: (3, 8) };
    machine.add(root_port(root, bridge, (1, 1), speed).numa(0));
    for port in 0..2u8 {
        let address = format!("0005:01:00.{port}");
        machine.add(
            function(&address, (0x14e4, 0x1657), 0x020000)
                .subsystem(0x1014, 0x0420)
                .revision(1)
                .multifunction()
                .below(root)
                .driver("tg3")
                .group(group)
                .numa(0)
                .prefetchable(0, 64 * KIB)
                .prefetchable(2, 64 * KIB)
                .prefetchable(4, 64 * KIB)
                .rom(512 * KIB)
                .interrupt(port + 1, 0)
                .caps([
                    pm(),
                    msi(8, false),
                    msix(17, (4, 0), (4, 0x1000)),
                    express(Kind::Endpoint, true, Some(link(2, 4))),
                ])
                .extended([aer(), serial(0x0200_00ff_fe00_0002)])
                .resets("flr pm"),
        );
        let path = machine.path(&address);
        machine.interface(&path, &format!("enP5p1s0f{port}"), 2 + u32::from(port), port == 0);
    }
}

fn finish(mut machine: Machine) -> Recording {
    let disk = Disk {
        name: "nvme0n1",
        number: (259, 0),
        sectors: 3_125_627_568,
        partitions: &[(2048, 8192), (10_240, 2_097_152), (2_107_392, 3_123_518_464)],
    };
    machine.nvme("0001:01:00.0", "SAMSUNG MZWLL1T6HAJQ-00005", disk);
    machine.mounts(&[
        ("259:3", "/", "xfs", "/dev/nvme0n1p3"),
        ("259:2", "/boot", "ext4", "/dev/nvme0n1p2"),
    ]);
    machine.swaps(&[]);
    machine.network(&["enP5p1s0f0"]);
    // The host's bridges translate with tables of their own (sPAPR TCE): the
    // groups have no default domain and nothing reserved.
    let used: Vec<u32> = machine.functions.iter().filter_map(|function| function.group).collect();
    for group in used {
        machine.group(group, "unknown", "");
    }
    machine.text("/dev/kvm", "");
    machine.finish()
}
