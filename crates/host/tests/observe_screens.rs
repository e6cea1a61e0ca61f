//! Screens: what is drawn on which function, and who may draw.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod support;

use std::path::{Path, PathBuf};

use host::observe::{Depth, InDoubt, observe, observe_with};
use host::paths::Root;
use host::record::{Options, record};
use host::replay::Replay;
use model::port::{AttrWriter, Showed, Wrote};
use model::usage::{Master, Use};
use model::{Bdf, Fact, Function, Snapshot, Why};
use support::tree::{Device, Tree};

const FIRST: &str = "0000:00:02.0";
const SECOND: &str = "0000:65:00.0";

fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

/// Two graphics cards, the first of which the firmware has started.
fn machine() -> (tempfile::TempDir, Tree) {
    let dir = tempfile::tempdir().unwrap();
    let tree = Tree::new(dir.path());
    for (name, driver, boot) in [(FIRST, "i915", "1\n"), (SECOND, "nouveau", "0\n")] {
        let device = Device::endpoint(name, (0x8086, 0x3e9b), 0x03_0000);
        tree.add(&Device { driver: Some(driver), ..device.clone() });
        tree.file(&format!("sys/{}/boot_vga", Tree::place(&device)), boot);
    }
    tree.file("proc/1/mountinfo", "").file("proc/iomem", "");
    (dir, tree)
}

fn below(name: &str) -> String {
    format!("pci{}/{name}", name.rsplit_once(':').unwrap().0)
}

/// A framebuffer of a function's driver.
fn framebuffer(tree: &Tree, function: &str, number: u32, name: &str) {
    let place = format!("{}/graphics", below(function));
    let place = tree.device("graphics", &place, &format!("fb{number}"));
    tree.file(&format!("{place}/name"), format!("{name}\n"));
}

/// A driver of text consoles, bound or not.
fn console(tree: &Tree, number: u32, name: &str, bound: bool) {
    let place = tree.device("vtconsole", "virtual/vtconsole", &format!("vtcon{number}"));
    tree.file(&format!("{place}/name"), format!("{name}\n"));
    tree.file(&format!("{place}/bind"), format!("{}\n", u8::from(bound)));
}

fn connector(tree: &Tree, function: &str, card: u32, name: &str, state: &str) {
    let place = format!("{}/drm/card{card}", below(function));
    let place = tree.device("drm", &place, &format!("card{card}-{name}"));
    tree.file(&format!("{place}/enabled"), format!("{state}\n"));
}

fn seen(tree: &Tree) -> Snapshot {
    observe(&Root::new(tree.path()), Depth::Listing)
}

#[track_caller]
fn uses(snapshot: &Snapshot, name: &str) -> Vec<String> {
    snapshot.get(bdf(name)).unwrap().uses.iter().map(Use::to_string).collect()
}

#[track_caller]
fn consoles(tree: &Tree, first: &[&str], second: &[&str]) {
    let snapshot = seen(tree);
    assert_eq!(uses(&snapshot, FIRST), first);
    assert_eq!(uses(&snapshot, SECOND), second);
    assert_eq!(snapshot.gaps, []);
}

#[test]
fn the_firmwares_framebuffer_and_a_lit_display() {
    let (_dir, tree) = machine();
    tree.file(
        "sys/devices/pci0000:65/0000:65:00.0/resource",
        "0x0000000040000000 0x000000004fffffff 0x0000000000042208\n",
    );
    tree.file("proc/iomem", "40000000-4fffffff : 0000:65:00.0\n  40000000-402fffff : BOOTFB\n");
    connector(&tree, SECOND, 0, "HDMI-A-1", "enabled");
    connector(&tree, SECOND, 0, "DP-1", "disabled");
    tree.device("drm", "pci0000:65/0000:65:00.0/drm", "card0");
    // It belongs to no function; the memory tells whose it is.
    let place = tree.device("graphics", "platform/simple-framebuffer.0/graphics", "fb0");
    tree.file(&format!("{place}/name"), "simpledrmdrmfb\n");
    console(&tree, 1, "(M) frame buffer device", true);
    consoles(&tree, &[], &["boot framebuffer (BOOTFB)", "display on HDMI-A-1"]);
}

