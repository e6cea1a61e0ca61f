//! `passthru release`: back to the host drivers.

use std::io::Write;

use clap::Args;
use model::plan::prepare::Preparation;
use model::{Code, Reason};

use super::{files, told};
use crate::args::Change;
use crate::context::Context;
use crate::device;
use crate::error::Error;
use crate::output::print;

/// Give devices, with their whole IOMMU groups, back to their host drivers
///
/// Everything that `bind` changed is taken back, and the services that it
/// stopped are started again.
#[derive(Debug, Args)]
pub struct Release {
    /// Addresses, registered names, or vendor:device
    #[arg(required = true, value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,

    /// From the next boot on, too: what `passthru bind --persist` wrote down is
    /// taken back, and shown first
    #[arg(long)]
    forget: bool,

    /// Take that back without asking
    #[arg(short, long, requires = "forget")]
    yes: bool,

    #[command(flatten)]
    change: Change,
}

impl Release {
    pub fn exec(self, cx: &Context) -> Result<(), Error> {
        if self.forget {
            files::settled(cx, self.change.dry_run)?;
        }
        let (forgotten, devices) = match self.forget {
            true => cx.engine().plan_forget(&self.devices)?,
            false => (Preparation::default(), self.devices),
        };
        if self.change.dry_run {
            let plan = cx.engine().plan_release(&devices)?;
            return files::plan_with(cx, &plan, &forgotten);
        }
        files::agreed_to(cx, &forgotten, self.yes)?;
        let mut engine = cx.changing_engine()?;
        engine.persist(&forgotten)?;
        let report = engine.release(&devices)?;
        let stayed = |bdf| {
            let of = |note: &Reason| note.code == Code::WithHost && note.at == Some(bdf);
            report.notes.iter().any(of)
        };
        if devices.is_empty() && forgotten.steps.is_empty() && !cx.json {
            return print(|out| writeln!(out, "nothing to do"));
        }
        told::report_with(cx, &report, files::beside(&forgotten), |bdf| match stayed(bdf) {
            true => format!("{bdf} is with the host"),
            false => format!("{bdf} is back with the host"),
        })
    }
}
