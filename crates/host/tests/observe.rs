//! Functions, groups and machine facts, read from trees as the kernel shows them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use host::observe::{Depth, Look, observe, observe_with};
use host::paths::Root;
use model::function::{BarKind, PowerControl, PowerState, ResetMethod};
use model::port::{self, AttrWriter, Showed, Wrote};
use model::snapshot::{GroupId, ModuleState, Snapshot};
use model::{Bdf, Class, DeviceId, Fact, VendorId, Why};
use support::tree::{Device, Tree};

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

fn seen(tree: &Tree, depth: Depth) -> Snapshot {
    observe(&Root::new(tree.path()), depth)
}

fn new() -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new(dir.path());
    (dir, tree)
}

/// An NVMe drive behind a root port, in a group of its own.
fn drive(tree: &Tree) -> Device {
    let mut port = Device::port("0000:00:01.0", (0, 1, 1));
    port.group = Some(3);
    tree.add(&port);
    let mut drive = Device::endpoint("0000:01:00.0", (0x144d, 0xa808), 0x01_0802);
    drive.above = vec![port.bdf];
    drive.driver = Some("nvme");
    drive.group = Some(14);
    tree.add(&drive);
    drive
}

#[test]
fn a_sleeping_function_is_woken_on_request_only() {
    let (_dir, tree) = new();
    drive(&tree);
    let (own, place) = (bdf("0000:01:00.0"), "sys/bus/pci/devices/0000:01:00.0");
    tree.file(&format!("{place}/power/runtime_status"), "suspended\n");
    tree.file(&format!("{place}/power_state"), "D3cold\n");
    let asleep = seen(&tree, Depth::Whole);
    let function = asleep.get(own).unwrap();
    assert_eq!(function.config, Fact::Unknown(Why::Suspended));
    assert_eq!(function.power_state, Fact::Known(Some(PowerState::D3Cold)));
    let own = &[own];
    let look = Look::from(Depth::Whole).waking(own);
    let woken = observe(&Root::new(tree.path()), look);
    assert!(woken.get(own[0]).unwrap().config.known().is_some());
}

#[test]
fn a_function_whole() {
    let (_dir, tree) = new();
    drive(&tree);
    let snapshot = seen(&tree, Depth::Whole);
    let function = snapshot.get(bdf("0000:01:00.0")).unwrap();
    assert_eq!(function.vendor, Fact::Known(VendorId(0x144d)));
    assert_eq!(function.device, Fact::Known(DeviceId(0xa808)));
    assert_eq!(function.subsystem, Fact::Known((VendorId(0x144d), DeviceId(1))));
    assert_eq!(function.class, Fact::Known(Class(0x01_0802)));
    assert_eq!(function.revision, Fact::Known(0xa1));
    assert_eq!(function.driver_name(), Some("nvme"));
    assert_eq!(function.driver_override, Fact::Known(None));
    assert_eq!(function.upstream, [bdf("0000:00:01.0")]);
    assert_eq!(function.group_id(), Some(GroupId(14)));
    assert_eq!(function.numa_node, Fact::Known(None));
    assert_eq!(function.reset_methods, Fact::Known(vec![ResetMethod::Flr, ResetMethod::Bus]));
    assert_eq!(function.power_control, Fact::Known(PowerControl::Auto));
    assert_eq!(function.d3cold_allowed, Fact::Known(true));
    assert_eq!(function.irq, Fact::Known(16));
    assert_eq!((function.boot_vga, &function.sriov, function.physfn), (None, &None, None));
    let [bar] = function.bars.known().unwrap()[..] else { panic!("{:?}", function.bars) };
    assert_eq!((bar.start, bar.size), (0x4000_0000_0000, 0x4000));
    assert_eq!(bar.kind, BarKind::Memory { wide: true, prefetchable: false });
    let extended = function.extended();
    assert_eq!(extended.known().unwrap().serial, Some(0x00ab_cdef_1234_5678));
}

