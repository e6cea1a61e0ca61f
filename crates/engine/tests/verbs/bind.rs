//! There and back, once, twice, by others, after a reboot.

use engine::BindRequest;
use fakehost::On;
use model::Step;
use rustix::io::Errno;

use crate::given::*;

#[test]
fn bind_moves_the_group_and_release_restores_the_machine() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let report = given.engine().bind(&request(&[GPU])).unwrap();
    let steps: Vec<String> = report.steps.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("bind__gpu", steps.join("\n"));
    for function in [GPU, AUDIO] {
        assert_eq!(given.host.driver_of(function).as_deref(), Some("vfio-pci"));
    }
    assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(false));

    let report = given.engine().release(&typed(&[AUDIO])).unwrap();
    let steps: Vec<String> = report.steps.iter().map(ToString::to_string).collect();
    insta::assert_snapshot!("release__gpu", steps.join("\n"));
    assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true));
    assert_eq!(as_before(&before.diff(&given.host.snapshot_tree())), [""; 0]);
}

/// Loaded modules stay: nobody can know who uses them by now.
fn as_before(diff: &[String]) -> Vec<&String> {
    let module = |line: &&String| !line.contains("vfio");
    diff.iter().filter(module).collect()
}

#[test]
fn twice_is_once() {
    let given = Given::new();
    given.engine().bind(&request(&[NVME])).unwrap();
    let bound = given.host.snapshot_tree();
    let report = given.engine().bind(&request(&[NVME])).unwrap();
    assert!(report.steps.is_empty());
    assert_eq!(bound.diff(&given.host.snapshot_tree()), [""; 0]);

    given.engine().release(&typed(&[NVME])).unwrap();
    let released = given.host.snapshot_tree();
    let report = given.engine().release(&typed(&[NVME])).unwrap();
    assert!(report.steps.is_empty());
    assert_eq!(released.diff(&given.host.snapshot_tree()), [""; 0]);
}

#[test]
fn a_dry_run_changes_nothing_and_says_the_same() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    let plan = given.engine().plan_bind(&request(&[GPU, NVME])).unwrap();
    assert_eq!(before.diff(&given.host.snapshot_tree()), [""; 0]);
    assert!(given.state.path().read_dir().unwrap().next().is_none(), "no state was made");
    let report = given.engine().bind(&request(&[GPU, NVME])).unwrap();
    assert_eq!(plan.steps, report.steps);
    let plan = given.engine().plan_release(&typed(&[GPU, NVME])).unwrap();
    let report = given.engine().release(&typed(&[GPU, NVME])).unwrap();
    assert_eq!(plan.steps.len(), report.steps.len());
}

#[test]
fn a_service_is_not_stopped_without_consent() {
    let given = Given::new();
    let asked = BindRequest { stop_services: false, ..request(&[GPU]) };
    let error = given.engine().bind(&asked).unwrap_err();
    assert_eq!(codes(&error), ["service_must_stop"]);
    assert_eq!(given.host.log(), []);
}

#[test]
fn what_depends_on_a_stopped_service_comes_back_with_it() {
    let (first, second) = ("exporter.service", "dashboard.service");
    let host = machine()
        .unit(first, true)
        .unit(second, true)
        .unit("idle.service", false)
        .requires(first, "nvidia-persistenced.service")
        .requires(second, first)
        .requires("idle.service", "nvidia-persistenced.service");
    let given = Given { host, ..Given::new() };
    let before = given.host.snapshot_tree();
    let report = given.engine().bind(&request(&[GPU])).unwrap();
    let steps: Vec<String> = report.steps.iter().map(ToString::to_string).collect();
    let stops: Vec<&str> = steps.iter().filter_map(|step| step.strip_prefix("stop ")).collect();
    assert_eq!(stops, [second, first, "nvidia-persistenced.service"]);
    assert_eq!(report.notes.iter().filter(|note| note.text.contains("stopped as well")).count(), 2);
    given.engine().release(&typed(&[GPU])).unwrap();
    for unit in [first, second, "nvidia-persistenced.service"] {
        assert_eq!(given.host.is_active(unit), Some(true), "{unit}");
    }
    assert_eq!(given.host.is_active("idle.service"), Some(false));
    assert_eq!(as_before(&before.diff(&given.host.snapshot_tree())), [""; 0]);
}

