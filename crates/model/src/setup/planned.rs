//! What `prepare` did to the host, and how it stands now.

use crate::boot::cmdline::{Change, Cmdline};
use crate::boot::source::Source;
use crate::fact::Fact;
use crate::file::Content;
use crate::ours;
use crate::setup::boot::{Format, Loader};
use crate::step::{Step, Wanted};

/// A preparation that is in effect: it was done and not taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When, in seconds since 1970.
    pub at: i64,
    /// Whether the kernel was started anew since.
    pub restarted: bool,
    /// Only a part of it is in effect: the way back failed on the way.
    pub is_half: bool,
    /// Its steps that outlive a reboot, in order.
    pub steps: Vec<(Step, Fact<Stands>)>,
}

/// How a file stands that a step wrote, or a program made for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stands {
    AsLeft,
    /// Somebody changed it since, or a program made it anew; and what it
    /// lacks, where that is known.
    Changed(Option<String>),
    Gone,
    /// A later preparation changed it again.
    Superseded,
}

impl Planned {
    /// The boot arguments that the kernel is started with after it.
    pub fn arguments(&self, loader: &Loader) -> Vec<Change> {
        let mut all = Vec::new();
        for change in self.steps.iter().flat_map(|(step, _)| arguments(step, loader)) {
            if !all.contains(&change) {
                all.push(change);
            }
        }
        all
    }

    /// Whether it is a trial: it added an entry to a boot menu, and changed
    /// none that was there.
    pub fn is_trial(&self, loader: &Loader) -> bool {
        let menu = loader.menu.as_ref().map(|menu| &menu.path);
        let is_of_menu = |(step, _): &(Step, _)| match step {
            Step::WriteFile { path, .. } => {
                let entry = path.rsplit('/').next().and_then(|name| name.strip_suffix(".conf"));
                menu == Some(path)
                    || entry.is_some_and(ours::is_entry)
                    || loader.files.iter().any(|(file, _)| file == path)
            }
            _ => false,
        };
        self.steps.iter().all(is_of_menu) && self.arguments(loader).is_empty()
    }

    /// The modules that are loaded at boot after it: the lines of the file
    /// with this name (modules-load.d(5)).
    pub fn modules(&self, name: &str) -> Vec<String> {
        let is_it =
            |step: &&Step| matches!(step, Step::WriteFile { path, .. } if path.ends_with(name));
        let steps = self.steps.iter().map(|(step, _)| step).filter(is_it);
        let written = steps.filter_map(|step| match step {
            Step::WriteFile { to: Some(to), .. } => Some(to.text().into_owned()),
            _ => None,
        });
        let lines =
            |text: String| text.lines().map(|line| line.trim().to_owned()).collect::<Vec<_>>();
        let is_name = |line: &String| !line.is_empty() && !line.starts_with(['#', ';']);
        written.flat_map(lines).filter(is_name).collect()
    }
}

