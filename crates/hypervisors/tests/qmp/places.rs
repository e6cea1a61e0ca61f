//! What a running guest has where, and what its IOMMU speaks against.

use hypervisors::qemu::{Qmp, QmpError};
use hypervisors::{ControlError, Guest, HostDevice, HostFunction, Slots};
use serde_json::{Value, json};

use crate::cases::*;
use crate::server::*;

/// What a guest has: a name, none when empty, and a type.
type Things = &'static [(&'static str, &'static str)];

const PLAIN: Things =
    &[("rp1", "pcie-root-port"), ("rp2", "pcie-root-port"), ("rp3", "pcie-root-port")];
const VIRTUAL: Things = &[
    ("rp1", "pcie-root-port"),
    ("rp2", "pcie-root-port"),
    ("rp3", "pcie-root-port"),
    ("", "intel-iommu"),
];
const PSERIES: Things = &[
    ("phb1", "spapr-pci-host-bridge"),
    ("phb2", "spapr-pci-host-bridge"),
    ("phb3", "spapr-pci-host-bridge"),
];

/// A guest with empty ports. Anything but a question ends it.
fn guest_of(things: Things) -> Qmp {
    let list = move |named: bool| -> Value {
        let things = things.iter().filter(|(id, _)| id.is_empty() != named);
        let entry =
            |(id, kind): &(&str, &str)| json!({ "name": id, "type": format!("child<{kind}>") });
        things.map(entry).collect()
    };
    let script: Script = Box::new(move |request, stream| {
        let arguments = &request["arguments"];
        let value = match (&request["execute"], &arguments["path"], &arguments["property"]) {
            (verb, path, _) if verb == "qom-list" => list(path == "/machine/peripheral"),
            (verb, _, property) if verb == "qom-get" && property == "parent_bus" => {
                json!("/machine/root")
            }
            (verb, ..) if verb == "qom-get" => json!(64 * GIB),
            (verb, ..) => panic!("{verb}"),
        };
        answer(stream, request, value);
    });
    client(script, PATIENT)
}

fn one(address: &str, group: u32) -> HostFunction {
    function(address, group, vec![])
}

fn single(address: &str, group: u32) -> HostDevice {
    device(vec![one(address, group)])
}

fn pair() -> HostDevice {
    device(vec![one("0000:65:00.0", 7), one("0000:65:00.1", 7)])
}

/// What such a guest that holds these functions says to these devices.
fn says(things: Things, devices: &[HostDevice], held: &[HostFunction]) -> String {
    match guest_of(things).may_attach(devices, held) {
        Ok(()) => "may come".to_owned(),
        Err(ControlError::Refused(reason)) => format!("{reason}\n  hint: {}", reason.hint),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_group_has_one_address_space() {
    let held = [one("0000:02:00.0", 7)];
    let mut ungrouped = single("0000:65:00.0", 0);
    ungrouped.functions[0].group = None;
    let cases: [(&str, Vec<HostDevice>, &[HostFunction]); 6] = [
        ("groups of their own", vec![single("0000:65:00.0", 8), single("0000:66:00.0", 9)], &held),
        ("no group is no common group", vec![ungrouped.clone(), ungrouped], &[]),
        ("one slot, one group", vec![pair()], &[]),
        ("two slots, one group", vec![single("0000:65:00.0", 7), single("0000:66:00.0", 7)], &[]),
        ("a slot with what is held", vec![single("0000:65:00.0", 7)], &held),
        ("the second one with what is held", vec![single("0000:65:00.0", 8), pair()], &held),
    ];
    let mut text = String::new();
    for (case, devices, held) in &cases {
        text.push_str(&format!("{case}\n"));
        for (guest, things) in [("plain", PLAIN), ("virtual", VIRTUAL), ("pseries", PSERIES)] {
            text.push_str(&format!("- {guest}: {}\n", says(things, devices, held)));
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn interrupts_are_remapped_by_a_virtual_iommu_and_on_power() {
    let devices = [device(vec![aic100("0000:81:00.0", 81)])];
    assert!(says(PLAIN, &devices, &[]).contains("interrupt remapping"));
    assert_eq!(says(VIRTUAL, &devices, &[]), "may come");
    assert_eq!(says(PSERIES, &devices, &[]), "may come");
}

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
