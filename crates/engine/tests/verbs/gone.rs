//! Devices that are pulled out, or exchanged, while passthru holds them.

use crate::given::*;

#[test]
fn what_was_pulled_out_is_held_no_more_and_its_service_comes_back() {
    let given = Given::new();
    given.engine().bind(&request(&[GPU])).unwrap();
    for function in [GPU, AUDIO] {
        given.host.vanish(function);
    }
    given.engine().recover().unwrap();
    assert_eq!(given.host.is_active("nvidia-persistenced.service"), Some(true));
    assert!(given.engine().recover().unwrap().is_empty());
    given.engine().bind(&request(&[NVME])).unwrap();
}

#[test]
fn another_device_at_the_address_inherits_nothing() {
    let given = Given::new();
    given.engine().bind(&request(&[NVME])).unwrap();
    given.host.vanish(NVME);
    // Exchanged while nobody looked: a device that starts awake, whose
    // owner gave it to a guest's driver by hand.
    let host = given.host.clone().edu(NVME);
    let device = format!("sys/bus/pci/devices/{NVME}");
    host.meddle(&format!("{device}/d3cold_allowed"), "0");
    host.meddle(&format!("{device}/driver_override"), "pci-stub");
    given.host.calm();
    let before = given.host.snapshot_tree();
    let planned = given.engine().plan_release(&typed(&[NVME])).unwrap();
    let report = given.engine().release(&typed(&[NVME])).unwrap();
    assert_eq!((planned.steps, report.steps), (Vec::new(), Vec::new()));
    assert_eq!(before.diff(&given.host.snapshot_tree()), [""; 0]);
    assert_eq!(given.host.log(), []);
}

#[test]
fn the_same_device_plugged_in_again_is_the_hosts() {
    let given = Given::new();
    given.engine().bind(&request(&[NVME])).unwrap();
    given.host.vanish(NVME);
    let host = given.host.clone().nvme(NVME);
    let before = host.snapshot_tree();
    assert!(given.engine().release(&typed(&[NVME])).unwrap().steps.is_empty());
    assert_eq!(before.diff(&given.host.snapshot_tree()), [""; 0]);
    given.engine().bind(&request(&[NVME])).unwrap();
    given.engine().release(&typed(&[NVME])).unwrap();
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("nvme"));
}
