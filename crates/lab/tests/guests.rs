//! Guests that have devices, on a real kernel with a real hypervisor: they see them, they give them back, and
//! whatever dies on the way, no device is lost and none has two owners.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;
use std::time::Duration;

use lab::disk;
use sha2::{Digest, Sha256};
use support::{EDU, Host, IGB, NVME, Scenario};

const SCENARIOS: &[Scenario] = &[
    ("a_guest_and_its_devices", a_guest_and_its_devices),
    ("devices_come_and_go_while_it_runs", devices_come_and_go_while_it_runs),
    ("hugepages_and_an_iommu_of_its_own", hugepages_and_an_iommu_of_its_own),
    ("firmware_in_software", firmware_in_software),
    ("a_guest_that_powers_off", a_guest_that_powers_off),
    ("a_hypervisor_that_is_killed", a_hypervisor_that_is_killed),
    ("a_supervisor_that_is_killed", a_supervisor_that_is_killed),
    ("both_are_killed", both_are_killed),
    ("a_start_that_fails", a_start_that_fails),
    ("two_want_the_same_device", two_want_the_same_device),
    ("a_disk_image_is_never_written", a_disk_image_is_never_written),
    ("the_power_fails", the_power_fails),
    ("the_host_restarts", the_host_restarts),
];

fn main() -> ExitCode {
    support::main("basic", SCENARIOS)
}

/// What every guest boots; the kernel's own lines would take seconds on an emulated serial line.
const BOOT: &str = "--memory 384M --kernel /lab/guest/vmlinuz --initrd /lab/guest/initrd.img \
                    --append 'console=ttyS0 quiet'";

/// Starts a guest; it needs no longer to be there than QEMU to answer.
fn run(host: &Host, name: &str, options: &str) {
    host.ok(&format!("run {name} {BOOT} {options}"));
}

/// Waits for a line on a guest's console.
#[track_caller]
fn says(host: &Host, name: &str, line: &str) {
    let condition = format!("passthru instance logs {name} | grep -q '^guest: {line}'");
    if let Err(error) = host.wait_for(&condition, Duration::from_secs(180)) {
        panic!("{error}\n{:?}", host.run(&format!("passthru instance logs {name} | tail -n 30")));
    }
}

fn state_of(host: &Host, name: &str) -> serde_json::Value {
    let list = host.json("instance list");
    let instances = list["instances"].as_array().unwrap();
    instances.iter().find(|instance| instance["name"] == name).unwrap().clone()
}

/// Waits until a guest has ended and its devices are with the host, with nobody asking for it.
#[track_caller]
fn is_over(host: &Host, name: &str) {
    host.until(&format!("passthru instance list | grep -Eq '^{name} +(stopped|failed)'"));
    host.until("test -e /sys/bus/pci/drivers/nvme/0000:03:00.0");
    host.until("test -b /dev/nvme0n1");
    host.ok(&format!("instance delete {name}"));
}

fn hash(sector: u64) -> String {
    lab::hex(&Sha256::digest(disk::sector("data", sector)))
}