#[test]
fn the_console_is_on_the_first_card_with_a_driver_of_its_own() {
    let (_dir, tree) = machine();
    // The second card's driver was loaded first.
    framebuffer(&tree, SECOND, 0, "nouveaudrmfb");
    framebuffer(&tree, FIRST, 1, "i915drmfb");
    tree.device("graphics", "virtual/graphics", "fbcon");
    console(&tree, 0, "(S) dummy device", false);
    console(&tree, 1, "(M) frame buffer device", true);
    consoles(&tree, &["text console on fb1 (i915drmfb)"], &[]);
    // Chosen at boot; a number that no framebuffer has chooses nothing.
    tree.file("proc/cmdline", "ro fbcon=map:0 quiet\n");
    consoles(&tree, &[], &["text console on fb0 (nouveaudrmfb)"]);
    tree.file("proc/cmdline", "ro fbcon=map:7\n");
    consoles(&tree, &["text console on fb1 (i915drmfb)"], &[]);
}

#[test]
fn without_a_first_card_the_lowest_number_counts() {
    let (_dir, tree) = machine();
    framebuffer(&tree, SECOND, 3, "nouveaudrmfb");
    console(&tree, 1, "(M) frame buffer device", true);
    consoles(&tree, &[], &["text console on fb3 (nouveaudrmfb)"]);
}

#[test]
fn a_console_that_is_bound_to_nothing_is_on_no_card() {
    let (_dir, tree) = machine();
    framebuffer(&tree, FIRST, 0, "i915drmfb");
    console(&tree, 0, "(S) dummy device", true);
    console(&tree, 1, "(M) frame buffer device", false);
    consoles(&tree, &[], &[]);
}

#[test]
fn a_host_that_talks_on_a_serial_line_needs_no_screen() {
    let (_dir, tree) = machine();
    framebuffer(&tree, FIRST, 0, "i915drmfb");
    console(&tree, 1, "(M) frame buffer device", true);
    let drawn = ["text console on fb0 (i915drmfb)"];
    consoles(&tree, &drawn, &[]);
    tree.file("proc/cmdline", "ro console=ttyS0\n");
    consoles(&tree, &[], &[]);
    // What is active is what counts.
    tree.file("sys/devices/virtual/tty/console/active", "tty0 ttyS0\n");
    consoles(&tree, &drawn, &[]);
    tree.file("proc/cmdline", "ro\n");
    tree.file("sys/devices/virtual/tty/console/active", "ttyS0\n");
    consoles(&tree, &[], &[]);
}

#[test]
fn text_mode_is_the_first_cards() {
    let (_dir, tree) = machine();
    console(&tree, 0, "(S) VGA+", true);
    consoles(&tree, &["text console on VGA in text mode"], &[]);
}

#[test]
fn what_cannot_be_read_of_the_console_is_unknown() {
    for path in ["sys/class/vtconsole", "sys/class/graphics", "sys/class/drm"] {
        let (_dir, tree) = machine();
        if path.ends_with("graphics") {
            console(&tree, 1, "(M) frame buffer device", true);
        }
        tree.link(path, path.rsplit('/').next().unwrap());
        let snapshot = seen(&tree);
        for function in snapshot.functions.values() {
            let [unseen] = &function.unseen[..] else { panic!("{path}: {:?}", function.unseen) };
            assert!(unseen.path.ends_with(path), "{}", unseen.path);
            assert_eq!(unseen.why, Why::NotPermitted);
        }
    }
}

const CLIENTS: &str = "\
             command   tgid dev master a   uid      magic
      systemd-logind   812   0   n    y     0          0
         gnome-shell  1893   0   y    y  1000          0
";

/// Both cards have a node, the first one's clients are in debugfs.
fn with_cards() -> (tempfile::TempDir, Tree) {
    let (dir, tree) = machine();
    for (name, card) in [(FIRST, "card1"), (SECOND, "card0")] {
        let place = tree.device("drm", &format!("{}/drm", below(name)), card);
        tree.link(&format!("{place}/device"), &format!("../../../{name}"));
        tree.link(&format!("{place}/subsystem"), "../../../../../class/drm");
    }
    tree.file("sys/kernel/debug/dri/1/clients", CLIENTS);
    (dir, tree)
}