/// A client that connects again at once does not bring the service back.
#[test]
fn a_service_is_stopped_with_its_socket_and_both_come_back() {
    let (service, socket, idle) =
        ("nvidia-persistenced.service", "nvidia-persistenced.socket", "idle.socket");
    let host = machine()
        .unit(socket, true)
        .unit(idle, false)
        .triggers(socket, service)
        .triggers(idle, service);
    let given = Given { host, ..Given::new() };
    let before = given.host.snapshot_tree();
    let report = given.engine().bind(&request(&[GPU])).unwrap();
    let stop = report.steps.iter().find(|step| matches!(step, Step::StopUnit { .. }));
    let stop = stop.unwrap().to_string();
    assert_eq!(stop, "stop nvidia-persistenced.service with nvidia-persistenced.socket");
    let active = |unit: &str| given.host.is_active(unit);
    assert_eq!([service, socket, idle].map(active), [Some(false); 3]);
    given.engine().release(&typed(&[GPU])).unwrap();
    assert_eq!([service, socket, idle].map(active), [Some(true), Some(true), Some(false)]);
    assert_eq!(as_before(&before.diff(&given.host.snapshot_tree())), [""; 0]);
}

#[test]
fn a_device_without_a_driver_goes_and_comes_back_without_one() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    given.engine().bind(&request(&[EDU])).unwrap();
    assert_eq!(given.host.driver_of(EDU).as_deref(), Some("vfio-pci"));
    given.engine().release(&typed(&[EDU])).unwrap();
    assert_eq!(given.host.driver_of(EDU), None);
    assert_eq!(as_before(&before.diff(&given.host.snapshot_tree())), [""; 0]);
}

#[test]
fn what_others_bound_is_given_to_the_driver_that_the_kernel_picks() {
    let given = Given { host: machine().loaded("vfio-pci"), ..Given::new() };
    let device = format!("sys/bus/pci/devices/{NVME}");
    given.host.meddle("sys/bus/pci/drivers/nvme/unbind", NVME);
    given.host.meddle(&format!("{device}/driver_override"), "vfio-pci");
    given.host.meddle("sys/bus/pci/drivers_probe", NVME);
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("vfio-pci"));
    given.engine().release(&typed(&[NVME])).unwrap();
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"));
    assert_eq!(given.host.attribute(NVME, "driver_override").as_deref(), Some("(null)"));
}

#[test]
fn what_was_found_bound_is_released_by_a_person_at_once() {
    let host = machine().loaded("vfio-pci");
    host.meddle("sys/bus/pci/drivers/nvme/unbind", NVME);
    host.meddle(&format!("sys/bus/pci/devices/{NVME}/driver_override"), "vfio-pci");
    host.meddle("sys/bus/pci/drivers_probe", NVME);
    let given = Given { host, ..Given::new() };
    given.engine().bind(&request(&[NVME])).unwrap();
    given.engine().release(&typed(&[NVME])).unwrap();
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"));
    assert_eq!(given.host.attribute(NVME, "driver_override").as_deref(), Some("(null)"));
}

#[test]
fn a_device_whose_driver_is_gone_is_released_without_one() {
    let given = Given::new();
    given.engine().bind(&request(&[NVME, GPU])).unwrap();
    given.host.unload("nvme");
    let planned = given.engine().plan_release(&typed(&[NVME])).unwrap();
    let report = given.engine().release(&typed(&[NVME])).unwrap();
    for notes in [&planned.notes, &report.notes] {
        assert_eq!(notes.len(), 1, "{notes:?}");
        assert!(notes[0].to_string().contains("nvme"), "{notes:?}");
    }
    assert_eq!(given.host.driver_of(NVME), None);
    assert_eq!(given.host.attribute(NVME, "driver_override").as_deref(), Some("(null)"));
    assert!(given.engine().release(&typed(&[NVME])).unwrap().steps.is_empty());
    assert!(given.engine().recover().unwrap().is_empty());
    let host = given.host.clone().driver("nvme", &[(0x144d, 0xa808)]);
    host.meddle("sys/bus/pci/drivers_probe", NVME);
    assert_eq!(host.driver_of(NVME).as_deref(), Some("nvme"));
    given.engine().bind(&request(&[NVME])).unwrap();
}

