//! The real QEMU takes every command line and answers the client.
//!
//! Emulated processors, no VFIO: what needs a passed-through device is
//! tested in the lab. QEMU must be installed; without it these tests fail.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cases;
mod running;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use cases::*;
use hypervisors::machine::{
    Disk, DiskFormat, Firmware, GuestIommu, Kernel, Machine, Network, Numa, SparePorts,
};
use hypervisors::qemu::hotplug;
use hypervisors::qemu::ports::{FreePort, by_slot, free_ports};
use hypervisors::qemu::{Version, disk, firmware, version};
use hypervisors::{Backend, ControlError, GuestSpec, Reserve, qemu};
use model::port::Cmd;
use running::Running;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// Emulated, small, stopped before its first instruction.
fn stopped(dir: &Path) -> GuestSpec {
    let mut spec = tcg(guest(128 * MIB));
    spec.cpus = 2;
    spec.monitors = vec![dir.join("qmp")];
    spec.extra = vec!["-S".to_owned()];
    spec
}

/// Starts, says that it is stopped, ends when told, and said nothing on the way.
#[track_caller]
fn accepted(spec: &GuestSpec) {
    accepted_after(spec, || ());
}

#[track_caller]
fn accepted_after(spec: &GuestSpec, look: impl FnOnce()) {
    let running = Running::start(spec);
    look();
    says_nothing(running);
}

#[track_caller]
fn says_nothing(mut running: Running) {
    assert_eq!(running.qmp().query_status().unwrap(), "prelaunch");
    running.qmp().quit().unwrap();
    let said = running.end();
    assert_eq!(said, "", "QEMU complained");
}

