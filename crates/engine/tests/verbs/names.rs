//! Registered devices: a name is a device and not an address.

use engine::Name;
use fakehost::FakeHost;

use crate::given::*;

fn name(text: &str) -> Name {
    text.parse().unwrap()
}

#[test]
fn a_name_serves_where_an_address_does() {
    let given = Given::new();
    let device = given.engine().add_device(NVME, &name("scratch")).unwrap();
    assert_eq!(device.bdf.to_string(), NVME);
    given.engine().bind(&request(&["scratch"])).unwrap();
    assert_eq!(given.host.driver_of(NVME).as_deref(), Some("vfio-pci"));
    given.engine().release(&typed(&["scratch"])).unwrap();
    given.engine().remove_device(&name("scratch")).unwrap();
    assert_eq!(
        given.engine().remove_device(&name("scratch")).unwrap_err().code(),
        "not_registered"
    );
    assert_eq!(given.engine().bind(&request(&["scratch"])).unwrap_err().code(), "unknown_device");
}

#[test]
fn names_and_devices_are_registered_once() {
    let given = Given::new();
    given.engine().add_device(NVME, &name("a")).unwrap();
    assert_eq!(given.engine().add_device(EDU, &name("a")).unwrap_err().code(), "name_taken");
    let error = given.engine().add_device("66:00.0", &name("b")).unwrap_err();
    assert_eq!(error.code(), "already_registered");
    assert_eq!(given.engine().registered().unwrap().len(), 1);
}

#[test]
fn ids_mean_a_device_where_only_one_matches() {
    let given = Given::new();
    let device = given.engine().add_device("1234:11e8", &name("edu")).unwrap();
    assert_eq!(device.bdf.to_string(), EDU);
    let error = given.engine().add_device("1234:ffff", &name("x")).unwrap_err();
    assert_eq!(error.code(), "unknown_device");
    let error = given.engine().add_device("1b36:000c", &name("x")).unwrap_err();
    assert_eq!(error.code(), "ambiguous_device");
}

#[test]
fn another_device_at_the_address_is_refused() {
    let given = Given::new();
    given.engine().add_device(NVME, &name("scratch")).unwrap();
    let host = FakeHost::new()
        .root_port("0000:00:02.0", 0x66)
        .root_port("0000:00:03.0", 0x67)
        .edu(NVME)
        .nvme("0000:67:00.0");
    let moved = Given { host, state: given.state };
    let error = moved.engine().bind(&request(&["scratch"])).unwrap_err();
    assert_eq!(codes(&error), ["identity_mismatch"]);
    let engine::Error::Refused(refusal) = &error else { panic!() };
    assert!(refusal.reasons[0].hint.contains("0000:67:00.0"), "{error}");
    assert_eq!(moved.host.log(), []);
}
