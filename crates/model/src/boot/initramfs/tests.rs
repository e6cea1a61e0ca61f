use super::*;
use crate::parse::cpio::{Content, Entry, Inode};

const FILE: u32 = 0o10_0644;
const LINK: u32 = 0o12_0777;

fn entry(name: &str, mode: u32, content: Content) -> Entry {
    let inode = Inode { archive: 0, major: 0, minor: 0, number: 1 };
    Entry { name: name.to_owned(), mode, size: 0, links: 1, inode, content }
}

fn bytes(text: &str) -> Content {
    Content::Bytes(text.as_bytes().to_vec())
}

fn image(entries: impl IntoIterator<Item = Entry>) -> Initramfs {
    let mut collector = Collector::default();
    entries.into_iter().for_each(|entry| collector.add(entry));
    collector.finish()
}

fn named(names: &[&str]) -> Initramfs {
    image(names.iter().map(|name| entry(name, FILE, Content::NotAsked)))
}

#[test]
fn modules_are_known_by_their_files() {
    for (name, want) in [
        ("lib/modules/6.12.1-amd64/kernel/drivers/gpu/drm/nouveau/nouveau.ko", true),
        ("usr/lib/modules/6.12.1-amd64/updates/dkms/nouveau.ko.zst", true),
        ("usr/lib/modules/6.12.1-amd64/kernel/nouveau.ko.xz", true),
        ("usr/lib/modules/6.12.1-amd64/nouveau.ko.gz", true),
        ("lib/modules/nouveau.ko", true),
        ("usr/lib/modules/6.12.1-amd64/kernel/nouveau", false),
        ("usr/share/doc/nouveau.ko", false),
        ("usr/lib/modules/6.12.1-amd64/kernel/nouveau.ko/readme", false),
        ("usr/lib/modules/6.12.1-amd64/kernel/.ko", false),
    ] {
        assert_eq!(named(&[name]).has_module("nouveau"), want, "{name}");
        assert_eq!(named(&[name]).modules.len(), usize::from(want), "{name}");
    }
}

#[test]
fn modules_belong_to_a_kernel() {
    let image = named(&[
        "lib/modules/6.12/kernel/drivers/vfio/pci/vfio-pci.ko.xz",
        "lib/modules/6.12/kernel/drivers/vfio/pci/vfio-pci-core.ko.xz",
        "lib/modules/6.1/kernel/drivers/net/igb/igb.ko",
        "lib/modules/synology.ko",
    ]);
    assert!(image.has_module("vfio-pci") && image.has_module("vfio_pci"));
    assert_eq!(image.modules_for("6.12").collect::<Vec<_>>(), ["vfio_pci", "vfio_pci_core"]);
    assert_eq!(image.modules_for("6.1").collect::<Vec<_>>(), ["igb"]);
    assert_eq!(image.modules_for("6").count(), 0);
    assert_eq!(image.releases().into_iter().collect::<Vec<_>>(), ["6.1", "6.12"]);
}

#[test]
fn generators_leave_traces() {
    for (names, want) in [
        (&["conf/initramfs.conf", "usr/lib/systemd/systemd"][..], Some(Generator::InitramfsTools)),
        (&["scripts/functions"], Some(Generator::InitramfsTools)),
        (&["usr/lib/initrd-release", "usr/lib/dracut/hooks/cmdline"], Some(Generator::Dracut)),
        (&["usr/lib/dracut/hooks", "buildconfig", "config"], Some(Generator::Mkinitcpio)),
        (&["etc/booster.init.yaml"], Some(Generator::Booster)),
        (&["usr/lib/initrd-release", "init"], None),
    ] {
        assert_eq!(named(names).generator, want, "{names:?}");
    }
}

