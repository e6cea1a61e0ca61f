//! What holds after every deed: by the database, by the machine's own tree,
//! and by what the guests have.

use std::collections::{BTreeMap, BTreeSet};

use host::paths::Root;
use model::Bdf;

use super::{DEVICES, DRIVERS, Deed, GUESTS, TestCaseError, Trouble, World};
use crate::store::{AssignmentState, Store};
use crate::turn::boot_id;
use proptest::{prop_assert, prop_assert_eq};

impl World {
    /// The rules, after a deed that came to its end or did not.
    pub(super) fn check(&self, deed: &Deed, done: bool) -> Result<(), TestCaseError> {
        let state = self.state();
        let Some(store) = Store::open_reading(&state).unwrap() else { return Ok(()) };
        self.one_guest_each(&store)?;
        self.guests_have_what_they_hold(&store)?;
        self.nothing_is_left_behind(&store)?;
        match deed {
            Deed::Settle { guest } if done => self.nothing_is_on_its_way(&store, GUESTS[*guest]),
            _ => Ok(()),
        }
    }

    /// Everybody gives back what they have; then the machine is as it was.
    pub(super) fn end(&mut self) -> Result<(), TestCaseError> {
        self.prepare(Trouble::Settles(true));
        self.host.calm();
        self.engine().recover().unwrap();
        for guest in GUESTS {
            self.guests.ends(guest);
            self.engine().turn("end").unwrap().release_held(guest, None).unwrap();
        }
        for device in DEVICES {
            self.engine().release(&[device.to_owned()]).unwrap();
        }
        for (device, driver) in DEVICES.into_iter().zip(DRIVERS) {
            let now = self.host.driver_of(device);
            prop_assert_eq!(now.as_deref(), driver, "{}", device);
            let chosen = self.host.attribute(device, "driver_override");
            prop_assert_eq!(chosen.as_deref(), Some("(null)"), "{}", device);
        }
        let store = Store::open(&self.state()).unwrap();
        prop_assert_eq!(store.bindings().unwrap(), []);
        prop_assert_eq!(store.assignments().unwrap(), []);
        prop_assert_eq!(store.unfinished().unwrap(), []);
        Ok(())
    }

    /// No function and no group has two guests, by the groups of the tree.
    fn one_guest_each(&self, store: &Store) -> Result<(), TestCaseError> {
        let mut guests: BTreeMap<String, String> = BTreeMap::new();
        for (bdf, guest) in self.held(store) {
            let Some(group) = self.group_of(bdf) else { continue };
            let other = guests.insert(group.clone(), guest.clone());
            prop_assert!(other.is_none_or(|other| other == guest), "{bdf} of group {group}");
        }
        Ok(())
    }

    /// What a guest really has is its own, and nobody took the driver away.
    fn guests_have_what_they_hold(&self, store: &Store) -> Result<(), TestCaseError> {
        let held = self.held(store);
        for (guest, functions) in self.guests.all() {
            for bdf in functions {
                prop_assert_eq!(held.get(&bdf), Some(&guest), "{} is there", bdf);
                let driver = self.host.driver_of(&bdf.to_string());
                prop_assert_eq!(driver.as_deref(), Some("vfio-pci"), "{} is in use", bdf);
            }
        }
        Ok(())
    }

    /// What has a guest's driver is bound by the database, or belongs to a
    /// plan that recovery will see to.
    fn nothing_is_left_behind(&self, store: &Store) -> Result<(), TestCaseError> {
        let boot_id = self.boot_id();
        let bindings = store.bindings().unwrap().into_iter();
        let bound = bindings.filter(|it| it.boot_id == boot_id).map(|it| it.bdf);
        let unfinished = store.unfinished().unwrap().into_iter();
        let steps = unfinished.flat_map(|plan| store.steps(plan.id).unwrap());
        // Of a plan whose undoing failed, too.
        let left = store.left_behind(&boot_id).unwrap().into_iter().flatten();
        let known: BTreeSet<Bdf> =
            bound.chain(steps.filter_map(|row| row.step.bdf())).chain(left).collect();
        for device in DEVICES {
            let is_vfio = self.host.driver_of(device).as_deref() == Some("vfio-pci");
            prop_assert!(!is_vfio || known.contains(&device.parse().unwrap()), "{device}");
        }
        Ok(())
    }

    /// A hand-over that was settled is over, or waits for the guest.
    fn nothing_is_on_its_way(&self, store: &Store, guest: &str) -> Result<(), TestCaseError> {
        let has = self.guests.all().remove(guest).unwrap_or_default();
        let held = store.assignments().unwrap().into_iter();
        for held in held.filter(|held| held.guest == guest && held.boot_id == self.boot_id()) {
            let waits = held.state == AssignmentState::Detaching && has.contains(&held.bdf);
            prop_assert!(held.state == AssignmentState::Held || waits, "{held:?}");
        }
        Ok(())
    }

    /// Who holds what in this boot, by the database.
    fn held(&self, store: &Store) -> BTreeMap<Bdf, String> {
        let (boot_id, held) = (self.boot_id(), store.assignments().unwrap().into_iter());
        let held = held.filter(|held| held.boot_id == boot_id);
        held.map(|held| (held.bdf, held.guest)).collect()
    }

    fn group_of(&self, bdf: Bdf) -> Option<String> {
        let link = format!("sys/bus/pci/devices/{bdf}/iommu_group");
        let target = std::fs::read_link(self.host.root().join(link)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    fn boot_id(&self) -> String {
        boot_id(&Root::new(self.host.root())).unwrap()
    }
}
