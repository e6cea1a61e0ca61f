//! Command lines as golden text: one guest each.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(non_snake_case)]

mod cases;

use cases::*;
use hypervisors::machine::{
    Accel, Container, Disk, DiskFormat, Firmware, Forward, GuestIommu, Machine, Memory, Network,
    Numa,
};
use hypervisors::{GuestSpec, HostDevice, HostFacts, Reserve, Version, backend};
use insta::assert_snapshot;

fn render(spec: &GuestSpec, facts: &HostFacts) -> String {
    match backend("qemu").unwrap().render(spec, facts) {
        Ok(rendered) => show(&rendered),
        Err(refusal) => {
            let lines = refusal
                .reasons
                .iter()
                .map(|reason| format!("refused: {reason}\n  hint: {}", reason.hint));
            lines.collect::<Vec<_>>().join("\n")
        }
    }
}

#[test]
fn argv__one_nvme() {
    let mut spec = whole(2 * GIB);
    spec.devices = vec![nvme()];
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__gpu_with_audio_on_a_desktop() {
    let mut spec = whole(16 * GIB);
    spec.firmware = ovmf();
    spec.hide_kvm = true;
    spec.devices = vec![gpu()];
    spec.devices[0].functions[0].rom_file = Some("/srv/vbios, patched.rom".into());
    spec.spare.reserve = Reserve::for_any([&gpu()]);
    assert_snapshot!(render(&spec, &desktop()));
}

fn eight_gpus() -> GuestSpec {
    let mut spec = whole(512 * GIB);
    spec.cpus = 96;
    spec.firmware = ovmf();
    spec.devices = (0..8).map(|n| big_gpu(0x18 + 8 * n, 40 + u32::from(n))).collect();
    spec
}

#[test]
fn argv__eight_gpus_with_128_gib_registers() {
    assert_snapshot!(render(&eight_gpus(), &server()));
}

#[test]
fn argv__eight_gpus_under_seabios() {
    let mut spec = eight_gpus();
    spec.firmware = Firmware::Default;
    spec.kernel = Some(kernel());
    let old = HostFacts { version: Some(Version(8, 2, 1)), ..server() };
    assert_snapshot!(render(&spec, &old));
}

#[test]
fn refused__registers_beyond_the_host_iommu() {
    let facts = HostFacts { iommu_bits: Some(39), ..server() };
    let mut spec = eight_gpus();
    spec.memory.bytes = 64 * GIB;
    assert_snapshot!(render(&spec, &facts));
}

#[test]
fn refused__registers_beyond_an_emulated_processor() {
    assert_snapshot!(render(&tcg(eight_gpus()), &server()));
}

#[test]
fn refused__more_memory_than_a_guest_reaches() {
    let text = |spec: &GuestSpec, facts: &HostFacts| render(spec, facts).to_string();
    let mut spec = eight_gpus();
    spec.memory.bytes = 64 << 40;
    let huge = text(&spec, &server());
    assert!(
        huge.contains("a guest cannot have 64T of memory: it reaches 46 address bits"),
        "{huge}"
    );
    assert!(!huge.contains("device memory"), "{huge}");
    spec.memory.bytes = 1 << 10;
    let tiny = text(&spec, &server());
    assert!(tiny.contains("a guest cannot have 1024 bytes of memory"), "{tiny}");
}

#[test]
fn argv__one_without_seccomp() {
    let facts = HostFacts { sandbox: false, ..server() };
    let text = render(&whole(GIB), &facts).to_string();
    assert!(!text.contains("-sandbox"), "{text}");
    assert!(text.contains("its process is not confined [no_sandbox]"), "{text}");
}

#[test]
fn argv__aic100_gets_a_virtual_iommu() {
    let mut spec = whole(8 * GIB);
    spec.devices = vec![device(vec![aic100("0000:19:00.0", 7)])];
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__aic100_on_a_39_bit_host() {
    let mut spec = guest(8 * GIB);
    spec.devices = vec![device(vec![aic100("0000:19:00.0", 7)])];
    assert_snapshot!(render(&spec, &desktop()));
}

#[test]
fn argv__two_functions_of_one_group_behind_a_virtual_iommu() {
    let mut spec = guest(8 * GIB);
    let card = device(vec![aic100("0000:19:00.0", 7), aic100("0000:19:00.1", 7)]);
    let neighbour = device(vec![aic100("0000:1a:00.0", 7)]);
    spec.devices = vec![card, nvme(), neighbour];
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__hugepages_of_one_node() {
    let mut spec = guest(8 * GIB);
    let numa = Some(Numa { node: 1, strict: true });
    spec.memory = Memory { bytes: 8 * GIB, hugepages: Some(GIB), numa };
    spec.devices = vec![nvme()];
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__memory_near_the_device() {
    let mut spec = guest(8 * GIB);
    spec.memory.numa = Some(Numa { node: 1, strict: false });
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__no_kvm() {
    let mut spec = guest(GIB);
    spec.kernel = Some(kernel());
    spec.devices = vec![nvme()];
    assert_snapshot!(render(&spec, &emulated()));
}

#[test]
fn argv__an_emulated_processor_is_as_narrow_as_the_host_iommu() {
    let mut spec = tcg(guest(GIB));
    spec.devices = vec![nvme()];
    assert_snapshot!(render(&spec, &desktop()));
}

#[test]
fn argv__pseries() {
    let mut spec = whole(16 * GIB);
    spec.machine = Machine::named("pseries").unwrap();
    spec.devices = vec![
        device(vec![function("0002:01:00.0", 1, vec![bar(0, 16 * GIB, true, true)])]),
        device(vec![function("0003:01:00.0", 2, vec![]), function("0003:01:00.1", 2, vec![])]),
        device(vec![function("0003:01:01.0", 2, vec![])]),
    ];
    spec.spare.count = 1;
    assert_snapshot!(render(&spec, &power()));
}

#[test]
fn argv__pseries_where_it_is_not_installed() {
    let mut spec = tcg(guest(GIB));
    spec.machine = Machine::named("pseries").unwrap();
    spec.devices = vec![nvme()];
    assert_snapshot!(render(&spec, &HostFacts { version: None, ..power() }));
    spec.accel = Accel::Kvm;
    let refused = render(&spec, &HostFacts { kvm: false, ..power() }).to_string();
    assert!(refused.contains("load kvm_hv there"), "{refused}");
}

#[test]
fn argv__iommufd() {
    let mut spec = guest(2 * GIB);
    spec.container = Container::Iommufd;
    spec.devices = vec![nvme(), gpu()];
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__commas_and_spaces() {
    let mut spec = whole(2 * GIB);
    spec.name = "my guest, the second".to_owned();
    spec.kernel = Some(kernel());
    let kernel = spec.kernel.as_mut().unwrap();
    kernel.kernel = "/srv/a, b/vmlinuz".into();
    kernel.append = Some("console=ttyS0,115200 quiet".to_owned());
    spec.disks[0].path = "/srv/a, b/root,readonly=off.qcow2".into();
    spec.disks.push(Disk {
        path: "/srv/a, b/data.img".into(),
        format: DiskFormat::Raw,
        read_only: true,
    });
    let console = spec.console.as_mut().unwrap();
    console.socket = "/run/a, b/console".into();
    console.log = "/run/a, b/log".into();
    spec.monitors = vec!["/run/a, b/qmp".into()];
    spec.network =
        Network::Tap { mac: "52:54:00:12:34:56".to_owned(), interface: "tap,0".to_owned() };
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__domain_above_ffff_and_a_virtual_function() {
    let mut spec = guest(2 * GIB);
    let mut vf = function("10000:02:10.3", 21, vec![bar(0, 16 * KIB, true, true)]);
    vf.is_virtual = true;
    spec.devices = HostDevice::by_slot(vec![vf.clone(), function("10000:02:10.1", 20, vec![])]);
    spec.spare = no_spare();
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn argv__ports_fill_several_slots() {
    let mut spec = guest(2 * GIB);
    spec.devices = (1..=10)
        .map(|bus| device(vec![function(&format!("0000:{bus:02x}:00.0"), bus, vec![io(4, 256)])]))
        .collect();
    assert_snapshot!(render(&spec, &server()));
    spec.firmware = ovmf();
    assert_snapshot!("refused__too_many_devices_with_io_registers", render(&spec, &server()));
}

#[test]
fn refused__everything_at_once() {
    let mut spec = guest(GIB + 1);
    spec.name = "a\nb".to_owned();
    spec.uuid = "6f1c1a52".to_owned();
    spec.accel = Accel::Kvm;
    spec.cpus = 0;
    spec.memory.hugepages = Some(2 * MIB);
    spec.container = Container::Iommufd;
    spec.iommu = GuestIommu::Off;
    spec.disks = (0..8)
        .map(|n| Disk { path: format!("d{n}").into(), format: DiskFormat::Raw, read_only: true })
        .collect();
    spec.network = Network::Tap {
        mac: "53:54:00:00:00:01".to_owned(),
        interface: "a-name-that-is-too-long".to_owned(),
    };
    spec.monitors = vec![format!("/{}", "x".repeat(107)).into()];
    let card = device(vec![aic100("0000:19:00.0", 7), aic100("0000:1a:00.0", 8)]);
    spec.devices = vec![card, device(vec![aic100("0000:19:00.0", 7)]), device(vec![])];
    let old = HostFacts { version: Some(Version(6, 1, 0)), kvm: false, ..server() };
    assert_snapshot!(render(&spec, &old));
}

#[test]
fn refused__what_would_fail_at_the_start() {
    let mut spec = whole(GIB);
    spec.container = Container::Iommufd;
    let Network::User { forwards, .. } = &mut spec.network else { unreachable!() };
    *forwards = [22, 80].map(|guest| Forward { host: 2222, guest }).into();
    let text = render(&spec, &HostFacts { iommufd: Some(false), ..server() });
    assert!(text.contains("the host's kernel has no iommufd"), "{text}");
    assert!(text.contains("port 2222 of the host is forwarded twice"), "{text}");
    let mut spec = GuestSpec { machine: Machine::named("pseries").unwrap(), ..guest(GIB) };
    spec.hide_kvm = true;
    let text = render(&spec, &power());
    assert!(text.contains("nothing hides it"), "{text}");
}

#[test]
fn refused__too_many_ports_and_low_memory() {
    let mut spec = guest(GIB);
    spec.spare.count = 200;
    assert_snapshot!(render(&spec, &server()));
    spec.spare.count = 4;
    spec.devices = (1..=5)
        .map(|bus| {
            let bars = vec![bar(0, 256 * MIB, false, true)];
            device(vec![function(&format!("0000:{bus:02x}:00.0"), bus, bars)])
        })
        .collect();
    assert_snapshot!(render(&spec, &server()));
}

#[test]
fn machines() {
    for name in ["q35", "pc-q35-9.2", "pseries", "pseries-9.1"] {
        assert_eq!(Machine::named(name).unwrap().name(), name);
    }
    assert_snapshot!(Machine::named("pc-i440fx-9.0").unwrap_err());
    assert_snapshot!(Machine::named("microvm").unwrap_err());
    assert_snapshot!(Machine::for_arch("riscv64").unwrap_err());
}

#[test]
fn null__says_what_it_would_do() {
    let mut spec = whole(8 * GIB);
    spec.devices = vec![gpu(), device(vec![aic100("0000:19:00.0", 7)])];
    let rendered = backend("null").unwrap().render(&spec, &server()).unwrap();
    let hypervisors::Start::Print(text) = rendered.start else { panic!("it would start") };
    assert_snapshot!(text);
}
