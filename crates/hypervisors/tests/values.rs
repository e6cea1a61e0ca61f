//! What is computed from values alone: slots, memory, installed firmware, images.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cases;

use cases::*;
use hypervisors::machine::{GuestIommu, Numa};
use hypervisors::memory::{self, HostMemory};
use hypervisors::qemu::{disk, firmware};
use hypervisors::{BACKENDS, HostDevice, HostFunction, Reserve, backend};
use model::Bdf;
use model::fact::{Fact, Why};
use model::function::Function;
use model::ids::{DeviceId, VendorId};
use proptest::prelude::*;

fn all(host: &HostMemory, spec: &hypervisors::GuestSpec) -> String {
    let reasons = memory::check(spec, host);
    reasons.iter().map(|reason| format!("{reason}\n  hint: {}\n", reason.hint)).collect()
}

const PLENTY: HostMemory = HostMemory {
    makes_pages: None,
    available: Some(1 << 40),
    free_hugepages: Some(1 << 40),
    lock_limit: None,
    near: None,
};

#[test]
fn backends_have_names_of_their_own() {
    for (index, one) in BACKENDS.iter().enumerate() {
        assert_eq!(backend(one.name()).unwrap().name(), one.name());
        assert!(BACKENDS[..index].iter().all(|other| other.name() != one.name()));
    }
    assert!(backend("vmware").is_none());
}

#[test]
fn memory_is_locked_once_for_each_address_space() {
    let mut spec = guest(8 * GIB);
    assert_eq!(memory::locked(&spec), 0);
    spec.devices = vec![gpu(), nvme(), big_gpu(0x18, 40)];
    assert_eq!(memory::locked(&spec), 9 * GIB);
    spec.iommu = GuestIommu::On;
    // The GPU and its audio share a group, and so an address space.
    assert_eq!(memory::locked(&spec), 3 * 8 * GIB + GIB);
    spec.devices[1].functions[0].group = None;
    assert_eq!(memory::locked(&spec), 3 * 8 * GIB + GIB);
}

#[test]
fn memory_that_is_not_there_is_said_beforehand() {
    let mut spec = guest(8 * GIB);
    let little = HostMemory { available: Some(4 * GIB), ..PLENTY };
    assert_eq!(all(&little, &spec), "", "nothing is pinned without a device");
    spec.devices = vec![nvme()];
    assert_eq!(all(&PLENTY, &spec), "");
    insta::assert_snapshot!("memory__too_little_is_free", all(&little, &spec));
    let limited = HostMemory { lock_limit: Some(8 << 20), ..PLENTY };
    insta::assert_snapshot!("memory__the_lock_limit_is_low", all(&limited, &spec));
    spec.iommu = GuestIommu::On;
    spec.devices.push(gpu());
    let limited = HostMemory { lock_limit: Some(10 * GIB), ..PLENTY };
    insta::assert_snapshot!("memory__the_lock_limit_under_a_virtual_iommu", all(&limited, &spec));
    spec.memory.hugepages = Some(2 * MIB);
    let few = HostMemory { free_hugepages: Some(GIB), available: Some(GIB), ..PLENTY };
    insta::assert_snapshot!("memory__too_few_hugepages", all(&few, &spec));
    let none = HostMemory { makes_pages: Some(false), ..few };
    let text = all(&none, &spec);
    assert!(text.contains("the host's kernel makes no hugepages of 2048 KiB"), "{text}");
    let unknown = HostMemory { available: None, free_hugepages: None, lock_limit: None, ..PLENTY };
    assert_eq!(all(&unknown, &spec), "", "what is not known refuses nothing");
}

#[test]
fn memory_of_another_node_is_noted() {
    let mut spec = guest(8 * GIB);
    let little = HostMemory { near: Some(2 * GIB), ..PLENTY };
    assert_eq!(memory::notes(&spec, &little), None, "it has no node of its own");
    spec.memory.numa = Some(Numa { node: 1, strict: false });
    insta::assert_snapshot!("memory__another_node", memory::notes(&spec, &little).unwrap());
    assert_eq!(memory::notes(&spec, &HostMemory { near: Some(8 * GIB), ..PLENTY }), None);
    assert_eq!(memory::notes(&spec, &PLENTY), None);
    assert_eq!(all(&little, &spec), "");
}

#[test]
fn functions_of_a_slot_go_together_and_virtual_ones_alone() {
    let mut vf = function("0000:65:00.3", 9, vec![]);
    vf.is_virtual = true;
    let other = function("0000:66:00.0", 3, vec![]);
    let mut functions = gpu().functions;
    functions.reverse();
    functions.extend([vf.clone(), other.clone()]);
    let devices = HostDevice::by_slot(functions);
    let want = [gpu(), device(vec![vf]), device(vec![other])];
    assert_eq!(devices, want);
}

#[test]
fn functions_are_grouped_as_a_guest_has_them() {
    let of = |address: &str| function(address, 1, vec![]);
    let addresses = ["0000:65:00.0", "0000:65:00.1", "0000:65:00.2", "0000:66:00.0"];
    let functions = addresses.map(of).to_vec();
    let slots = [
        vec!["pci-0000-66-00.0".to_owned()],
        vec!["pci-0000-65-00.0".to_owned(), "pci-0000-65-00.2".to_owned()],
        vec!["a-device-of-somebody-else".to_owned()],
    ];
    // What the guest has not (.1) leaves with nobody.
    let want = [
        device(vec![of(addresses[0]), of(addresses[2])]),
        device(vec![of(addresses[1])]),
        device(vec![of(addresses[3])]),
    ];
    assert_eq!(HostDevice::by_guest_slot(functions, &slots), want);
}

