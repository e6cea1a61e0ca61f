//! Steps that change files, on a folder; what makes files is really run.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fakehost::FakeHost;
use host::apply::stands;
use host::run::CommandRunner;
use model::Fact;
use model::file::Content;
use model::setup::planned::Stands;
use model::step::{Made, Undo, Wanted};
use sha2::{Digest, Sha256};

use super::*;

/// A machine's configuration, and who changes it.
struct Tree {
    dir: tempfile::TempDir,
    applier: Applier,
}

impl Tree {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/default")).unwrap();
        fs::create_dir_all(dir.path().join("boot/grub")).unwrap();
        let writer = Box::new(FakeHost::new().kernel());
        let applier = Applier::new(Root::new(dir.path()), writer, Box::new(CommandRunner));
        Self { dir, applier }
    }

    fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    fn put(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Every file with its mode and content.
    fn all(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
        let (mut files, mut folders) = (Vec::new(), vec![self.dir.path().to_owned()]);
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => {
                        let mode = fs::metadata(&path).unwrap().mode();
                        files.push((path.clone(), mode, fs::read(&path).unwrap()));
                    }
                }
            }
        }
        files.sort();
        files
    }

    fn undo(&mut self, step: &Step) -> Outcome {
        let Undo::Step(back) = step.undo() else { panic!("{step} has no way back") };
        self.applier.apply(&back)
    }
}

fn write(path: &str, from: Option<&str>, to: Option<&str>) -> Step {
    Step::WriteFile {
        path: path.to_owned(),
        from: from.map(Content::from),
        to: to.map(Content::from),
    }
}

/// A file that `sh` makes.
fn made(path: &str, script: &str, wanted: Wanted) -> Step {
    let command = ["sh", "-c", script, "sh", Made::OUT].map(str::to_owned).to_vec();
    Step::Make(Made::new(path, command, wanted))
}

const GRUB: &str = "/etc/default/grub";
const CFG: &str = "/boot/grub/grub.cfg";
const MENU: &str =
    "menuentry 'Linux' {\n\tlinux /vmlinuz root=/dev/sda1 quiet\n\tinitrd /initrd.img\n}\n";

fn menu(script: &str) -> Step {
    let arguments = vec![model::boot::cmdline::Change::Set("iommu=pt".to_owned())];
    made(CFG, script, Wanted::Menu { arguments })
}

/// A menu as it is made once the argument is in the sources.
const MAKES: &str = "sed 's/quiet/quiet iommu=pt/' boot.cfg > \"$1\"";

/// The same, from a file of this tree.
fn makes(tree: &Tree) -> String {
    MAKES.replace("boot.cfg", &tree.path("/boot/menu").display().to_string())
}

#[test]
fn a_file_is_changed_and_put_back_whole() {
    let mut tree = Tree::new();
    tree.put(GRUB, "A=1\r\nB=\"x\"");
    fs::set_permissions(tree.path(GRUB), fs::Permissions::from_mode(0o640)).unwrap();
    let before = tree.all();
    let change = write(GRUB, Some("A=1\r\nB=\"x\""), Some("A=2\n"));
    let new = write("/etc/modprobe.d/passthru.conf", None, Some("blacklist x\n"));
    for step in [&change, &new] {
        assert_eq!(tree.applier.apply(step), Outcome::Done, "{step}");
        assert_eq!(tree.applier.apply(step), Outcome::Already, "{step}");
    }
    assert_eq!(tree.read(GRUB), "A=2\n");
    assert_eq!(fs::metadata(tree.path(GRUB)).unwrap().mode() & 0o777, 0o640);
    for step in [&new, &change] {
        assert_eq!(tree.undo(step), Outcome::Done, "{step}");
        assert_eq!(tree.undo(step), Outcome::Already, "{step}");
    }
    assert_eq!(tree.all(), before);
}

/// A list of who may do what (acl(5)), as the kernel keeps it: owner, user 1,
/// group, mask and others (include/uapi/linux/posix_acl_xattr.h).
fn access_list() -> Vec<u8> {
    const NONE: u32 = u32::MAX;
    let entries = [(1u16, 6u16, NONE), (2, 4, 1), (4, 4, NONE), (0x10, 4, NONE), (0x20, 4, NONE)];
    let entries = entries.into_iter().flat_map(|(tag, may, id)| {
        [&tag.to_le_bytes()[..], &may.to_le_bytes(), &id.to_le_bytes()].concat()
    });
    2u32.to_le_bytes().into_iter().chain(entries).collect()
}

