//! One device, told about, bound and given back, on a real kernel; and what goes wrong on the way.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::ExitCode;

use lab::disk;
use serde_json::json;
use sha2::{Digest, Sha256};
use support::faults::{read_only, throttle};
use support::{EDU, Host, IGB, KEEP, NVME, PUT_BACK, Scenario, access};

const SCENARIOS: &[Scenario] = &[
    ("the_lab_is_as_described", the_lab_is_as_described),
    ("list_agrees_with_lspci", list_agrees_with_lspci),
    ("verdicts", verdicts),
    ("anybody_may_list", anybody_may_list),
    ("a_group_and_a_service_without_root", access::a_group_and_a_service_without_root),
    ("bind_and_release", bind_and_release),
    ("a_dry_run_changes_nothing", a_dry_run_changes_nothing),
    ("a_card_with_its_interface", a_card_with_its_interface),
    ("what_is_in_use_stays", what_is_in_use_stays),
    ("a_service_that_holds_it", a_service_that_holds_it),
    ("what_is_no_device", what_is_no_device),
    ("reset", reset),
    ("a_kill_at_any_moment_is_recovered_from", a_kill_at_any_moment_is_recovered_from),
    ("an_interrupt_takes_back", an_interrupt_takes_back),
    ("two_at_once", two_at_once),
    ("a_read_only_sys", a_read_only_sys),
    ("a_full_disk", a_full_disk),
    ("a_damaged_state", a_damaged_state),
    ("a_record_replays_the_same", support::a_record_replays_the_same),
    ("a_write_that_hangs", a_write_that_hangs),
];

fn main() -> ExitCode {
    support::main("basic", SCENARIOS)
}

fn the_lab_is_as_described(host: &Host) {
    for (address, name) in [(EDU, "-"), (IGB, "igb"), (NVME, "nvme")] {
        assert_eq!(host.driver(address), name);
        assert_eq!(host.group(address), address);
    }
    assert_eq!(host.group("0000:00:1f.2"), "0000:00:1f.0 0000:00:1f.2 0000:00:1f.3");
    host.sh("test -c /dev/kvm");
}

fn list_agrees_with_lspci(host: &Host) {
    let list = host.json("list --all");
    let ours = list["functions"].as_array().unwrap().iter().map(|row| {
        let text = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
        let class = &text("class")[..4];
        format!(
            "{} {} {}:{} {}",
            text("address"),
            class,
            text("vendor"),
            text("device"),
            text("driver")
        )
    });
    // -mm is made for programs; the driver is in -k's own lines only.
    let lspci = "lspci -Dn | while read -r address class ids _; do
        echo $address ${class%:} $ids $(lspci -D -s $address -k | sed -n 's/.*Kernel driver in use: //p' | grep . || echo -)
    done";
    assert_eq!(ours.collect::<Vec<_>>().join("\n"), host.sh(lspci));
    // Bridges are left out unless asked for.
    let short = host.ok("list");
    assert!(short.contains(NVME) && !short.contains("0000:00:10.0"), "{short}");
}

fn verdicts(host: &Host) {
    for address in [EDU, IGB, NVME] {
        let (kind, reasons) = host.verdict(address);
        assert_eq!(kind, "assignable", "{address}: {reasons:?}");
    }
    let show = host.json(&format!("show {IGB}"));
    let reasons = support::codes(&show["verdict"]["reasons"]);
    assert!(reasons.contains(&"has_virtual_functions".to_owned()), "{show}");
    let (kind, reasons) = host.verdict("0000:00:1f.0");
    assert_eq!((kind.as_str(), reasons[0].as_str()), ("not", "chipset"));
    for address in ["0000:00:1f.2", "0000:00:1f.3"] {
        let (kind, reasons) = host.verdict(address);
        assert_eq!((kind.as_str(), reasons[0].as_str()), ("not", "group_shared_critical"));
    }
    // The disk that the lab host runs from.
    let (kind, reasons) = host.verdict("0000:00:02.0");
    assert_eq!((kind.as_str(), reasons[0].as_str()), ("not", "root_disk"));
    // The folder that its own host shares with it.
    let (kind, reasons) = host.verdict("0000:00:04.0");
    assert_eq!((kind.as_str(), reasons[0].as_str()), ("not", "disk_in_use"));
}