#[test]
fn configuration_is_known_by_its_place() {
    for (name, want) in [
        ("etc/modprobe.d/vfio.conf", true),
        ("usr/lib/modprobe.d/aliases.conf", true),
        ("etc/modules-load.d/vfio.conf", true),
        ("conf/modules", true),
        ("etc/cmdline.d/10-vfio.conf", true),
        ("usr/lib/modules/6.12/modules.builtin", true),
        ("usr/lib/modules/6.12/modules.builtin.bin", false),
        ("usr/lib/modules/6.12/kernel/modules.builtin", false),
        ("etc/modprobe.d", false),
        ("etc/shadow", false),
        ("var/etc/modprobe.d/vfio.conf", false),
    ] {
        assert_eq!(is_configuration(name), want, "{name}");
    }
}

#[test]
fn texts_are_found_behind_links_and_usr() {
    let image = image([
        entry("usr/lib/modprobe.d/a.conf", FILE, bytes("blacklist a\n")),
        entry("lib/modprobe.d/sub/no.conf", FILE, bytes("")),
        entry("etc/modprobe.d/b.conf", LINK, bytes("../../usr/lib/modprobe.d/a.conf")),
        entry("etc/modprobe.d/c.conf", LINK, bytes("/etc/modprobe.d/b.conf")),
        entry("etc/modprobe.d/d.conf", LINK, bytes("d.conf")),
        entry("etc/modprobe.d/e.conf", LINK, bytes("../nowhere")),
        entry("etc/modprobe.d/f.conf", FILE, Content::TooLong),
    ]);
    assert_eq!(image.text("usr/lib/modprobe.d/a.conf"), Fact::Known("blacklist a\n"));
    assert_eq!(image.text("etc/modprobe.d/c.conf"), Fact::Known("blacklist a\n"));
    assert!(matches!(image.text("etc/modprobe.d/d.conf").why(), Some(Why::Failed(_))));
    assert_eq!(image.text("etc/modprobe.d/e.conf"), Fact::Unknown(Why::NotObserved));
    assert!(matches!(image.text("etc/modprobe.d/f.conf").why(), Some(Why::Failed(_))));
    let texts = |folder| image.texts_in(folder).map(|(name, _)| name).collect::<Vec<_>>();
    assert_eq!(texts("lib/modprobe.d"), ["usr/lib/modprobe.d/a.conf"]);
    assert_eq!(texts("etc/modprobe.d").len(), 5);
    assert_eq!(texts("etc/modprobe").len(), 0);
}

#[test]
fn a_later_file_replaces_an_earlier_one() {
    let name = "etc/modprobe.d/a.conf";
    let image = image(["old", "new"].map(|text| entry(name, FILE, bytes(text))));
    assert_eq!(image.text(name), Fact::Known("new"));
}

#[test]
fn hard_links_share_their_content() {
    let linked = |name: &str, content, archive| {
        let mut entry = entry(name, FILE, content);
        (entry.links, entry.inode.archive) = (2, archive);
        entry
    };
    for order in [[0, 1], [1, 0]] {
        let entries = [
            linked("etc/modprobe.d/a.conf", Content::Elsewhere, 0),
            linked("etc/modprobe.d/b.conf", bytes("text"), 0),
        ];
        let image = image(order.map(|at| entries[at].clone()));
        assert_eq!(image.text("etc/modprobe.d/a.conf"), Fact::Known("text"), "{order:?}");
    }
    let other = image([
        linked("etc/modprobe.d/b.conf", bytes("text"), 0),
        linked("etc/modprobe.d/a.conf", Content::Elsewhere, 1),
    ]);
    assert!(matches!(other.text("etc/modprobe.d/a.conf").why(), Some(Why::Failed(_))));
}

#[test]
fn rules_are_names() {
    let image = named(&[
        "usr/lib/udev/rules.d/60-block.rules",
        "etc/udev/rules.d/10-vfio.rules",
        "etc/udev/rules.d/readme",
    ]);
    let want = ["etc/udev/rules.d/10-vfio.rules", "usr/lib/udev/rules.d/60-block.rules"];
    assert_eq!(image.rules.into_iter().collect::<Vec<_>>(), want);
}
