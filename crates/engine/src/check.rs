//! How the host is set up, with what only its programs can say.
//!
//! In: the machine, the devices that are meant. Out: a [`Setup`] for
//! `model::check`. Never: a change, or a program of this machine asked about
//! another one.

use std::env::consts::ARCH;

use host::setup::setup;
use hypervisors::machine::Machine;
use hypervisors::qemu::Version;
use model::port::Cmd;
use model::setup::{self as words, Setup};
use model::{Bdf, Fact, Snapshot, Why};

use crate::Engine;
use crate::error::Error;
use crate::guest::{Notes, is_installed, run_well, version_of};

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
        setup
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
