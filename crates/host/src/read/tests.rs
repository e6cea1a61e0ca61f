//! Files as they are, and what else may stand at a path.

use std::fs;
use std::os::unix::fs::symlink;

use super::*;

#[test]
fn three_different_facts() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("vendor"), "0x10de\n").unwrap();
    fs::write(dir.path().join("garbage"), [0xff, 0xfe]).unwrap();
    fs::create_dir(dir.path().join("power")).unwrap();
    symlink("../../bus/pci/drivers/nvme", dir.path().join("driver")).unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut buffer = Buffer::default();

    assert_eq!(folder.text("vendor", &mut buffer), Ok("0x10de\n"));
    assert_eq!(folder.bytes("vendor", 4, &mut buffer), Ok(&b"0x10"[..]));
    assert_eq!(folder.text("device", &mut buffer), Err(Why::NotProvided));
    assert_eq!(folder.text("vendor/x", &mut buffer), Err(Why::NotProvided));
    assert!(matches!(folder.text("garbage", &mut buffer), Err(Why::Malformed(_))));
    assert_eq!(folder.text("power", &mut buffer), Err(Why::Failed("is a directory".into())));
    assert_eq!(folder.link("driver", &mut buffer), Ok("../../bus/pci/drivers/nvme"));
    assert_eq!(folder.link("physfn", &mut buffer), Err(Why::NotProvided));
    assert!(folder.has("vendor") && !folder.has("driver"));
    symlink("refused", dir.path().join("refused")).unwrap();
    assert_eq!(folder.text("refused", &mut buffer), Err(Why::NotPermitted));
    fs::remove_file(dir.path().join("refused")).unwrap();
    let stepped = folder.step(".").unwrap();
    assert_eq!(stepped.text("vendor", &mut buffer), Ok("0x10de\n"));
    let mut names = folder.names().unwrap();
    names.sort();
    assert_eq!(names, ["driver", "garbage", "power", "vendor"]);
}

#[test]
fn what_is_no_file_is_neither_waited_for_nor_read_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("vendor");
    rustix::fs::mkfifoat(rustix::fs::CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    symlink("/dev/zero", dir.path().join("config")).unwrap();
    fs::write(dir.path().join("empty"), "").unwrap();
    let folder = Folder::open(dir.path()).unwrap();
    let mut buffer = Buffer::default();
    let refused = || Err(Why::Failed("it is no regular file".to_owned()));

    assert_eq!(folder.text("vendor", &mut buffer), refused().map(|()| ""));
    assert_eq!(text(&fifo), refused().map(|()| String::new()));
    let _writer = fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    assert_eq!(folder.text("vendor", &mut buffer), refused().map(|()| ""));
    assert_eq!(text(&fifo), refused().map(|()| String::new()));
    assert_eq!(text(&dir.path().join("config")), refused().map(|()| String::new()));
    assert_eq!(folder.text("empty", &mut buffer), Ok(""));
    assert_eq!(text(&dir.path().join("empty")), Ok(String::new()));
    assert_eq!(text(dir.path()), Err(Why::Failed("is a directory".to_owned())));
}

#[test]
fn a_file_is_read_to_its_end_or_to_a_limit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("file");
    for length in [0, 1, PAGE - 1, PAGE, PAGE + 1, 3 * PAGE] {
        fs::write(&path, "x".repeat(length)).unwrap();
        for most in [1, PAGE, 2 * PAGE, LARGEST] {
            assert_eq!(bytes(&path, most).unwrap().len(), length.min(most), "{length} {most}");
        }
    }
}

#[test]
fn many_names() {
    let dir = tempfile::tempdir().unwrap();
    for index in 0..3000 {
        fs::write(dir.path().join(format!("0000:{index:04x}")), "").unwrap();
    }
    assert_eq!(names(dir.path()).unwrap().len(), 3000);
    assert_eq!(is_filled(dir.path()), Ok(true));
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(is_filled(empty.path()), Ok(false));
    assert_eq!(is_filled(&empty.path().join("none")), Err(Why::NotProvided));
}

#[test]
fn whole_files() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("mountinfo");
    fs::write(&path, "x".repeat(3 * PAGE)).unwrap();
    assert_eq!(text(&path).unwrap().len(), 3 * PAGE);
    assert_eq!(text(&dir.path().join("none")), Err(Why::NotProvided));
    fs::write(&path, b"a\xffb").unwrap();
    assert_eq!(text(&path).unwrap(), "a\u{fffd}b");
}