#[test]
fn a_variant_of_vfio_pci_is_loaded_where_the_kernel_has_it() {
    let host = machine().loadable("mlx5_vfio_pci", &[(0x144d, 0xa808)]);
    let given = Given { host, ..Given::new() };
    let with = |driver: &str| BindRequest { driver: Some(driver.into()), ..request(&[NVME]) };
    let error = given.engine().bind(&with("nvgrace_gpu_vfio_pci")).unwrap_err();
    assert_eq!(codes(&error), ["no_guest_driver"]);
    assert_eq!(given.host.log(), []);
    let planned = given.engine().plan_bind(&with("mlx5_vfio_pci")).unwrap();
    let report = given.engine().bind(&with("mlx5_vfio_pci")).unwrap();
    assert_eq!(planned.steps, report.steps);
    assert_eq!(report.steps[0], Step::LoadModule { module: "mlx5_vfio_pci".to_owned() });
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("mlx5_vfio_pci"));
    given.engine().release(&typed(&[NVME])).unwrap();
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn a_foreign_guest_keeps_its_device() {
    let host = machine().loaded("vfio-pci");
    host.meddle("sys/bus/pci/drivers/nvme/unbind", NVME);
    host.meddle(&format!("sys/bus/pci/devices/{NVME}/driver_override"), "vfio-pci");
    host.meddle("sys/bus/pci/drivers_probe", NVME);
    let group =
        std::fs::read_link(host.root().join(format!("sys/bus/pci/devices/{NVME}/iommu_group")));
    let node = format!("vfio/{}", group.unwrap().file_name().unwrap().to_str().unwrap());
    let host = host.process(900, "qemu-system-x86_64", &[&node], None);
    let given = Given { host, ..Given::new() };
    for error in [
        given.engine().release(&typed(&[NVME])).unwrap_err(),
        given.engine().bind(&request(&[NVME])).unwrap_err(),
        given.engine().reset(NVME).unwrap_err(),
    ] {
        assert!(
            codes(&error).iter().all(|code| ["assigned", "held_by_process"].contains(code)),
            "{error}"
        );
    }
    assert_eq!(given.host.log(), []);
}

#[test]
fn unknown_devices_are_named() {
    let given = Given::new();
    let error = given.engine().bind(&request(&["0000:99:00.0"])).unwrap_err();
    assert_eq!(codes(&error), ["not_found"]);
    let error = given.engine().release(&typed(&["0000:99:00.0"])).unwrap_err();
    assert_eq!(codes(&error), ["not_found"]);
    let error = given.engine().bind(&request(&["my-gpu"])).unwrap_err();
    assert_eq!(error.code(), "unknown_device");
    assert!(error.to_string().contains("my-gpu"));
    assert_eq!(given.host.log(), []);
}

#[test]
fn a_reboot_forgets_what_the_kernel_forgot() {
    let given = Given::new();
    given.engine().bind(&request(&[NVME])).unwrap();
    // The kernel makes sysfs anew: the drive is on its driver.
    let after = Given { host: machine(), state: given.state };
    after.boot_id("11111111-2222-3333-4444-555555555555");
    let recovered = after.engine().recover().unwrap();
    assert_eq!(recovered.voided, 1);
    assert!(after.engine().recover().unwrap().is_empty());
    assert_eq!(after.host.log(), []);
    assert!(after.engine().release(&typed(&[NVME])).unwrap().steps.is_empty());
    assert_eq!(after.host.driver_of(NVME).as_deref(), Some("nvme"));
}

#[test]
fn a_read_only_sysfs_is_said_and_nothing_is_left() {
    let given = Given::new();
    let before = given.host.snapshot_tree();
    given.host.refuse_always(On::AnyWrite, Errno::ROFS);
    let error = given.engine().bind(&request(&[NVME])).unwrap_err();
    assert_eq!(error.code(), "step_failed");
    assert!(error.to_string().contains("read-only file system"), "{error}");
    assert_eq!(as_before(&before.diff(&given.host.snapshot_tree())), [""; 0]);
    assert!(given.engine().unfinished().unwrap().is_empty());
}
