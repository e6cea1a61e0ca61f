//! The pretended kernel: what writes do, and faults to order.

mod faults;
mod reactions;

use fakehost::{Errno, FakeHost};
use model::port::{AttrWriter, Wrote};

pub const NVME: &str = "0000:01:00.0";
pub const GPU: &str = "0000:65:00.0";
pub const NIC: &str = "0000:03:00.0";

pub fn host() -> FakeHost {
    FakeHost::new()
        .root_port("0000:00:02.0", 0x01)
        .nvme(NVME)
        .gpu(GPU)
        .with_audio()
        .sriov_nic(NIC, "eth0", 7)
        .driver("igbvf", &[(0x8086, 0x10ca)])
        .loaded("vfio-pci")
}

pub fn write(host: &FakeHost, path: &str, value: &str) -> Wrote {
    host.kernel().write(&host.root().join(path), value)
}

pub fn of(function: &str, attribute: &str) -> String {
    format!("sys/bus/pci/devices/{function}/{attribute}")
}

#[track_caller]
pub fn check(host: &FakeHost, rows: &[(String, &str, Result<(), Errno>)]) {
    for (path, value, want) in rows {
        let want = match want {
            Ok(()) => Wrote::Done,
            Err(errno) => Wrote::failed(errno.raw_os_error()),
        };
        assert_eq!(write(host, path, value), want, "{value:?} > {path}");
    }
}
