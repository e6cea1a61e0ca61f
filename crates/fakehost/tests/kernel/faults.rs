//! Refusals, hangs and deaths, as ordered.

use fakehost::{Errno, FakeHost, FakeKernel, Moment, On, Op, until_killed};
use model::port::{AttrWriter, Showed, Wrote};

use crate::*;

#[test]
fn refusals_hit_what_they_are_meant_for() {
    let host = host();
    host.refuse(On::nth(2), Errno::IO);
    host.refuse(On::write("unbind", GPU), Errno::BUSY);
    let (unbind, off) = ("sys/bus/pci/drivers/nvme/unbind", of(GPU, "d3cold_allowed"));
    check(&host, &[(off.clone(), "0", Ok(())), (off.clone(), "0", Err(Errno::IO))]);
    check(&host, &[(unbind.to_owned(), NVME, Ok(()))]);
    let nvidia = "sys/bus/pci/drivers/nvidia/unbind".to_owned();
    check(&host, &[(nvidia.clone(), GPU, Err(Errno::BUSY)), (nvidia, GPU, Ok(()))]);
    host.refuse_always(On::AnyWrite, Errno::ROFS);
    check(&host, &[(off.clone(), "0", Err(Errno::ROFS)), (off.clone(), "1", Err(Errno::ROFS))]);
    host.calm();
    check(&host, &[(off, "0", Ok(()))]);
    assert_eq!(host.log().len(), 1);
}

#[test]
fn a_hanging_write_locks_its_function_and_settles_late() {
    let host = host();
    host.hang(On::path("nvme/unbind"));
    let Wrote::InDoubt(stuck) = write(&host, "sys/bus/pci/drivers/nvme/unbind", NVME) else {
        panic!("it should hang");
    };
    assert_eq!(host.driver_of(NVME).as_deref(), Some("nvme"), "no effect yet");
    let stat = std::fs::read_to_string(host.root().join(format!("proc/{}/stat", stuck.pid)));
    assert!(stat.unwrap().contains(") D "));
    // Its lock is held: reading and writing what needs it hangs as well.
    let path = host.root().join(of(NVME, "driver_override"));
    let mut kernel: FakeKernel = host.kernel();
    assert!(matches!(kernel.read(&path), Showed::Stuck(_)));
    assert!(matches!(kernel.write(&path, "vfio-pci"), Wrote::InDoubt(_)));
    // Others go on.
    let other = host.root().join(of(GPU, "driver_override"));
    assert_eq!(kernel.write(&other, "vfio-pci"), Wrote::Done);
    host.settle();
    assert_eq!(host.driver_of(NVME), None);
    assert_eq!(host.attribute(NVME, "driver_override").as_deref(), Some("vfio-pci"));
    assert!(!host.root().join(format!("proc/{}", stuck.pid)).exists());
    assert_eq!(kernel.read(&path), Showed::Content(b"vfio-pci\n".to_vec()));
}

#[test]
fn death_before_and_after() {
    for (moment, bound) in [(Moment::Before(1), true), (Moment::After(1), false)] {
        let host = host();
        host.kill(moment);
        let killed = until_killed(|| write(&host, "sys/bus/pci/drivers/nvme/unbind", NVME));
        assert!(killed.is_err());
        assert_eq!(host.driver_of(NVME).is_some(), bound, "{moment:?}");
        host.calm();
        assert!(until_killed(|| write(&host, &of(GPU, "d3cold_allowed"), "0")).is_ok());
    }
}

#[test]
fn a_probe_that_fails_lets_the_next_driver_try() {
    let host = FakeHost::new().gpu(GPU).driver("nouveau", &[(0x10de, 0x2206)]);
    host.refuse_probe(GPU, "nvidia", Errno::NODEV);
    host.meddle("sys/bus/pci/drivers/nvidia/unbind", GPU);
    host.meddle("sys/bus/pci/drivers_probe", GPU);
    assert_eq!(host.driver_of(GPU).as_deref(), Some("nouveau"));
}

#[test]
fn the_log_reads_as_it_was_asked() {
    let host = host();
    let _ = write(&host, &of(NVME, "driver_override"), "\n");
    let log: Vec<String> = host.log().iter().map(Op::to_string).collect();
    assert_eq!(log, [r"\n > sys/bus/pci/devices/0000:01:00.0/driver_override"]);
}