/// With and without a state directory that only root may read.
fn anybody_may_list(host: &Host) {
    for prepare in ["rm -rf /var/lib/passthru", "passthru device add 01:00.0 --name gate"] {
        host.sh(prepare);
        let as_nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups passthru";
        let list = host.sh(&format!("{as_nobody} list --json"));
        let list: serde_json::Value = serde_json::from_str(&list).unwrap();
        let row = list["functions"].as_array().unwrap().iter().find(|row| row["address"] == NVME);
        assert_eq!(row.unwrap()["driver"], "nvme");
        let show = host.sh(&format!("{as_nobody} show 03:00.0"));
        assert!(show.contains("unknown"), "what only root may read is unknown: {show}");
        let bind = host.run(&format!("{as_nobody} bind 03:00.0")).unwrap();
        assert_eq!(bind.status, 1, "{bind:?}");
    }
    host.ok("device remove gate");
}

fn bind_and_release(host: &Host) {
    let group = host.listed(NVME)["group"].clone();
    let said = host.ok(&format!("bind {NVME}"));
    assert!(said.contains("0000:03:00.0 is bound to vfio-pci"), "{said}");
    assert_eq!(host.driver(NVME), "vfio-pci");
    host.sh(&format!("test -c /dev/vfio/{group}; test ! -e /dev/nvme0n1"));
    let device = "/sys/bus/pci/devices/0000:03:00.0";
    assert_eq!(host.sh(&format!("cat {device}/driver_override")), "vfio-pci");
    // vfio-pci itself lets a device sleep; while it is held it must not.
    assert_eq!(host.sh(&format!("cat {device}/power/control")), "on");

    let again = host.json(&format!("bind {NVME}"));
    assert_eq!(again["steps"], json!([]), "twice is once");

    host.ok(&format!("release {NVME}"));
    assert_eq!(host.driver(NVME), "nvme");
    host.until("test -b /dev/nvme0n1");
    let hash =
        host.sh("dd if=/dev/nvme0n1 bs=512 skip=7 count=1 iflag=direct status=none | sha256sum");
    assert!(hash.starts_with(&lab::hex(&Sha256::digest(disk::sector("data", 7)))), "{hash}");
    let again = host.json(&format!("release {NVME}"));
    assert_eq!(again["steps"], json!([]), "twice is once");
}

fn a_dry_run_changes_nothing(host: &Host) {
    let listing =
        "ls -R /sys/bus/pci/drivers /dev/vfio; cat /sys/bus/pci/devices/*/driver_override";
    let before = host.sh(listing);
    let plan = host.ok(&format!("bind {NVME} --dry-run"));
    assert!(plan.contains("unbind 0000:03:00.0 from nvme"), "{plan}");
    assert_eq!(host.sh(listing), before);
    host.ok(&format!("bind {NVME}"));
    let bound = host.sh(listing);
    let plan = host.ok(&format!("release {NVME} --dry-run"));
    assert!(plan.contains("probe 0000:03:00.0 for nvme"), "{plan}");
    assert_eq!(host.sh(listing), bound);
    host.ok(&format!("release {NVME}"));
}

/// A driver that takes its network interface along, and a device without any.
fn a_card_with_its_interface(host: &Host) {
    host.sh("test -e /sys/bus/pci/devices/0000:02:00.0/net/eth0");
    host.ok(&format!("bind {IGB} {EDU}"));
    assert_eq!((host.driver(IGB), host.driver(EDU)), ("vfio-pci".into(), "vfio-pci".into()));
    host.sh("test ! -e /sys/class/net/eth0");
    host.ok(&format!("release {IGB} {EDU}"));
    assert_eq!((host.driver(IGB), host.driver(EDU)), ("igb".into(), "-".into()));
    host.until("test -e /sys/bus/pci/devices/0000:02:00.0/net/eth0");

    host.sh("ip link set eth0 up; ip addr add 192.0.2.7/24 dev eth0");
    host.until("grep -q up /sys/class/net/eth0/operstate");
    host.refuses("only_network", &format!("bind {IGB}"));
    host.sh(
        "ip link add spare type dummy; ip link set spare up; ip addr add 198.51.100.7/24 dev spare",
    );
    host.refuses("only_network", &format!("bind {IGB}"));
    host.sh("ip link del spare; ip addr flush dev eth0; ip link set eth0 down");

    // A physical function whose virtual functions are on is not given away.
    host.sh("echo 2 > /sys/bus/pci/devices/0000:02:00.0/sriov_numvfs; udevadm settle");
    host.refuses("active_vfs", &format!("bind {IGB}"));
    host.sh("echo 0 > /sys/bus/pci/devices/0000:02:00.0/sriov_numvfs; udevadm settle");
}

