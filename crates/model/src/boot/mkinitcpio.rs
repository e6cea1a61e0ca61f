//! mkinitcpio's settings: `/etc/mkinitcpio.conf` and the `*.conf` beside it.
//!
//! In: the files in the order in which mkinitcpio sources them. Out: the
//! modules, hooks and files of an initial file system, and the files with
//! other ones. Never: which of them a hook adds by itself.

use super::shell::{self, Member};
use super::source::{EditError, Edited, Source};

/// A list of mkinitcpio.conf(5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum List {
    Modules,
    Hooks,
    Files,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Modules => "MODULES",
            Self::Hooks => "HOOKS",
            Self::Files => "FILES",
        }
    }
}

/// A list's members, in order.
///
/// # Errors
///
/// Where a file is not understood, or a member is computed.
pub fn list(files: &[Source<'_>], list: List) -> Result<Vec<String>, EditError> {
    Ok(shell::list(files, list.name())?.unwrap_or_default())
}

/// The files with changes of a list. Modules are loaded in its order, so what
/// must come before a graphics driver goes to its beginning.
///
/// # Errors
///
/// Where a file is not understood, or the list is computed.
pub fn edit(
    files: &[Source<'_>],
    list: List,
    changes: &[Member],
) -> Result<Vec<Edited>, EditError> {
    let same =
        if list == List::Modules { is_module } else { |one: &str, other: &str| one == other };
    shell::edit_list(files, list.name(), changes, same)
}

/// Whether two names are one module's; a question mark says that it may be
/// missing.
fn is_module(one: &str, other: &str) -> bool {
    let name = |text: &str| text.trim_end_matches('?').replace('-', "_");
    name(one) == name(other)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::boot::source::{Dynamic, Problem};

    const ARCH: &str = "# vim:set ft=sh\n# MODULES\nMODULES=()\nBINARIES=()\n\
        FILES=()\nHOOKS=(base udev autodetect microcode modconf kms keyboard keymap consolefont \
        block filesystems fsck)\n#COMPRESSION=\"zstd\"\n";

    fn edited(text: &str, changes: &[Member]) -> Result<String, EditError> {
        let edited = edit(&[Source::new("mkinitcpio.conf", text)], List::Modules, changes)?;
        Ok(edited.into_iter().next().map_or_else(|| text.to_owned(), |edited| edited.text))
    }

    #[test]
    fn edits() {
        let first = |name: &str| Member::First(name.to_owned());
        let last = |name: &str| Member::Last(name.to_owned());
        let remove = |name: &str| Member::Remove(name.to_owned());
        for (text, change, want) in [
            ("MODULES=()\n", first("vfio"), "MODULES=(vfio)\n"),
            ("MODULES=(a b)", first("vfio"), "MODULES=(vfio a b)"),
            ("MODULES=(a b)", last("vfio"), "MODULES=(a b vfio)"),
            ("MODULES=(\n  a # x)\n  b\n)\n", last("vfio"), "MODULES=(\n  a # x)\n  b vfio\n)\n"),
            ("MODULES=('a' \"b\")\n", remove("b"), "MODULES=('a')\n"),
            ("MODULES=(a b c)\n", remove("a"), "MODULES=(b c)\n"),
            ("MODULES=(a a a)\n", remove("a"), "MODULES=()\n"),
            ("MODULES=(a vfio-pci?)\n", first("vfio_pci"), "MODULES=(a vfio-pci?)\n"),
            ("MODULES=(a)\nMODULES+=(b)\n", first("c"), "MODULES=(c a)\nMODULES+=(b)\n"),
            ("MODULES=(a)\nMODULES+=(b)\n", last("c"), "MODULES=(a)\nMODULES+=(b c)\n"),
            ("MODULES=(a)\nMODULES=(b)\n", remove("a"), "MODULES=(a)\nMODULES=(b)\n"),
            ("X=1\n", last("a"), "X=1\nMODULES=(a)\n"),
        ] {
            assert_eq!(edited(text, std::slice::from_ref(&change)).unwrap(), want, "{text:?}");
            assert_eq!(edited(want, &[change]).unwrap(), want);
        }
        let files = [Source::new("mkinitcpio.conf", ARCH)];
        let hooks = list(&files, List::Hooks).unwrap();
        assert_eq!((hooks.len(), hooks[4].as_str()), (12, "modconf"));
        assert_eq!(list(&files, List::Files).unwrap(), Vec::<String>::new());
        let text = [Source::new("mkinitcpio.conf", "MODULES=\"a  b\"\n")];
        assert_eq!(list(&text, List::Modules).unwrap(), ["a", "b"]);
    }

    #[test]
    fn refusals() {
        for (text, how) in [
            ("MODULES=($x)\n", Dynamic::Computed),
            ("MODULES=(*.ko)\n", Dynamic::Computed),
            ("if a; then\nMODULES=(b); fi\n", Dynamic::Conditional),
            ("MODULES=(a)\n. other\n", Dynamic::Elsewhere),
        ] {
            let problem = edited(text, &[Member::Last("a".to_owned())]).unwrap_err().problem;
            assert_eq!(problem, Problem::Dynamic { name: "MODULES".to_owned(), how }, "{text}");
        }
        let problem = edited("MODULES='a'\n", &[Member::Last("b".to_owned())]).unwrap_err().problem;
        assert_eq!(problem, Problem::Entangled("MODULES".to_owned()));
    }

    proptest! {
        #[test]
        fn members_come_and_go(
            lists in prop::collection::vec(
                prop::collection::vec(("[ \n]{1,2}", "[a-c]|'[a-c]'|\"[a-c]-d\"|\\\\[a-c]|#[a-c)]\n"), 0..5), 1..3),
            value in "[a-c]", kind in 0..3,
        ) {
            let list_text = |members: &Vec<(String, String)>| -> String {
                members.iter().map(|(blank, member)| format!("{blank}{member}")).collect()
            };
            let text: String = lists.iter().enumerate().map(|(n, list)| {
                format!("MODULES{}=({})\nX={n}\n", if n == 0 { "" } else { "+" }, list_text(list))
            }).collect();
            let change = match kind {
                0 => Member::First(value.clone()),
                1 => Member::Last(value.clone()),
                _ => Member::Remove(value.clone()),
            };
            let members = |text: &str| list(&[Source::new("f", text)], List::Modules).unwrap();
            let new = edited(&text, std::slice::from_ref(&change)).unwrap();
            let (before, after) = (members(&text), members(&new));
            let others = |list: &[String]| -> Vec<String> {
                list.iter().filter(|member| **member != value).cloned().collect()
            };
            prop_assert_eq!(others(&before), others(&after));
            prop_assert_eq!(after.contains(&value), kind != 2);
            prop_assert_eq!(edited(&new, &[change]).unwrap(), new.clone());
        }
    }
}
