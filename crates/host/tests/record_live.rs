//! Recordings of real trees: this machine, unpacked machines, and what
//! umockdev-record writes.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use host::observe::{Depth, InDoubt, observe};
use host::paths::Root;
use host::record::{DEVICES_FILE, Options, Recording, record, record_with};
use host::replay::{self, Replay};
use model::parse::sidecar::Content;
use model::parse::umockdev::Attribute;
use model::port::{AttrWriter, Showed, Wrote};
use model::{Fact, Snapshot, Why};

const UNMASKED: Options = Options { unmasked: true, holders: true, in_doubt: InDoubt::NOTHING };

fn machine(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../machines").join(name)
}

fn machines() -> Vec<PathBuf> {
    let entries = fs::read_dir(machine("")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

fn whole(replay: &Replay) -> Snapshot {
    observe(replay.root(), Depth::Whole)
}

#[test]
fn a_recording_of_a_machine_observes_as_the_machine() {
    for path in machines() {
        let original = replay::load(&path).unwrap();
        let again = Replay::new(record(original.root(), &UNMASKED).unwrap()).unwrap();
        let (want, got) = (whole(&original), whole(&again));
        for (bdf, function) in &want.functions {
            assert_eq!(got.functions.get(bdf), Some(function), "{}", path.display());
        }
        assert_eq!(got, want, "{}", path.display());
    }
}

/// What is left when the words are gone that a mask replaces.
fn without_words(mut snapshot: Snapshot) -> Snapshot {
    for function in snapshot.functions.values_mut() {
        function.uses.clear();
        if let Fact::Known(config) = &mut function.config
            && let Fact::Known(caps) = &mut config.capabilities
            && let Fact::Known(extended) = &mut caps.extended
        {
            extended.serial = extended.serial.map(|_| 0);
        }
    }
    snapshot
}

#[test]
fn a_masked_recording_observes_the_same_but_for_words() {
    for path in machines() {
        let original = replay::load(&path).unwrap();
        let masked = record(original.root(), &Options { unmasked: false, ..UNMASKED }).unwrap();
        let masked = Replay::new(masked).unwrap();
        let (want, got) = (whole(&original), whole(&masked));
        let uses = |snapshot: &Snapshot| -> Vec<usize> {
            snapshot.functions.values().map(|function| function.uses.len()).collect()
        };
        assert_eq!(uses(&got), uses(&want), "{}", path.display());
        assert_eq!(without_words(got), without_words(want), "{}", path.display());
    }
}

/// Words that a masked recording of this machine must not hold.
fn secrets() -> Vec<String> {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
    let mut secrets = vec![read("/etc/machine-id"), read("/proc/sys/kernel/random/boot_id")];
    for entry in fs::read_dir("/sys/class/net").into_iter().flatten().flatten() {
        secrets.push(read(&entry.path().join("address").to_string_lossy()));
    }
    for line in fs::read_to_string("/proc/net/if_inet6").unwrap_or_default().lines() {
        secrets.extend(line.split(' ').next().map(str::to_owned));
    }
    let same_everywhere = ["00:00:00:00:00:00", "00000000000000000000000000000001"];
    secrets.retain(|secret| !secret.is_empty() && !same_everywhere.contains(&secret.as_str()));
    secrets
}

#[test]
fn this_machine_is_recorded_without_its_names() {
    let recording = record(&Root::real(), &Options::default()).unwrap();
    let text = recording.to_text();
    for secret in secrets() {
        assert!(!text.contains(&secret), "{secret}");
    }
    assert_eq!(Recording::parse(&text), Ok(recording.clone()));
    let replay = Replay::new(recording).unwrap();
    let (real, got) =
        (observe(&Root::real(), Depth::Listing), observe(replay.root(), Depth::Listing));
    let seen = |snapshot: &Snapshot| -> Vec<_> {
        let functions = snapshot.functions.values();
        functions.map(|f| (f.bdf, f.vendor.clone(), f.driver.clone(), f.bars.clone())).collect()
    };
    assert_eq!(seen(&got), seen(&real));
}

/// Reads through a value, as a process that can be abandoned would.
#[derive(Debug)]
struct Through(Vec<PathBuf>);

impl AttrWriter for Through {
    fn write(&mut self, path: &Path, _: &str) -> Wrote {
        panic!("a recorder writes {}", path.display())
    }

    fn read(&mut self, path: &Path) -> Showed {
        self.0.push(path.to_owned());
        Showed::Content("vfio-pci\n".into())
    }
}

#[test]
fn what_may_block_is_read_through_the_reader() {
    let original = replay::load(&machine("no-iommu-gtx970")).unwrap();
    let mut through = Through(Vec::new());
    let recording = record_with(original.root(), &UNMASKED, &mut through).unwrap();
    let overridden = |text: Option<&str>| text == Some("vfio-pci\n");
    let has = |subsystem: &str| matches!(subsystem, "pci" | "platform");
    let devices = recording.devices.iter().filter(|device| has(&device.subsystem));
    let count = devices.map(|d| assert!(overridden(d.text("driver_override")))).count();
    let (overrides, others): (Vec<_>, Vec<_>) =
        through.0.iter().partition(|path| path.ends_with("driver_override"));
    assert_eq!(overrides.len(), count);
    assert_eq!(others, [&original.root().drm_clients(1)]);
}

#[test]
fn a_refused_read_stays_refused() {
    let mut recording = Recording::read_from(&machine("desktop-rtx2080")).unwrap();
    let card = recording.devices.iter_mut().find(|d| d.name() == "0000:01:00.0").unwrap();
    card.attributes.remove("config");
    let config = format!("/sys{}/config", card.path);
    recording.sidecar.insert(config.clone(), Content::Refused(13));
    recording.sidecar.insert("/proc/iomem".to_owned(), Content::Refused(1));
    let irq = config.replace("config", "irq");
    let card = recording.devices.iter_mut().find(|d| d.name() == "0000:01:00.0").unwrap();
    card.attributes.remove("irq");
    recording.sidecar.insert(irq.clone(), Content::Refused(5));

    let replay = Replay::new(recording).unwrap();
    let snapshot = whole(&replay);
    let function = &snapshot.functions[&"0000:01:00.0".parse().unwrap()];
    assert_eq!(function.config, Fact::Unknown(Why::NotPermitted));
    assert!(matches!(function.irq, Fact::Unknown(Why::Failed(_))), "{:?}", function.irq);
    assert_eq!(snapshot.gaps.len(), 1, "{:?}", snapshot.gaps);
    assert_eq!(snapshot.gaps[0].why, Why::NotPermitted);

    let again = record(replay.root(), &UNMASKED).unwrap();
    assert_eq!(again.sidecar.get(&config), Some(&Content::Refused(13)));
    assert_eq!(again.sidecar.get("/proc/iomem"), Some(&Content::Refused(13)));
    assert!(matches!(again.sidecar.get(&irq), Some(Content::Refused(_)) | None));
}

#[test]
fn holders_are_recorded_when_asked() {
    let mut recording = Recording::read_from(&machine("aic100-epyc")).unwrap();
    let mut add = |path: &str, content: Content| recording.sidecar.insert(path.to_owned(), content);
    add("/proc/77/fd/5", Content::Link("/dev/accel/accel0".to_owned()));
    add("/proc/77/fd/6", Content::Link("/home/alice/letter".to_owned()));
    add("/proc/77/exe", Content::Link("/usr/bin/inference".to_owned()));
    add("/proc/77/comm", Content::File("inference\n".into()));
    let stat = format!("77 (inference) S 1{}\n", " 0".repeat(17) + " 4242 0 0");
    add("/proc/77/stat", Content::File(stat.into()));
    add("/proc/77/cgroup", Content::File("0::/system.slice/inference.service\n".into()));
    let original = Replay::new(recording).unwrap();
    let card = "0000:01:00.0".parse().unwrap();
    let holders = whole(&original).functions[&card].holders.clone();
    assert_eq!(holders.known().map(Vec::len), Some(1), "{holders:?}");

    let without = record(original.root(), &Options::default()).unwrap();
    assert!(!without.to_text().contains("inference"));
    let with = record(original.root(), &UNMASKED).unwrap();
    assert!(!with.to_text().contains("alice"));
    let with = Replay::new(with).unwrap();
    assert_eq!(whole(&with).functions[&card].holders, holders);
}

#[test]
fn what_umockdev_record_writes_is_read() {
    let path = machine("desktop-rtx2080").join(DEVICES_FILE);
    let mut command = Command::new("umockdev-run");
    command.env("TMPDIR", if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "/tmp" });
    command.arg("--device").arg(&path).args(["--", "umockdev-record", "--all"]);
    let output = command.output().expect("umockdev-run (package umockdev) must be installed");
    assert!(output.status.success(), "{output:?} (is udevadm, package udev, installed?)");
    let recorded = Recording::parse(&String::from_utf8(output.stdout).unwrap()).unwrap();

    let ours = Recording::read_from(&machine("desktop-rtx2080")).unwrap();
    assert_eq!(recorded.devices.len(), ours.devices.len());
    for device in ours.devices {
        let same = recorded.devices.iter().find(|other| other.path == device.path).unwrap();
        for (name, attribute) in &device.attributes {
            assert_eq!(same.attributes.get(name), Some(attribute), "{} {name}", device.path);
        }
    }
    let replay = Replay::new(recorded).unwrap();
    let snapshot = observe(replay.root(), Depth::Whole);
    assert_eq!(snapshot.functions.len(), 16);
    // Groups follow from the links of their members.
    let card = snapshot.group_of("0000:01:00.2".parse().unwrap()).unwrap();
    assert_eq!(card.members.len(), 5);
}

#[test]
fn a_root_without_pci_is_no_machine() {
    let empty = tempfile::tempdir().unwrap();
    let error = record(&Root::new(empty.path()), &Options::default()).unwrap_err();
    assert!(error.to_string().contains("/sys/bus/pci/devices"), "{error}");
}

#[test]
fn registers_and_roms_are_not_read() {
    let original = replay::load(&machine("no-iommu-gtx970")).unwrap();
    let card = original.root().pci_device("0000:01:00.0".parse().unwrap());
    for name in ["resource0", "rom", "vpd", "reset", "remove"] {
        let path = card.join(name);
        let _ = fs::remove_file(&path);
        fs::write(&path, "must not be read").unwrap();
    }
    let recording = record(original.root(), &UNMASKED).unwrap();
    assert!(!recording.to_text().contains("must not be read"));
    let card = recording.devices.iter().find(|d| d.name() == "0000:01:00.0").unwrap();
    // That they are there is kept of two.
    for name in ["rom", "reset"] {
        assert_eq!(card.attributes.get(name), Some(&Attribute::File(Vec::new())), "{name}");
    }
    assert_eq!(card.attributes.get("resource0"), None);
}

/// What a guest's start is planned by: the same on a replay as on the machine.
#[test]
fn what_guests_are_planned_by_is_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let node = "sys/devices/system/node/node1";
    let pages = "hugepages/hugepages-2048kB/free_hugepages";
    let arm = "processor\t: 0\nBogoMIPS\t: 50\nCPU implementer\t: 0x41\nCPU architecture: 8\n";
    let files = [
        ("proc/cpuinfo", arm, "CPU implementer\t: 0x41\nCPU architecture: 8\n"),
        (
            &format!("{node}/meminfo"),
            "\nNode 1 MemFree: 8 kB\nNode 1 Slab: 1 kB\n",
            "Node 1 MemFree: 8 kB\n",
        ),
        (&format!("{node}/{pages}"), "7\n", "7\n"),
        ("sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "9\n", "9\n"),
        ("sys/kernel/mm/hugepages/hugepages-2048kB/resv_hugepages", "1\n", "1\n"),
        ("usr/share/qemu/firmware/60-ovmf.json", "{}\n", "{}\n"),
    ];
    for (path, text, _) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(dir.path().join("sys/bus/pci/devices")).unwrap();
    let recording = record(&Root::new(dir.path()), &Options::default()).unwrap();
    let replay = Replay::new(Recording::parse(&recording.to_text()).unwrap()).unwrap();
    for (path, _, want) in files {
        let got = fs::read_to_string(replay.root().path().join(path)).unwrap();
        assert_eq!(got, want, "{path}");
    }
    let arch = whole(&replay).machine.arch;
    assert_eq!(arch, Fact::Known("aarch64".to_owned()));
}