fn what_is_in_use_stays(host: &Host) {
    host.sh(&format!("{KEEP}; mkswap -q /dev/nvme0n1; swapon /dev/nvme0n1"));
    host.refuses("root_disk", &format!("bind {NVME}"));
    host.sh("swapoff /dev/nvme0n1");

    host.sh("mke2fs -q -F /dev/nvme0n1; mount /dev/nvme0n1 /mnt");
    host.refuses("disk_in_use", &format!("bind {NVME}"));
    assert_eq!(host.verdict(NVME).0, "not");
    let plan = host.ok(&format!("bind {NVME} --override disk_in_use --dry-run"));
    assert!(plan.contains("unbind 0000:03:00.0 from nvme"), "{plan}");
    // A service with mounts of its own has it, and so has a loop device.
    host.sh("umount /mnt; systemd-run -q --unit=data -p PrivateMounts=yes sh -c 'mount /dev/nvme0n1 /mnt; exec sleep 600'");
    host.until("grep -q nvme0n1 /proc/$(systemctl show -P MainPID data)/mountinfo");
    host.refuses("disk_in_use", &format!("bind {NVME}"));
    host.sh("systemctl stop data; losetup /dev/loop0 /dev/nvme0n1; mount /dev/loop0 /mnt");
    host.refuses("disk_in_use", &format!("bind {NVME}"));
    host.sh(&format!("umount /mnt; losetup -d /dev/loop0; {PUT_BACK}"));

    // A card whose interface is in another network.
    host.sh(
        "ip netns add other; ip link set $(ls /sys/bus/pci/devices/0000:02:00.0/net) netns other",
    );
    host.refuses("uses_unknown", &format!("bind {IGB}"));
    host.sh("ip netns del other");
    host.until("ls /sys/bus/pci/devices/0000:02:00.0/net");

    // A process of a person, which nobody may end for them.
    host.sh("systemd-run -q --scope sh -c 'exec 5</dev/nvme0n1; sleep 600 & echo $! >/run/holder' >/dev/null");
    host.refuses("held_by_process", &format!("bind {NVME} --stop-services"));
    host.sh("kill $(cat /run/holder)");
    assert_eq!(host.driver(NVME), "nvme");
}

const SERVICE: &str = "[Service]\nExecStart=/bin/sh -c 'exec 5</dev/nvme0n1; exec sleep 600'\n";

/// A service is stopped with consent only, and exactly what was stopped is started again.
fn a_service_that_holds_it(host: &Host) {
    host.write_file("/run/systemd/system/reader.service", SERVICE.as_bytes(), 0o644).unwrap();
    host.sh("systemctl daemon-reload; systemctl start reader");
    host.until("ls -l /proc/$(systemctl show -P MainPID reader)/fd | grep -q nvme0n1");
    host.refuses("service_must_stop", &format!("bind {NVME}"));
    host.sh("systemctl is-active reader");
    host.ok(&format!("bind {NVME} --stop-services"));
    assert_eq!(host.driver(NVME), "vfio-pci");
    assert_eq!(host.run("systemctl is-active reader").unwrap().stdout, "inactive\n");
    host.ok(&format!("release {NVME}"));
    host.sh("systemctl is-active reader; systemctl stop reader; rm /run/systemd/system/reader.service; systemctl daemon-reload");
}

fn what_is_no_device(host: &Host) {
    for (status, arguments) in [
        (2, "bind 03:00.8"),
        (2, "bind 3:0"),
        (2, "bind"),
        (3, "bind 99:00.0"),
        (3, "bind nobody"),
        (3, "show 99:00.0"),
        (3, "release 0000ffff:00:00.0"),
        (2, "list --machine"),
        (1, "list --machine /nowhere"),
        (1, "list --machine /etc/hostname"),
    ] {
        let output = host.passthru(arguments);
        assert_eq!(output.status, status, "{arguments}: {output:?}");
        assert!(output.stderr.contains("error:"), "{output:?}");
    }
    // Bridges are no devices, the chipset stays, and so does its company.
    host.refuses("bridge", "bind 00:10.0");
    host.refuses("chipset", "bind 00:1f.3");
    host.refuses("root_disk", "bind 00:02.0");
    assert_eq!(host.driver(NVME), "nvme");
}