fn run(cmd: &Cmd) -> String {
    let output = Command::new(&cmd.program).args(&cmd.args).output().expect(&cmd.program);
    assert!(output.status.success(), "{cmd}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What Debian, Ubuntu and others install UEFI for QEMU as.
fn installed_ovmf(nvram: &Path) -> Firmware {
    let mut files: Vec<_> = std::fs::read_dir("/usr/share/qemu/firmware")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let texts: Vec<String> =
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let found = firmware::choose(texts.iter().map(String::as_str)).expect("a UEFI for q35");
    std::fs::copy(&found.template, nvram).unwrap();
    Firmware::Ovmf { code: found.code, template: found.template, nvram: nvram.to_owned() }
}

/// The header of a Linux kernel (Documentation/arch/x86/boot.rst), and nothing behind it.
fn kernel_header(path: &Path) {
    let mut image = vec![0u8; 4096];
    image[0x1f1] = 1;
    image[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    image[0x202..0x206].copy_from_slice(b"HdrS");
    image[0x206..0x208].copy_from_slice(&0x020c_u16.to_le_bytes());
    image[0x211] = 1;
    image[0x22c..0x230].copy_from_slice(&0x7fff_ffff_u32.to_le_bytes());
    std::fs::write(path, image).unwrap();
}

#[test]
fn its_version_is_understood() {
    let text = run(&version::ask("qemu-system-x86_64"));
    let found = Version::parse(&text).expect("a version");
    assert!(found.refusal().is_none(), "{found}");
}

#[test]
fn it_takes_a_bare_guest_and_one_with_a_virtual_iommu() {
    let dir = tempfile::tempdir().unwrap();
    accepted(&stopped(dir.path()));
    let mut spec = stopped(dir.path());
    spec.iommu = GuestIommu::On;
    spec.machine = Machine::named("pc-q35-9.2").unwrap();
    accepted(&spec);
}

#[test]
fn it_takes_memory_of_a_node_and_as_many_ports_as_there_are() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = stopped(dir.path());
    spec.memory.numa = Some(Numa { node: 0, strict: true });
    spec.hide_kvm = true;
    let count = qemu::render::topology::MAX_PORTS as u32;
    spec.spare = SparePorts { count, reserve: Reserve { wide: GIB, low: 4 * MIB } };
    accepted(&spec);
    spec.memory.numa = Some(Numa { node: 0, strict: false });
    spec.spare.count = 0;
    accepted(&spec);
}

#[test]
fn it_takes_paths_with_commas_and_spaces() {
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a, b=c,readonly=on");
    std::fs::create_dir(&odd).unwrap();
    let mut spec = stopped(dir.path());
    spec.name = "my guest, the second=2".to_owned();
    spec.monitors = vec![odd.join("qmp,0"), odd.join("qmp,1")];
    spec.console =
        Some(hypervisors::machine::Console { socket: odd.join("tty,x"), log: odd.join("log,x") });
    spec.firmware = installed_ovmf(&odd.join("nvram,x"));
    spec.network = Network::User { mac: "52:54:00:12:34:56".to_owned(), forwards: vec![] };
    let base = odd.join("base,x.qcow2");
    let make = ["create", "-q", "-f", "qcow2", &base.display().to_string(), "64M"];
    run(&Cmd::new("qemu-img", make));
    let top = odd.join("top,x.qcow2");
    run(&disk::overlay(&base, DiskFormat::Qcow2, &top));
    let raw = odd.join("raw,x.img");
    std::fs::write(&raw, vec![0; 1 << 20]).unwrap();
    spec.disks = vec![
        Disk { path: top.clone(), format: DiskFormat::Qcow2, read_only: false },
        Disk { path: raw, format: DiskFormat::Raw, read_only: true },
    ];
    let image = odd.join("kernel,x");
    kernel_header(&image);
    accepted_after(&spec, || {
        for made in ["qmp,0", "qmp,1", "tty,x", "log,x"] {
            assert!(odd.join(made).exists(), "{made}");
        }
    });

    let append = "console=ttyS0,115200 quiet".to_owned();
    spec.kernel = Some(Kernel { initrd: Some(image.clone()), kernel: image, append: Some(append) });
    accepted(&spec);

    let info = disk::parse_info(&run(&disk::info(&top))).unwrap();
    assert_eq!(info.disk_format(false), Some(DiskFormat::Qcow2));
    assert_eq!(info.virtual_size, 64 << 20);
}

#[test]
fn what_does_not_fit_is_refused_by_us_and_by_qemu_alike() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = stopped(dir.path());
    // 40 address bits: 512 GiB end below 1 TiB, 1 TiB does not.
    spec.spare = SparePorts { count: 1, reserve: Reserve { wide: 256 * GIB, low: 0 } };
    accepted(&spec);
    spec.extra.extend(["-global".to_owned(), "q35-pcihost.pci-hole64-size=1T".to_owned()]);
    let said = Running::refused(&spec);
    assert!(said.contains("phys-bits too low"), "{said}");
}

fn port(running: &mut Running, wide: u64) -> FreePort {
    let free = free_ports(running.qmp()).unwrap();
    free.into_iter().find(|port| port.reserve.wide >= wide).expect("a free port")
}

fn names(running: &mut Running) -> Vec<String> {
    let free = free_ports(running.qmp()).unwrap();
    free.into_iter().map(|port| port.id).collect()
}

/// Function 1 first, as `attach` does it.
fn plug_two(running: &mut Running, bus: &str) {
    for (number, id) in [(1, "two"), (0, "one")] {
        let properties = json!({
            "driver": "e1000e", "id": id, "bus": bus,
            "addr": format!("0x0.{number:#x}"), "multifunction": number == 0,
        });
        running.qmp().device_add(&properties).unwrap();
    }
}

#[test]
fn free_ports_are_found_before_any_firmware_ran() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = stopped(dir.path());
    spec.spare = SparePorts { count: 11, reserve: Reserve { wide: GIB, low: 32 * MIB } };
    spec.extra.extend(["-device", "nvme,id=n,serial=a,bus=rp2"].map(str::to_owned));
    let mut running = Running::start(&spec);
    let want = ["rp1", "rp3", "rp4", "rp5", "rp6", "rp7", "rp8", "rp9", "rp10", "rp11"];
    assert_eq!(names(&mut running), want);
    let free = port(&mut running, 0);
    assert_eq!(free.reserve, Reserve { wide: GIB, low: 32 * MIB });
    plug_two(&mut running, &free.bus);
    assert_eq!(names(&mut running), want[1..]);
    let ids = ["one", "two", "n", "none"].map(str::to_owned);
    let mut slots = by_slot(running.qmp(), &ids).unwrap();
    slots.sort();
    assert_eq!(slots, [vec!["n"], vec!["one", "two"]]);
    let peripherals = running.qmp().peripherals().unwrap();
    let kinds: Vec<_> = peripherals.iter().filter(|device| device.kind == "e1000e").collect();
    assert_eq!(kinds.len(), 2);
}

#[test]
fn a_guest_that_does_not_answer_keeps_its_device_and_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(&stopped(dir.path()));
    let free = port(&mut running, 0);
    plug_two(&mut running, &free.bus);
    let ids = ["one".to_owned(), "two".to_owned()];
    for _ in 0..2 {
        // A second request while the first is pending ends the same way.
        let error =
            hotplug::unplug(running.qmp(), "the card", &ids, &(SECOND / 2).into()).unwrap_err();
        assert!(matches!(error, ControlError::NotLetGo { .. }), "{error:?}");
    }
    // The connection is as good as before.
    assert_eq!(running.qmp().query_status().unwrap(), "prelaunch");
    // What is not there is gone.
    hotplug::unplug(running.qmp(), "nothing", &["none".to_owned()], &SECOND.into()).unwrap();
}

#[test]
fn a_device_that_cannot_be_opened_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let mut running = Running::start(&stopped(dir.path()));
    let before = running.qmp().peripherals().unwrap();
    let mut card = gpu();
    for function in &mut card.functions {
        function.sysfs = dir.path().join("gone");
        function.bars.clear();
    }
    let error = hotplug::attach(running.qmp(), &card).unwrap_err();
    let ControlError::Socket(error) = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("no such host device"), "{error}");
    assert_eq!(running.qmp().peripherals().unwrap(), before);
}

