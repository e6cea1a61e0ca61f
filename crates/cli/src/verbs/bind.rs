//! `passthru bind`: whole groups to `vfio-pci`, once or at every boot.

use std::collections::BTreeSet;

use clap::Args;
use engine::persist::Rebound;
use engine::{BindRequest, Report};
use model::Code;
use model::plan::prepare::Preparation;

use super::{files, told};
use crate::args::{Change, Consent};
use crate::context::Context;
use crate::device;
use crate::error::{Error, chain};
use crate::output::note;

/// Move devices, with their whole IOMMU groups, to vfio-pci
///
/// All of them or none: a step that fails takes back those before it. What
/// the host needs is refused, and can be let go by name only (--override).
/// With --persist it stays so: a rule of udev, in the initramfs as well, hands
/// the device over at every boot before another driver takes it. It knows the
/// device by its ids and its place on the board, so that of two cards of a kind
/// one can go and the other stay. A unit of systemd binds what was taken all the
/// same. `passthru release --forget` ends it.
#[derive(Debug, Args)]
pub struct Bind {
    /// Addresses, registered names, or vendor:device
    #[arg(required_unless_present = "persisted", value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,

    /// The driver, where it is a variant of vfio-pci
    #[arg(long, value_name = "NAME", default_value = "vfio-pci")]
    driver: String,

    /// From every boot on, too; what is written for that is shown first
    #[arg(long)]
    persist: bool,

    /// Write what --persist writes without asking
    #[arg(short, long, requires = "persist")]
    yes: bool,

    /// Whatever --persist wrote down, as the unit at boot does
    #[arg(long, conflicts_with_all = ["devices", "persist", "driver"])]
    persisted: bool,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    change: Change,
}

impl Bind {
    pub fn exec(self, cx: &Context) -> Result<(), Error> {
        if self.persisted {
            return persisted(cx, self.change.dry_run);
        }
        let request = BindRequest {
            devices: self.devices,
            driver: Some(self.driver.clone()),
            overrides: BTreeSet::<Code>::from_iter(self.consent.overrides),
            stop_services: self.consent.stop_services,
        };
        if self.persist {
            files::settled(cx, self.change.dry_run)?;
        }
        let written = match self.persist {
            true => cx.engine().plan_persist(&request)?,
            false => Preparation::default(),
        };
        if self.change.dry_run {
            let plan = cx.engine().plan_bind(&request)?;
            return files::plan_with(cx, &plan, &written);
        }
        if self.persist {
            // Who would be refused is not asked first.
            cx.engine().plan_bind(&request)?;
        }
        files::agreed_to(cx, &written, self.yes)?;
        let mut engine = cx.changing_engine()?;
        let report = engine.bind(&request)?;
        // Its turn found nothing that was cut off: `bind` settled that.
        engine.persist(&written)?;
        let driver = self.driver;
        // Where nothing could be written, a person makes it so.
        let is_written = self.persist && (!written.steps.is_empty() || written.by_hand.is_empty());
        let always = if is_written { ", at every boot" } else { "" };
        told::report_with(cx, &report, files::beside(&written), |bdf| {
            format!("{bdf} is bound to {driver}{always}")
        })
    }
}

/// What persists is bound, group by group; what failed last is the error.
fn persisted(cx: &Context, dry_run: bool) -> Result<(), Error> {
    if dry_run {
        return told::plan(cx, &cx.engine().plan_bind_persisted()?);
    }
    let mut whole = Report::default();
    let mut failed: Option<Error> = None;
    for Rebound { functions, result } in cx.changing_engine()?.bind_persisted()? {
        match result {
            Ok(report) => {
                whole.functions.extend(functions);
                whole.steps.extend(report.steps);
                whole.notes.extend(report.notes);
            }
            Err(error) => {
                if let Some(before) = failed.replace(error.into()) {
                    note(chain(&before));
                }
            }
        }
    }
    told::report(cx, &whole, |bdf| format!("{bdf} is bound"))?;
    failed.map_or(Ok(()), Err)
}