/// The boot arguments that a step brings. Those of GRUB's settings come with
/// the menu that is made from them.
fn arguments(step: &Step, loader: &Loader) -> Vec<Change> {
    match step {
        Step::Make(made) => match &made.wanted {
            Wanted::Menu { arguments } => arguments.clone(),
            Wanted::Initramfs { .. } => Vec::new(),
        },
        Step::SetGrubVariable { from: Some(from), to: Some(to), .. } => between(from, to),
        Step::WriteFile { path, from: Some(from), to: Some(to) } => {
            let format =
                loader.files.iter().find(|(file, _)| file == path).map(|(_, format)| *format);
            format.map(|format| differences(path, format, (from, to))).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

/// Words that came into a file's arguments, and those that went.
fn differences(path: &str, format: Format, (from, to): (&Content, &Content)) -> Vec<Change> {
    let lines = |content: &Content| format.lines(Source::new(path, &content.text()));
    let after = lines(to);
    let mut found = Vec::new();
    for (label, before) in &lines(from) {
        let Some((_, after)) = after.iter().find(|(other, _)| other == label) else { continue };
        found.extend(between(before, after));
    }
    found
}

/// Words that came into a line, and those that went.
fn between(before: &str, after: &str) -> Vec<Change> {
    let (old, new) = (Cmdline::new(before), Cmdline::new(after));
    let came = new.words().filter(|word| old.words().all(|other| other != *word));
    let came = came.map(|word| Change::Add(word.to_owned()));
    // One without a value may have gone for one that has: its name is there still.
    let went = old.words().filter(|word| new.words().all(|other| other != *word));
    let went = went.map(|word| Change::Remove(word.to_owned()));
    came.chain(went.filter(|change| change.is_in(after))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use crate::boot::kernel_cmdline;

    use super::*;
    use crate::setup::boot::Menu;
    use crate::step::Made;

    fn wrote(path: &str, from: &str, to: &str) -> (Step, Fact<Stands>) {
        let (from, to) = (Some(Content::from(from)), Some(Content::from(to)));
        (Step::WriteFile { path: path.to_owned(), from, to }, Stands::AsLeft.into())
    }

    #[test]
    fn arguments_of_each_kind_of_file() {
        let wanted = Wanted::Menu { arguments: vec![Change::Set("iommu=pt".to_owned())] };
        let menu = Made::new("/boot/grub/grub.cfg", Vec::new(), wanted);
        let files = [
            ("/boot/loader/entries/a.conf", Format::Entry),
            ("/etc/kernel/cmdline", Format::Line),
            ("/etc/kernelstub/configuration", Format::Kernelstub),
            ("/boot/extlinux/extlinux.conf", Format::Extlinux),
        ];
        let files = files.map(|(path, format)| (path.to_owned(), format)).to_vec();
        let loader = Loader { files, ..Loader::default() };
        let planned = Planned {
            at: 0,
            restarted: true,
            is_half: false,
            steps: vec![
                wrote("/boot/loader/entries/a.conf", "options ro a\n", "options ro a b=1\n"),
                wrote("/etc/kernel/cmdline", "ro iommu=off", "ro b=1"),
                wrote(
                    "/etc/kernelstub/configuration",
                    "{\"user\": {\"kernel_options\": [\"ro\"]}}",
                    "{\"user\": {\"kernel_options\": [\"ro\", \"c\"]}}",
                ),
                wrote(
                    "/boot/extlinux/extlinux.conf",
                    "LABEL a\n LINUX /k\n APPEND ro\nLABEL b\n LINUX /k\n APPEND single\n",
                    "LABEL new\n LINUX /k\n APPEND x\nLABEL a\n LINUX /k\n APPEND ro d\nLABEL b\n LINUX /k\n APPEND single\n",
                ),
                wrote("/etc/default/grub", "x", "y"),
                (Step::Make(menu), Stands::AsLeft.into()),
            ],
        };
        let add = |word: &str| Change::Add(word.to_owned());
        let want = [
            add("b=1"),
            Change::Remove("iommu=off".to_owned()),
            add("c"),
            add("d"),
            Change::Set("iommu=pt".to_owned()),
        ];
        assert_eq!(planned.arguments(&loader), want);
        assert!(!planned.is_trial(&loader));
    }

    /// An entry more, of each kind of menu.
    #[test]
    fn trials() {
        let path = "/boot/grub/grub.cfg".to_owned();
        let files = vec![("/boot/extlinux/extlinux.conf".to_owned(), Format::Extlinux)];
        let menu = Some(Menu { path, program: None });
        let loader = Loader { menu, files, ..Loader::default() };
        let entry = "LABEL a\n LINUX /k\n APPEND ro\n";
        let more = format!("{entry}LABEL b\n LINUX /k\n APPEND ro x\n");
        for (step, is_trial) in [
            (wrote("/boot/grub/grub.cfg", "a", "b"), true),
            (wrote("/boot/loader/entries/a-passthru-testing.conf", "", "options x"), true),
            (wrote("/boot/extlinux/extlinux.conf", entry, &more), true),
            (wrote("/boot/extlinux/extlinux.conf", entry, &entry.replace("ro", "rw")), false),
            (wrote("/etc/modprobe.d/passthru.conf", "a", "b"), false),
        ] {
            let planned = Planned { at: 0, restarted: true, is_half: false, steps: vec![step] };
            assert_eq!(planned.is_trial(&loader), is_trial, "{planned:?}");
        }
    }

    proptest! {
        #[test]
        fn a_line_says_what_a_change_brought(
            text in "([a-c](=[0-2])? ){0,5}", word in "[a-c](=[0-2])?", removes: bool,
        ) {
            let change = if removes { Change::Remove(word) } else { Change::Set(word) };
            let changes = std::slice::from_ref(&change);
            let new = kernel_cmdline::edit(Source::new("cmdline", &text), changes).unwrap();
            let contents = (&Content::from(&text[..]), &Content::from(&new[..]));
            let found = differences("cmdline", Format::Line, contents);
            prop_assert!(found.iter().all(|change| change.is_in(&new)), "{found:?}");
            // One without a value was there by its name, with a value.
            let is_new = |change: &Change| {
                !change.is_in(&text) || Cmdline::new(&text).has(change.name())
            };
            prop_assert!(found.iter().all(is_new), "{found:?}");
            let brings = !removes && !Cmdline::new(&text).has(change.name());
            prop_assert!(!brings || !found.is_empty(), "{new:?}");
        }
    }

    #[test]
    fn modules_that_are_loaded() {
        let steps =
            vec![wrote("/etc/modules-load.d/passthru.conf", "", "# ours\n kvm_amd\n\n;x\n")];
        let planned = Planned { at: 0, restarted: true, is_half: false, steps };
        assert_eq!(planned.modules("modules-load.d/passthru.conf"), ["kvm_amd"]);
        assert!(planned.modules("modprobe.d/passthru.conf").is_empty());
    }
}
