//! `passthru release`: back to the host drivers.

use clap::Args;
use model::Function;

use super::told;
use crate::args::Change;
use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::output::note;

/// Give devices, with their whole IOMMU groups, back to their host drivers
///
/// Everything that `bind` changed is taken back, and the services that it
/// stopped are started again.
#[derive(Debug, Args)]
pub struct Release {
    /// Addresses, registered names, or vendor:device
    #[arg(required = true, value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,

    #[command(flatten)]
    change: Change,
}

impl Release {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        if self.change.dry_run {
            let plan = cx.engine().plan_release(&self.devices)?;
            told::plan(cx, &plan)?;
            if plan.steps.is_empty() && !cx.json {
                self.nothing_to_do(cx)?;
            }
            return Ok(());
        }
        let report = cx.changing_engine()?.release(&self.devices)?;
        let moved = |bdf| report.steps.iter().any(|step| step.bdf() == Some(bdf));
        told::report(cx, &report, |bdf| match moved(bdf) {
            true => format!("{bdf} is back with the host"),
            false => format!("{bdf} was with the host already"),
        })
    }

    /// Why there is nothing to do: the devices are where they belong.
    fn nothing_to_do(&self, cx: &Context) -> Result<(), Error> {
        let engine = cx.engine();
        let snapshot = cx.observe(&cx.in_doubt());
        for text in &self.devices {
            let bdf = engine.resolve(text, &snapshot)?;
            let driver = snapshot.get(bdf).and_then(Function::driver_name);
            note(match driver {
                Some(driver) => format!("{bdf} is with the host already, its driver is {driver}"),
                None => format!("{bdf} is with the host already, and no driver has it"),
            });
        }
        Ok(())
    }
}
