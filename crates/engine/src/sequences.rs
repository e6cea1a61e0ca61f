//! Random sequences of everything that happens to devices, on a pretended
//! machine: whatever dies, hangs or fails in between, no function and no
//! group ever has two guests, and in the end everything is the host's again.

use std::collections::BTreeMap;
use std::time::Duration;

use fakehost::{Errno, FakeHost, Moment, On, until_killed};
use host::paths::Root;
use model::intent::Bind;
use proptest::prelude::*;

use crate::bind::To;
use crate::store::{AssignmentState, Store};
use crate::{BindRequest, Engine, Error, StateDir};

const DEVICES: [&str; 4] = ["0000:65:00.0", "0000:65:00.1", "0000:66:00.0", "0000:67:00.0"];
const DRIVERS: [Option<&str>; 4] = [Some("nvidia"), Some("snd_hda_intel"), Some("nvme"), None];
const GUESTS: [&str; 2] = ["a", "b"];

#[derive(Clone, Debug)]
enum Deed {
    Give { guest: usize, device: usize },
    TakeBack { guest: usize, device: usize },
    End { guest: usize },
    Bind { device: usize },
    Release { device: usize },
    Recover,
}

/// What goes wrong while a deed is done, at an operation counted from its beginning.
#[derive(Clone, Copy, Debug)]
enum Trouble {
    None,
    Fails(usize),
    Hangs(usize),
    Dies(usize),
    DiesUnseen(usize),
    /// What hung comes through, or ends without effect, before the deed.
    Settles(bool),
    /// The machine is restarted before it.
    Reboot,
    /// A drive is pulled out before it, and plugged in again.
    Replug,
}

fn deed() -> impl Strategy<Value = Deed> {
    let (guest, device) = (0..GUESTS.len(), 0..DEVICES.len());
    prop_oneof![
        4 => (guest.clone(), device.clone()).prop_map(|(guest, device)| Deed::Give { guest, device }),
        2 => (guest.clone(), device.clone()).prop_map(|(guest, device)| Deed::TakeBack { guest, device }),
        1 => guest.prop_map(|guest| Deed::End { guest }),
        2 => device.clone().prop_map(|device| Deed::Bind { device }),
        2 => device.prop_map(|device| Deed::Release { device }),
        1 => Just(Deed::Recover),
    ]
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let at = || 1..14usize;
    prop_oneof![
        6 => Just(Trouble::None),
        2 => at().prop_map(Trouble::Fails),
        1 => at().prop_map(Trouble::Hangs),
        2 => at().prop_map(Trouble::Dies),
        2 => at().prop_map(Trouble::DiesUnseen),
        2 => any::<bool>().prop_map(Trouble::Settles),
        1 => Just(Trouble::Reboot),
        1 => Just(Trouble::Replug),
    ]
}

fn machine() -> FakeHost {
    FakeHost::new()
        .root_port("0000:00:01.0", 0x65)
        .root_port("0000:00:02.0", 0x66)
        .root_port("0000:00:03.0", 0x67)
        .gpu(DEVICES[0])
        .with_audio()
        .nvme(DEVICES[2])
        .edu(DEVICES[3])
        .loaded("vfio-pci")
}

struct World {
    host: FakeHost,
    state: tempfile::TempDir,
    boots: u32,
}

impl World {
    fn engine(&self) -> Engine {
        let state = StateDir::new(self.state.path());
        let (kernel, runner) = (Box::new(self.host.kernel()), Box::new(self.host.runner()));
        Engine::new(Root::new(self.host.root()), state, kernel, runner)
            .probe_wait(Duration::ZERO)
            .patience(Duration::from_secs(10))
    }

