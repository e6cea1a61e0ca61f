//! Taken back when time has passed: what somebody changed since, kernels that
//! came and went, and one preparation on top of another.

use fakehost::Botch;
use model::boot::extlinux;
use model::port::{Cmd, Runner};

use super::*;

/// Whether all entries but those for recovery have an argument.
fn menu_says(machine: &Stacked, word: &str) -> bool {
    let text = machine.text("boot/grub/grub.cfg");
    // The one with the image of before is ours, and the last one.
    let theirs = text.split("before passthru").next().unwrap();
    let mut lines =
        theirs.lines().filter(|line| line.contains("linux\t") && !line.contains("single"));
    lines.all(|line| line.contains(word))
}

/// What a package does when a kernel comes or goes.
fn makes(machine: &Stacked, program: &str, args: &[&str]) {
    let output = machine.host.runner().run(&Cmd::new(program, args.iter().copied())).unwrap();
    assert_eq!(output.status, Some(0));
    machine.host.calm();
}

pub fn makes_menu(machine: &Stacked) {
    let out = machine.host.root().join("boot/grub/grub.cfg").display().to_string();
    makes(machine, "grub-mkconfig", &["-o", &out]);
}

const GRUB: &str = "etc/default/grub";

/// Somebody writes a line of theirs, or another one into ours.
#[test]
fn a_source_that_somebody_changed_since() {
    for on_changed in [OnChanged::Keep, OnChanged::PutBack] {
        let machine = Stacked::named("debian-grub");
        let before = machine.text(GRUB);
        machine.prepare().unwrap();
        let theirs = machine.text(GRUB) + "# theirs\n";
        machine.put(GRUB, &theirs);
        let way = machine.engine().plan_undo(None).unwrap();
        let [changed] = &way.changed[..] else { panic!("{way:?}") };
        assert_eq!(changed.path, "/etc/default/grub");
        assert_eq!(changed.found.as_ref().unwrap().text(), theirs);
        assert!(!changed.stays);
        machine.engine().undo_preparations(on_changed).unwrap();
        let want = match on_changed {
            OnChanged::Keep => before.clone() + "# theirs\n",
            OnChanged::PutBack => before,
        };
        assert_eq!(machine.text(GRUB), want);
        let others = machine.differs().into_iter().filter(|line| !line.contains(GRUB));
        assert_eq!(others.count(), 0, "{:?}", machine.differs());
        assert!(machine.engine().plan_undo(None).unwrap().steps.is_empty());
    }
}

/// In the very line in which something was prepared: it stays as it is.
#[test]
fn a_line_that_somebody_changed_since() {
    let machine = Stacked::named("debian-grub");
    machine.prepare().unwrap();
    let theirs = machine.text(GRUB).replace("intel_iommu=on", "intel_iommu=on debug");
    machine.put(GRUB, &theirs);
    let way = machine.engine().plan_undo(Some(OnChanged::Keep)).unwrap();
    assert!(way.changed[0].stays, "{way:?}");
    machine.engine().undo_preparations(OnChanged::Keep).unwrap();
    assert_eq!(machine.text(GRUB), theirs);
    assert!(machine.engine().plan_undo(None).unwrap().steps.is_empty());
}

/// Cut off on such a way back, whoever comes next goes on with it.
#[test]
fn cut_off_while_a_changed_file_is_put_back() {
    let changed = || {
        let machine = Stacked::named("debian-grub");
        machine.prepare().unwrap();
        machine.put(GRUB, &(machine.text(GRUB) + "# theirs\n"));
        machine
    };
    let want = Stacked::named("debian-grub").text(GRUB) + "# theirs\n";
    let log = changed().operations(|machine| machine.undo().unwrap());
    for moment in moments(&log) {
        let machine = changed();
        machine.die(moment, Stacked::undo);
        machine.recover(&format!("{moment:?}"));
        assert_eq!(machine.text(GRUB), want, "{moment:?}");
        let others = machine.differs().into_iter().filter(|line| !line.contains(GRUB));
        assert_eq!(others.count(), 0, "{moment:?}: {:?}", machine.differs());
    }
}

