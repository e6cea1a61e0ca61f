//! Processes told apart, by recorded lines of the kernel and by real ones.

use std::process::{Command, Stdio};

use host::paths::Root;
use host::process::{boot_id, has_systemd, is_alive, lock_limit, start_time, wait_channel};
use model::port::Child;
use model::{Fact, Why};

#[test]
fn a_recorded_process() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    for (pid, comm, state, threads, alive) in [
        (10, "passthru", 'D', 1, true),
        (11, "a) Z (b", 'S', 1, true),
        (12, "passthru", 'Z', 1, false),
        (13, "passthru", 'X', 1, false),
        (14, "qemu-system-x86", 'Z', 4, true),
        (15, "passthru", 'X', 0, false),
    ] {
        let tail = format!("1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 {threads} 0 4711 1 2 3");
        let process = folder.path().join(format!("proc/{pid}"));
        std::fs::create_dir_all(&process).unwrap();
        std::fs::write(process.join("stat"), format!("{pid} ({comm}) {state} {tail}\n")).unwrap();
        assert_eq!(start_time(&root, pid).unwrap(), Some(4711), "{comm}");
        let is = |start_time| is_alive(&root, Child { pid, start_time }).unwrap();
        assert_eq!(is(4711), alive, "{comm} {state}");
        assert!(!is(4712), "a later process of the same number");
    }
    assert_eq!(start_time(&root, 99).unwrap(), None);
    assert!(!is_alive(&root, Child { pid: 99, start_time: 1 }).unwrap());
    std::fs::write(folder.path().join("proc/10/stat"), "10 (x").unwrap();
    let garbled = is_alive(&root, Child { pid: 10, start_time: 1 }).unwrap_err();
    assert!(garbled.to_string().contains("process 10"), "{garbled}");
    for (text, want) in [("device_del", Some("device_del")), ("0", None), ("", None)] {
        std::fs::write(folder.path().join("proc/10/wchan"), text).unwrap();
        assert_eq!(wait_channel(&root, 10).as_deref(), want);
    }
}

#[test]
fn a_real_process_until_it_is_a_zombie() {
    let root = Root::real();
    let mut cat = Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let pid = cat.id();
    let child = Child { pid, start_time: start_time(&root, pid).unwrap().unwrap() };
    assert!(is_alive(&root, child).unwrap());
    drop(cat.stdin.take());
    while is_alive(&root, child).unwrap() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    assert!(start_time(&root, pid).unwrap().is_some(), "a zombie is listed, and not alive");
    cat.wait().unwrap();
    assert_eq!(start_time(&root, pid).unwrap(), None);
}

#[test]
fn this_boot_has_an_identity() {
    let id = boot_id(&Root::real()).unwrap();
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
}

#[test]
fn what_a_process_may_lock() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    let process = folder.path().join("proc/10");
    std::fs::create_dir_all(&process).unwrap();
    assert_eq!(lock_limit(&root, Some(10)), Fact::Unknown(Why::NotProvided));
    let limits = "Max locked memory         65536                65536                bytes     \n";
    std::fs::write(process.join("limits"), limits).unwrap();
    assert_eq!(lock_limit(&root, Some(10)), Fact::Known(Some(65536)), "nothing says that it may");
    std::fs::write(process.join("status"), "CapEff:\t000001ffffffffff\n").unwrap();
    assert_eq!(lock_limit(&root, Some(10)), Fact::Known(None));
    let own = std::process::id();
    let limit = lock_limit(&Root::real(), None);
    assert!(limit.known().is_some(), "{limit:?}");
    assert_eq!(lock_limit(&Root::real(), Some(own)), limit);
}

#[test]
fn systemd_is_there_by_its_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = Root::new(folder.path());
    assert!(!has_systemd(&root));
    std::fs::create_dir_all(folder.path().join("run/systemd/system")).unwrap();
    assert!(has_systemd(&root));
}