/// What a file has beside its bytes is kept (SELinux's label goes the same way).
#[test]
fn who_may_do_what_stays_with_the_file() {
    const NAME: &str = "system.posix_acl_access";
    let mut tree = Tree::new();
    tree.put(GRUB, "A=1\n");
    let path = tree.path(GRUB);
    let list = access_list();
    rustix::fs::setxattr(&path, NAME, &list, rustix::fs::XattrFlags::empty()).unwrap();
    let step = write(GRUB, Some("A=1\n"), Some("A=2\n"));
    for apply in [Tree::undo, |tree: &mut Tree, step: &Step| tree.applier.apply(step)].iter().rev()
    {
        assert_eq!(apply(&mut tree, &step), Outcome::Done);
        let mut found = vec![0; 1024];
        let length = rustix::fs::getxattr(&path, NAME, &mut found).unwrap();
        assert_eq!(found[..length], list);
    }
}

#[test]
fn what_somebody_changed_is_left_alone() {
    let mut tree = Tree::new();
    tree.put(GRUB, "theirs\n");
    let step = write(GRUB, Some("ours\n"), Some("new\n"));
    let outcome = tree.applier.apply(&step);
    assert!(matches!(&outcome, Outcome::Failed(ApplyError::FileMoved { .. })), "{outcome:?}");
    assert_eq!(tree.read(GRUB), "theirs\n");
    // A file that was to be new is not written over, either.
    let outcome = tree.applier.apply(&write(GRUB, None, Some("new\n")));
    assert!(matches!(&outcome, Outcome::Failed(ApplyError::FileMoved { .. })), "{outcome:?}");
}

#[test]
fn a_link_is_followed_and_stays_one() {
    let mut tree = Tree::new();
    tree.put("/etc/grub.real", "a\n");
    symlink("../grub.real", tree.path(GRUB)).unwrap();
    assert_eq!(tree.applier.apply(&write(GRUB, Some("a\n"), Some("b\n"))), Outcome::Done);
    assert!(tree.path(GRUB).is_symlink());
    assert_eq!(tree.read("/etc/grub.real"), "b\n");
    // Nothing is written outside of the tree.
    let outside = tempfile::NamedTempFile::new().unwrap();
    fs::remove_file(tree.path(GRUB)).unwrap();
    symlink(outside.path(), tree.path(GRUB)).unwrap();
    let outcome = tree.applier.apply(&write(GRUB, Some(""), Some("b\n")));
    assert!(matches!(&outcome, Outcome::Failed(ApplyError::Outside { .. })), "{outcome:?}");
}

#[test]
fn a_menu_is_made_anew_and_put_back() {
    let mut tree = Tree::new();
    tree.put(CFG, MENU);
    tree.put("/boot/menu", MENU);
    tree.put("/boot/vmlinuz", "");
    tree.put("/boot/initrd.img", "");
    let before = tree.all();
    let step = menu(&makes(&tree));
    assert_eq!(tree.applier.apply(&step), Outcome::Done);
    assert!(tree.read(CFG).contains("quiet iommu=pt"));
    assert_eq!(tree.undo(&step), Outcome::Done);
    assert_eq!(tree.all(), before);
    assert_eq!(tree.undo(&step), Outcome::Already);
}

/// Somebody installed a kernel meanwhile: the old menu is not put back.
#[test]
fn a_menu_that_is_not_ours_any_more_is_made_anew() {
    let mut tree = Tree::new();
    tree.put(CFG, MENU);
    tree.put("/boot/menu", MENU);
    let step = menu(&makes(&tree));
    assert_eq!(tree.applier.apply(&step), Outcome::Done);
    tree.put(CFG, "another\n");
    assert_eq!(tree.undo(&step), Outcome::Done);
    assert!(tree.read(CFG).contains("iommu=pt"), "made by the program: {}", tree.read(CFG));
    // Or removed the kernel that it names.
    tree.put(CFG, MENU);
    assert_eq!(tree.applier.apply(&step), Outcome::Done);
    assert_eq!(tree.undo(&step), Outcome::Done);
    assert!(tree.read(CFG).contains("iommu=pt"), "its kernels are not there: {}", tree.read(CFG));
    assert_eq!(fs::read_dir(tree.path("/boot/grub")).unwrap().count(), 1, "nothing is left over");
}

