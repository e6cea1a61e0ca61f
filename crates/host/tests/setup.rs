//! How a host is set up, on pretended trees, and on recordings of them.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::fs;
use std::path::Path;

use host::observe::{Depth, InDoubt, observe};
use host::paths::Root;
use host::record::{Options, record};
use host::replay::Replay;
use host::setup::setup;
use model::boot::modprobe::Settings;
use model::setup::Setup;
use model::setup::early::Early;
use model::snapshot::ModuleState;
use model::{Bdf, Fact, Why};
use support::tree::{Device, Tree};

const GPU: &str = "0000:01:00.0";
const RELEASE: &str = "6.12.1-test";

/// A host with a card of NVIDIA's and Debian's kernel.
fn host(dir: &Path) -> Tree {
    let tree = Tree::new(dir);
    let card = Device::endpoint(GPU, (0x10de, 0x2204), 0x03_0000);
    tree.add(&card);
    tree.link(&format!("sys/{}/subsystem", Tree::place(&card)), "../../../bus/pci");
    tree.file("proc/sys/kernel/osrelease", format!("{RELEASE}\n"));
    let modules = format!("lib/modules/{RELEASE}");
    tree.file(&format!("{modules}/modules.dep"), "kernel/drivers/gpu/nouveau.ko.xz: x\n");
    tree.file(&format!("{modules}/modules.builtin"), "");
    let alias = "alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\nalias pci:v00001002d*sv*sd*bc*sc*i* amdgpu\n";
    tree.file(&format!("{modules}/modules.alias"), alias);
    tree
}

fn of(root: &Root, devices: &[&str]) -> Setup {
    let devices: Vec<Bdf> = devices.iter().map(|text| text.parse().unwrap()).collect();
    setup(root, &observe(root, Depth::Whole), &devices)
}

fn places(settings: &Fact<Settings>, modules: &[&str]) -> Vec<Option<String>> {
    let settings = settings.known().unwrap();
    modules.iter().map(|name| settings.blacklisted(name).map(ToString::to_string)).collect()
}

/// The first folder's file of a name counts, a link to a device hides it.
#[test]
fn what_modprobe_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let tree = host(dir.path());
    tree.file("etc/modprobe.d/a.conf", "blacklist one\n");
    tree.file("usr/lib/modprobe.d/a.conf", "blacklist hidden\n");
    tree.file("run/modprobe.d/b.conf", "blacklist two\n");
    tree.file("usr/lib/modprobe.d/b.conf", "blacklist hidden\n");
    tree.file("usr/lib/modprobe.d/c.conf", "blacklist three\n");
    tree.file("usr/lib/modprobe.d/d.conf", "blacklist hidden\n");
    tree.link("etc/modprobe.d/d.conf", "/dev/null");
    tree.link("etc/modprobe.d/e.conf", "nowhere");
    tree.file("usr/lib/modprobe.d/e.conf", "blacklist four\n");
    tree.file("etc/modprobe.d/f.conf.bak", "blacklist hidden\n");
    tree.file("lib/modprobe.d/g.conf", "blacklist five\n");
    let want = ["etc/modprobe.d/a.conf", "run/modprobe.d/b.conf", "usr/lib/modprobe.d/c.conf"];
    let want = want.iter().chain(&["usr/lib/modprobe.d/e.conf", "lib/modprobe.d/g.conf"]);
    let want: Vec<_> = want.map(|path| Some(format!("/{path}"))).chain([None]).collect();
    let asked = ["one", "two", "three", "four", "five", "hidden"];
    assert_eq!(places(&of(&Root::new(dir.path()), &[]).modprobe, &asked), want);

    // A recording says the same, and nothing that is not asked for.
    tree.file("etc/modprobe.d/a.conf", "blacklist one\noptions usb key=secret\n");
    let options = Options { unmasked: true, holders: true, in_doubt: InDoubt::NOTHING };
    let recording = record(&Root::new(dir.path()), &options).unwrap();
    assert!(!recording.to_text().contains("secret"));
    let replay = Replay::new(recording).unwrap();
    let replayed = of(replay.root(), &[GPU]);
    assert_eq!(places(&replayed.modprobe, &asked), want);
    let claims = &replayed.modules.claims[&GPU.parse().unwrap()];
    assert_eq!(claims, &vec!["nouveau".to_owned()].into());
    // What is not in it is not known, for that reason.
    let Setup { early, boot, .. } = replayed;
    assert_eq!(early, Fact::Unknown(Why::NotRecorded));
    assert_eq!(boot.loader, Fact::Unknown(Why::NotRecorded));
}

#[test]
fn what_modprobe_is_told_is_not_known() {
    let dir = tempfile::tempdir().unwrap();
    host(dir.path());
    let nothing = of(&Root::new(dir.path()), &[]).modprobe;
    assert_eq!(nothing, Settings::default().into(), "no folder, no rules");
    let options = Options { unmasked: true, holders: true, in_doubt: InDoubt::NOTHING };
    let replay = Replay::new(record(&Root::new(dir.path()), &options).unwrap()).unwrap();
    assert_eq!(of(replay.root(), &[]).modprobe, Fact::Unknown(Why::NotRecorded));
}

/// Images are read for devices that are named, and the one of this kernel only.
#[test]
fn the_image_of_the_kernel_that_runs() {
    let dir = tempfile::tempdir().unwrap();
    let tree = host(dir.path());
    let root = Root::new(dir.path());
    let not_found = of(&root, &[GPU]).early;
    assert!(matches!(not_found, Fact::Unknown(Why::Failed(_))), "{not_found:?}");

    let image = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/initramfs/zstd.img");
    let path = format!("boot/initrd.img-{RELEASE}");
    tree.file(&path, fs::read(image).unwrap());
    assert_eq!(of(&root, &[]).early, Fact::Unknown(Why::NotObserved));
    let early = of(&root, &[GPU]).early;
    let Early { path: of_image, modprobe, .. } = early.known().unwrap();
    assert_eq!(*of_image, format!("/{path}"));
    assert!(modprobe.options("vfio_pci").any(|(line, _)| line.contains("10de:2204")));

    tree.file(&path, "this is no image");
    let broken = of(&root, &[GPU]).early;
    assert!(matches!(broken, Fact::Unknown(Why::Failed(_))), "{broken:?}");
}

/// Modules that want a device are looked for, whoever has it.
#[test]
fn modules_that_want_a_device() {
    let dir = tempfile::tempdir().unwrap();
    let tree = host(dir.path());
    let root = Root::new(dir.path());
    assert_eq!(of(&root, &[GPU]).modules.state("nouveau"), ModuleState::Loadable.into());
    tree.file("sys/module/nouveau/initstate", "live\n");
    assert_eq!(of(&root, &[GPU]).modules.state("nouveau"), ModuleState::Loaded.into());
    let place = Tree::place(&Device::endpoint(GPU, (0x10de, 0x2204), 0x03_0000));
    tree.link(&format!("sys/{place}/driver"), "../../../bus/pci/drivers/some-driver");
    tree.link("sys/bus/pci/drivers/some-driver/module", "../../../../module/some_module");
    tree.file("sys/module/some_module/initstate", "live\n");
    let modules = of(&root, &[GPU]).modules;
    assert_eq!(modules.of_driver("some-driver"), "some_module");
    assert_eq!(modules.state("some_module"), ModuleState::Loaded.into());
    assert_eq!(of(&root, &[]).modules.state("nouveau"), Fact::Unknown(Why::NotObserved));
}