fn reset(host: &Host) {
    host.ok(&format!("bind {EDU}"));
    host.ok(&format!("reset {EDU}"));
    host.ok(&format!("release {EDU}"));
    // The driver is told of a reset and starts its disk anew, but not under a file system.
    host.ok(&format!("reset {NVME}"));
    host.sh("dd if=/dev/nvme0n1 bs=512 count=1 iflag=direct status=none of=/dev/null");
    host.sh(&format!("{KEEP}; mke2fs -q /dev/nvme0n1; mount /dev/nvme0n1 /mnt"));
    let failed = host.fails(support::REFUSED, &format!("reset {NVME}"));
    assert!(failed.codes.contains(&"disk_in_use".to_owned()), "{failed:?}");
    host.sh(&format!("umount /mnt; {PUT_BACK}"));
}

/// Cuts a verb off at eight moments between its start and its end.
const CUT_OFF: &str = r"
driver() { basename $(readlink /sys/bus/pci/devices/0000:03:00.0/driver || echo -); }
begin=$(date +%s%N); passthru bind 03:00.0 >/dev/null; end=$(date +%s%N)
test VERB = bind && passthru release 03:00.0 >/dev/null
cut=0
for part in 1 2 3 4 5 6 7 8; do
    at=$(((end - begin) * part / 8000000))
    timeout -s SIGNAL $(printf '%d.%03d' $((at / 1000)) $((at % 1000))) passthru VERB 03:00.0 >/run/said 2>&1
    status=$?
    test $status = 137 -o $status = 124 && cut=$((cut + 1))
    AFTERWARDS
done
echo $cut";

fn a_kill_at_any_moment_is_recovered_from(host: &Host) {
    // The driver after a kill is whichever; after recover it is one of the two. A release is made complete, and
    // so is done once: the next one is on a device that is bound anew.
    let afterwards = r"
    passthru recover >/run/said 2>&1 || { cat /run/said; exit 1; }
    case $(driver) in vfio-pci | nvme) ;; *) echo after $at ms: driver $(driver); cat /run/said; exit 1 ;; esac
    passthru OTHER 03:00.0 >/run/said 2>&1 || { echo after $at ms; cat /run/said; exit 1; }";
    for (verb, other, before) in [("bind", "release", "nvme"), ("release", "bind", "vfio-pci")] {
        let script = CUT_OFF.replace("SIGNAL", "KILL").replace("AFTERWARDS", afterwards);
        let cut = host.sh(&script.replace("VERB", verb).replace("OTHER", other));
        assert!(cut.parse::<u32>().unwrap() > 3, "{cut} kills only");
        assert_eq!(host.driver(NVME), before);
    }
    host.ok(&format!("release {NVME}"));
    assert_eq!(host.ok("recover"), "nothing was interrupted");
}

/// Ctrl-C: what was done is taken back, or the verb was done already.
fn an_interrupt_takes_back(host: &Host) {
    let afterwards = r"
    grep -q 'is bound' /run/said && expected=vfio-pci || expected=nvme
    test $(driver) = $expected || { echo after $at ms: status $status, driver $(driver); cat /run/said; exit 1; }
    passthru release 03:00.0 >/dev/null";
    let script = CUT_OFF.replace("SIGNAL", "INT").replace("AFTERWARDS", afterwards);
    host.sh(&script.replace("VERB", "bind"));
    assert_eq!(host.ok("recover"), "nothing was interrupted");
}

/// One waits for the other, and both end in a defined state.
fn two_at_once(host: &Host) {
    let output = host
        .run("passthru bind 03:00.0 & first=$!; passthru bind 01:00.0; second=$?; wait $first; echo $? $second")
        .unwrap();
    assert!(output.stdout.trim().ends_with("0 0"), "{output:?}");
    assert_eq!((host.driver(NVME), host.driver(EDU)), ("vfio-pci".into(), "vfio-pci".into()));
    let script = "for n in 1 2 3 4; do passthru release 03:00.0 & passthru bind 03:00.0 & done; wait; passthru recover";
    host.run(script).unwrap();
    let driver = host.driver(NVME);
    assert!(driver == "nvme" || driver == "vfio-pci", "{driver}");
    host.ok(&format!("release {NVME} {EDU}"));
}

