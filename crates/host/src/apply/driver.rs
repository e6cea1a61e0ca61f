//! Steps that take a function from its driver and give it one.

use std::fs;
use std::io::ErrorKind;
use std::thread::sleep;
use std::time::{Duration, Instant};

use model::Bdf;
use model::plan::is_vfio_driver;

use super::attribute::{plain_name, read_error, shown};
use super::{Applier, ApplyError, Outcome, Stop};

/// Between two looks at whether a deferred probe has come.
const LOOK_EVERY: Duration = Duration::from_millis(20);

impl Applier {
    pub(super) fn unbind(&mut self, bdf: Bdf, driver: &str) -> Result<Outcome, Stop> {
        plain_name(driver)?;
        match self.driver_of(bdf)? {
            None => return Ok(Outcome::Already),
            Some(found) if found != driver => return Err(moved(bdf, driver, found).into()),
            Some(_) => {}
        }
        // Through the driver's folder, not the function's link to it: the
        // kernel then refuses (ENODEV) if the function moved in between.
        let path = self.root.driver(driver).join("unbind");
        self.present(&path, "the driver does not let go of devices (suppress_bind_attrs)")?;
        let wrote = self.write(&path, &bdf.to_string())?;
        match self.driver_of(bdf)? {
            None => Ok(Outcome::Done),
            Some(found) if found == driver => {
                wrote?;
                let (value, found) = (bdf.to_string(), format!("bound to {found}"));
                Err(ApplyError::NoEffect { path, value, found }.into())
            }
            Some(found) => Err(moved(bdf, "(none)", found).into()),
        }
    }

    pub(super) fn probe(&mut self, bdf: Bdf, driver: &str) -> Result<Outcome, Stop> {
        plain_name(driver)?;
        match self.driver_of(bdf)? {
            None => {}
            Some(found) if found == driver => return Ok(Outcome::Already),
            Some(found) => return Err(moved(bdf, "(none)", found).into()),
        }
        let wrote = self.look_for_driver(bdf)?;
        let found = match &wrote {
            Ok(()) => self.await_driver(bdf)?,
            Err(_) => self.driver_of(bdf)?,
        };
        if found.as_deref() == Some(driver) {
            return Ok(Outcome::Done);
        }
        let reason = match &found {
            Some(found) => format!("the kernel chose {found}"),
            None => {
                wrote?;
                self.why_unbound(bdf, driver)?
            }
        };
        Err(ApplyError::NotBound { bdf, expected: driver.to_owned(), found, reason }.into())
    }

    pub(super) fn probe_any(&mut self, bdf: Bdf) -> Result<Outcome, Stop> {
        if self.driver_of(bdf)?.is_some() {
            return Ok(Outcome::Already);
        }
        let wrote = self.look_for_driver(bdf)?;
        self.function(bdf)?;
        wrote?;
        Ok(Outcome::Done)
    }

    fn look_for_driver(&mut self, bdf: Bdf) -> Result<Result<(), ApplyError>, Stop> {
        let path = self.root.drivers_probe();
        self.present(&path, "this kernel has no PCI bus")?;
        self.write(&path, &bdf.to_string())
    }

    fn await_driver(&self, bdf: Bdf) -> Result<Option<String>, ApplyError> {
        let until = Instant::now() + self.probe_wait;
        loop {
            let found = self.driver_of(bdf)?;
            if found.is_some() || Instant::now() >= until {
                return Ok(found);
            }
            sleep(LOOK_EVERY.min(self.probe_wait));
        }
    }

    /// The driver that owns a function now.
    fn driver_of(&self, bdf: Bdf) -> Result<Option<String>, ApplyError> {
        let link = self.function(bdf)?.join("driver");
        match fs::read_link(&link) {
            Ok(target) => {
                let name = target.file_name().map(|name| name.to_string_lossy().into_owned());
                Ok(name)
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                // Gone with its folder, or without a driver.
                self.function(bdf).map(|_| None)
            }
            Err(error) => Err(read_error(&link, &error)),
        }
    }

    /// `drivers_probe` takes the address and says nothing when no driver
    /// takes the device: what is known about the reason.
    fn why_unbound(&mut self, bdf: Bdf, driver: &str) -> Result<String, Stop> {
        let function = self.function(bdf)?;
        if !self.root.driver(driver).exists() {
            return Ok(format!("there is no driver {driver}; its module may not be loaded"));
        }
        let chosen = self.value_of(&function.join("driver_override"))?;
        if chosen.as_deref().is_some_and(|chosen| chosen != driver) {
            return Ok(format!("driver_override asks for {}", shown(chosen.as_deref())));
        }
        if !is_vfio_driver(driver) {
            return Ok(format!("{driver} does not know the device, or refused it"));
        }
        // vfio_pci_core_register_device() and vfio_register_group_dev(),
        // drivers/vfio/.
        if !function.join("iommu_group").exists() {
            return Ok("it is in no IOMMU group: the IOMMU is off, or absent".to_owned());
        }
        let vfs = function.join("sriov_numvfs");
        if vfs.exists()
            && let Some(count) = self.value_of(&vfs)?.filter(|count| count != "0")
        {
            return Ok(format!(
                "vfio-pci takes no device whose virtual functions are on ({count})"
            ));
        }
        Ok(format!("{driver} refused it; vfio-pci takes no bridges"))
    }
}

fn moved(bdf: Bdf, expected: &str, found: String) -> ApplyError {
    ApplyError::Moved { bdf, what: "driver", expected: expected.to_owned(), found }
}