/// What is made anew on the way back is looked through as well.
#[test]
fn a_menu_that_is_made_wrong_on_the_way_back_is_not_set() {
    let mut tree = Tree::new();
    tree.put(CFG, MENU);
    tree.put("/boot/menu", MENU);
    let step = menu(&makes(&tree));
    assert_eq!(tree.applier.apply(&step), Outcome::Done);
    let another = MENU.replace("Linux", "Another");
    tree.put(CFG, &another);
    tree.put("/boot/menu", "menuentry 'Linux' --class");
    let Outcome::Failed(error) = tree.undo(&step) else { panic!("half a menu is set") };
    assert!(error.to_string().contains("an entry has no end"), "{error}");
    assert_eq!(tree.read(CFG), another);
    // The kept one is there for when the program works again.
    tree.put("/boot/menu", MENU);
    assert_eq!(tree.undo(&step), Outcome::Done);
    assert!(tree.read(CFG).starts_with("menuentry 'Linux'"), "{}", tree.read(CFG));
}

/// Something else has the menu made anew in between: the one that was kept
/// has nothing of that, so it is not put back.
#[test]
fn what_was_made_again_since_is_made_anew() {
    let mut tree = Tree::new();
    tree.put(CFG, MENU);
    tree.put("/boot/menu", MENU);
    tree.put("/boot/vmlinuz", "");
    tree.put("/boot/initrd.img", "");
    let step = menu(&makes(&tree));
    assert_eq!(tree.applier.apply(&step), Outcome::Done);
    tree.put("/boot/menu", &MENU.replace("quiet", "quiet splash"));
    let Step::Make(again) = menu(&makes(&tree)) else { panic!() };
    assert_eq!(tree.applier.apply(&Step::Remake(again.clone())), Outcome::Done);
    assert!(tree.read(CFG).contains("splash"), "{}", tree.read(CFG));
    assert_eq!(tree.undo(&step), Outcome::Done);
    assert!(tree.read(CFG).contains("splash"), "{}", tree.read(CFG));
    assert_eq!(fs::read_dir(tree.path("/boot/grub")).unwrap().count(), 1, "nothing is left over");

    // By itself it keeps nothing: the way back is to make it once more.
    let before = tree.read(CFG);
    tree.put("/boot/menu", MENU);
    assert_eq!(tree.applier.apply(&Step::Remake(again.clone())), Outcome::Done);
    tree.put("/boot/menu", &MENU.replace("quiet", "quiet splash"));
    assert_eq!(tree.undo(&Step::Remake(again)), Outcome::Done);
    assert_eq!(tree.read(CFG), before);
    assert_eq!(fs::read_dir(tree.path("/boot/grub")).unwrap().count(), 1, "nothing is left over");
}

/// What is run is made so that it can be.
#[test]
fn a_script_may_be_run() {
    let mut tree = Tree::new();
    let script = "/etc/initramfs-tools/hooks/passthru";
    let step = write(script, None, Some("#!/bin/sh\ntrue\n"));
    assert_eq!(tree.applier.apply(&step), Outcome::Done);
    assert_eq!(fs::metadata(tree.path(script)).unwrap().mode() & 0o777, 0o755);
}

/// What a program makes is not put in place unless it is right.
#[test]
fn what_is_made_wrong_changes_nothing() {
    let mut tree = Tree::new();
    tree.put(CFG, MENU);
    let before = tree.all();
    for (script, want) in [
        ("exit 3", "ended with status 3"),
        (": > \"$1\"", "is empty"),
        ("echo hello > \"$1\"", "it starts no kernel"),
        (
            "printf 'menuentry x {\\n linux /vmlinuz quiet\\n}\\n' > \"$1\"",
            "`iommu=pt` is not in `quiet`",
        ),
        ("true", "there is none"),
    ] {
        let outcome = tree.applier.apply(&menu(script));
        let Outcome::Failed(error) = &outcome else { panic!("{script}: {outcome:?}") };
        assert!(error.to_string().contains(want), "{script}: {error}");
        assert_eq!(tree.undo(&menu(script)), Outcome::Already);
        assert_eq!(tree.all(), before, "{script}");
    }
}

/// Killed at any moment, one or the other file is in place, and the way back
/// leads to the old one.
#[test]
fn a_file_that_was_cut_off_is_put_back() {
    for left in 0..4 {
        let mut tree = Tree::new();
        tree.put(CFG, MENU);
        tree.put("/boot/vmlinuz", "");
        tree.put("/boot/initrd.img", "");
        let before = tree.all();
        let beside = |what: &str| format!("/boot/grub/.grub.cfg.passthru-{what}");
        let new = MENU.replace("quiet", "iommu=pt");
        let note = |tree: &Tree| {
            fs::write(tree.path(&beside("made")), Sha256::digest(&new)).unwrap();
        };
        // What there is after so many moves of `make`.
        match left {
            0 => tree.put(&beside("new"), "half of "),
            1 => {
                tree.put(&beside("new"), &new);
                note(&tree);
                fs::hard_link(tree.path(CFG), tree.path(&beside("old"))).unwrap();
            }
            2 => {
                note(&tree);
                fs::rename(tree.path(CFG), tree.path(&beside("old"))).unwrap();
                tree.put(CFG, &new);
            }
            _ => {
                tree.put("/boot/menu", MENU);
                assert_eq!(tree.applier.apply(&menu(&makes(&tree))), Outcome::Done);
                fs::remove_file(tree.path("/boot/menu")).unwrap();
            }
        }
        let outcome = tree.undo(&menu("false"));
        assert!(matches!(outcome, Outcome::Done | Outcome::Already), "{left}: {outcome:?}");
        assert_eq!(tree.all(), before, "{left}");
    }
}

