//! `passthru release`: back to the host drivers.

use clap::Args;
use model::{Code, Reason};

use super::told;
use crate::args::Change;
use crate::context::Context;
use crate::device;
use crate::error::Error;

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
            return told::plan(cx, &cx.engine().plan_release(&self.devices)?);
        }
        let report = cx.changing_engine()?.release(&self.devices)?;
        let stayed = |bdf| {
            let of = |note: &Reason| note.code == Code::WithHost && note.at == Some(bdf);
            report.notes.iter().any(of)
        };
        told::report(cx, &report, |bdf| match stayed(bdf) {
            true => format!("{bdf} is with the host"),
            false => format!("{bdf} is back with the host"),
        })
    }
}
