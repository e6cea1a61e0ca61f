//! Guests planned for other machines: what this one has is not mixed in, and
//! its hypervisors are not asked.

use std::fs;
use std::path::Path;

use fakehost::FakeHost;

use crate::desk::{Said, desktop, on, passthru};

fn plan(args: &[&str]) -> Vec<String> {
    let kernel = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    let all = [&["run", "vm1", "--dry-run", "--kernel", kernel], args].concat();
    all.iter().map(|arg| (*arg).to_owned()).collect()
}

fn recorded(machine: &str, args: &[&str]) -> Said {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines").join(machine);
    let args = plan(&[args, &["--machine", folder.to_str().unwrap()]].concat());
    passthru(&args.iter().map(String::as_str).collect::<Vec<_>>())
}

fn pretended(host: &FakeHost, args: &[&str]) -> Said {
    let args = plan(args);
    on(host, &args.iter().map(String::as_str).collect::<Vec<_>>())
}

/// The command's options, one a line, as `command_lines` breaks them.
#[track_caller]
fn assert_has(said: &Said, options: &[&str]) {
    assert_eq!(said.code, Some(0), "{said}");
    for option in options {
        assert!(said.out.contains(option), "{option} is not in {said}");
    }
}

#[test]
fn a_guest_is_one_of_the_recorded_architecture() {
    for (machine, device) in
        [("power9-ac922-v100", "0004:04:00.0"), ("power8-s822lc-p100", "0002:01:00.0")]
    {
        let said = recorded(machine, &["-d", device]);
        let want = ["start qemu-system-ppc64", "-machine pseries,", "-accel kvm", "id=phb1"];
        assert_has(&said, &want);
        assert!(said.err.contains("version of qemu-system-ppc64 is not known"), "{said}");
    }
    for (machine, device) in [("nas-coral", "03:00.0"), ("desktop-rtx2080", "01:00.0")] {
        let said = recorded(machine, &["-d", device]);
        assert_has(&said, &["start qemu-system-x86_64", "-machine q35,", "-accel kvm"]);
    }
}

#[test]
fn an_architecture_that_is_not_known_is_not_guessed() {
    let host = desktop();
    let kernel = host.root().join("proc/sys/kernel");
    fs::remove_file(kernel.join("arch")).unwrap();
    fs::remove_dir_all(host.root().join("sys/firmware/acpi")).unwrap();
    let said = pretended(&host, &[]);
    assert_eq!((said.code, said.out.as_str()), (Some(3), ""), "{said}");
    assert!(said.err.contains("architecture is not known"), "{said}");
    assert!(said.err.contains("--machine-type"), "{said}");
    assert_has(&pretended(&host, &["--machine-type", "pseries"]), &["-machine pseries,"]);
}

/// KVM runs guests of the machine's own kind only.
#[test]
fn another_architecture_is_emulated() {
    let host = desktop();
    let said = pretended(&host, &["--machine-type", "pseries", "-d", "03:00.0"]);
    assert_has(&said, &["start qemu-system-ppc64", "-accel tcg", "bus=phb1.0"]);
    assert!(said.err.contains("[no_kvm]"), "{said}");
    fs::remove_file(host.root().join("dev/kvm")).unwrap();
    assert_has(&pretended(&host, &[]), &["start qemu-system-x86_64", "-accel tcg"]);
}

#[test]
fn what_the_machine_has_is_what_a_guest_is_made_of() {
    let host = desktop();
    let put = |path: &str, text: &str| {
        let path = host.root().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    let uefi = ["--firmware", "uefi", "-d", "03:00.0"];
    let said = pretended(&host, &uefi);
    assert_eq!(said.code, Some(3), "{said}");
    let folder = "is described in [ROOT]/usr/share/qemu/firmware";
    assert!(said.err.contains(folder), "{said}");
    put(
        "usr/share/qemu/firmware/60-edk2.json",
        r#"{
            "interface-types": ["uefi"], "features": [],
            "targets": [{ "architecture": "x86_64", "machines": ["pc-q35-*"] }],
            "mapping": {
                "device": "flash",
                "executable": { "filename": "/nowhere/code.fd", "format": "raw" },
                "nvram-template": { "filename": "/nowhere/vars.fd", "format": "raw" }
            }
        }"#,
    );
    put(
        "proc/cpuinfo",
        "vendor_id\t: GenuineIntel\naddress sizes\t: 52 bits physical, 57 bits virtual\n",
    );
    put("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "512\n");
    let said = pretended(&host, &uefi);
    assert_has(
        &said,
        &["file=/nowhere/code.fd", "host-phys-bits-limit=48", "hugetlb=on,hugetlbsize=2M"],
    );
    let said = pretended(&host, &[&uefi[..], &["--hugepages", "off"]].concat());
    assert!(said.code == Some(0) && !said.out.contains("hugetlb"), "{said}");
    let said = pretended(&host, &[&uefi[..], &["--memory", "2G"]].concat());
    assert!(said.code == Some(0) && !said.out.contains("hugetlb"), "{said}");
    let said = pretended(&host, &[&uefi[..], &["--memory", "2G", "--hugepages=on"]].concat());
    assert_eq!(said.code, Some(3), "{said}");
    assert!(said.err.contains("2048 MiB of hugepages, 1024 MiB are free"), "{said}");
}
