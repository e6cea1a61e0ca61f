//! `passthru reset`: one device, by the kernel's first method for it.

use clap::Args;

use super::told;
use crate::args::Change;
use crate::context::Context;
use crate::device;
use crate::error::Error;

/// Reset one device that neither the host nor a guest uses
#[derive(Debug, Args)]
pub struct Reset {
    /// Address, registered name, or vendor:device
    #[arg(value_parser = device::parse)]
    device: String,

    #[command(flatten)]
    change: Change,
}

impl Reset {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        if self.change.dry_run {
            return told::plan(cx, &cx.engine().plan_reset(&self.device)?);
        }
        let report = cx.changing_engine()?.reset(&self.device)?;
        told::report(cx, &report, |bdf| format!("{bdf} was reset"))
    }
}