fn a_guest_and_its_devices(host: &Host) {
    let plan = host.ok(&format!("run one {BOOT} --device {NVME} --dry-run"));
    assert!(plan.contains("unbind 0000:03:00.0 from nvme") && plan.contains("sysfsdev="), "{plan}");
    assert_eq!(host.driver(NVME), "nvme");

    run(host, "one", &format!("--device {NVME} --device {EDU}"));
    says(host, "one", "ready");
    says(host, "one", "pci 0000:0.:00.0 1b36:0010 class 010802 driver nvme");
    says(host, "one", "pci 0000:0.:00.0 1234:11e8");
    says(host, "one", &format!("disk nvme0n1 sector0 sha256 {}", hash(0)));

    // What is typed on its console arrives.
    host.sh("echo 'sector nvme0n1 9' | passthru instance console one");
    says(host, "one", &format!("sector nvme0n1 9 sha256 {}", hash(9)));

    // Whoever started it is gone; a unit of its own looks after it.
    host.sh("systemctl is-active passthru-one");
    assert_eq!(host.sh("pgrep -c -x qemu-system-x86"), "1");
    let instance = state_of(host, "one");
    assert_eq!(instance["state"], "running");
    assert_eq!(instance["devices"], serde_json::json!([EDU, NVME]), "{instance}");
    assert!(host.ok("instance show one").contains(NVME));

    // It has them alone.
    host.refuses("assigned", &format!("run two {BOOT} --device {NVME}"));
    host.refuses("assigned", &format!("bind {EDU}"));
    host.refuses("assigned", &format!("release {NVME}"));
    host.refuses("assigned", &format!("reset {NVME}"));
    let output = host.passthru(&format!("run one {BOOT}"));
    assert_eq!(output.status, support::REFUSED, "the name is taken: {output:?}");
    let output = host.passthru("instance delete one");
    assert_eq!(output.status, support::REFUSED, "it runs: {output:?}");

    host.ok("instance stop one");
    assert_eq!((host.driver(NVME), host.driver(EDU)), ("nvme".into(), "-".into()));
    says(host, "one", "power button");
    assert_eq!(state_of(host, "one")["state"], "stopped");
    host.until("test -b /dev/nvme0n1");
    let read = host.sh("dd if=/dev/nvme0n1 bs=512 count=1 iflag=direct status=none | sha256sum");
    assert!(read.starts_with(&hash(0)));
    let output = host.passthru("instance stop one");
    assert_eq!(output.status, support::REFUSED, "it does not run: {output:?}");
    host.ok("instance delete one");
    let output = host.passthru("instance show one");
    assert_eq!(output.status, support::REFUSED, "{output:?}");
}

fn devices_come_and_go_while_it_runs(host: &Host) {
    host.sh("echo 2 > /sys/bus/pci/devices/0000:02:00.0/sriov_numvfs; udevadm settle");
    run(host, "one", "");
    says(host, "one", "ready");

    host.ok(&format!("attach {NVME} --vm one"));
    says(host, "one", "pci added 0000:0.:00.0 1b36:0010");
    says(host, "one", &format!("disk nvme0n1 sector0 sha256 {}", hash(0)));
    host.refuses("assigned", &format!("attach {NVME} --vm one"));
    host.ok(&format!("detach {NVME} --vm one"));
    says(host, "one", "pci removed 0000:0.:00.0");
    assert_eq!(host.driver(NVME), "nvme");

    // A virtual function: its driver in the guest is told apart by its ids.
    host.ok("attach 0000:02:10.0 --vm one");
    says(host, "one", "pci added 0000:0.:00.0 8086:10ca");
    // The physical function stays while a guest has one of its own.
    let output = host.passthru(&format!("bind {IGB}"));
    assert_eq!(output.status, support::REFUSED, "{output:?}");

    host.ok(&format!("attach {EDU} --vm one"));
    says(host, "one", "pci added 0000:0.:00.0 1234:11e8");
    assert_eq!(state_of(host, "one")["devices"], serde_json::json!([EDU, "0000:02:10.0"]));
    let output = host.passthru(&format!("detach {NVME} --vm one"));
    assert_eq!(output.status, support::REFUSED, "it does not have it: {output:?}");

    host.ok("instance stop one");
    assert_eq!(host.driver(EDU), "-");
    host.ok("instance delete one");
    host.sh("echo 0 > /sys/bus/pci/devices/0000:02:00.0/sriov_numvfs; udevadm settle");
    let output = host.passthru(&format!("attach {NVME} --vm one"));
    assert_eq!(output.status, support::REFUSED, "there is no such instance: {output:?}");
}

/// The guest translates the addresses of its devices itself, and each device has all of its memory pinned.
fn hugepages_and_an_iommu_of_its_own(host: &Host) {
    host.sh("echo 200 > /proc/sys/vm/nr_hugepages");
    let boot = BOOT.replace("quiet", "quiet intel_iommu=on");
    host.ok(&format!("run one {boot} --hugepages 2M --viommu on --device {NVME} --device {EDU}"));
    says(host, "one", "ready");
    says(host, "one", &format!("disk nvme0n1 sector0 sha256 {}", hash(0)));
    assert_eq!(host.sh("awk '/HugePages_Free/ { print $2 }' /proc/meminfo"), "8", "384 MiB of 400");
    host.ok("instance stop one");
    host.ok("instance delete one");
    host.sh("echo 0 > /proc/sys/vm/nr_hugepages");
}

