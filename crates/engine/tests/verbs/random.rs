//! Machines by chance: whatever stands in which group, with which driver and
//! settings, a plan reaches what was asked for, once, and its way back ends
//! where it began.

use std::collections::BTreeSet;

use engine::{BindRequest, Error};
use fakehost::{Errno, FakeHost, FunctionSpec, On, TreeSnapshot, devices};
use model::Bdf;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::given::Given;

/// One card, below a port of its own.
#[derive(Clone, Debug)]
struct Card {
    kind: Kind,
    /// Whether its functions have their drivers.
    driven: bool,
    /// A group that it shares with others; its own without.
    group: Option<u32>,
    power_control: &'static str,
    d3cold_allowed: Option<bool>,
    /// Somebody said before which driver alone may have it.
    chosen: bool,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Gpu,
    GpuWithAudio,
    Drive,
    Network,
    Plain,
}

fn card() -> impl Strategy<Value = Card> {
    let kinds = vec![Kind::Gpu, Kind::GpuWithAudio, Kind::Drive, Kind::Network, Kind::Plain];
    (
        select(kinds),
        any::<bool>(),
        prop_oneof![Just(None), (40..43_u32).prop_map(Some)],
        select(vec!["auto", "on"]),
        select(vec![None, Some(false), Some(true)]),
        any::<bool>(),
    )
        .prop_map(|(kind, driven, group, power_control, d3cold_allowed, chosen)| Card {
            kind,
            driven,
            group,
            power_control,
            d3cold_allowed,
            chosen,
        })
}

impl Card {
    fn set(&self, spec: FunctionSpec) -> FunctionSpec {
        FunctionSpec {
            driver: spec.driver.filter(|_| self.driven),
            group: self.group,
            power_control: self.power_control.to_owned(),
            d3cold_allowed: self.d3cold_allowed,
            ..spec
        }
    }

    fn add_to(&self, host: FakeHost, slot: u8) -> FakeHost {
        let text = format!("0000:{:02x}:00.0", 0x60 + slot);
        let bdf: Bdf = text.parse().unwrap();
        let spec = match self.kind {
            Kind::Gpu | Kind::GpuWithAudio => devices::gpu(bdf),
            Kind::Drive => devices::nvme(bdf, &format!("nvme{slot}")),
            Kind::Network => devices::nic(bdf, &format!("eth{slot}")),
            Kind::Plain => devices::edu(bdf),
        };
        let driver = spec.driver.clone();
        let host = host.root_port(&format!("0000:00:{:02x}.0", slot + 1), 0x60 + slot);
        let host = host.function(self.set(spec));
        let host = match self.kind {
            Kind::GpuWithAudio => host.with_function(1, |bdf| self.set(devices::gpu_audio(bdf))),
            _ => host,
        };
        if let (true, Some(driver)) = (self.chosen, driver) {
            host.meddle(&format!("sys/bus/pci/devices/{text}/driver_override"), &driver);
        }
        host
    }
}

/// A machine, and what is asked of it.
fn given(cards: &[Card], named: &[Index]) -> (Given, Vec<Bdf>) {
    let cards = (0_u8..).zip(cards);
    let host = cards.fold(FakeHost::new(), |host, (slot, card)| card.add_to(host, slot));
    let all = functions(&host);
    let named: BTreeSet<Bdf> = named.iter().map(|index| *index.get(&all)).collect();
    (Given { host, ..Given::new() }, named.into_iter().collect())
}

/// Every function but the ports.
fn functions(host: &FakeHost) -> Vec<Bdf> {
    names(host, "sys/bus/pci/devices").into_iter().filter(|bdf| bdf.bus() != 0).collect()
}

fn names(host: &FakeHost, folder: &str) -> Vec<Bdf> {
    let entries = std::fs::read_dir(host.root().join(folder)).unwrap().flatten();
    let mut names: Vec<Bdf> =
        entries.map(|entry| entry.file_name().to_str().unwrap().parse().unwrap()).collect();
    names.sort();
    names
}

