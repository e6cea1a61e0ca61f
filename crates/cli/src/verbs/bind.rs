//! `passthru bind`: whole groups to `vfio-pci`.

use std::collections::BTreeSet;

use clap::Args;
use engine::BindRequest;
use model::Code;

use super::told;
use crate::args::{Change, Consent};
use crate::context::Context;
use crate::device;
use crate::error::Error;

/// Move devices, with their whole IOMMU groups, to vfio-pci
///
/// All of them or none: a step that fails takes back those before it. What
/// the host needs is refused, and can be let go by name only (--override).
#[derive(Debug, Args)]
pub struct Bind {
    /// Addresses, registered names, or vendor:device
    #[arg(required = true, value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,

    /// The driver, where it is a variant of vfio-pci
    #[arg(long, value_name = "NAME", default_value = "vfio-pci")]
    driver: String,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    change: Change,
}

impl Bind {
    pub fn exec(self, cx: &Context) -> Result<(), Error> {
        let driver = self.driver;
        let request = BindRequest {
            devices: self.devices,
            driver: Some(driver.clone()),
            overrides: BTreeSet::<Code>::from_iter(self.consent.overrides),
            stop_services: self.consent.stop_services,
        };
        match self.change.dry_run {
            true => told::plan(cx, &cx.engine().plan_bind(&request)?),
            false => {
                let report = cx.changing_engine()?.bind(&request)?;
                told::report(cx, &report, |bdf| format!("{bdf} is bound to {driver}"))
            }
        }
    }
}
