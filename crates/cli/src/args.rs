//! What the command line may hold: global options and one verb.
//!
//! In: words. Out: [`Cli`], ready to run. The options of a verb stand in the
//! file of that verb, next to what it does.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

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

    /// Look at a recorded machine (see `passthru record`)
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

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    List(verbs::list::List),
    Show(verbs::show::Show),
}

impl Cli {
    /// Does what the command line asks for.
    pub(crate) fn run(self) -> Result<(), Error> {
        let cx = Context::new(self.global)?;
        match self.verb {
            Verb::List(verb) => verb.exec(&cx),
            Verb::Show(verb) => verb.exec(&cx),
        }
    }
}
