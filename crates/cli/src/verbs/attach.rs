//! `passthru attach` and `passthru detach`: devices of a running guest.

use std::time::Duration;

use clap::Args;
use engine::{BindRequest, HandOver, Name};
use model::Bdf;
use model::plan::Plan;

use super::told::{self, Beside};
use crate::args::{Change, Consent};
use crate::context::Context;
use crate::device;
use crate::error::Error;

/// Give devices to a running instance
///
/// They go to vfio-pci with their whole groups first. All of them or none.
#[derive(Debug, Args)]
pub struct Attach {
    /// Addresses, registered names, or vendor:device
    #[arg(required = true, value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,

    /// The instance
    #[arg(long, value_name = "NAME")]
    vm: Name,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    change: Change,
}

/// Take devices back from a running instance, and give them to the host
///
/// The guest's operating system is asked to let go of them. Functions that
/// share a slot leave it together.
#[derive(Debug, Args)]
pub struct Detach {
    /// Addresses, registered names, or vendor:device
    #[arg(required = true, value_name = "DEVICE", value_parser = device::parse)]
    devices: Vec<String>,

    /// The instance
    #[arg(long, value_name = "NAME")]
    vm: Name,

    /// How long the guest may take to let go of each, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,

    #[command(flatten)]
    change: Change,
}

impl Attach {
    pub fn exec(self, cx: &Context) -> Result<(), Error> {
        let name = self.vm;
        let request = BindRequest {
            devices: self.devices,
            driver: None,
            overrides: self.consent.overrides.into_iter().collect(),
            stop_services: self.consent.stop_services,
        };
        if self.change.dry_run {
            let HandOver { plan, functions } = cx.engine().plan_attach(&request, &name)?;
            return told::plan_and(cx, &plan, Beside::after(attached(&functions, &name)));
        }
        let mut engine = cx.changing_engine()?;
        cx.waiting(format_args!("giving {} to {name}", request.devices.join(" ")));
        let report = engine.attach(&request, &name)?;
        let last = attached(&report.functions, &name);
        told::report_with(cx, &report, Beside::after(last), |bdf| {
            format!("{bdf} is attached to {name}")
        })
    }
}

fn attached(functions: &[Bdf], name: &Name) -> Vec<String> {
    functions.iter().map(|bdf| format!("attach {bdf} to {name}")).collect()
}

fn detached(functions: &[Bdf], name: &Name) -> Vec<String> {
    functions.iter().map(|bdf| format!("detach {bdf} from {name}")).collect()
}

impl Detach {
    pub fn exec(&self, cx: &Context) -> Result<(), Error> {
        let name = &self.vm;
        if self.change.dry_run {
            let HandOver { plan, functions } = cx.engine().plan_detach(&self.devices, name)?;
            let mut steps = detached(&functions, name);
            steps.extend(plan.steps.iter().map(ToString::to_string));
            return told::plan_and(cx, &Plan { steps: Vec::new(), ..plan }, Beside::after(steps));
        }
        let wait = Duration::from_secs(self.wait);
        let mut engine = cx.changing_engine()?;
        let devices = self.devices.join(" ");
        let most = self.wait;
        cx.waiting(format_args!("waiting for {name} to let go of {devices} (up to {most} s each)"));
        let report = engine.detach(&self.devices, name, wait)?;
        let first = detached(&report.functions, name);
        let moved = |bdf| report.steps.iter().any(|step| step.bdf() == Some(bdf));
        told::report_with(cx, &report, Beside { before: first, ..Beside::default() }, |bdf| {
            match moved(bdf) {
                true => format!("{bdf} is back with the host"),
                false => format!("{bdf} has left {name}, and keeps the driver that it has"),
            }
        })
    }
}
