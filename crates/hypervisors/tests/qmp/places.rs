//! What a running guest has where.

use hypervisors::qemu::QmpError;
use hypervisors::{ControlError, Guest, Slots};
use serde_json::{Value, json};

use crate::server::*;

/// A device's name, its bus and its address there; `None`: it left between
/// the list and the look.
type Place = (&'static str, Option<(&'static str, Value)>);

/// Asks a guest whose devices are at these places.
fn slots(places: Vec<Place>) -> Result<Slots, QmpError> {
    let script: Script = Box::new(move |request, stream| {
        let path = request["arguments"]["path"].as_str().unwrap();
        if request["execute"] == "qom-list" {
            let entry = |(id, _): &Place| json!({ "name": id, "type": "child<vfio-pci>" });
            return answer(stream, request, places.iter().map(entry).collect());
        }
        let (_, place) = places.iter().find(|(id, _)| path.ends_with(id)).unwrap();
        match (place, request["arguments"]["property"].as_str().unwrap()) {
            (Some((bus, _)), "parent_bus") => answer(stream, request, json!(bus)),
            (Some((_, addr)), "addr") => answer(stream, request, addr.clone()),
            _ => fail(stream, request, "DeviceNotFound", "not found"),
        }
    });
    client(script, PATIENT).slots().map_err(|error| match error {
        ControlError::Socket(error) => error,
        error => panic!("{error:?}"),
    })
}

#[test]
fn what_shares_a_slot_is_on_one_bus_and_in_order_of_function() {
    let mut slots = slots(vec![
        ("pci-a", Some(("/rp1/rp1", json!(1)))),
        ("pci-b", Some(("/rp1/rp1", json!(0)))),
        ("pci-c", Some(("/rp2/rp2", json!(0)))),
        ("pci-d", None),
        // Behind a bridge: two slots of one bus.
        ("pci-e", Some(("/pb3/pb3", json!(8)))),
        ("pci-f", Some(("/pb3/pb3", json!(0x10)))),
    ])
    .unwrap();
    slots.sort();
    let want: [&[&str]; 4] = [&["pci-b", "pci-a"], &["pci-c"], &["pci-e"], &["pci-f"]];
    assert_eq!(slots, want);
}

#[test]
fn a_place_that_is_none_is_an_error() {
    let error = slots(vec![("pci-a", Some(("/rp1/rp1", json!("somewhere"))))]).unwrap_err();
    assert!(matches!(error, QmpError::Malformed(_)), "{error:?}");
}