/// What GRUB itself remembers is no change of what was prepared.
#[test]
fn the_environment_block_is_written_at_each_boot() {
    let machine = Stacked::named("rhel8-uefi");
    let block = "boot/efi/EFI/redhat/grubenv";
    machine.prepare().unwrap();
    let prepared = machine.text(block);
    assert!(prepared.contains("kernelopts=root=/dev/mapper/rhel-root ro"), "{prepared}");
    assert!(prepared.contains("iommu=pt") && prepared.len() == 1024, "{prepared}");
    machine.put(block, &prepared.replace("boot_success=0", "boot_success=1"));
    assert!(machine.engine().plan_undo(None).unwrap().changed.is_empty());
    machine.undo().unwrap();
    let [line] = &machine.differs()[..] else { panic!("{:?}", machine.differs()) };
    assert!(line.contains("grubenv"), "{line}");
    let left = machine.text(block);
    assert!(left.contains("boot_success=1") && !left.contains("iommu=pt"), "{left}");
    // Somebody gave the kernel other arguments.
    machine.prepare().unwrap();
    machine.put(block, &machine.text(block).replace("crashkernel=auto", "crashkernel=512M"));
    assert_eq!(machine.engine().plan_undo(None).unwrap().changed.len(), 1);
    machine.engine().undo_preparations(OnChanged::PutBack).unwrap();
    assert!(machine.text(block).contains("crashkernel=auto rd.lvm.lv=rhel/root rhgb quiet \n"));
}

/// A kernel was installed since: what was kept does not know it.
#[test]
fn a_menu_that_was_made_since_is_made_again_without_the_arguments() {
    let machine = Stacked::named("debian-grub");
    machine.prepare().unwrap();
    machine.put("boot/vmlinuz-6.13", "another kernel");
    makes_menu(&machine);
    assert!(menu_says(&machine, "iommu=pt"));
    machine.undo().unwrap();
    let menu = machine.text("boot/grub/grub.cfg");
    assert!(!menu.contains("iommu=pt") && menu.contains("vmlinuz-6.13"), "{menu}");
    assert_eq!(machine.differs().len(), 2, "{:?}", machine.differs());
}

/// A kernel was removed since, and the menu not made anew: what was kept
/// names files that are gone.
#[test]
fn a_menu_whose_kernel_is_gone_is_not_put_back() {
    let machine = Stacked::named("debian-grub");
    machine.put("boot/vmlinuz-6.11", "an older kernel");
    makes_menu(&machine);
    machine.prepare().unwrap();
    std::fs::remove_file(machine.host.root().join("boot/vmlinuz-6.11")).unwrap();
    machine.undo().unwrap();
    let menu = machine.text("boot/grub/grub.cfg");
    assert!(!menu.contains("6.11") && !menu.contains("iommu=pt"), "{menu}");
    assert_eq!(machine.differs(), [""; 0]);
}

/// `u-boot-update` ran for a newer kernel, and the older one was removed: the menu of before names files that are gone.
#[test]
fn a_menu_in_a_file_whose_kernel_is_gone_is_not_put_back() {
    const MENU: &str = "boot/extlinux/extlinux.conf";
    for is_gone in [true, false] {
        let machine = Stacked::named("u-boot-menu");
        let before = machine.text(MENU);
        machine.prepare().unwrap();
        let newer = |text: &str| text.replace("6.12.0", "6.13.0");
        machine.put(MENU, &extlinux::without_labels(&newer(&machine.text(MENU)), "passthru-"));
        let boot = machine.host.root().join("boot");
        for name in ["vmlinuz-6.12.0-fakehost", "initrd.img-6.12.0-fakehost"] {
            std::fs::copy(boot.join(name), boot.join(newer(name))).unwrap();
        }
        if is_gone {
            std::fs::remove_file(boot.join("vmlinuz-6.12.0-fakehost")).unwrap();
        }
        let way = machine.engine().plan_undo(Some(OnChanged::PutBack)).unwrap();
        let [changed] = &way.changed[..] else { panic!("{way:?}") };
        assert_eq!((changed.is_outdated, changed.stays), (is_gone, false));
        machine.engine().undo_preparations(OnChanged::PutBack).unwrap();
        let want = if is_gone { newer(&before) } else { before };
        assert_eq!(machine.text(MENU), want, "{is_gone}");
    }
}

