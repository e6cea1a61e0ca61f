//! Whatever the devices are: every one has its own place, once.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cases;

use std::collections::{BTreeMap, BTreeSet};

use cases::*;
use hypervisors::machine::{GuestIommu, Machine, SparePorts};
use hypervisors::qemu::Qemu;
use hypervisors::{Backend, GuestSpec, HostDevice, HostFunction, Reserve};
use proptest::prelude::*;

/// `-device` arguments, each as its head and its properties.
fn devices(args: &[String]) -> Vec<(String, BTreeMap<String, String>)> {
    let pairs = args.windows(2).filter(|pair| pair[0] == "-device");
    pairs
        .map(|pair| {
            let mut words = pair[1].split(',');
            let head = words.next().unwrap().to_owned();
            let properties = words.map(|word| word.split_once('=').unwrap());
            (head, properties.map(|(key, value)| (key.to_owned(), value.to_owned())).collect())
        })
        .collect()
}

prop_compose! {
    fn any_bar()(index in 0u8..6, shift in 12u32..36, wide: bool, prefetchable: bool, is_io in 0..8)
        -> model::function::Bar {
        match is_io {
            0 => io(index, 256),
            // A register of 32 bits is small enough for several of them.
            _ if wide && prefetchable => bar(index, 1 << shift, true, true),
            _ => bar(index, 1 << (shift.min(20)), wide, prefetchable),
        }
    }
}

prop_compose! {
    fn any_function()(
        domain in prop_oneof![Just(0u32), Just(0x10000u32)],
        bus in 0u8..4, slot in 0u8..3, number in 0u8..8,
        group in proptest::option::of(0u32..6),
        bars in proptest::collection::vec(any_bar(), 0..3),
        is_virtual in proptest::bool::weighted(0.2),
        needs_remapping in proptest::bool::weighted(0.1),
    ) -> HostFunction {
        let address = format!("{domain:04x}:{bus:02x}:{slot:02x}.{number}");
        let mut function = function(&address, 0, bars);
        function.group = group.map(model::snapshot::GroupId);
        function.is_virtual = is_virtual;
        function.needs_remapping = needs_remapping;
        function
    }
}

prop_compose! {
    fn any_spec()(
        functions in proptest::collection::vec(any_function(), 0..14),
        spare in 0u32..9,
        wide in 0u64..(64 * GIB),
        low in 0u64..(64 * MIB),
        iommu in prop_oneof![Just(GuestIommu::Auto), Just(GuestIommu::On)],
    ) -> GuestSpec {
        let mut seen = BTreeSet::new();
        let functions = functions.into_iter().filter(|function| seen.insert(function.bdf));
        let mut spec = guest(4 * GIB);
        spec.devices = HostDevice::by_slot(functions.collect());
        spec.spare = SparePorts { count: spare, reserve: Reserve { wide, low } };
        spec.iommu = iommu;
        spec
    }
}

fn functions(spec: &GuestSpec) -> Vec<&HostFunction> {
    spec.devices.iter().flat_map(|device| &device.functions).collect()
}

/// What holds of every command line.
fn check(spec: &GuestSpec, args: &[String]) {
    let devices = devices(args);
    let mut ids = BTreeSet::new();
    let mut places: BTreeMap<(String, u8), BTreeMap<u8, bool>> = BTreeMap::new();
    for (head, properties) in &devices {
        if let Some(id) = properties.get("id") {
            assert!(ids.insert(id.clone()), "{id} stands twice");
        }
        let Some(bus) = properties.get("bus") else { continue };
        let known =
            bus == "pcie.0" || ids.contains(bus) || ids.contains(bus.trim_end_matches(".0"));
        assert!(known, "{head} is on {bus}, which is not there yet");
        let Some(addr) = properties.get("addr") else { continue };
        let (slot, function) = addr.split_once('.').unwrap_or((addr, "0x0"));
        let number = |text: &str| u8::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
        let (slot, function) = (number(slot), number(function));
        assert!(slot <= 31 && function <= 7, "{addr}");
        let multifunction = properties.get("multifunction").is_some_and(|word| word == "on");
        let siblings = places.entry((bus.clone(), slot)).or_default();
        assert!(siblings.insert(function, multifunction).is_none(), "{bus} {addr} is taken twice");
    }
    for (place, siblings) in &places {
        let announced = siblings.get(&0);
        assert!(announced.is_some(), "{place:?} has no function 0");
        assert_eq!(*announced.unwrap(), siblings.len() > 1, "{place:?}");
    }
    once_each(spec, &devices);
}

