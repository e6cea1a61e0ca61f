//! What the command line may hold: global options and one verb.
//!
//! In: words. Out: [`Cli`], ready to run. The options of a verb stand in the
//! file of that verb, next to what it does.

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand};
use model::Code;

use crate::context::Context;
use crate::error::Error;
use crate::verbs;

/// Hand PCI devices to virtual machines, and take them back
///
/// passthru says beforehand whether a device will work and why not, moves
/// whole IOMMU groups, changes nothing that it cannot undo, and never leaves
/// the host worse than it found it.
#[derive(Debug, Parser)]
#[command(name = "passthru", version, after_long_help = AFTER, disable_help_subcommand = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub verb: Verb,
}

const AFTER: &str = "\
DEVICE is an address (0000:65:00.0, 65:00.0, pci_0000_65_00_0), the name of a
registered device, or vendor:device (10de:2331) where only one device matches.

Exit status:
  0  done
  1  failed; what had been changed was taken back
  2  the command line makes no sense
  3  refused; nothing was changed
  4  in doubt: a change has not come back from the kernel";

/// Options of every verb.
#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Look at the machine whose tree is below DIR
    #[arg(long, global = true, value_name = "DIR", conflicts_with = "machine")]
    pub root: Option<PathBuf>,

    /// Look at a recorded machine, a file or a folder (see `passthru record`)
    #[arg(long, global = true, value_name = "FILE")]
    pub machine: Option<PathBuf>,

    /// Where registered devices, instances and the journal are kept
    ///
    /// The default is /var/lib/passthru on the machine that is looked at.
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,

    /// Print JSON, errors included
    #[arg(long, global = true)]
    pub json: bool,

    /// How long one write to the kernel may take before it is given up and its
    /// device is in doubt; an instance's supervisor keeps to 30
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=120))]
    pub deadline: u32,

    /// Say more about what is done
    #[arg(short, long, global = true)]
    pub verbose: bool,
}

/// What a changing verb takes besides its own options.
#[derive(Clone, Copy, Debug, Args)]
pub struct Change {
    /// Print what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// What the user lets go by name.
#[derive(Debug, Args)]
pub struct Consent {
    /// Let go what the host needs, by the code of the refusal
    #[arg(long = "override", value_name = "CODE", value_parser = override_code())]
    pub overrides: Vec<Code>,

    /// Stop services that hold a device, and start them again on release
    #[arg(long)]
    pub stop_services: bool,
}

/// The codes that can be overridden, and no others.
pub fn override_code() -> impl TypedValueParser<Value = Code> {
    fn codes() -> impl Iterator<Item = Code> {
        Code::ALL.iter().copied().filter(|code| code.can_be_overridden())
    }
    PossibleValuesParser::new(codes().map(Code::as_str)).try_map(|text| {
        codes().find(|code| code.as_str() == text).ok_or("no refusal has this code")
    })
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    List(verbs::list::List),
    Show(verbs::show::Show),
    Check(verbs::check::Check),
    Prepare(verbs::prepare::Prepare),
    #[command(subcommand)]
    Device(verbs::device::Device),
    Bind(verbs::bind::Bind),
    Release(verbs::release::Release),
    Run(Box<verbs::run::Run>),
    #[command(subcommand)]
    Instance(verbs::instance::Instance),
    Attach(verbs::attach::Attach),
    Detach(verbs::attach::Detach),
    Reset(verbs::reset::Reset),
    Recover(verbs::recover::Recover),
    Record(verbs::record::Record),
    Completions(verbs::completions::Completions),
}

impl Cli {
    /// Does what the command line asks for.
    pub(crate) fn run(self) -> Result<(), Error> {
        let cx = Context::new(self.global)?;
        self.verb.exec(&cx).map_err(|error| match error {
            // A verb writes its result last.
            Error::Output(source) if cx.changes() => Error::Unreported(source),
            error => error.with_near_name(&cx),
        })
    }
}

impl Verb {
    fn exec(self, cx: &Context) -> Result<(), Error> {
        match self {
            Self::List(verb) => verb.exec(cx),
            Self::Show(verb) => verb.exec(cx),
            Self::Check(verb) => verb.exec(cx),
            Self::Prepare(verb) => verb.exec(cx),
            Self::Device(verb) => verb.exec(cx),
            Self::Bind(verb) => verb.exec(cx),
            Self::Release(verb) => verb.exec(cx),
            Self::Run(verb) => verb.exec(cx),
            Self::Instance(verb) => verb.exec(cx),
            Self::Attach(verb) => verb.exec(cx),
            Self::Detach(verb) => verb.exec(cx),
            Self::Reset(verb) => verb.exec(cx),
            Self::Recover(verb) => verb.exec(cx),
            Self::Record(verb) => verb.exec(cx),
            Self::Completions(verb) => verb.exec(cx),
        }
    }
}