/// `u-boot-update` ran, which leaves out the entry of ours and changes nothing else: that is nobody's change. What
/// somebody writes behind that entry stays; where they changed the very line, only that entry goes.
#[test]
fn a_menu_in_a_file_without_the_entry_of_ours() {
    const MENU: &str = "boot/extlinux/extlinux.conf";
    let machine = Stacked::named("extlinux");
    machine.prepare().unwrap();
    let left = machine.text(MENU);
    assert!(left.contains("passthru-old-image"), "{left}");
    machine.put(MENU, &extlinux::without_labels(&left, "passthru-"));
    assert_eq!(machine.engine().plan_undo(None).unwrap().changed, []);
    machine.undo().unwrap();
    assert_eq!(machine.differs(), [""; 0]);

    let before = machine.text(MENU);
    machine.prepare().unwrap();
    machine.put(MENU, &(left.clone() + "# theirs\n"));
    machine.undo().unwrap();
    assert_eq!(machine.text(MENU), before.clone() + "# theirs\n");

    machine.put(MENU, &before);
    machine.prepare().unwrap();
    machine.put(MENU, &left.replacen("iommu=pt", "iommu=pt debug", 1));
    let way = machine.engine().plan_undo(Some(OnChanged::Keep)).unwrap();
    assert!(way.changed[0].stays, "{way:?}");
    machine.undo().unwrap();
    let now = machine.text(MENU);
    assert!(now.contains("iommu=pt debug") && !now.contains("passthru"), "{now}");
}

/// An entry went with its kernel, or was removed by itself.
#[test]
fn an_entry_whose_kernel_is_gone_is_not_put_back() {
    for is_gone in [true, false] {
        let machine = Stacked::named("fedora-bls");
        machine.prepare().unwrap();
        let root = machine.host.root();
        let entries = std::fs::read_dir(root.join("boot/loader/entries")).unwrap();
        let entry = entries.map(|entry| entry.unwrap().path()).find(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.ends_with("6.12.0-fakehost.conf") && !name.contains("passthru")
        });
        let entry = entry.unwrap();
        std::fs::remove_file(&entry).unwrap();
        if is_gone {
            std::fs::remove_file(root.join("boot/vmlinuz-6.12.0-fakehost")).unwrap();
        }
        machine.engine().undo_preparations(OnChanged::PutBack).unwrap();
        assert_eq!(entry.exists(), !is_gone);
    }
}

const IMAGE: &str = "boot/initrd.img-6.12.0-fakehost";
const NVME: &str = "0000:66:00.0";

/// A host with a drive beside the card, each to be prepared by itself.
fn two_devices() -> Stacked {
    let host = Stack::named("debian-grub").machine();
    let host = host.root_port("0000:00:02.0", 0x66).nvme(NVME);
    Stacked::around(host.file("proc/1/mountinfo", "1 1 0:2 / / rw - rootfs rootfs rw\n"))
}

fn image(machine: &Stacked) -> Vec<u8> {
    std::fs::read(machine.host.root().join(IMAGE)).unwrap()
}

#[test]
fn one_preparation_on_top_of_another() {
    let machine = two_devices();
    machine.prepare_for(&[CARD.to_owned()]).unwrap();
    let first = machine.host.snapshot_tree();
    let log = machine.operations(|machine| machine.prepare_for(&[NVME.to_owned()]).unwrap());
    let made = |op: &&Op| matches!(op, Op::Run(cmd) if cmd.program == "mkinitramfs");
    assert_eq!(log.iter().filter(made).count(), 1, "{log:?}");
    machine.undo().unwrap();
    assert_eq!(machine.differs(), [""; 0]);

    // The second one alone fails or is killed: the first one stays as it was.
    let again = || {
        let machine = two_devices();
        machine.prepare_for(&[CARD.to_owned()]).unwrap();
        machine.host.calm();
        machine
    };
    for botch in [Botch::Fails, Botch::Half, Botch::Bare] {
        let machine = again();
        machine.host.botch("mkinitramfs", botch);
        machine.prepare_for(&[NVME.to_owned()]).unwrap_err();
        assert_eq!(first.diff(&machine.host.snapshot_tree()), [""; 0], "{botch:?}");
    }
    for moment in moments(&log) {
        let machine = again();
        machine.die(moment, |machine| machine.prepare_for(&[NVME.to_owned()]));
        machine.recover(&format!("{moment:?}"));
        assert_eq!(first.diff(&machine.host.snapshot_tree()), [""; 0], "{moment:?}");
        machine.undo().unwrap();
        assert_eq!(machine.differs(), [""; 0], "{moment:?}");
    }
}