fn a_read_only_sys(host: &Host) {
    let output = read_only(host, "passthru --json bind 03:00.0");
    assert_eq!(output.status, 1, "{output:?}");
    assert!(output.stderr.contains("ead-only file system"), "{output:?}");
    assert_eq!(host.driver(NVME), "nvme");
    let output = read_only(host, "passthru list");
    assert!(output.success(), "{output:?}");
}

fn a_full_disk(host: &Host) {
    host.sh("mkdir -p /run/full; mount -t tmpfs -o size=16k,nr_inodes=8 none /run/full; dd if=/dev/zero of=/run/full/filler bs=4k status=none || true");
    let output = host.passthru("--state /run/full/state bind 03:00.0");
    host.sh("umount /run/full");
    assert_eq!(output.status, 1, "{output:?}");
    assert!(
        output.stderr.contains("no room") || output.stderr.contains("No space left"),
        "{output:?}"
    );
    assert_eq!(host.driver(NVME), "nvme");
}

fn a_damaged_state(host: &Host) {
    for damage in ["echo garbage >", "truncate -s 100"] {
        host.sh("rm -rf /run/state; passthru --state /run/state bind 03:00.0; passthru --state /run/state release 03:00.0");
        host.sh(&format!("{damage} /run/state/state.db"));
        let failed = host.fails(1, "--state /run/state bind 03:00.0");
        assert_eq!(failed.code, "state_damaged", "{failed:?}");
        assert_eq!(host.driver(NVME), "nvme");
    }
    host.sh("rm -rf /run/state");
}

/// Unbinding waits in the kernel until the disk has answered, and ignores even SIGKILL. Nothing is pretended here: a
/// disk that does not answer is what a broken one looks like.
fn a_write_that_hangs(host: &Host) {
    // The driver would give up on a silent disk after 30 s; it takes the limit when it gets the device.
    host.sh("echo 100000 > /sys/module/nvme_core/parameters/io_timeout");
    host.ok(&format!("bind {NVME}"));
    host.ok(&format!("release {NVME}"));
    host.until("test -b /dev/nvme0n1");
    host.sh(&format!("{KEEP}; mke2fs -q -F /dev/nvme0n1; mount -o noatime /dev/nvme0n1 /mnt"));
    let write = "dd if=/dev/urandom of=/mnt/file bs=4k count=64 conv=notrunc status=none";
    host.sh(&format!("{write}; sync"));
    throttle(host, 1);
    // The first request passes, those of `sync` are under way while the driver is unbound.
    host.sh(&format!(
        "dd if=/dev/nvme0n1 of=/dev/null iflag=direct bs=4k count=1 status=none; {write}"
    ));
    host.sh("setsid sync >/dev/null 2>&1 & until grep -q blk_ /proc/$!/stack || grep -q folio_wait /proc/$!/stack; do sleep 0.1; done");

    let failed = host.fails(support::IN_DOUBT, &format!("bind {NVME} --override disk_in_use"));
    assert_eq!(failed.code, "in_doubt", "{failed:?}");
    // Where it waits, and who.
    let writer = host.sh("pgrep -f 'passthru __writer'");
    assert!(
        failed.message.contains(&writer) && failed.message.contains("blk_mq_freeze_queue_wait"),
        "{failed:?}"
    );
    host.sh(&format!("kill -KILL {writer}; sleep 0.2; test -d /proc/{writer}"));

    // The device is left alone, and everything else goes on.
    for verb in ["bind", "release", "reset"] {
        host.refuses("in_doubt", &format!("{verb} {NVME}"));
    }
    assert!(host.verdict(NVME).1.contains(&"in_doubt".to_owned()));
    host.ok(&format!("bind {EDU}"));
    host.ok(&format!("release {EDU}"));
    assert_eq!(host.passthru("recover").status, support::IN_DOUBT);

    // It comes through late: then the bind is undone.
    throttle(host, 0);
    host.until("passthru recover");
    assert_eq!(host.driver(NVME), "nvme");
    // What was mounted is gone with the device that it was on; a new one gets the old one's name.
    host.sh("umount /mnt; echo 30 > /sys/module/nvme_core/parameters/io_timeout");
    host.ok(&format!("bind {NVME}"));
    host.ok(&format!("release {NVME}"));
    host.until("test -b /dev/nvme0n1");
    host.sh(PUT_BACK);
}