/// Every function is there once, by its own folder; functions of a device share a slot.
fn once_each(spec: &GuestSpec, devices: &[(String, BTreeMap<String, String>)]) {
    let vfio: Vec<_> = devices.iter().filter(|(head, _)| head == "vfio-pci").collect();
    assert_eq!(vfio.len(), functions(spec).len());
    let place = |function: &HostFunction| {
        let folder = function.sysfs.display().to_string();
        let mut found = vfio.iter().filter(|(_, properties)| properties["sysfsdev"] == folder);
        let (_, properties) = found.next().expect("it is there");
        assert!(found.next().is_none() && !properties.contains_key("host"));
        (properties["bus"].clone(), properties["addr"].split_once('.').unwrap().0.to_owned())
    };
    for device in &spec.devices {
        let places: BTreeSet<_> = device.functions.iter().map(place).collect();
        assert_eq!(places.len(), 1, "{device:?} is scattered");
    }
    if spec.has_iommu() {
        for group in functions(spec).iter().filter_map(|function| function.group) {
            let of_group = functions(spec).into_iter().filter(|member| member.group == Some(group));
            let buses: BTreeSet<String> = of_group.map(|member| place(member).0).collect();
            assert_eq!(buses.len(), 1, "{group} is in several address spaces");
        }
    }
}

proptest! {
    #[test]
    fn q35_gives_each_its_own_place(spec in any_spec()) {
        match Qemu.render(&spec, &server()) {
            Ok(rendered) => {
                let args = args(&rendered);
                check(&spec, &args);
                let devices = devices(&args);
                let ports: Vec<_> =
                    devices.iter().filter(|(head, _)| head == "pcie-root-port").collect();
                for key in ["chassis", "slot", "id"] {
                    let unique: BTreeSet<_> = ports.iter().map(|(_, all)| &all[key]).collect();
                    prop_assert_eq!(unique.len(), ports.len(), "{}", key);
                }
                let first = devices.first().map(|(head, _)| head.as_str());
                prop_assert_eq!(spec.has_iommu(), first == Some("intel-iommu"));
            }
            // The only thing that such guests run into.
            Err(refusal) => {
                let text = refusal.to_string();
                prop_assert!(
                    text.contains("I/O space") || text.contains("needs a window"), "{}", text
                );
            }
        }
    }

    #[test]
    fn pseries_gives_each_its_own_place(mut spec in any_spec()) {
        spec.machine = Machine::named("pseries").unwrap();
        spec.iommu = GuestIommu::Auto;
        let args = args(&Qemu.render(&spec, &server()).unwrap());
        check(&spec, &args);
        // A group is behind one host bridge only.
        let all = devices(&args);
        let mut buses: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for function in functions(&spec).iter().filter(|function| function.group.is_some()) {
            let folder = function.sysfs.display().to_string();
            let (_, properties) =
                all.iter().find(|(_, all)| all.get("sysfsdev") == Some(&folder)).unwrap();
            buses.entry(function.group).or_default().insert(properties["bus"].clone());
        }
        prop_assert!(buses.values().all(|buses| buses.len() == 1), "{:?}", buses);
    }

    #[test]
    fn no_text_escapes_its_argument(name in "[ -~]{1,20}", file in "[ -~]{1,20}") {
        let mut spec = whole(GIB);
        spec.name = name.clone();
        spec.disks[0].path = format!("/srv/{file}").into();
        let args = args(&Qemu.render(&spec, &server()).unwrap());
        // Take apart as QEMU does: a comma ends a value unless it is doubled.
        let value_of = |text: &str, key: &str| {
            let text = text.replace(",,", "\u{1}");
            let mut words = text.split(',').filter_map(|word| word.split_once('='));
            words.find(|word| word.0 == key).map(|word| word.1.replace('\u{1}', ","))
        };
        let after = |flag: &str| {
            args.windows(2).find(|pair| pair[0] == flag).map(|pair| pair[1].clone()).unwrap()
        };
        prop_assert_eq!(value_of(&after("-name"), "guest"), Some(name));
        let want = format!("/srv/{file}");
        prop_assert_eq!(value_of(&after("-blockdev"), "file.filename"), Some(want));
    }

    #[test]
    fn any_guest_is_rendered_or_refused(
        mut spec in any_spec(),
        memory: u64, cpus: u32, name: String, uuid: String, spare: u32, wide: u64, low: u64,
        bits in proptest::option::of(0u8..70),
    ) {
        spec.memory.bytes = memory;
        spec.cpus = cpus;
        spec.name = name;
        spec.uuid = uuid;
        spec.spare = SparePorts { count: spare % 1000, reserve: Reserve { wide, low } };
        let facts = hypervisors::HostFacts { iommu_bits: bits, ..server() };
        let _ = Qemu.render(&spec, &facts);
        spec.machine = Machine::named("pseries").unwrap();
        let _ = Qemu.render(&spec, &facts);
    }
}