#[test]
fn a_listing_is_the_same_but_for_what_it_leaves_out() {
    let (_dir, tree) = new();
    drive(&tree);
    let (listing, whole) = (seen(&tree, Depth::Listing), seen(&tree, Depth::Whole));
    let at = bdf("0000:01:00.0");
    let (mut listed, function) = (listing.get(at).unwrap().clone(), whole.get(at).unwrap());
    assert_eq!(listed.capabilities().known().unwrap().msix.unwrap().vectors, 33);
    assert_eq!(listed.extended(), Fact::Unknown(Why::NotObserved));
    assert_eq!(listed.numa_node, Fact::Unknown(Why::NotObserved));
    assert_eq!(listed.holders, Fact::Unknown(Why::NotObserved));
    listed.config = function.config.clone();
    listed.numa_node = function.numa_node.clone();
    listed.irq = function.irq.clone();
    listed.d3cold_allowed = function.d3cold_allowed.clone();
    listed.power_control = function.power_control.clone();
    listed.driver_override = function.driver_override.clone();
    listed.holders = function.holders.clone();
    listed.drm_masters = function.drm_masters.clone();
    assert_eq!(&listed, function);
}

/// A reader that the kernel keeps waiting.
#[derive(Debug)]
struct Stuck(Vec<PathBuf>);

impl AttrWriter for Stuck {
    fn write(&mut self, path: &Path, _: &str) -> Wrote {
        panic!("a look at the machine writes {}", path.display())
    }

    fn read(&mut self, path: &Path) -> Showed {
        self.0.push(path.to_owned());
        let waited = Duration::from_secs(7);
        Showed::Stuck(port::Stuck { pid: 1, start_time: 1, wait_channel: None, waited })
    }
}

#[test]
fn a_lock_that_somebody_holds_costs_one_fact() {
    let (_dir, tree) = new();
    drive(&tree);
    let root = Root::new(tree.path());
    let mut attrs = Stuck(Vec::new());
    let mut snapshot = observe_with(&root, Depth::Whole, &mut attrs);
    let want: Vec<PathBuf> = ["0000:00:01.0", "0000:01:00.0"]
        .map(|name| root.pci_device(bdf(name)).join("driver_override"))
        .into();
    assert_eq!(attrs.0, want);
    let plain = observe(&root, Depth::Whole);
    for (function, plain) in snapshot.functions.values_mut().zip(plain.functions.values()) {
        let why = function.driver_override.why().unwrap().to_string();
        assert_eq!(why, "the kernel did not show it within 7 s: somebody holds the device's lock");
        function.driver_override = Fact::Known(None);
        assert_eq!(function, plain);
    }
    // A listing does without.
    let mut attrs = Stuck(Vec::new());
    observe_with(&root, Depth::Listing, &mut attrs);
    assert_eq!(attrs.0, Vec::<PathBuf>::new());
}

#[test]
fn groups_hold_their_members_and_regions() {
    let (_dir, tree) = new();
    let mut graphics = Device::endpoint("0000:65:00.0", (0x10de, 0x2204), 0x03_0000);
    graphics.group = Some(30);
    let mut audio = Device::endpoint("0000:65:00.1", (0x10de, 0x1aef), 0x04_0300);
    audio.group = Some(30);
    tree.add(&audio).add(&graphics);
    let snapshot = seen(&tree, Depth::Whole);
    let group = &snapshot.groups[&GroupId(30)];
    assert_eq!(group.members, [bdf("0000:65:00.0"), bdf("0000:65:00.1")]);
    assert_eq!(group.domain, Fact::Known("DMA-FQ".to_owned()));
    assert_eq!(group.reserved.known().unwrap()[0].kind, "msi");
    let listed = &seen(&tree, Depth::Listing).groups[&GroupId(30)];
    assert_eq!((&listed.reserved, &listed.members), (&group.reserved, &group.members));
}

