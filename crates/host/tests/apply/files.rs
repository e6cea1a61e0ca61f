//! Steps that change files, on a folder.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use fakehost::FakeHost;
use host::run::CommandRunner;
use model::file::Content;
use model::step::Undo;

use super::*;

/// A machine's configuration, and who changes it.
pub struct Tree {
    pub dir: tempfile::TempDir,
    pub applier: Applier,
}

impl Tree {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("etc/default")).unwrap();
        fs::create_dir_all(dir.path().join("boot/grub")).unwrap();
        let writer = Box::new(FakeHost::new().kernel());
        let applier = Applier::new(Root::new(dir.path()), writer, Box::new(CommandRunner));
        Self { dir, applier }
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.dir.path().join(path.trim_start_matches('/'))
    }

    pub fn put(&self, path: &str, text: &str) {
        fs::write(self.path(path), text).unwrap();
    }

    pub fn read(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    /// Every file with its mode and content.
    pub fn all(&self) -> Vec<(PathBuf, u32, Vec<u8>)> {
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

    pub fn undo(&mut self, step: &Step) -> Outcome {
        let Undo::Step(back) = step.undo() else { panic!("{step} has no way back") };
        self.applier.apply(&back)
    }
}

pub fn write(path: &str, from: Option<&str>, to: Option<&str>) -> Step {
    Step::WriteFile {
        path: path.to_owned(),
        from: from.map(Content::from),
        to: to.map(Content::from),
    }
}

pub const GRUB: &str = "/etc/default/grub";

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

/// What is run is made so that it can be.
#[test]
fn a_script_may_be_run() {
    let mut tree = Tree::new();
    let script = "/etc/initramfs-tools/hooks/passthru";
    let step = write(script, None, Some("#!/bin/sh\ntrue\n"));
    assert_eq!(tree.applier.apply(&step), Outcome::Done);
    assert_eq!(fs::metadata(tree.path(script)).unwrap().mode() & 0o777, 0o755);
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
