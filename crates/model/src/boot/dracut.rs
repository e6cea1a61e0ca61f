//! dracut's settings: `/etc/dracut.conf` and the `*.conf` beside it.
//!
//! In: the files in the order in which dracut sources them. Out: the drivers
//! that it adds, loads early or leaves out, and the files with other ones.
//! Never: dracut's own modules, or drivers that it finds by itself.

use super::cmdline::Change;
use super::shell::{self, Missing};
use super::source::{EditError, Edited, Source};

/// A list of drivers of dracut.conf(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    /// `add_drivers`: they are in the image.
    Add,
    /// `force_drivers`: they are in it and are loaded before all others.
    Force,
    /// `omit_drivers`: they are not in it.
    Omit,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Add => "add_drivers",
            Self::Force => "force_drivers",
            Self::Omit => "omit_drivers",
        }
    }
}

/// The drivers of a list.
///
/// # Errors
///
/// Where a file is not understood, or the list is computed.
pub fn drivers(files: &[Source<'_>], list: List) -> Result<Vec<String>, EditError> {
    let value = shell::value(files, list.name())?.unwrap_or_default();
    Ok(value.split_whitespace().map(str::to_owned).collect())
}

/// The files with more drivers on a list. What is new where no file has the
/// list goes to the end of the first file.
///
/// # Errors
///
/// Where a file is not understood.
pub fn add(files: &[Source<'_>], list: List, drivers: &[String]) -> Result<Vec<Edited>, EditError> {
    let changes: Vec<Change> = drivers.iter().cloned().map(Change::Add).collect();
    shell::edit(files, list.name(), &changes, Missing::Append)
}

/// The files with fewer drivers on a list.
///
/// # Errors
///
/// Where a file is not understood, or the list is computed.
pub fn remove(
    files: &[Source<'_>],
    list: List,
    drivers: &[String],
) -> Result<Vec<Edited>, EditError> {
    let changes: Vec<Change> = drivers.iter().cloned().map(Change::Remove).collect();
    shell::edit(files, list.name(), &changes, Missing::Append)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drivers_come_and_go() {
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (text, want) in [
            ("", "force_drivers+=\" vfio_pci \"\n"),
            ("hostonly=\"yes\"", "hostonly=\"yes\"\nforce_drivers+=\" vfio_pci \"\n"),
            ("force_drivers+=\" vfio-pci \"\n", "force_drivers+=\" vfio-pci \"\n"),
            ("force_drivers+=\" a \"\n", "force_drivers+=\" a vfio_pci \"\n"),
            (
                "force_drivers+=\" a \"\nforce_drivers+=\" b \"\n",
                "force_drivers+=\" a \"\nforce_drivers+=\" b vfio_pci \"\n",
            ),
            ("force_drivers+=' '\n", "force_drivers+='vfio_pci '\n"),
        ] {
            let edited =
                add(&[Source::new("f", text)], List::Force, &names(&["vfio_pci"])).unwrap();
            let got = edited.first().map_or(text, |edited| &edited.text);
            assert_eq!(got, want, "{text:?}");
            let files = [Source::new("f", want)];
            assert!(drivers(&files, List::Force).unwrap().iter().any(|d| d.ends_with("pci")));
            assert_eq!(drivers(&files, List::Omit).unwrap(), names(&[]));
            let gone = remove(&files, List::Force, &names(&["vfio_pci"])).unwrap();
            let left = drivers(&[Source::new("f", &gone[0].text)], List::Force).unwrap();
            assert!(left.iter().all(|driver| !driver.contains("vfio")), "{left:?}");
        }
        let omitted = [Source::new("f", "omit_drivers+=\" nouveau \"\nomit_drivers+=\" x \"\n")];
        assert_eq!(drivers(&omitted, List::Omit).unwrap(), ["nouveau", "x"]);
        assert!(add(&[Source::new("f", "a='")], List::Add, &names(&["x"])).is_err());
    }
}