#[test]
fn a_full_or_unwritable_place_is_named() {
    if rustix::process::geteuid().is_root() {
        // Root writes everywhere; a folder in the way stands for a refusal.
        let mut tree = Tree::new();
        fs::create_dir_all(tree.path(GRUB)).unwrap();
        let outcome = tree.applier.apply(&write(GRUB, None, Some("x")));
        let Outcome::Failed(error) = &outcome else { panic!("{outcome:?}") };
        assert!(error.to_string().contains("etc/default/grub"), "{error}");
        return;
    }
    let mut tree = Tree::new();
    let folder = tree.path(GRUB).parent().map(Path::to_owned).unwrap();
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
    let outcome = tree.applier.apply(&write(GRUB, None, Some("x")));
    let Outcome::Failed(error) = &outcome else { panic!("{outcome:?}") };
    assert!(error.hint().is_some_and(|hint| hint.contains("root")), "{error}");
}

/// How what was done stands, until somebody changes it.
#[test]
fn what_was_done_is_seen_to_stand() {
    let mut tree = Tree::new();
    let root = Root::new(tree.dir.path());
    tree.put("/boot/menu", MENU);
    tree.put(CFG, MENU);
    tree.put(GRUB, "A=1\n");
    let change = write(GRUB, Some("A=1\n"), Some("A=2\n"));
    let gone = write("/etc/modprobe.d/passthru.conf", Some("x"), None);
    let menu = menu(&makes(&tree));
    assert_eq!(stands(&root, &gone), Some(Stands::AsLeft.into()));
    assert_eq!(stands(&root, &change), Some(Stands::Changed(None).into()));
    for step in [&change, &menu] {
        assert_eq!(tree.applier.apply(step), Outcome::Done, "{step}");
        assert_eq!(stands(&root, step), Some(Stands::AsLeft.into()), "{step}");
    }
    fs::remove_file(tree.path(GRUB)).unwrap();
    assert_eq!(stands(&root, &change), Some(Stands::Gone.into()));
    // Made anew without what was wanted, and with it.
    tree.put(CFG, MENU);
    let lacks = stands(&root, &menu);
    let Some(Fact::Known(Stands::Changed(Some(lacks)))) = lacks else { panic!("{lacks:?}") };
    assert!(lacks.contains("`iommu=pt` is not in"), "{lacks}");
    tree.put(CFG, &MENU.replace("quiet", "iommu=pt"));
    assert_eq!(stands(&root, &menu), Some(Stands::AsLeft.into()));
    fs::remove_file(tree.path(CFG)).unwrap();
    assert_eq!(stands(&root, &menu), Some(Stands::Gone.into()));
    assert_eq!(stands(&root, &Step::LoadModule { module: "vfio_pci".to_owned() }), None);
}

/// An image is looked into only where it was made anew since.
#[test]
fn an_image_that_was_made_anew_is_looked_into() {
    let tree = Tree::new();
    let root = Root::new(tree.dir.path());
    let wanted = Wanted::Initramfs {
        with: vec!["vfio_pci".to_owned()],
        without: Vec::new(),
        files: [].into(),
    };
    let step = made("/boot/initrd.img", "", wanted);
    tree.put("/boot/initrd.img", "no image");
    tree.put("/boot/.initrd.img.passthru-made", "");
    assert_eq!(stands(&root, &step), Some(Stands::AsLeft.into()));
    let later = fs::metadata(tree.path("/boot/.initrd.img.passthru-made")).unwrap();
    let later = later.modified().unwrap() + std::time::Duration::from_secs(5);
    let image = fs::File::options().write(true).open(tree.path("/boot/initrd.img")).unwrap();
    image.set_modified(later).unwrap();
    let lacks = stands(&root, &step);
    assert!(matches!(lacks, Some(Fact::Known(Stands::Changed(Some(_))))), "{lacks:?}");
}