    fn prepare(&mut self, trouble: Trouble) {
        self.host.calm();
        match trouble {
            Trouble::None => {}
            Trouble::Fails(nth) => self.host.refuse(On::nth(nth), Errno::IO),
            Trouble::Hangs(nth) => self.host.hang(On::nth(nth)),
            Trouble::Dies(nth) => self.host.kill(Moment::Before(nth)),
            Trouble::DiesUnseen(nth) => self.host.kill(Moment::After(nth)),
            Trouble::Settles(true) => self.host.settle(),
            Trouble::Settles(false) => self.host.settle_without_effect(),
            Trouble::Replug => {
                self.host.vanish(DEVICES[2]);
                self.host = self.host.clone().nvme(DEVICES[2]);
            }
            Trouble::Reboot => {
                self.boots += 1;
                let id = format!("{:08}-0000-0000-0000-000000000000", self.boots);
                self.host = machine();
                let path = self.host.root().join("proc/sys/kernel/random/boot_id");
                std::fs::write(path, id).unwrap();
            }
        }
    }

    fn carry_out(&self, deed: &Deed) -> Result<(), Error> {
        let mut engine = self.engine();
        let typed = |device: usize| vec![DEVICES[device].to_owned()];
        match deed {
            Deed::Give { guest, device } => give(&mut engine, GUESTS[*guest], *device),
            Deed::TakeBack { guest, device } => {
                let function = DEVICES[*device].parse().unwrap();
                engine.turn("detach")?.release_held(GUESTS[*guest], Some(&[function]))
            }
            Deed::End { guest } => engine.turn("end")?.release_held(GUESTS[*guest], None),
            Deed::Bind { device } => {
                let request = BindRequest { devices: typed(*device), ..BindRequest::default() };
                engine.bind(&request).map(drop)
            }
            Deed::Release { device } => engine.release(&typed(*device)).map(drop),
            Deed::Recover => engine.recover().map(drop),
        }
    }

    /// The one rule, by the database and by the machine.
    fn check(&self) -> Result<(), TestCaseError> {
        let state = StateDir::new(self.state.path());
        let Some(store) = Store::open_reading(&state).unwrap() else { return Ok(()) };
        let boot_id = crate::turn::boot_id(&Root::new(self.host.root())).unwrap();
        let mut guests: BTreeMap<u32, String> = BTreeMap::new();
        for held in store.assignments().unwrap() {
            if held.boot_id != boot_id {
                continue;
            }
            let other = guests.insert(held.group.0, held.guest.clone());
            prop_assert!(other.is_none_or(|other| other == held.guest), "group {}", held.group);
        }
        Ok(())
    }

    /// Everybody gives back what they have; then the machine is as it was.
    fn end(&mut self) -> Result<(), TestCaseError> {
        self.prepare(Trouble::Settles(true));
        self.host.calm();
        self.engine().recover().unwrap();
        for guest in GUESTS {
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
        let state = StateDir::new(self.state.path());
        let store = Store::open(&state).unwrap();
        prop_assert_eq!(store.bindings().unwrap(), []);
        prop_assert_eq!(store.assignments().unwrap(), []);
        prop_assert_eq!(store.unfinished().unwrap(), []);
        Ok(())
    }
}

/// What `run` and `attach` do, but for the guest.
fn give(engine: &mut Engine, guest: &str, device: usize) -> Result<(), Error> {
    let mut turn = engine.turn("attach")?;
    let mut snapshot = turn.observe()?;
    let intent = Bind {
        devices: vec![DEVICES[device].parse().unwrap()],
        driver: "vfio-pci".to_owned(),
        overrides: Default::default(),
        stop_services: false,
    };
    let to = To { guest, state: AssignmentState::Held, owner: None, against: Vec::new() };
    let ready = turn.may_bind(&mut snapshot, &intent, Some(&to))?;
    turn.carry_out_bind(ready).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_device_never_has_two_guests(deeds in proptest::collection::vec((deed(), trouble()), 1..16)) {
        let mut world =
            World { host: machine(), state: tempfile::tempdir().unwrap(), boots: 0 };
        for (deed, trouble) in &deeds {
            world.prepare(*trouble);
            match until_killed(|| world.carry_out(deed)) {
                // Refused, failed or dead: all of it may be. The rule holds.
                Ok(Ok(()) | Err(Error::Refused(_) | Error::Failed(_))) | Err(_) => {}
                Ok(Err(other)) => prop_assert!(false, "{deed:?}: {other}"),
            }
            world.check()?;
        }
        world.end()?;
    }
}
