//! What is asked of the planner, and what it answers in short.

use std::collections::BTreeSet;

use model::intent::{Bind, Intent, Release};
use model::plan::{Plan, Refusal, plan};
use model::{Code, Step};

use super::{Shape, bdf};

pub fn bind(devices: &[&str]) -> Bind {
    Bind {
        devices: devices.iter().map(|text| bdf(text)).collect(),
        driver: "vfio-pci".to_owned(),
        overrides: BTreeSet::new(),
        stop_services: false,
    }
}

pub fn planned(shape: &Shape, intent: Bind) -> Result<Plan, Refusal> {
    plan(&shape.0, &Intent::Bind(intent))
}

pub fn release(shape: &Shape, devices: &[&str], done: Vec<Step>) -> Plan {
    let devices = devices.iter().map(|text| bdf(text)).collect();
    let missing = BTreeSet::new();
    plan(&shape.0, &Intent::Release(Release { devices, done, to_host: false, missing })).unwrap()
}

pub fn codes(planned: &Result<Plan, Refusal>) -> Vec<Code> {
    let reasons = match planned {
        Ok(plan) => &plan.notes,
        Err(refusal) => &refusal.reasons,
    };
    reasons.iter().map(|reason| reason.code).collect()
}
