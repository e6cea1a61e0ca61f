//! GRUB's settings: `/etc/default/grub` and the `*.cfg` beside it.
//!
//! In: the files in the order in which `grub-mkconfig` sources them. Out: the
//! kernel arguments that they give, other settings, and the files with other
//! arguments. Never: what comes of it; that stands in `grub.cfg` when it is
//! generated anew, and is read there.

use super::cmdline::{Change, Cmdline};
use super::shell;
use super::source::{EditError, Edited, Problem, Source, differences, with_texts};

/// Arguments of the entries that boot normally: behind those of [`ALL`].
pub const DEFAULT: &str = "GRUB_CMDLINE_LINUX_DEFAULT";

/// Arguments of all entries, those for recovery included.
pub const ALL: &str = "GRUB_CMDLINE_LINUX";

/// The variable that arguments go to: the one that leaves recovery entries
/// alone, unless only the other one is in use.
///
/// # Errors
///
/// Where a file is not understood.
pub fn variable(files: &[Source<'_>]) -> Result<&'static str, EditError> {
    let in_use = |name| shell::is_assigned(files, name);
    Ok(if !in_use(DEFAULT)? && in_use(ALL)? { ALL } else { DEFAULT })
}

/// The arguments of entries that boot normally, as `/etc/grub.d/10_linux`
/// puts them together.
///
/// # Errors
///
/// Where a file is not understood, or a value is computed.
pub fn arguments(files: &[Source<'_>]) -> Result<String, EditError> {
    let value = |name| Ok(shell::value(files, name)?.unwrap_or_default());
    Ok(together(&value(ALL)?, &value(DEFAULT)?))
}

/// Any setting: `GRUB_DEFAULT`, `GRUB_DISABLE_RECOVERY`; nothing where no file
/// has it.
///
/// # Errors
///
/// Where a file is not understood, or the value is computed.
pub fn setting(files: &[Source<'_>], name: &str) -> Result<Option<String>, EditError> {
    shell::value(files, name)
}

/// Whether a setting such as `GRUB_ENABLE_BLSCFG` is on: `grub-mkconfig`
/// compares with `true` and nothing else.
///
/// # Errors
///
/// Where a file is not understood, or the value is computed.
pub fn is_on(files: &[Source<'_>], name: &str) -> Result<bool, EditError> {
    Ok(shell::value(files, name)?.is_some_and(|value| value == "true"))
}

/// The files with changes to the kernel arguments of entries that boot
/// normally.
///
/// What is removed is removed from both variables. What is set and stands in
/// one of them already, with another value, is set there.
///
/// # Errors
///
/// Where a file is not understood, or a value is computed and a word would
/// have to go from it.
pub fn edit(files: &[Source<'_>], changes: &[Change]) -> Result<Vec<Edited>, EditError> {
    let target = variable(files)?;
    let mut texts: Vec<String> = files.iter().map(|file| file.text.to_owned()).collect();
    for change in changes {
        texts = changed(&with_texts(files, &texts), target, change)?;
    }
    Ok(differences(files, texts))
}

/// All texts with one change.
fn changed(files: &[Source<'_>], target: &str, change: &Change) -> Result<Vec<String>, EditError> {
    if matches!(change, Change::Remove(_)) {
        return removed(files, change);
    }
    let all = shell::known(files, ALL)?;
    let default = shell::known(files, DEFAULT)?;
    let unchanged = files.iter().map(|file| file.text.to_owned()).collect();
    if change.is_in(&together(&all, &default)) {
        return Ok(unchanged);
    }
    let is_list = matches!(change, Change::Add(_));
    let stands_in =
        |line: &str| !is_list && Cmdline::new(line).values(change.name()).next().is_some();
    match (stands_in(&all), stands_in(&default)) {
        (true, false) => one(files, ALL, change),
        (false, _) => one(files, target, change),
        // One word of the name is to stay, where the kernel looks last.
        (true, true) => {
            let rest = Change::Remove(change.name().to_owned());
            let texts = one(files, ALL, &rest)?;
            let files = with_texts(files, &texts);
            let mut change = change.clone();
            if let Change::Include { name, values } = &mut change {
                let other = Cmdline::new(&all).list(name).map(str::to_owned).collect();
                let asked = std::mem::replace(values, other);
                values.extend(asked);
            }
            one(&files, DEFAULT, &change)
        }
    }
}

/// All texts without a word in either variable.
fn removed(files: &[Source<'_>], change: &Change) -> Result<Vec<String>, EditError> {
    let mut texts: Vec<String> = files.iter().map(|file| file.text.to_owned()).collect();
    let mut unknown = None;
    for name in [ALL, DEFAULT] {
        match one(&with_texts(files, &texts), name, change) {
            Ok(new) => texts = new,
            Err(error) if matches!(error.problem, Problem::Dynamic { .. }) => {
                unknown = Some(error);
            }
            Err(error) => return Err(error),
        }
    }
    match unknown {
        // It stood in neither, as far as is known.
        Some(error) if texts.iter().zip(files).all(|(text, file)| text == file.text) => Err(error),
        _ => Ok(texts),
    }
}

/// All texts with one change of one variable.
fn one(files: &[Source<'_>], name: &str, change: &Change) -> Result<Vec<String>, EditError> {
    let mut texts: Vec<String> = files.iter().map(|file| file.text.to_owned()).collect();
    for Edited { index, text } in shell::edit(files, name, std::slice::from_ref(change))? {
        texts[index] = text;
    }
    Ok(texts)
}

fn together(all: &str, default: &str) -> String {
    let blank = if all.is_empty() || default.is_empty() { "" } else { " " };
    [all, blank, default].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(word: &str) -> Change {
        Change::Set(word.to_owned())
    }

    fn edited(text: &str, change: Change) -> Result<String, EditError> {
        let edited = edit(&[Source::new("grub", text)], &[change])?;
        Ok(edited.into_iter().next().map_or_else(|| text.to_owned(), |edited| edited.text))
    }

    const DEBIAN: &str = "GRUB_DEFAULT=0\n\
        GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\n\
        GRUB_CMDLINE_LINUX_DEFAULT=\"quiet\"\nGRUB_CMDLINE_LINUX=\"net.ifnames=0\"\n\
        #GRUB_DISABLE_RECOVERY=\"true\"\n";

    #[test]
    fn what_the_files_say() {
        let files = [
            Source::new("grub", DEBIAN),
            Source::new(
                "50-cloudimg-settings.cfg",
                "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT console=ttyS0\"\n\
                 GRUB_ENABLE_BLSCFG=true\n",
            ),
        ];
        assert_eq!(arguments(&files).unwrap(), "net.ifnames=0 quiet console=ttyS0");
        assert_eq!(variable(&files).unwrap(), DEFAULT);
        assert_eq!(setting(&files, "GRUB_DEFAULT").unwrap().unwrap(), "0");
        assert_eq!(setting(&files, "GRUB_DISABLE_RECOVERY").unwrap(), None);
        assert!(setting(&files, "GRUB_DISTRIBUTOR").is_err());
        assert!(is_on(&files, "GRUB_ENABLE_BLSCFG").unwrap());
        let edited = edit(&files, &[set("iommu=pt")]).unwrap();
        assert_eq!(edited.len(), 1);
        assert_eq!((edited[0].index, edited[0].text.contains("ttyS0 iommu=pt\"")), (1, true));
        let edited = edit(&files, &[Change::Remove("quiet".to_owned())]).unwrap();
        assert_eq!((edited.len(), edited[0].index), (1, 0));
    }

    #[test]
    fn where_a_change_goes() {
        let ids = |id: &str| Change::Include {
            name: "vfio-pci.ids".to_owned(),
            values: vec![id.to_owned()],
        };
        let remove = |word: &str| Change::Remove(word.to_owned());
        let (all, default) = ("GRUB_CMDLINE_LINUX", "GRUB_CMDLINE_LINUX_DEFAULT");
        for (before, change, after) in [
            ("", set("a"), format!("{default}=\"a\"\n")),
            ("X=1\r\n", set("a"), format!("X=1\r\n{default}=\"a\"\r\n")),
            (&format!("{all}=\"\""), set("a"), format!("{all}=\"a\"")),
            (&format!("{all}=b\n{default}=c\n"), set("a"), format!("{all}=b\n{default}=\"c a\"\n")),
            (&format!("{all}=a=1\n{default}=c\n"), set("a=2"), format!("{all}=a=2\n{default}=c\n")),
            (&format!("{all}=a=1\n{default}=c\n"), set("a=1"), format!("{all}=a=1\n{default}=c\n")),
            (
                &format!("{all}=\"b a=1\"\n{default}=\"a=2 c\"\n"),
                set("a=2"),
                format!("{all}=\"b\"\n{default}=\"a=2 c\"\n"),
            ),
            (
                &format!("{all}='vfio-pci.ids=1:2'\n{default}='vfio-pci.ids=3:4'\n"),
                ids("5:6"),
                format!("{all}=''\n{default}='vfio-pci.ids=3:4,1:2,5:6'\n"),
            ),
            (
                &format!("{all}='a b'\n{default}='b c'\n"),
                remove("b"),
                format!("{all}='a'\n{default}='c'\n"),
            ),
        ] {
            assert_eq!(edited(before, change.clone()).unwrap(), after, "{before} {change:?}");
            assert_eq!(edited(&after, change.clone()).unwrap(), after, "{before} {change:?}");
        }
        let half_known = edited(&format!("{all}=`b`\n{default}='b c'\n"), remove("b"));
        assert_eq!(half_known.unwrap(), format!("{all}=`b`\n{default}='c'\n"));
        let error = edited(&format!("{all}=`b`\n{default}='c'\n"), remove("b")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "`grub`, line 1: the value of `GRUB_CMDLINE_LINUX` is computed when the file is read, \
             so what is in it is not known"
        );
    }
}