/// Firmware with a device, by software emulation: with KVM, the QEMU 10 that plays the lab host ended at an assertion
/// (`tcg_handle_interrupt: bql_locked()`) when it was tried.
fn firmware_in_software(host: &Host) {
    host.sh("truncate -s 16M /root/empty.raw");
    host.ok(&format!(
        "run one --memory 256M --accel tcg --firmware uefi --device {NVME} /root/empty.raw"
    ));
    let speaks = "passthru instance logs one | grep -aq BdsDxe";
    host.wait_for(speaks, Duration::from_secs(180)).unwrap_or_else(|error| panic!("{error}"));
    // It keeps its settings in a copy of its own.
    host.sh("cd /var/lib/passthru/instances/one; test -s nvram.fd; ! cmp -s nvram.fd /usr/share/OVMF/OVMF_VARS_4M.fd");
    host.ok("instance stop one --grace 1");
    host.ok("instance delete one");
    host.sh("rm /root/empty.raw");
}

fn a_guest_that_powers_off(host: &Host) {
    let boot = BOOT.replace("quiet", "quiet guest.poweroff=1");
    host.ok(&format!("run one {boot} --device {NVME}"));
    says(host, "one", "poweroff");
    is_over(host, "one");
}

fn a_hypervisor_that_is_killed(host: &Host) {
    run(host, "one", &format!("--device {NVME}"));
    host.sh("pkill -KILL -x qemu-system-x86");
    host.until("passthru instance list | grep -q '^one .*failed'");
    let error = state_of(host, "one")["error"].clone();
    assert!(error.as_str().unwrap().contains("signal: 9"), "{error}");
    is_over(host, "one");
}

/// The guest does not care, whether it is up or not, and is found again.
fn a_supervisor_that_is_killed(host: &Host) {
    run(host, "one", &format!("--device {NVME}"));
    let pid = state_of(host, "one")["pid"].clone();
    host.sh("systemctl kill -s KILL --kill-whom=main passthru-one");
    let instance = state_of(host, "one");
    assert_eq!((&instance["state"], &instance["pid"]), (&"running".into(), &pid));
    host.refuses("assigned", &format!("release {NVME}"));

    // Any verb that changes something gives it a new one, refused or not.
    host.until("systemctl list-units --state=active | grep -q 'passthru-one@'");
    assert_eq!(host.ok("recover"), "nothing was interrupted");
    host.sh("pkill -KILL -x qemu-system-x86");
    is_over(host, "one");
}

/// Nobody is left who could give the device back: the next passthru does.
fn both_are_killed(host: &Host) {
    run(host, "one", &format!("--device {NVME}"));
    host.sh("systemctl kill -s KILL passthru-one; pkill -KILL -x qemu-system-x86 || true");
    host.until("! pgrep -x qemu-system-x86");
    host.ok("recover");
    assert_eq!(host.driver(NVME), "nvme");
    is_over(host, "one");
}

fn a_start_that_fails(host: &Host) {
    for (options, says) in [
        (format!("{BOOT} --program /bin/false"), ""),
        (format!("{BOOT} -- -device nonsense"), "nonsense"),
        ("--kernel /nowhere".to_owned(), "/nowhere"),
    ] {
        let (options, arguments) = options.split_once(" -- ").unwrap_or((&options, ""));
        let output = host.passthru(&format!("run one {options} --device {NVME} -- {arguments}"));
        assert_eq!(output.status, 1, "{options}: {output:?}");
        assert!(output.stderr.contains(says), "{output:?}");
        assert_eq!(host.driver(NVME), "nvme", "{output:?}");
        host.run("passthru instance delete one").unwrap();
    }
    let large = BOOT.replace("384M", "64G");
    host.refuses("not_enough_memory", &format!("run one {large} --device {NVME}"));
    host.refuses("root_disk", &format!("run one {BOOT} --device 00:02.0"));
}

