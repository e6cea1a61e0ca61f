//! What a person does on a system with ways of its own, word by word.
//!
//! In: boot arguments, or a file that would be written elsewhere. Out: what to
//! type or to write there.

use super::told;
use crate::bdf::Bdf;
use crate::boot::cmdline::Change;
use crate::ours::{ACCESS, LOAD, MODPROBE, RULES, UNIT, WANTS};
use crate::setup::boot::Boot;
use crate::setup::own::System;

/// How the kernel gets other arguments.
pub(super) fn arguments(system: System, changes: &[Change]) -> Vec<String> {
    let (added, removed) = words(changes);
    let (add, remove) = (added.join(" "), removed.join(" "));
    let each = |before: &str, words: &[String]| {
        words.iter().map(|word| format!(" {before}{}", quoted(word))).collect::<String>()
    };
    let listed =
        |words: &[String]| words.iter().map(|word| format!("{} ", nix(word))).collect::<String>();
    let some = |text: String, is: &[String]| (!is.is_empty()).then_some(text);
    let both = |place: &str, then: &str| {
        let texts = [
            some(format!("add `{add}` to {place}"), &added),
            some(format!("take `{remove}` out of {place}"), &removed),
        ];
        let texts: Vec<String> = texts.into_iter().flatten().collect();
        vec![format!("{}; then {then}", texts.join(", "))]
    };
    match system {
        System::RpmOstree => {
            let options =
                [each("--append-if-missing=", &added), each("--delete-if-present=", &removed)];
            vec![format!("`rpm-ostree kargs{}`", options.concat())]
        }
        System::NixOs => {
            let texts = [
                some(
                    format!(
                        "`boot.kernelParams = [ {}];` in the configuration of NixOS",
                        listed(&added)
                    ),
                    &added,
                ),
                some(format!("no `{remove}` in its boot.kernelParams"), &removed),
            ];
            texts.into_iter().flatten().collect()
        }
        System::TransactionalUpdate => both(
            "GRUB_CMDLINE_LINUX_DEFAULT in /etc/default/grub (with systemd-boot: /etc/kernel/cmdline)",
            "`transactional-update grub.cfg` (with systemd-boot: `sdbootutil update-all-entries`)",
        ),
        System::Proxmox => both(
            "the one line of /etc/kernel/cmdline (started by GRUB: to GRUB_CMDLINE_LINUX_DEFAULT of its settings)",
            "`proxmox-boot-tool refresh`",
        ),
        System::Unified => {
            both("the one line of /etc/kernel/cmdline", "the images have to be made anew")
        }
        System::Dsm => vec![format!(
            "Synology DSM has no setting for boot arguments: they are in the menu on the loader's own partition, which an update may write anew; there, {}",
            told(changes)
        )],
    }
}

/// What a file would say, in the words of the system that makes it.
pub(super) fn file(
    system: System,
    boot: &Boot,
    (path, text): (&str, &str),
    devices: &[Bdf],
) -> String {
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    let (all, list) = (nix(&(lines.join("\n") + "\n")), lines.iter().map(|line| nix(line) + " "));
    let within = path.strip_prefix(&boot.configuration);
    let relative = within.map_or(path, |rest| rest.trim_start_matches('/'));
    let devices = devices.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    match (system, relative) {
        (System::NixOs, MODPROBE) => format!("`boot.extraModprobeConfig = {all};`"),
        (System::NixOs, LOAD) => {
            format!("`boot.kernelModules = [ {}];`", list.collect::<String>())
        }
        (System::NixOs, ACCESS | RULES) => format!("`services.udev.extraRules = {all};`"),
        (System::NixOs, _) => format!("`environment.etc.{}.text = {all};`", nix(relative)),
        (System::Dsm, MODPROBE | LOAD | RULES | UNIT | WANTS) if !devices.is_empty() => format!(
            "Synology DSM starts drivers by scripts of its own, and no file tells it which: let it run `passthru bind {devices}` at each start (Control Panel, Task Scheduler, Create, Triggered Task, User-defined script; as root, at boot-up)"
        ),
        (system, _) => {
            format!("let {} make {path} with these lines: {}", system.name(), lines.join("; "))
        }
    }
}

/// Words that come in, and words that go.
fn words(changes: &[Change]) -> (Vec<String>, Vec<String>) {
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            Change::Set(word) | Change::Add(word) => added.push(word.clone()),
            Change::Include { name, values } => added.push(format!("{name}={}", values.join(","))),
            Change::Remove(word) => removed.push(word.clone()),
        }
    }
    (added, removed)
}

/// As a shell takes it for one word.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.,:=/@%+".contains(c);
    match word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// A text in Nix's language.
fn nix(text: &str) -> String {
    let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${");
    format!("\"{}\"", text.replace('\n', "\\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_each_system() {
        let changes = [
            Change::Set("intel_iommu=on".to_owned()),
            Change::Include { name: "vfio-pci.ids".to_owned(), values: vec!["1:2".to_owned()] },
            Change::Remove("iommu=off".to_owned()),
        ];
        for (system, want) in [
            (
                System::RpmOstree,
                "`rpm-ostree kargs --append-if-missing=intel_iommu=on --append-if-missing=vfio-pci.ids=1:2 --delete-if-present=iommu=off`",
            ),
            (
                System::NixOs,
                "`boot.kernelParams = [ \"intel_iommu=on\" \"vfio-pci.ids=1:2\" ];` in the configuration of NixOS",
            ),
            (
                System::Unified,
                "add `intel_iommu=on vfio-pci.ids=1:2` to the one line of /etc/kernel/cmdline, take `iommu=off` out of the one line of /etc/kernel/cmdline; then the images have to be made anew",
            ),
        ] {
            assert_eq!(arguments(system, &changes)[0], want);
        }
        assert_eq!(quoted("a=\"b c\" d'e"), r#"'a="b c" d'\''e'"#);
        assert_eq!(nix("a \"b\"\n${c}"), "\"a \\\"b\\\"\\n\\${c}\"");
    }
}
