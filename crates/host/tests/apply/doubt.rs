//! The kernel does not come back: nobody waits for it.

use std::path::Path;

use fakehost::On;
use host::apply::{Applier, ApplyError, Outcome};
use host::paths::Root;
use host::write::has_ended;
use model::port::{AttrWriter, Showed, Stuck, Wrote};

use crate::*;

#[test]
fn a_write_that_hangs_is_in_doubt_until_its_process_has_ended() {
    let host = host();
    let root = Root::new(host.root());
    host.hang(On::path("unbind"));
    let Outcome::InDoubt(doubt) = apply(&host, &unbind(NVME, "nvme")) else {
        panic!("it should hang");
    };
    let shown = doubt.to_string().replace(&host.root().display().to_string(), "");
    insta::assert_snapshot!(shown, @"writing `0000:01:00.0` to `/sys/bus/pci/drivers/nvme/unbind` has not come back after 30 s: process 4000001 is in the kernel, in device_del");
    assert!(!has_ended(&root, &doubt.stuck).unwrap());
    // Whoever needs the lock that it holds is told, and waits for nothing.
    let error = failed(apply(&host, &choose(NVME, None, Some("vfio-pci"))));
    assert!(matches!(error, ApplyError::Locked { .. }), "{error}");
    // Another device is not touched by it.
    assert_eq!(apply(&host, &unbind(GPU, "nvidia")), Outcome::Done);
    host.settle();
    assert!(has_ended(&root, &doubt.stuck).unwrap());
    assert_eq!(apply(&host, &unbind(NVME, "nvme")), Outcome::Already);
}

#[test]
fn a_lock_that_somebody_takes_behind_the_write_does_not_undo_it() {
    let host = host();
    let late = Late { host: host.clone(), reads: 0 };
    let root = Root::new(host.root());
    let mut applier = Applier::new(root, Box::new(late), Box::new(host.runner()));
    assert_eq!(applier.apply(&choose(NVME, None, Some("vfio-pci"))), Outcome::Done);
}

/// A kernel in which another write takes the lock after the first read.
#[derive(Debug)]
struct Late {
    host: FakeHost,
    reads: usize,
}

impl AttrWriter for Late {
    fn write(&mut self, path: &Path, value: &str) -> Wrote {
        self.host.kernel().write(path, value)
    }

    fn read(&mut self, path: &Path) -> Showed {
        self.reads += 1;
        match self.reads {
            1 => self.host.kernel().read(path),
            _ => Showed::Stuck(Stuck {
                pid: 1,
                start_time: 1,
                wait_channel: None,
                waited: Duration::ZERO,
            }),
        }
    }
}
