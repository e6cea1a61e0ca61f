//! Guests and devices that several tests use.
#![allow(dead_code)]

use std::path::PathBuf;

use hypervisors::machine::{
    Accel, Console, Disk, DiskFormat, Firmware, Forward, Kernel, Machine, Network, SparePorts,
};
use hypervisors::{
    GuestSpec, HostDevice, HostFacts, HostFunction, Rendered, Reserve, Start, Version,
};
use model::Bdf;
use model::function::{Bar, BarKind};
use model::snapshot::GroupId;

pub const KIB: u64 = 1 << 10;
pub const MIB: u64 = 1 << 20;
pub const GIB: u64 = 1 << 30;

/// A server: KVM, 46 bits everywhere.
pub fn server() -> HostFacts {
    HostFacts {
        program: "qemu-system-x86_64".to_owned(),
        version: Some(Version(10, 0, 2)),
        sandbox: true,
        kvm: true,
        iommufd: Some(true),
        iommu_bits: Some(46),
        cpu_bits: Some(46),
    }
}

/// A desktop whose processor and IOMMU stop at 512 GiB.
pub fn desktop() -> HostFacts {
    HostFacts { iommu_bits: Some(39), cpu_bits: Some(39), ..server() }
}

/// A POWER server: its host bridges translate by tables of their own.
pub fn power() -> HostFacts {
    HostFacts {
        program: "qemu-system-ppc64".to_owned(),
        iommu_bits: None,
        cpu_bits: None,
        ..server()
    }
}

/// No KVM.
pub fn emulated() -> HostFacts {
    HostFacts { kvm: false, iommu_bits: Some(48), cpu_bits: None, ..server() }
}

pub fn q35() -> Machine {
    Machine::named("q35").unwrap()
}

pub fn guest(memory: u64) -> GuestSpec {
    let uuid = "6f1c1a52-2a5e-4c6b-9f0e-1d2c3b4a5f60";
    let mut spec = GuestSpec::new("g1", uuid, q35(), memory);
    spec.cpus = 4;
    spec
}

/// A guest as `run` makes it: disk, network, console, control sockets.
pub fn whole(memory: u64) -> GuestSpec {
    let mut spec = guest(memory);
    let dir = PathBuf::from("/var/lib/passthru/instances/g1");
    spec.disks =
        vec![Disk { path: dir.join("root.qcow2"), format: DiskFormat::Qcow2, read_only: false }];
    spec.network = Network::User {
        mac: "52:54:00:12:34:56".to_owned(),
        forwards: vec![Forward { host: 2222, guest: 22 }],
    };
    spec.console = Some(Console { socket: dir.join("console.sock"), log: dir.join("console.log") });
    spec.monitors = vec![dir.join("qmp.sock"), dir.join("qmp-cli.sock")];
    spec
}

pub fn ovmf() -> Firmware {
    Firmware::Ovmf {
        code: "/usr/share/OVMF/OVMF_CODE_4M.fd".into(),
        template: "/usr/share/OVMF/OVMF_VARS_4M.fd".into(),
        nvram: "/var/lib/passthru/instances/g1/nvram.fd".into(),
    }
}

pub fn kernel() -> Kernel {
    Kernel {
        kernel: "/srv/guest/vmlinuz".into(),
        initrd: Some("/srv/guest/initrd".into()),
        append: Some("console=ttyS0 quiet".to_owned()),
    }
}

pub fn bar(index: u8, size: u64, wide: bool, prefetchable: bool) -> Bar {
    Bar { index, start: 0, size, kind: BarKind::Memory { wide, prefetchable } }
}

pub fn io(index: u8, size: u64) -> Bar {
    Bar { index, start: 0, size, kind: BarKind::Io }
}

pub fn function(address: &str, group: u32, bars: Vec<Bar>) -> HostFunction {
    let bdf: Bdf = address.parse().unwrap();
    HostFunction {
        bdf,
        sysfs: format!("/sys/bus/pci/devices/{bdf}").into(),
        group: Some(GroupId(group)),
        bars,
        is_virtual: false,
        needs_remapping: false,
        rom_file: None,
    }
}

pub fn device(functions: Vec<HostFunction>) -> HostDevice {
    HostDevice { functions }
}

pub fn nvme() -> HostDevice {
    device(vec![function("0000:02:00.0", 15, vec![bar(0, 16 * KIB, true, false)])])
}

/// A consumer card: 16 GiB after Resizable BAR, VGA ports, audio beside it.
pub fn gpu() -> HostDevice {
    device(vec![
        function(
            "0000:65:00.0",
            34,
            vec![
                bar(0, 16 * MIB, false, false),
                bar(1, 16 * GIB, true, true),
                bar(3, 32 * MIB, true, true),
                io(5, 128),
            ],
        ),
        function("0000:65:00.1", 34, vec![bar(0, 16 * KIB, false, false)]),
    ])
}

/// An 80 GiB accelerator of a server: all registers 64-bit.
pub fn big_gpu(bus: u8, group: u32) -> HostDevice {
    device(vec![function(
        &format!("0000:{bus:02x}:00.0"),
        group,
        vec![
            bar(0, 16 * MIB, true, true),
            bar(2, 128 * GIB, true, true),
            bar(4, 32 * MIB, true, true),
        ],
    )])
}

/// Qualcomm Cloud AI 100: 32 MSI vectors.
pub fn aic100(address: &str, group: u32) -> HostFunction {
    let bars = vec![bar(0, 8 * KIB, true, false), bar(2, 8 * MIB, true, true)];
    HostFunction { needs_remapping: true, ..function(address, group, bars) }
}

pub fn tcg(mut spec: GuestSpec) -> GuestSpec {
    spec.accel = Accel::Tcg;
    spec
}

pub fn no_spare() -> SparePorts {
    SparePorts { count: 0, reserve: Reserve::default() }
}

/// One argument a line, as people write long command lines; then the notes.
pub fn show(rendered: &Rendered) -> String {
    let Start::Process { program, args } = &rendered.start else { panic!("nothing is started") };
    let mut text = program.clone();
    for arg in args {
        // A switch begins a line; what follows it stays on it.
        text.push_str(if arg.starts_with('-') { "\n  " } else { " " });
        text.push_str(arg);
    }
    for copy in &rendered.copies {
        text.push_str(&format!("\ncopy {} to {}", copy.from.display(), copy.to.display()));
    }
    for note in &rendered.notes {
        text.push_str(&format!("\nnote: {note}\n  hint: {}", note.hint));
    }
    text
}

pub fn args(rendered: &Rendered) -> Vec<String> {
    let Start::Process { args, .. } = &rendered.start else { panic!("nothing is started") };
    args.clone()
}