/// A kernel came since, with an image that has a copy of what was prepared: it is made anew without; the one of a kernel
/// of before is left alone. So it is if the next preparation has made that image once more.
#[test]
fn an_image_of_a_kernel_that_came_since() {
    const NEWER: &str = "boot/initrd.img-6.13.0";
    for and_prepared in [false, true] {
        let machine = two_devices();
        machine.prepare_for(&[CARD.to_owned()]).unwrap();
        let root = machine.host.root();
        for release in ["6.13.0", "6.11.0"] {
            std::fs::create_dir_all(root.join("lib/modules").join(release)).unwrap();
        }
        machine.put("boot/initrd.img-6.11.0", "not read");
        let out = root.join(NEWER).display().to_string();
        makes(&machine, "mkinitramfs", &["-o", &out, "6.13.0"]);
        let has_copy = || {
            host::setup::has_copy(
                &Root::new(root),
                "/boot/initrd.img-6.13.0",
                "/etc/modprobe.d/passthru.conf",
            )
        };
        assert!(has_copy());
        if and_prepared {
            machine.prepare_for(&[NVME.to_owned()]).unwrap();
        }
        let way = machine.engine().plan_undo(None).unwrap();
        let last = way.steps.last().unwrap().to_string();
        assert_eq!(last, "make /boot/initrd.img-6.13.0 anew by mkinitramfs");
        machine.undo().unwrap();
        assert!(!has_copy(), "{and_prepared}");
        assert_eq!(machine.text("boot/initrd.img-6.11.0"), "not read");
        assert!(machine.engine().plan_undo(None).unwrap().steps.is_empty());
    }
}

/// Between two preparations a package made the image anew.
#[test]
fn an_image_that_was_made_between_two_preparations() {
    let machine = two_devices();
    let old = image(&machine);
    machine.prepare_for(&[CARD.to_owned()]).unwrap();
    machine.put("etc/modprobe.d/theirs.conf", "options theirs a=1\n");
    let out = machine.host.root().join(IMAGE).display().to_string();
    makes(&machine, "mkinitramfs", &["-o", &out, "6.12.0-fakehost"]);
    let theirs = image(&machine);
    machine.prepare_for(&[NVME.to_owned()]).unwrap();
    assert!(image(&machine) != theirs && theirs != old);
    machine.undo().unwrap();
    // Made from what there is now: their file, and none of ours.
    let text = String::from_utf8_lossy(&image(&machine)).into_owned();
    assert!(text.contains("options theirs") && !text.contains("passthru"), "{text}");
    let differs = machine.differs();
    assert_eq!(differs.len(), 2, "their file and the image: {differs:?}");
}

/// The image's kernel was removed together with the image.
#[test]
fn an_image_that_was_removed_since_is_not_made_again() {
    let machine = two_devices();
    machine.prepare_for(&[CARD.to_owned()]).unwrap();
    std::fs::remove_file(machine.host.root().join(IMAGE)).unwrap();
    machine.undo().unwrap();
    let differs = machine.differs();
    assert!(differs.len() == 2 && differs[0].starts_with(&format!("- {IMAGE}")), "{differs:?}");
    let menu = machine.text("boot/grub/grub.cfg");
    assert!(!menu.contains("initrd") && !menu.contains("iommu=pt"), "{menu}");
}

/// The image that boots is a copy, which a program of the system's makes.
#[test]
fn what_a_person_does_after_the_way_back() {
    let machine = Stacked::named("proxmox");
    machine.prepare().unwrap();
    let way = machine.engine().plan_undo(None).unwrap();
    assert!(way.by_hand[0].starts_with("`proxmox-boot-tool refresh`"), "{way:?}");
    let machine = Stacked::named("debian-grub");
    machine.prepare().unwrap();
    assert_eq!(machine.engine().plan_undo(None).unwrap().by_hand, [""; 0]);
}
