//! Steps in which a program makes a file; the program is really run.

use std::fs;

use host::apply::stands;
use model::Fact;
use model::setup::planned::Stands;
use model::step::{Made, Wanted};
use sha2::{Digest, Sha256};

use super::files::{GRUB, Tree, write};
use super::*;

/// A file that `sh` makes.
fn made(path: &str, script: &str, wanted: Wanted) -> Step {
    let command = ["sh", "-c", script, "sh", Made::OUT].map(str::to_owned).to_vec();
    Step::Make(Made::new(path, command, wanted))
}

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