#[test]
fn virtual_functions_and_their_parent_know_each_other() {
    let (_dir, tree) = new();
    tree.add(&Device::endpoint("0000:02:00.0", (0x8086, 0x10c9), 0x02_0000));
    let pf = "sys/devices/pci0000:02/0000:02:00.0";
    tree.file(&format!("{pf}/sriov_totalvfs"), "7\n");
    for (index, silent) in [(0, true), (1, false)] {
        let name = format!("0000:02:10.{index}");
        let mut vf = Device::endpoint(&name, (0x8086, 0x10ca), 0x02_0000);
        if silent {
            // As the specification wants it; some do not keep to it.
            vf.config[..4].fill(0xff);
        }
        tree.add(&vf);
        tree.link(&format!("{pf}/virtfn{index}"), &format!("../{name}"));
        tree.link(&format!("sys/devices/pci0000:02/{name}/physfn"), "../0000:02:00.0");
    }
    for depth in [Depth::Listing, Depth::Whole] {
        let snapshot = seen(&tree, depth);
        let parent = snapshot.get(bdf("0000:02:00.0")).unwrap();
        let sriov = parent.sriov.as_ref().unwrap();
        assert_eq!((&sriov.total, &sriov.active), (&Fact::Known(7), &Fact::Known(2)));
        assert_eq!(sriov.functions, [bdf("0000:02:10.0"), bdf("0000:02:10.1")]);
        for child in &sriov.functions {
            let child = snapshot.get(*child).unwrap();
            assert_eq!(child.physfn, Some(parent.bdf), "{depth:?} {}", child.bdf);
            assert_eq!(child.ids_text(), "8086:10ca");
        }
    }
}

#[test]
fn every_domain_and_every_bridge_above() {
    let (_dir, tree) = new();
    let mut drive = Device::endpoint("10000:81:00.0", (0x8086, 0x0b60), 0x01_0802);
    drive.above = vec!["10000:80:01.0".to_owned()];
    tree.add(&drive);
    // Intel VMD: its own domain hangs below the controller's function.
    fs::remove_file(tree.path().join("sys/bus/pci/devices/10000:81:00.0")).unwrap();
    let place = "devices/pci0000:80/0000:80:05.5/pci10000:80/10000:80:01.0/10000:81:00.0";
    let old = tree.path().join("sys").join(Tree::place(&drive));
    let new = tree.path().join("sys").join(place);
    fs::create_dir_all(new.parent().unwrap()).unwrap();
    fs::rename(old, new).unwrap();
    tree.link("sys/bus/pci/devices/10000:81:00.0", &format!("../../../{place}"));
    let snapshot = seen(&tree, Depth::Listing);
    let function = snapshot.get(bdf("10000:81:00.0")).unwrap();
    assert_eq!(function.upstream, [bdf("10000:80:01.0"), bdf("0000:80:05.5")]);
}

#[test]
fn old_kernels_say_less() {
    let (_dir, tree) = new();
    let (reset, none) = ("0000:00:02.0", "0000:00:03.0");
    for name in [reset, none] {
        let mut device = Device::endpoint(name, (0x1234, 0x11e8), 0x00_ff00);
        device.reset = None;
        tree.add(&device);
        fs::remove_file(tree.path().join(format!("sys/devices/pci0000:00/{name}/modalias")))
            .unwrap();
    }
    tree.file(&format!("sys/devices/pci0000:00/{reset}/reset"), "");
    let snapshot = seen(&tree, Depth::Listing);
    let function = snapshot.get(bdf(reset)).unwrap();
    assert_eq!(
        (function.ids_text().as_str(), &function.class),
        ("1234:11e8", &Fact::Known(Class(0xff00)))
    );
    assert_eq!(function.reset_methods, Fact::Unknown(Why::NotProvided));
    assert_eq!(snapshot.get(bdf(none)).unwrap().reset_methods, Fact::Known(vec![]));
}