/// The groups of these functions, whole, by the tree.
fn with_company(host: &FakeHost, named: &[Bdf]) -> Vec<Bdf> {
    let group = |bdf: &Bdf| format!("sys/bus/pci/devices/{bdf}/iommu_group/devices");
    let members = named.iter().flat_map(|bdf| names(host, &group(bdf)));
    members.collect::<BTreeSet<Bdf>>().into_iter().collect()
}

fn wanted(named: &[Bdf]) -> BindRequest {
    let devices = named.iter().map(ToString::to_string).collect();
    BindRequest { devices, ..BindRequest::default() }
}

/// What differs, but for modules that were loaded meanwhile.
fn differs(before: &TreeSnapshot, host: &FakeHost) -> Vec<String> {
    let diff = before.diff(&host.snapshot_tree()).into_iter();
    diff.filter(|line| !line.contains("vfio")).collect()
}

fn cards() -> impl Strategy<Value = Vec<Card>> {
    proptest::collection::vec(card(), 1..5)
}

fn named() -> impl Strategy<Value = Vec<Index>> {
    proptest::collection::vec(any::<Index>(), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_reaches_what_was_asked_for_and_twice_is_once(cards in cards(), named in named()) {
        let (given, named) = given(&cards, &named);
        let host = &given.host;
        let before = host.snapshot_tree();
        let moving = with_company(host, &named);
        let others = functions(host).into_iter().filter(|bdf| !moving.contains(bdf));
        let others: Vec<_> = others.map(|bdf| (bdf, host.driver_of(&bdf.to_string()))).collect();

        let plan = given.engine().plan_bind(&wanted(&named)).unwrap();
        prop_assert_eq!(before.diff(&host.snapshot_tree()), [""; 0], "a plan changes nothing");
        let report = given.engine().bind(&wanted(&named)).unwrap();
        prop_assert_eq!(&plan.steps, &report.steps);
        prop_assert_eq!(&report.functions, &moving, "whole groups");
        for bdf in moving.iter().map(ToString::to_string) {
            let attribute = |name: &str| host.attribute(&bdf, name);
            let settings = [attribute("driver_override"), attribute("power/control")];
            let now = [host.driver_of(&bdf)].into_iter().chain(settings).flatten();
            prop_assert_eq!(now.collect::<Vec<_>>(), ["vfio-pci", "vfio-pci", "on"], "{}", bdf);
            prop_assert!(attribute("d3cold_allowed").is_none_or(|on| on == "0"), "{}", bdf);
        }
        for (bdf, driver) in others {
            prop_assert_eq!(host.driver_of(&bdf.to_string()), driver, "{} is not concerned", bdf);
        }

        let bound = host.snapshot_tree();
        let asked = host.log().len();
        prop_assert_eq!(given.engine().plan_bind(&wanted(&named)).unwrap().steps, []);
        prop_assert_eq!(given.engine().bind(&wanted(&named)).unwrap().steps, []);
        prop_assert_eq!(bound.diff(&host.snapshot_tree()), [""; 0]);
        prop_assert_eq!(host.log().len(), asked, "twice is once");

        given.engine().release(&wanted(&named).devices).unwrap();
        prop_assert_eq!(differs(&before, host), [""; 0]);
        let asked = host.log().len();
        prop_assert_eq!(given.engine().release(&wanted(&named).devices).unwrap().steps, []);
        prop_assert_eq!(differs(&before, host), [""; 0]);
        prop_assert_eq!(host.log().len(), asked, "twice is once");
    }

    #[test]
    fn what_fails_anywhere_is_undone_exactly(
        cards in cards(),
        named in named(),
        nth in 1..40_usize,
    ) {
        let (given, named) = given(&cards, &named);
        let before = given.host.snapshot_tree();
        given.host.refuse(On::nth(nth), Errno::IO);
        match given.engine().bind(&wanted(&named)) {
            // There were fewer, or it did no harm.
            Ok(_) => {}
            Err(Error::Failed(failure)) => {
                prop_assert!(failure.rolled_back());
                prop_assert_eq!(differs(&before, &given.host), [""; 0]);
            }
            Err(other) => prop_assert!(false, "{}", other),
        }
        given.host.calm();
        given.engine().release(&wanted(&named).devices).unwrap();
        prop_assert_eq!(differs(&before, &given.host), [""; 0]);
        prop_assert!(given.engine().recover().unwrap().is_empty());
    }
}