fn shell() -> Fact<Vec<Master>> {
    Fact::Known(vec![Master { pid: 1893, program: "gnome-shell".to_owned() }])
}

fn masters(snapshot: &Snapshot) -> Vec<Fact<Vec<Master>>> {
    snapshot.functions.values().map(|function: &Function| function.drm_masters.clone()).collect()
}

#[test]
fn who_is_master_of_a_card() {
    let (_dir, tree) = with_cards();
    tree.add(&Device::endpoint("0000:70:00.0", (0x144d, 0xa80a), 0x01_0802));
    let root = Root::new(tree.path());
    let want = [shell(), Fact::Unknown(Why::NotProvided), Fact::Known(Vec::new())];
    assert_eq!(masters(&observe(&root, Depth::Whole)), want);
    let unseen = Fact::Unknown(Why::NotObserved);
    assert_eq!(masters(&seen(&tree)), [unseen.clone(), unseen.clone(), unseen]);
}

#[test]
fn a_table_that_is_longer_than_what_comes_back() {
    let (_dir, tree) = with_cards();
    let client = "                 top  4000 128   n    n     0          0\n".repeat(100);
    let path = "sys/kernel/debug/dri/1/clients";
    tree.file(path, &format!("{CLIENTS}{client}")[..4096]);
    let root = Root::new(tree.path());
    assert_eq!(masters(&observe(&root, Depth::Whole))[0], shell());
    let (heading, _) = CLIENTS.split_once('\n').unwrap();
    tree.file(path, &format!("{heading}\n{client}")[..4096]);
    assert_eq!(masters(&observe(&root, Depth::Whole))[0], Fact::Unknown(Why::Truncated));
}

/// Whoever is asked for a lock.
#[derive(Debug, Default)]
struct Asked(Vec<PathBuf>);

impl AttrWriter for Asked {
    fn write(&mut self, path: &Path, _: &str) -> Wrote {
        panic!("a look at the machine writes {}", path.display())
    }

    fn read(&mut self, path: &Path) -> Showed {
        self.0.push(path.to_owned());
        Showed::Content(if path.ends_with("clients") { CLIENTS } else { "(null)\n" }.into())
    }
}

#[test]
fn the_table_is_read_where_a_reader_can_be_left_behind() {
    let (_dir, tree) = with_cards();
    let root = Root::new(tree.path());
    let mut asked = Asked::default();
    let in_doubt = InDoubt { functions: [bdf(SECOND)].into(), groups: Default::default() };
    let snapshot = observe_with(&root, Depth::Whole.sparing(&in_doubt), &mut asked);
    let tables: Vec<_> = asked.0.iter().filter(|path| path.ends_with("clients")).collect();
    assert_eq!(tables, [&root.drm_clients(1)]);
    assert_eq!(masters(&snapshot), [shell(), Fact::Unknown(Why::InDoubt)]);
}

#[test]
fn a_recording_has_all_of_it() {
    let (_dir, tree) = with_cards();
    framebuffer(&tree, FIRST, 0, "i915drmfb");
    console(&tree, 1, "(M) frame buffer device", true);
    for name in [FIRST, SECOND] {
        let place = format!("sys/devices/{}", below(name));
        tree.link(&format!("{place}/subsystem"), "../../../bus/pci");
    }
    for (place, class) in [
        (format!("{}/graphics/fb0", below(FIRST)), "graphics"),
        ("virtual/vtconsole/vtcon1".to_owned(), "vtconsole"),
    ] {
        tree.link(&format!("sys/devices/{place}/subsystem"), &format!("../../../class/{class}"));
    }
    let recording = record(&Root::new(tree.path()), &Options::default()).unwrap();
    let replay = Replay::new(recording).unwrap();
    let snapshot = observe(replay.root(), Depth::Whole);
    assert_eq!(uses(&snapshot, FIRST), ["text console on fb0 (i915drmfb)"]);
    assert_eq!(masters(&snapshot)[0], shell());
}