#[test]
fn the_machine() {
    let (_dir, tree) = new();
    drive(&tree);
    tree.file("proc/sys/kernel/osrelease", "6.12.0-amd64\n");
    tree.file("proc/sys/kernel/arch", "x86_64\n");
    tree.file("proc/sys/kernel/random/boot_id", "ae42f254-c279-4e5f-8f1c-7d76cdafde27\n");
    tree.file("proc/meminfo", "MemTotal:  16 kB\nMemAvailable:  8 kB\n");
    tree.file("lib/modules/6.12.0-amd64/modules.builtin", "kernel/fs/ext4/ext4.ko\n");
    tree.file("lib/modules/6.12.0-amd64/modules.dep", "kernel/drivers/vfio/pci/vfio-pci.ko.xz:\n");
    tree.file("sys/class/iommu/dmar0/intel-iommu/cap", "d2008c40660462\n");
    tree.file("sys/class/iommu/dmar1/intel-iommu/cap", "d2008c222f0686\n");
    tree.file("sys/firmware/acpi/tables/DMAR", "");
    tree.file("dev/kvm", "");
    let machine = seen(&tree, Depth::Listing).machine;
    let iommu = machine.iommu.known().unwrap();
    assert_eq!((iommu.on, &iommu.address_width), (true, &Fact::Known(39)));
    assert_eq!(iommu.units, ["dmar0", "dmar1"]);
    assert_eq!(iommu.firmware, Fact::Known(Some("DMAR".to_owned())));
    assert_eq!(machine.guest_driver("vfio-pci"), Fact::Known(ModuleState::Loadable));
    assert_eq!(machine.memory_available, Fact::Known(8192));
    assert_eq!((machine.kvm, machine.arch), (true.into(), "x86_64".to_owned().into()));
    tree.file("sys/module/vfio_pci/parameters/ids", "(null)\n");
    let machine = seen(&tree, Depth::Listing).machine;
    assert_eq!(machine.guest_driver("vfio-pci"), Fact::Known(ModuleState::BuiltIn));
    tree.file("sys/module/vfio_pci/initstate", "live\n");
    let machine = seen(&tree, Depth::Listing).machine;
    assert_eq!(machine.guest_driver("vfio-pci"), Fact::Known(ModuleState::Loaded));
}

/// The kernel says it since 6.1; before, only what is there can tell.
#[test]
fn an_architecture_that_is_not_named_shows_in_what_is_there() {
    let power = "sys/firmware/devicetree/base/compatible";
    for (path, content, want) in [
        ("proc/cpuinfo", "processor\t: 0\ncpu\t\t: POWER9, altivec supported\n", "ppc64"),
        ("proc/cpuinfo", "vendor_id\t: AuthenticAMD\nflags\t\t: lm svm\n", "x86_64"),
        ("proc/cpuinfo", "CPU implementer\t: 0x41\nCPU architecture: 8\n", "aarch64"),
        (power, "ibm,powernv\0ibm,p9-openbmc\0", "ppc64"),
        ("sys/firmware/acpi/tables/DMAR", "", "x86_64"),
        ("sys/firmware/acpi/tables/IVRS", "", "x86_64"),
        ("sys/firmware/acpi/tables/IORT", "", "aarch64"),
    ] {
        let (_dir, tree) = new();
        tree.file(path, content);
        let arch = seen(&tree, Depth::Listing).machine.arch;
        assert_eq!(arch, Fact::Known(want.to_owned()), "{path}: {content:?}");
    }
    let (_dir, tree) = new();
    tree.file(power, "raspberrypi,4-model-b\0brcm,bcm2711\0");
    assert_eq!(seen(&tree, Depth::Listing).machine.arch, Fact::Unknown(Why::NotProvided));
}

#[test]
fn an_empty_root_is_a_machine_of_which_nothing_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let snapshot = observe(&Root::new(dir.path()), Depth::Whole);
    assert!(snapshot.functions.is_empty());
    assert!(snapshot.gaps.iter().any(|gap| gap.path.ends_with("bus/pci/devices")));
    let machine = snapshot.machine;
    assert!(!machine.iommu.known().unwrap().on);
    assert_eq!(machine.arch, Fact::Unknown(Why::NotProvided));
    assert_eq!(machine.guest_driver("vfio-pci"), Fact::Unknown(Why::NotProvided));
}

#[test]
fn this_machine() {
    let snapshot = observe(&Root::real(), Depth::Whole);
    let listed = fs::read_dir("/sys/bus/pci/devices").map_or(0, |entries| entries.count());
    assert_eq!(snapshot.functions.len() + snapshot.vanished.len(), listed);
    for function in snapshot.functions.values() {
        let vendor = fs::read_to_string(format!("/sys/bus/pci/devices/{}/vendor", function.bdf));
        let vendor = vendor.unwrap().trim().to_owned();
        assert_eq!(format!("0x{}", function.vendor.known().unwrap()), vendor);
        let awake = function.runtime_status.known().is_none_or(|status| status.may_read_config());
        assert_eq!(function.config.known().is_some(), awake, "{}", function.bdf);
    }
    assert!(snapshot.machine.memory_total.known().is_some());
    // Whoever may not see all processes never says that nobody holds it.
    let root = rustix::process::geteuid().is_root();
    let unknown = |function: &model::Function| function.holders.known().is_none();
    assert!(root || snapshot.functions.values().all(unknown));
}
