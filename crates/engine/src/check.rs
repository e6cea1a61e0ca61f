//! How the host is set up, with what only its programs can say.
//!
//! In: the machine, the devices that are meant, the journal. Out: a [`Setup`]
//! for `model::check`. Never: a change, or a program of this machine asked
//! about another one.

use std::collections::BTreeSet;
use std::env::consts::ARCH;

use host::apply::stands;
use host::setup::setup;
use hypervisors::machine::Machine;
use hypervisors::qemu::{Version, ports};
use model::port::Cmd;
use model::setup::planned::{Planned, Stands};
use model::setup::{self as words, Guest, Setup};
use model::{Bdf, Fact, Snapshot, Step, Why};

use crate::Engine;
use crate::error::Error;
use crate::guest::{Notes, is_installed, run_well, version_of};
use crate::store::{PlanRow, PlanState, StepRow, StepState, Store};
use crate::turn::boot_id;

/// Programs that are libvirt, the newer first.
const LIBVIRT: &[&str] = &["virtqemud", "libvirtd"];

impl Engine {
    /// How the host is set up for guests with these devices.
    pub fn setup(&self, snapshot: &Snapshot, devices: &[Bdf]) -> Setup {
        let mut setup = setup(&self.root, snapshot, devices);
        if self.root.is_real() {
            setup.programs.qemu = fact(self.qemu());
            setup.programs.libvirt = fact(libvirt());
        }
        setup.planned = match self.root.is_recorded() {
            true => Fact::Unknown(Why::NotRecorded),
            false => fact(self.planned()),
        };
        setup.guests = match self.root.is_recorded() {
            true => Fact::Unknown(Why::NotRecorded),
            false => fact(self.guests()),
        };
        setup
    }

    /// The guests that run, by what they were started with and hold now. A
    /// device that came later is in a root port of its own.
    fn guests(&self) -> Result<Vec<Guest>, Error> {
        let running = self.instances()?.into_iter().filter(|instance| instance.state.is_live());
        let guests = running.map(|instance| {
            let args = &instance.spec.args;
            let later = |bdf: &&Bdf| !ports::has_function(args, **bdf);
            let taken = instance.devices.iter().filter(later).count();
            let ports = ports::spare(args).map(|spare| (spare, spare.saturating_sub(taken)));
            let pinned = if instance.devices.is_empty() { 0 } else { instance.spec.memory };
            Guest { name: instance.name.to_string(), ports, pinned }
        });
        Ok(guests.collect())
    }

    /// What was prepared and is in effect, the latest first.
    pub(crate) fn planned(&self) -> Result<Vec<Planned>, Error> {
        let Some(store) = Store::open_reading(&self.state)? else { return Ok(Vec::new()) };
        let preparations = store.preparations()?;
        if preparations.is_empty() {
            return Ok(Vec::new());
        }
        let boot_id = boot_id(&self.root)?;
        // Of a file that several of them changed, the last one's word counts.
        let mut seen = BTreeSet::new();
        let planned =
            preparations.into_iter().map(|PlanRow { id, boot_id: of, state, made_at, .. }| {
                let rows = store.steps(id)?;
                let mut steps: Vec<_> =
                    rows.into_iter().rev().filter_map(|row| self.stands(row, &mut seen)).collect();
                steps.reverse();
                let is_half = state == PlanState::Failed;
                Ok(Planned { at: made_at, restarted: of != boot_id, is_half, steps })
            });
        planned.collect()
    }

    /// How what a step left behind stands, if it was done and left anything.
    fn stands(&self, row: StepRow, seen: &mut BTreeSet<String>) -> Option<(Step, Fact<Stands>)> {
        if !matches!(row.state, StepState::Done | StepState::Already) {
            return None;
        }
        // The note of one that is kept stands with the step before it.
        if matches!(row.step, Step::Restore(_) | Step::Remake(_)) {
            return None;
        }
        let stands = match seen.insert(row.step.path()?.to_owned()) {
            true => stands(&self.root, &row.step)?,
            false => Stands::Superseded.into(),
        };
        Some((row.step, stands))
    }

    /// QEMU for guests of this machine's own kind.
    fn qemu(&self) -> Result<Option<words::Version>, Error> {
        let Ok(machine) = Machine::for_arch(ARCH) else { return Ok(None) };
        let notes = Notes::read_only(self.state.programs());
        let version = version_of(machine.kind().program(), &notes)?;
        Ok(version.map(|Version(major, minor, micro)| (major, minor, micro)))
    }
}

fn libvirt() -> Result<Option<words::Version>, Error> {
    let Some(program) = LIBVIRT.iter().find(|program| is_installed(program)) else {
        return Ok(None);
    };
    let output = run_well(&Cmd::new(program, ["--version"]))?;
    // `libvirtd (libvirt) 11.3.0`
    let word = output.stdout.split_whitespace().last().unwrap_or_default();
    let mut parts = word.split('.').map(|part| part.parse().unwrap_or(0));
    let mut part = || parts.next().unwrap_or(0);
    Ok(Some((part(), part(), part())))
}

fn fact<T>(result: Result<T, Error>) -> Fact<T> {
    result.map_err(|error| Why::Failed(error.to_string())).into()
}
