//! Memory for guests: hugepages that are reserved at boot.
//!
//! At boot memory is whole still, so that this is the surest way to get them
//! (Documentation/admin-guide/mm/hugetlbpage.rst). Two arguments say it,
//! `default_hugepagesz=` and `hugepages=`: the count is of the default size
//! wherever it stands, as long as no `hugepagesz=` stands before it. Where
//! one does, there are pools of somebody's own, and nothing is guessed.

use thiserror::Error;

use super::{Preparation, Wanted, add};
use crate::boot::cmdline::{Change, Cmdline};
use crate::check::{Subject, size};
use crate::fact::Why;

/// Hugepages to reserve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hugepages {
    /// All of them together, in bytes.
    pub bytes: u64,
    /// The size of one; where it is not said, the largest that fits.
    pub page: Option<u64>,
}

/// Why hugepages cannot be reserved as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NoHugepages {
    #[error("which hugepages this machine has is not known: {0}")]
    Unknown(Why),
    #[error("this machine has no hugepages of {}, only of {}", size(*.asked), sizes(.there))]
    Size { asked: u64, there: Vec<u64> },
    #[error("{} are no whole number of hugepages of {}", size(*.bytes), size(*.page))]
    NotWhole { bytes: u64, page: u64 },
    #[error(
        "{} of hugepages would leave the host less than {} of its {}",
        size(*.bytes),
        size(LEAST),
        size(*.total)
    )]
    TooMuch { bytes: u64, total: u64 },
}

/// What the host keeps for itself at least.
const LEAST: u64 = 1 << 30;
/// Larger ones are not made by the kernel but set aside by firmware (16 GiB on POWER).
const LARGEST: u64 = 1 << 30;
/// Pools of one size each; Linux knows no other words for them.
const PAIRED: &str = "hugepagesz";

/// The boot arguments that reserve them, or what a person has to do about
/// pools that somebody set up.
pub(super) fn plan(
    asked: Option<Hugepages>,
    subject: &Subject<'_>,
    wanted: &mut Wanted,
    preparation: &mut Preparation,
) -> Result<(), NoHugepages> {
    let Some(asked) = asked else { return Ok(()) };
    let page = page(asked, subject)?;
    let count = asked.bytes / page;
    let unit = unit(page);
    if has_pools(subject) {
        preparation.by_hand.push(format!(
            "boot arguments reserve hugepages already, size by size: add {PAIRED}={unit} hugepages={count} to them, or put this count behind the {PAIRED}={unit} that is there"
        ));
        return Ok(());
    }
    let words = [format!("default_hugepagesz={unit}"), format!("hugepages={count}")];
    words.into_iter().for_each(|word| add(&mut wanted.arguments, Change::Set(word)));
    Ok(())
}

/// The size of a page.
fn page(asked: Hugepages, subject: &Subject<'_>) -> Result<u64, NoHugepages> {
    let bytes = asked.bytes;
    let pools = &subject.setup.memory.pools;
    let total = &subject.snapshot.machine.memory_total;
    let unknown =
        |why: Option<&Why>| NoHugepages::Unknown(why.cloned().unwrap_or(Why::NotObserved));
    let pools = pools.known().ok_or_else(|| unknown(pools.why()))?;
    let total = *total.known().ok_or_else(|| unknown(total.why()))?;
    let there: Vec<u64> = pools.iter().map(|pool| pool.size).collect();
    let page = match asked.page {
        Some(page) if there.contains(&page) => page,
        Some(page) => return Err(NoHugepages::Size { asked: page, there }),
        None => {
            let fits = |page: &&u64| **page <= LARGEST && bytes.is_multiple_of(**page);
            let smallest = there.iter().min().copied();
            match there.iter().filter(fits).max().copied().or(smallest) {
                Some(page) => page,
                None => return Err(NoHugepages::Unknown(Why::NotProvided)),
            }
        }
    };
    if !bytes.is_multiple_of(page) {
        return Err(NoHugepages::NotWhole { bytes, page });
    }
    match bytes.checked_add(LEAST).is_some_and(|all| all <= total) {
        true => Ok(page),
        false => Err(NoHugepages::TooMuch { bytes, total }),
    }
}

/// Whether somebody reserves hugepages size by size: by what runs, or by a
/// file that the next boot goes by.
fn has_pools(subject: &Subject<'_>) -> bool {
    let boot = &subject.setup.boot;
    let runs = subject.setup.cmdline.known().map_or("", String::as_str);
    let is_pool = |text: &str| {
        let words = text.split(['"', '\'', ' ', '\t', '\n', '=']);
        words.into_iter().any(|word| word == PAIRED)
    };
    let loader = boot.loader.known();
    let files = loader
        .into_iter()
        .flat_map(|loader| loader.settings.iter().chain(loader.files.iter().map(|(path, _)| path)));
    Cmdline::new(runs).has(PAIRED)
        || files.filter_map(|path| boot.files.get(path)).any(|file| is_pool(&file.text()))
}

/// As the kernel reads sizes (`memparse()` in lib/cmdline.c).
fn unit(bytes: u64) -> String {
    match bytes {
        bytes if bytes.is_multiple_of(1 << 30) => format!("{}G", bytes >> 30),
        bytes if bytes.is_multiple_of(1 << 20) => format!("{}M", bytes >> 20),
        bytes => format!("{}K", bytes >> 10),
    }
}

fn sizes(all: &[u64]) -> String {
    match all {
        [] => "no size".to_owned(),
        all => all.iter().map(|bytes| size(*bytes)).collect::<Vec<_>>().join(", "),
    }
}