fn two_want_the_same_device(host: &Host) {
    let script = format!(
        "passthru run one {BOOT} --device {NVME} & first=$!
         passthru run two {BOOT} --device {NVME}; second=$?; wait $first; echo $? $second"
    );
    let output = host.run(&script).unwrap();
    let last = output.stdout.trim().lines().last().unwrap_or_default();
    assert!(last == "0 3" || last == "3 0", "{output:?}");
    host.run("passthru instance stop one --grace 1; passthru instance stop two --grace 1").unwrap();
    host.run("passthru instance delete one; passthru instance delete two").unwrap();
    assert_eq!(host.driver(NVME), "nvme");
}

/// A boot sector that says a line on the serial port, and writes itself to the second sector.
const BOOT_SECTOR: &[u8] =
    b"\x31\xc0\x8e\xd8\x8e\xc0\xbe\x25\x7c\xac\x84\xc0\x74\x06\xba\xf8\x03\xee\xeb\xf5\
    \xb8\x01\x03\xb9\x02\x00\xba\x80\x00\xbb\x00\x7c\xcd\x13\xf4\xeb\xfd\
    guest: booted from its disk\r\n\0";

fn a_disk_image_is_never_written(host: &Host) {
    let mut sector = BOOT_SECTOR.to_vec();
    sector.resize(510, 0);
    sector.extend([0x55, 0xaa]);
    host.write_file("/root/image/base.raw", &sector, 0o644).unwrap();
    host.sh("cd /root/image; truncate -s 64M base.raw
             qemu-img create -q -f qcow2 -b base.raw -F raw layer.qcow2; sha256sum base.raw layer.qcow2 >sums");
    for image in ["layer.qcow2", "base.raw"] {
        host.ok(&format!("run one --memory 256M /root/image/{image}"));
        says(host, "one", "booted from its disk");
        let layer = "qemu-img convert -U -O raw /var/lib/passthru/instances/one/*.qcow2 /root/image/seen.raw";
        host.until(&format!(
            "{layer}; dd if=/root/image/seen.raw bs=512 skip=1 count=1 status=none | grep -q booted"
        ));
        host.ok("instance stop one --grace 1");
        host.sh("cd /root/image; sha256sum -c --quiet sums");
        host.ok("instance delete one");
        host.sh("test ! -e /var/lib/passthru/instances/one");
    }
    let plan = host.ok("run one --firmware uefi /root/image/base.raw --dry-run");
    assert!(plan.contains("OVMF_CODE") && plan.contains("pflash"), "{plan}");
    host.sh("rm -r /root/image");
    let output = host.passthru("run one /root/nowhere.qcow2");
    assert_eq!(output.status, 1, "{output:?}");
    // The disk that the host runs from, and the one that the guest is given.
    host.refuses("disk_in_use", "run one /dev/vda --dry-run");
    host.ok("run one /dev/vda --dry-run --override disk_in_use");
    host.refuses("disk_in_use", &format!("run one /dev/nvme0n1 --device {NVME} --dry-run"));
}

/// What a restart leaves: the guest is over, nothing is claimed, the device is with the host.
#[track_caller]
fn nothing_is_claimed(host: &Host) {
    let instance = state_of(host, "one");
    assert_eq!(
        (&instance["state"], &instance["devices"]),
        (&"stopped".into(), &serde_json::json!([]))
    );
    assert_eq!(host.driver(NVME), "nvme");
    host.sh("modprobe vfio-pci");
    host.ok(&format!("bind {NVME}"));
    host.ok(&format!("release {NVME}"));
    host.ok("instance delete one");
    host.until("test -b /dev/nvme0n1");
}

fn the_power_fails(host: &Host) {
    run(host, "one", &format!("--device {NVME}"));
    // There is no journal on the disk and no flush before the power goes: what is not written is lost for certain.
    host.sh("sync");
    host.crash().unwrap();
    nothing_is_claimed(host);
}

fn the_host_restarts(host: &Host) {
    run(host, "one", &format!("--device {NVME}"));
    // systemd stops its supervisor, which presses the power button: somebody must be there to hear it.
    says(host, "one", "ready");
    host.sh("echo kept > /root/note");
    host.reboot().unwrap();
    assert_eq!(
        host.sh("cat /root/note; rm /root/note"),
        "kept",
        "in order, its disks keep what was written"
    );
    nothing_is_claimed(host);
}