#[test]
fn guest_function_numbers() {
    let numbers = |addresses: &[&str]| {
        let functions = addresses.iter().map(|address| function(address, 1, vec![]));
        device(functions.collect()).numbers()
    };
    assert_eq!(numbers(&["0000:65:00.0", "0000:65:00.2"]), [0, 2]);
    assert_eq!(numbers(&["0000:65:00.1", "0000:65:00.3"]), [0, 1]);
    assert_eq!(numbers(&["0000:65:00.7"]), [0]);
}

#[test]
fn room_below_a_port() {
    let needs = gpu().needs();
    let low = 16 * MIB + 16 * KIB;
    assert_eq!(needs, Reserve { wide: 16 * GIB + 32 * MIB, low });
    let any = Reserve::for_any([&gpu(), &nvme(), &big_gpu(1, 1)]);
    assert_eq!(any, Reserve { wide: 256 * GIB, low: 32 * MIB });
    assert_eq!(Reserve::for_any([]), Reserve::default());
    let huge = device(vec![function("0000:01:00.0", 1, vec![bar(0, u64::MAX, true, true); 2])]);
    assert_eq!(Reserve::for_any([&huge]).wide, 1 << 63);
}

#[test]
fn facts_of_a_function() {
    let bdf: Bdf = "0000:19:00.0".parse().unwrap();
    let mut unknown = Function::unknown(bdf, &Why::NotPermitted);
    let sysfs = std::path::PathBuf::from("/sys/bus/pci/devices/0000:19:00.0");
    let host = HostFunction::from_facts(&unknown, sysfs.clone());
    assert!(host.bars.is_empty() && host.group.is_none() && !host.needs_remapping);
    assert_eq!(host.id(), "pci-0000-19-00.0");
    unknown.vendor = Fact::Known(VendorId(0x17cb));
    unknown.device = Fact::Known(DeviceId(0xa100));
    assert!(HostFunction::from_facts(&unknown, sysfs).needs_remapping);
}

const DEBIAN: &str = r#"{
    "interface-types": ["uefi"],
    "mapping": {
        "device": "flash",
        "executable": { "filename": "/usr/share/OVMF/OVMF_CODE_4M.fd", "format": "raw" },
        "nvram-template": { "filename": "/usr/share/OVMF/OVMF_VARS_4M.fd", "format": "raw" }
    },
    "targets": [{ "architecture": "x86_64", "machines": ["pc-i440fx-*", "pc-q35-*"] }],
    "features": ["acpi-s3", "amd-sev", "verbose-dynamic"]
}"#;

#[test]
fn uefi_by_its_descriptor() {
    let found = firmware::choose([DEBIAN]).unwrap();
    assert_eq!(found.code.to_str(), Some("/usr/share/OVMF/OVMF_CODE_4M.fd"));
    assert_eq!(found.template.to_str(), Some("/usr/share/OVMF/OVMF_VARS_4M.fd"));
    let with = |from: &str, to: &str| firmware::choose([DEBIAN.replace(from, to).as_str()]);
    for (from, to) in [
        ("\"uefi\"", "\"bios\""),
        ("x86_64", "aarch64"),
        ("pc-q35-*", "microvm"),
        ("acpi-s3", "requires-smm"),
        ("acpi-s3", "enrolled-keys"),
        ("\"flash\"", "\"memory\""),
        ("\"device\": \"flash\"", "\"device\": \"flash\", \"mode\": \"combined\""),
        ("OVMF_VARS_4M.fd\", \"format\": \"raw\"", "x\", \"format\": \"qcow2\""),
        ("nvram-template", "something"),
    ] {
        assert_eq!(with(from, to), None, "{to}");
    }
    assert!(with("\"device\": \"flash\"", "\"device\": \"flash\", \"mode\": \"split\"").is_some());
    // What cannot be read is passed over.
    let secure = DEBIAN.replace("acpi-s3", "secure-boot");
    assert!(firmware::choose(["", "{", "[]", &secure, DEBIAN]).is_some());
}

#[test]
fn images_by_what_qemu_img_says() {
    use hypervisors::machine::DiskFormat::{Block, Qcow2, Raw};
    let info = |format: &str| {
        let text =
            format!(r#"{{"virtual-size": 1024, "format": "{format}", "dirty-flag": false}}"#);
        disk::parse_info(&text).unwrap()
    };
    for (format, block, want) in [
        ("raw", false, Some(Raw)),
        ("raw", true, Some(Block)),
        ("qcow2", false, Some(Qcow2)),
        ("qcow2", true, None),
        ("vmdk", false, None),
    ] {
        assert_eq!(info(format).disk_format(block), want, "{format}");
    }
    for text in ["", "{}", "[1]", r#"{"format": 5, "virtual-size": 1}"#, r#"{"format": "raw"}"#] {
        assert!(disk::parse_info(text).is_err(), "{text:?}");
    }
    let cmd = disk::overlay("/a, b".as_ref(), Raw, "/c".as_ref());
    assert_eq!(cmd.to_string(), "qemu-img create -q -f qcow2 -F raw -b /a, b /c");
}

proptest! {
    #[test]
    fn any_text_is_no_reason_to_panic(text in "\\PC{0,80}") {
        let _ = firmware::choose([text.as_str()]);
        let _ = disk::parse_info(&text);
        let spoiled = DEBIAN.replacen("raw", &text, 1);
        let _ = firmware::choose([spoiled.as_str()]);
    }
}
