//! Random sequences of everything that happens to devices, on a pretended
//! machine: whatever dies, hangs or fails in between, no function and no
//! group ever has two guests, and in the end everything is the host's again.

mod guests;
mod rules;

use std::time::Duration;

use fakehost::{Errno, FakeHost, Moment, On, until_killed};
use guests::Guests;
use host::paths::Root;
use model::Bdf;
use model::intent::Bind;
use proptest::prelude::*;

use crate::bind::To;
use crate::store::{AssignmentState, Process, Store};
use crate::{BindRequest, Engine, Error, Name, StateDir};

const DEVICES: [&str; 4] = ["0000:65:00.0", "0000:65:00.1", "0000:66:00.0", "0000:67:00.0"];
const DRIVERS: [Option<&str>; 4] = [Some("nvidia"), Some("snd_hda_intel"), Some("nvme"), None];
const GUESTS: [&str; 2] = ["a", "b"];

/// The process that saw to a hand-over: of another that had this number.
const DEAD: Process = Process { pid: 1, start_time: u64::MAX >> 1 };

#[derive(Clone, Debug)]
enum Deed {
    Give {
        guest: usize,
        device: usize,
    },
    TakeBack {
        guest: usize,
        device: usize,
    },
    /// An attachment whose process died while the hypervisor was at it.
    Offer {
        guest: usize,
        device: usize,
        arrives: bool,
    },
    /// A detachment whose process died while the guest was asked.
    Ask {
        guest: usize,
        device: usize,
        leaves: bool,
    },
    /// What the guest's supervisor, or the next verb, does about these.
    Settle {
        guest: usize,
    },
    End {
        guest: usize,
    },
    Bind {
        device: usize,
    },
    Release {
        device: usize,
    },
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
        3 => (guest.clone(), device.clone(), any::<bool>())
            .prop_map(|(guest, device, arrives)| Deed::Offer { guest, device, arrives }),
        3 => (guest.clone(), device.clone(), any::<bool>())
            .prop_map(|(guest, device, leaves)| Deed::Ask { guest, device, leaves }),
        3 => guest.clone().prop_map(|guest| Deed::Settle { guest }),
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
    folder: tempfile::TempDir,
    guests: Guests,
    boots: u32,
}

impl World {
    fn new() -> Self {
        let (host, folder) = (machine(), tempfile::tempdir().unwrap());
        let state = StateDir::new(folder.path());
        state.make().unwrap();
        drop(Store::open(&state).unwrap());
        let socket = |guest: &str| {
            state.make_instance(&name(guest)).unwrap();
            crate::Files::new(state.instance(&name(guest))).supervisor_monitor()
        };
        let guests = GUESTS.map(|guest| (guest.to_owned(), socket(guest)));
        Self { host, folder, guests: Guests::new(guests.into()), boots: 0 }
    }

    fn state(&self) -> StateDir {
        StateDir::new(self.folder.path())
    }

    fn engine(&self) -> Engine {
        let state = self.state();
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
                self.guests.leaves(bdf(2));
                self.host = self.host.clone().nvme(DEVICES[2]);
            }
            Trouble::Reboot => {
                self.boots += 1;
                GUESTS.iter().for_each(|guest| self.guests.ends(guest));
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
        match *deed {
            Deed::Give { guest, device } => {
                give(&mut engine, GUESTS[guest], device, (AssignmentState::Held, None))?;
                self.guests.arrives(GUESTS[guest], bdf(device));
                Ok(())
            }
            Deed::Offer { guest, device, arrives } => {
                let to = (AssignmentState::Attaching, Some(DEAD));
                give(&mut engine, GUESTS[guest], device, to)?;
                if arrives {
                    self.guests.arrives(GUESTS[guest], bdf(device));
                }
                Ok(())
            }
            Deed::Ask { guest, device, leaves } => self.ask(GUESTS[guest], device, leaves),
            Deed::Settle { guest } => {
                engine.turn("settle")?.settle_hand_overs(&name(GUESTS[guest])).map(drop)
            }
            Deed::TakeBack { guest, device } => {
                if self.has(GUESTS[guest], device) {
                    self.guests.leaves(bdf(device));
                }
                engine.turn("detach")?.release_held(GUESTS[guest], Some(&[bdf(device)])).map(drop)
            }
            Deed::End { guest } => {
                self.guests.ends(GUESTS[guest]);
                engine.turn("end")?.release_held(GUESTS[guest], None).map(drop)
            }
            Deed::Bind { device } => {
                let request = BindRequest { devices: typed(device), ..BindRequest::default() };
                engine.bind(&request).map(drop)
            }
            Deed::Release { device } => engine.release(&typed(device)).map(drop),
            Deed::Recover => engine.recover().map(drop),
        }
    }

    /// What `detach` does until its process dies.
    fn ask(&self, guest: &str, device: usize, leaves: bool) -> Result<(), Error> {
        let mut engine = self.engine();
        let mut turn = engine.turn("detach")?;
        if turn.holdings()?.of(guest).contains(&bdf(device)) {
            let state = AssignmentState::Detaching;
            turn.store.set_assignments(&[bdf(device)], state, Some(DEAD))?;
            if leaves {
                self.guests.leaves(bdf(device));
            }
        }
        Ok(())
    }

    fn has(&self, guest: &str, device: usize) -> bool {
        self.guests.all().get(guest).is_some_and(|has| has.contains(&bdf(device)))
    }
}

fn bdf(device: usize) -> Bdf {
    DEVICES[device].parse().unwrap()
}

fn name(guest: &str) -> Name {
    guest.parse().unwrap()
}

/// What `run` and `attach` do, but for the guest.
fn give(
    engine: &mut Engine,
    guest: &str,
    device: usize,
    (state, owner): (AssignmentState, Option<Process>),
) -> Result<(), Error> {
    let mut turn = engine.turn("attach")?;
    let mut snapshot = turn.observe()?;
    let intent = Bind {
        devices: vec![DEVICES[device].parse().unwrap()],
        driver: "vfio-pci".to_owned(),
        overrides: Default::default(),
        stop_services: false,
    };
    let to = To { guest, state, owner, against: Vec::new() };
    let ready = turn.may_bind(&mut snapshot, &intent, Some(&to))?;
    turn.carry_out_bind(ready).map(drop)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_device_never_has_two_guests(deeds in proptest::collection::vec((deed(), trouble()), 1..16)) {
        let mut world = World::new();
        for (deed, trouble) in &deeds {
            world.prepare(*trouble);
            let done = match until_killed(|| world.carry_out(deed)) {
                Ok(Ok(())) => true,
                // Refused, failed or dead: all of it may be. The rules hold.
                Ok(Err(Error::Refused(_) | Error::Failed(_))) | Err(_) => false,
                Ok(Err(other)) => return Err(TestCaseError::fail(format!("{deed:?}: {other}"))),
            };
            world.check(deed, done)?;
        }
        world.end()?;
    }
}
