//! Files as people write them, prepared and put back byte for byte.

use proptest::prelude::*;

use super::undo::makes_menu;
use super::*;

/// How a file's text may be written as well.
#[derive(Clone, Copy, Debug)]
struct Manner {
    crlf: bool,
    unended: bool,
    comment: bool,
    blanks: bool,
}

impl Manner {
    fn written(self, text: &str) -> String {
        let mut text = text.to_owned();
        if self.comment {
            text = format!("# a 'comment with \"quotes\\\n{text}");
        }
        if self.blanks {
            text = text.replace('\n', "\n\n");
        }
        if self.crlf {
            text = text.replace('\n', "\r\n");
        }
        let end = if self.unended { text.trim_end().len() } else { text.len() };
        text[..end].to_owned()
    }
}

fn manner() -> impl Strategy<Value = Manner> {
    let all = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    all.prop_map(|(crlf, unended, comment, blanks)| Manner { crlf, unended, comment, blanks })
}

/// Lines of GRUB's settings as people write them.
fn settings() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(
        "(quiet|splash|iommu=(pt|off)|intel_iommu=o(n|ff)|console=ttyS0,115200n8|a=\\$x|[a-z]{1,5})",
        0..4,
    );
    let value = (words, 0..5).prop_map(|(words, quoting)| match quoting {
        0 => format!("'{}'", words.join(" ")),
        1 => format!("\"{}\"", words.join("  ")),
        2 => format!("\"{}\"", words.join(" \\\n ")),
        3 => words.join("\\ "),
        _ => words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join("\" \""),
    });
    let name = prop_oneof![Just("GRUB_CMDLINE_LINUX_DEFAULT"), Just("GRUB_CMDLINE_LINUX")];
    let assigned = (name, value, any::<bool>()).prop_map(|(name, value, plus)| match plus {
        true => format!("{name}=\"${name} more\" # {value}").replace('\n', " "),
        false => format!("{name}={value}"),
    });
    let line = prop_oneof![
        4 => assigned,
        1 => "#[ -~]{0,20}",
        1 => Just("GRUB_TIMEOUT=5".to_owned()),
        1 => Just("export GRUB_DEFAULT=saved  # why".to_owned()),
        1 => Just("GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`".to_owned()),
        1 => Just(String::new()),
    ];
    (prop::collection::vec(line, 0..7), any::<bool>())
        .prop_map(|(lines, ended)| lines.join("\n") + if ended { "\n" } else { "" })
}

/// Stacks with settings that a shell reads.
const BY_SHELL: &[&str] = &[
    "debian-grub",
    "debian-grub-uefi",
    "ubuntu-grub",
    "opensuse-grub",
    "arch-grub",
    "power9-petitboot",
    "u-boot-menu",
];

/// Prepared if it is understood, and in any case nothing is left afterwards.
fn there_and_back(machine: &Stacked) -> Result<(), Error> {
    let done = machine.prepare();
    if done.is_ok() {
        machine.undo().unwrap();
    }
    assert_eq!(machine.differs(), [""; 0], "{done:?}");
    done
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// What the shell understands is edited, and put back byte for byte.
    #[test]
    fn any_settings_of_grub(text in settings()) {
        let machine = Stacked::named("debian-grub");
        machine.put("etc/default/grub", &text);
        makes_menu(&machine);
        let machine = Stacked::around(machine.host);
        let done = there_and_back(&machine);
        // What is computed may have the `iommu=off` in it that is to go.
        let unknown = text.contains("=off") && text.contains("$x");
        let code = done.as_ref().err().map(Error::code);
        let as_said = code.is_none() || (unknown && code == Some("not_understood"));
        prop_assert!(as_said, "{:?}\n{}", done, text);
    }

    #[test]
    fn any_manner_of_writing(at in any::<prop::sample::Index>(), manner in manner()) {
        let stacks: Vec<Stack> = changed().collect();
        let stack = stacks[at.index(stacks.len())];
        let machine = Stacked::of(stack);
        for step in machine.steps() {
            if let Step::WriteFile { path, from: Some(from), .. } = step {
                machine.put(&path[1..], &manner.written(&from.text()));
            }
        }
        let machine = Stacked::around(machine.host);
        let done = there_and_back(&machine);
        // A shell takes a carriage return for a part of the value, JSON has no comments:
        // then it is said that the file is not understood, or what was made of it is wrong.
        let forbidden = match stack.name {
            "pop-kernelstub" => manner.comment,
            name => manner.crlf && BY_SHELL.contains(&name),
        };
        let code = done.as_ref().err().map(Error::code);
        let as_said = match forbidden {
            true => [None, Some("not_understood"), Some("step_failed")].contains(&code),
            false => code.is_none(),
        };
        prop_assert!(as_said, "{} {:?} {:?}", stack.name, manner, done);
    }
}