#[test]
fn a_device_without_room_is_refused_before_qemu_is_asked() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = stopped(dir.path());
    let mut running = Running::start(&spec);
    let error = hotplug::attach(running.qmp(), &gpu()).unwrap_err();
    let ControlError::Refused(reason) = error else { panic!("{error:?}") };
    insta::assert_snapshot!("refused__no_port_is_large_enough", reason);
    drop(running);
    spec.spare.count = 0;
    let mut running = Running::start(&spec);
    let error = hotplug::attach(running.qmp(), &nvme()).unwrap_err();
    let ControlError::Refused(reason) = error else { panic!("{error:?}") };
    insta::assert_snapshot!("refused__no_free_port", reason);
    drop(running);
    spec.spare.count = 4;
    spec.spare.reserve = Reserve::for_any([&gpu()]);
    spec.iommu = GuestIommu::On;
    let mut running = Running::start(&spec);
    let error = hotplug::attach(running.qmp(), &gpu()).unwrap_err();
    let ControlError::Refused(reason) = error else { panic!("{error:?}") };
    insta::assert_snapshot!("refused__a_group_behind_a_virtual_iommu", reason);
    let mut sibling = nvme();
    sibling.functions[0].group = gpu().functions[0].group;
    hotplug::may_attach(running.qmp(), &[nvme()], &gpu().functions).unwrap();
    let error = hotplug::may_attach(running.qmp(), &[sibling], &gpu().functions).unwrap_err();
    let ControlError::Refused(reason) = error else { panic!("{error:?}") };
    insta::assert_snapshot!("refused__a_sibling_behind_a_virtual_iommu", reason);
}

#[test]
fn power_button_and_quit() {
    let dir = tempfile::tempdir().unwrap();
    let spec = stopped(dir.path());
    let mut running = Running::start(&spec);
    running.qmp().system_powerdown().unwrap();
    let event = running.qmp().next_event(5 * SECOND).unwrap().expect("an event");
    assert_eq!(event.name, "POWERDOWN");
    running.qmp().cont().unwrap();
    assert_eq!(running.qmp().query_status().unwrap(), "running");
    assert_eq!(running.qmp().next_event(5 * SECOND).unwrap().unwrap().name, "RESUME");
    running.qmp().quit().unwrap();
    assert_eq!(running.end(), "");
}

#[test]
fn a_socket_that_serves_another_client_does_not_hang_us() {
    let dir = tempfile::tempdir().unwrap();
    let spec = stopped(dir.path());
    let _running = Running::start(&spec);
    let error = qemu::Qemu.connect(&spec.monitors[0], &(SECOND / 5).into()).unwrap_err();
    assert_eq!(error.to_string(), "no answer to `the greeting` within 200 ms");
}

/// Where the firmware put the 64-bit register of a device behind this port.
fn placed(running: &mut Running, port: &str) -> Option<(u64, u64)> {
    let answer = running.qmp().execute("query-pci", &Value::Null).unwrap();
    let devices = answer.pointer("/0/devices")?.as_array()?.clone();
    let bridge = devices.iter().find(|device| device["qdev_id"] == port)?;
    let regions = bridge.pointer("/pci_bridge/devices/0/regions")?.as_array()?;
    let wide = regions.iter().find(|region| region["mem_type_64"] == true)?;
    // All ones until it is placed.
    let address = wide["address"].as_i64().filter(|address| *address > 0)?;
    Some((address as u64, wide["size"].as_u64()?))
}

/// A guest whose first port holds a 64 GiB register, behind what we told the firmware.
fn large_register(firmware: Firmware, dir: &Path) {
    let mut spec = stopped(dir);
    spec.firmware = firmware;
    spec.spare = SparePorts { count: 4, reserve: Reserve { wide: 64 * GIB, low: MIB } };
    spec.extra = [
        "-object",
        "memory-backend-ram,id=big,size=64G,reserve=off",
        "-device",
        "ivshmem-plain,memdev=big,bus=rp1,id=large",
    ]
    .map(str::to_owned)
    .to_vec();
    let mut running = Running::start(&spec);
    let (address, size) = running.until(|running| placed(running, "rp1"));
    assert_eq!(size, 64 * GIB);
    assert!(address >= 4 * GIB && address + size <= 1 << 40, "{address:#x}");
}

#[test]
fn seabios_places_a_large_register_in_the_window() {
    let dir = tempfile::tempdir().unwrap();
    large_register(Firmware::Default, dir.path());
}

#[test]
fn ovmf_places_a_large_register_in_the_window() {
    let dir = tempfile::tempdir().unwrap();
    let firmware = installed_ovmf(&dir.path().join("nvram"));
    large_register(firmware, dir.path());
}

#[test]
fn it_takes_an_emulated_processor_as_narrow_as_the_host_iommu() {
    let dir = tempfile::tempdir().unwrap();
    let mut spec = stopped(dir.path());
    spec.devices = vec![nvme(), gpu()];
    spec.devices[1].functions.truncate(1);
    let mut running = Running::start_on(&spec, &desktop());
    let path = json!({ "path": "/machine/unattached/device[0]", "property": "phys-bits" });
    assert_eq!(running.qmp().execute("qom-get", &path).unwrap(), json!(39));
    says_nothing(running);
}
