//! Each write has the effect, or the error number, that the kernel gives it.

use fakehost::{Errno, FakeHost, MdevType};
use model::port::{Cmd, RunError, Runner};

use crate::*;

#[test]
fn binding() {
    let host = host();
    let driver = |name: &str, file: &str| format!("sys/bus/pci/drivers/{name}/{file}");
    let probe = "sys/bus/pci/drivers_probe".to_owned();
    let choose = of(NVME, "driver_override");
    check(
        &host,
        &[
            (driver("nvidia", "unbind"), NVME, Err(Errno::NODEV)),
            (driver("nvme", "unbind"), "0000:99:00.0", Err(Errno::NODEV)),
            (driver("nvme", "bind"), NVME, Err(Errno::BUSY)),
            (driver("vfio-pci", "bind"), NVME, Err(Errno::NODEV)),
            (probe.clone(), "no address", Err(Errno::NODEV)),
            (probe.clone(), NVME, Ok(())),
            (driver("nvme", "unbind"), "0000:01:00.0\n", Ok(())),
            (driver("nvme", "unbind"), NVME, Err(Errno::NODEV)),
            (choose.clone(), "vfio-pci\n", Ok(())),
            (driver("nvme", "bind"), NVME, Err(Errno::NODEV)),
            (probe.clone(), NVME, Ok(())),
        ],
    );
    assert_eq!(host.driver_of(NVME).as_deref(), Some("vfio-pci"));
    assert!(host.root().join("dev/vfio").read_dir().unwrap().count() == 2);
    assert_eq!(host.attribute(NVME, "driver_override").as_deref(), Some("vfio-pci"));
    // A write of no bytes does nothing; a line feed clears.
    check(&host, &[(choose.clone(), "", Ok(()))]);
    assert_eq!(host.attribute(NVME, "driver_override").as_deref(), Some("vfio-pci"));
    check(&host, &[(choose, "\n", Ok(())), (driver("vfio-pci", "unbind"), NVME, Ok(()))]);
    assert_eq!(host.attribute(NVME, "driver_override").as_deref(), Some("(null)"));
    check(&host, &[(probe, NVME, Ok(()))]);
    assert_eq!(host.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn there_and_back_is_as_before() {
    let host = host();
    let before = host.snapshot_tree();
    for (path, value) in [
        ("sys/bus/pci/drivers/nvme/unbind", NVME),
        (&of(NVME, "driver_override"), "vfio-pci"),
        ("sys/bus/pci/drivers_probe", NVME),
    ] {
        host.meddle(path, value);
    }
    let bound = before.diff(&host.snapshot_tree());
    assert!(bound.iter().any(|line| line.starts_with("- sys/class/block/nvme0n1")), "{bound:#?}");
    assert!(bound.iter().any(|line| line.contains("DRIVER=vfio-pci")), "{bound:#?}");
    for (path, value) in [
        ("sys/bus/pci/drivers/vfio-pci/unbind", NVME),
        (&of(NVME, "driver_override"), "\n"),
        ("sys/bus/pci/drivers_probe", NVME),
    ] {
        host.meddle(path, value);
    }
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
}

#[test]
fn vfio_refuses_what_the_real_one_refuses() {
    let bridge = "0000:00:02.0";
    let host = host();
    host.meddle(&of(bridge, "driver_override"), "vfio-pci");
    host.meddle("sys/bus/pci/drivers/pcieport/unbind", bridge);
    // The bus says nothing about a probe that failed; bind does.
    host.meddle("sys/bus/pci/drivers_probe", bridge);
    assert_eq!(host.driver_of(bridge), None);
    let bind = "sys/bus/pci/drivers/vfio-pci/bind".to_owned();
    check(&host, &[(bind.clone(), bridge, Err(Errno::INVAL))]);
    let without = FakeHost::new().without_iommu().edu("0000:04:00.0").loaded("vfio-pci");
    without.meddle(&of("0000:04:00.0", "driver_override"), "vfio-pci");
    check(&without, &[(bind, "0000:04:00.0", Err(Errno::INVAL))]);
}

#[test]
fn ids_by_hand() {
    let host = host().edu("0000:04:00.0");
    let file = |name: &str| format!("sys/bus/pci/drivers/vfio-pci/{name}");
    check(
        &host,
        &[
            (file("new_id"), "rubbish", Err(Errno::INVAL)),
            (file("remove_id"), "1234 11e8", Err(Errno::NODEV)),
            (file("new_id"), "1234 11e8", Ok(())),
            (file("new_id"), "1234 11e8", Err(Errno::EXIST)),
        ],
    );
    assert_eq!(host.driver_of("0000:04:00.0").as_deref(), Some("vfio-pci"));
}

#[test]
fn power_and_reset() {
    let host = host().host_bridge("0000:00:00.0");
    host.meddle(&of(GPU, "power/control"), "auto");
    check(
        &host,
        &[
            (of(GPU, "power/control"), "off", Err(Errno::INVAL)),
            (of(GPU, "power/control"), "on", Ok(())),
            (of(GPU, "d3cold_allowed"), "maybe", Err(Errno::INVAL)),
            (of(GPU, "d3cold_allowed"), "0\n", Ok(())),
            (of(GPU, "reset"), "2", Err(Errno::INVAL)),
            (of(GPU, "reset"), "1", Ok(())),
            (of("0000:00:00.0", "reset"), "1", Err(Errno::NOENT)),
            (of(GPU, "vendor"), "0x1", Err(Errno::ACCESS)),
            (of(GPU, "no_such"), "1", Err(Errno::NOENT)),
        ],
    );
    assert_eq!(host.attribute(GPU, "power/control").as_deref(), Some("on"));
    assert_eq!(host.attribute(GPU, "d3cold_allowed").as_deref(), Some("0"));
}

#[test]
fn a_sleeping_device_wakes_and_sleeps_again() {
    let spec = fakehost::FunctionSpec {
        runtime_status: "suspended".into(),
        power_control: "auto".into(),
        ..fakehost::devices::edu("0000:04:00.0".parse().unwrap())
    };
    let host = FakeHost::new().function(spec);
    let status = || host.attribute("0000:04:00.0", "power/runtime_status");
    host.meddle(&of("0000:04:00.0", "power/control"), "on");
    assert_eq!(status().as_deref(), Some("active"));
    host.meddle(&of("0000:04:00.0", "power/control"), "auto");
    assert_eq!(status().as_deref(), Some("suspended"));
}

#[test]
fn virtual_functions() {
    let host = host();
    let before = host.snapshot_tree();
    let count = of(NIC, "sriov_numvfs");
    check(
        &host,
        &[
            (count.clone(), "8", Err(Errno::RANGE)),
            (count.clone(), "x", Err(Errno::INVAL)),
            (count.clone(), "4", Ok(())),
            (count.clone(), "4", Ok(())),
            (count.clone(), "2", Err(Errno::BUSY)),
            (of(GPU, "sriov_numvfs"), "1", Err(Errno::NOENT)),
        ],
    );
    let third = "0000:03:10.4";
    assert_eq!(host.driver_of(third).as_deref(), Some("igbvf"));
    assert_eq!(host.attribute(third, "device").as_deref(), Some("0x10ca"));
    let group = |bdf: &str| std::fs::read_link(host.root().join(of(bdf, "iommu_group"))).unwrap();
    assert_ne!(group(third), group("0000:03:10.2"));
    let parent = std::fs::read_link(host.root().join(of(third, "physfn"))).unwrap();
    assert!(parent.ends_with(NIC));
    let config = std::fs::read(host.root().join(of(third, "config"))).unwrap();
    assert_eq!(config[..4], [0xff; 4], "a virtual function has no ids of its own");
    let resource = host.attribute(third, "resource").unwrap();
    assert!(resource.starts_with("0x000000"), "{resource}");
    assert!(!resource.starts_with("0x0000000000000000"), "{resource}");
    check(&host, &[(count.clone(), "0", Ok(()))]);
    assert_eq!(before.diff(&host.snapshot_tree()), [""; 0]);
    host.meddle("sys/bus/pci/drivers/igb/unbind", NIC);
    check(&host, &[(count, "1", Err(Errno::NOENT))]);
}

#[test]
fn virtual_functions_without_drivers_and_vfio_on_their_parent() {
    let host = host();
    host.meddle(&of(NIC, "sriov_drivers_autoprobe"), "0");
    host.meddle(&of(NIC, "sriov_numvfs"), "1");
    assert_eq!(host.driver_of("0000:03:10.0"), None);
    host.meddle(&of(NIC, "driver_override"), "vfio-pci");
    let bind = "sys/bus/pci/drivers/vfio-pci/bind".to_owned();
    check(&host, &[(bind, NIC, Err(Errno::BUSY))]);
    // Its driver takes its virtual functions along.
    host.meddle("sys/bus/pci/drivers/igb/unbind", NIC);
    assert_eq!(host.attribute(NIC, "sriov_numvfs").as_deref(), Some("0"));
    assert!(!host.root().join(of("0000:03:10.0", "")).exists());
}

#[test]
fn mediated_devices() {
    let kind = MdevType { id: "nvidia-222".into(), name: "GRID T4-1B".into(), available: 1 };
    let host = FakeHost::new().gpu(GPU).mdev_type(&kind);
    let before = host.snapshot_tree();
    let create = of(GPU, "mdev_supported_types/nvidia-222/create");
    let one = "11111111-2222-3333-4444-555555555555";
    let two = "11111111-2222-3333-4444-666666666666";
    check(
        &host,
        &[
            (create.clone(), "one", Err(Errno::INVAL)),
            (create.clone(), one, Ok(())),
            (create.clone(), one, Err(Errno::EXIST)),
            (create, two, Err(Errno::USERS)),
        ],
    );
    let remove = format!("sys/bus/mdev/devices/{one}/remove");
    check(&host, &[(remove.clone(), "0", Err(Errno::INVAL)), (remove, "1", Ok(()))]);
    // The bus stays; it is made by its first device.
    let left = before.diff(&host.snapshot_tree());
    assert!(left.iter().all(|line| line.starts_with("+ sys/bus/mdev")), "{left:#?}");
}

#[test]
fn a_vanished_function_is_gone_everywhere() {
    let host = host();
    host.vanish(GPU);
    let tree = host.snapshot_tree();
    assert!(tree.get(of(GPU, "").trim_end_matches('/')).is_none());
    check(&host, &[("sys/bus/pci/drivers_probe".to_owned(), GPU, Err(Errno::NODEV))]);
    assert!(!host.root().join("sys/bus/pci/drivers/nvidia").join(GPU).exists());
}

#[test]
fn modules_and_units() {
    let host = FakeHost::new()
        .edu("0000:04:00.0")
        .loadable("edu-drv", &[(0x1234, 0x11e8)])
        .unit("gdm.service", true);
    let mut runner = host.runner();
    let mut run = |line: &str| {
        let mut words = line.split(' ');
        let program = words.next().unwrap();
        let output = runner.run(&Cmd::new(program, words));
        output.map(|output| (output.status, output.stdout))
    };
    assert_eq!(run("modprobe edu_drv").unwrap().0, Some(0));
    assert_eq!(host.driver_of("0000:04:00.0").as_deref(), Some("edu-drv"));
    assert_eq!(run("modprobe nothing").unwrap().0, Some(1));
    assert_eq!(run("systemctl is-active gdm.service").unwrap(), (Some(0), "active\n".into()));
    assert_eq!(run("systemctl stop gdm.service").unwrap().0, Some(0));
    assert_eq!(run("systemctl is-active gdm.service").unwrap(), (Some(3), "inactive\n".into()));
    assert_eq!(run("systemctl start no.service").unwrap().0, Some(5));
    assert!(matches!(run("rm -rf x"), Err(RunError::Start { .. })));
    assert_eq!(host.log().len(), 7);
}
