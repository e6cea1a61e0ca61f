//! `device add`, `device list`, `device remove`: names for devices.
//!
//! In: a device and a name. Out: a row with the device's identity, so that
//! the name never comes to mean another device.

use model::Bdf;
use model::identity::Identity;
use model::plan::Refusal;
use model::verdict::verdict;

use crate::Engine;
use crate::error::Error;
use crate::lock::Lock;
use crate::name::Name;
use crate::store::{Registered, Store};
use crate::target::resolve;

impl Engine {
    /// Registers a device under a name.
    pub fn add_device(&mut self, device: &str, name: &Name) -> Result<Registered, Error> {
        self.state.make()?;
        let _lock = Lock::take(&self.state, "device add", self.patience)?;
        let mut store = Store::open(&self.state)?;
        store.look_through()?;
        let registered = self.registration(device, name, &store.devices()?)?;
        store.add_device(&registered)?;
        Ok(registered)
    }

    /// What [`add_device`](Self::add_device) would register.
    pub fn plan_add_device(&self, device: &str, name: &Name) -> Result<Registered, Error> {
        self.registration(device, name, &self.registered()?)
    }

    fn registration(
        &self,
        device: &str,
        name: &Name,
        known: &[Registered],
    ) -> Result<Registered, Error> {
        let snapshot = self.observe();
        let bdf = resolve(device, &snapshot, known)?;
        refuse_twice(known, bdf, name)?;
        let function = snapshot.get(bdf).ok_or_else(|| Error::UnknownDevice(device.to_owned()))?;
        if function.stays() {
            return Err(Refusal { reasons: verdict(&snapshot, bdf).reasons }.into());
        }
        let identity = Identity::of(function).ok_or(Error::NoIdentity(bdf))?;
        Ok(Registered { name: name.clone(), bdf, identity })
    }

    /// Every registered device. Needs no lock.
    pub fn registered(&self) -> Result<Vec<Registered>, Error> {
        match Store::open_reading(&self.state)? {
            Some(store) => store.devices(),
            None => Ok(Vec::new()),
        }
    }

    /// Forgets a name. The device stays as it is.
    pub fn remove_device(&mut self, name: &Name) -> Result<(), Error> {
        self.state.make()?;
        let _lock = Lock::take(&self.state, "device remove", self.patience)?;
        let mut store = Store::open(&self.state)?;
        store.look_through()?;
        match store.remove_device(name)? {
            true => Ok(()),
            false => Err(Error::NotRegistered(name.clone())),
        }
    }
}

fn refuse_twice(known: &[Registered], bdf: Bdf, name: &Name) -> Result<(), Error> {
    if known.iter().any(|device| device.name == *name) {
        return Err(Error::NameTaken(name.clone()));
    }
    match known.iter().find(|device| device.bdf == bdf) {
        Some(device) => Err(Error::AlreadyRegistered { bdf, name: device.name.clone() }),
        None => Ok(()),
    }
}
