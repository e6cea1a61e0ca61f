//! What a machine has for guests, as its tree shows it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use host::guests::{Interface, address_bits, can_use_kvm, firmware, interface, random_uuid};
use host::observe::has_driver;
use host::paths::Root;
use model::{Fact, Why};

fn put(tree: &Path, path: &str, text: &str) {
    let path = tree.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn the_processor_and_kvm() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    assert_eq!(address_bits(&root), Fact::Unknown(Why::NotProvided));
    put(dir.path(), "proc/cpuinfo", "address sizes\t: 46 bits physical, 48 bits virtual\n");
    assert_eq!(address_bits(&root), Fact::Known(46));
    assert!(!can_use_kvm(&root), "there is no node");
    put(dir.path(), "dev/kvm", "");
    assert!(can_use_kvm(&root));
}

#[test]
fn firmware_comes_in_the_order_of_its_names() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    assert_eq!(firmware(&root), Fact::Unknown(Why::NotProvided));
    for (name, text) in [("60-ovmf.json", "second"), ("50-secure.json", "first")] {
        put(dir.path(), &format!("usr/share/qemu/firmware/{name}"), text);
    }
    fs::create_dir(root.qemu_firmware().join("55-old")).unwrap();
    assert_eq!(firmware(&root), Fact::Known(vec!["first".to_owned(), "second".to_owned()]));
}

#[test]
fn interfaces_by_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    assert_eq!(interface(&root, "tap0"), Fact::Unknown(Why::NotProvided));
    put(dir.path(), "sys/class/net/tap0/tun_flags", "0x1002\n");
    put(dir.path(), "sys/class/net/eth0/flags", "0x1003\n");
    for (name, want) in
        [("tap0", Interface::Tap), ("eth0", Interface::Other), ("tap1", Interface::Missing)]
    {
        assert_eq!(interface(&root, name), Fact::Known(want), "{name}");
    }
}

#[test]
fn drivers_that_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let root = Root::new(dir.path());
    assert_eq!(has_driver(&root, "nvme"), Fact::Unknown(Why::NotProvided));
    put(dir.path(), "sys/bus/pci/drivers/nvme/bind", "");
    assert_eq!(has_driver(&root, "nvme"), Fact::Known(true));
    assert_eq!(has_driver(&root, "nouveau"), Fact::Known(false));
}

#[test]
fn random_numbers_are_not_the_same_twice() {
    let [first, second] = [(); 2].map(|()| random_uuid(&Root::real()).unwrap());
    assert_eq!(first.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    assert_ne!(first, second);
}
