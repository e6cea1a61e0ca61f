//! Every file that tells a machine what to boot, damaged: editors refuse, never
//! panic, and what they write they leave alone the second time.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod fuzz;

use std::fs;
use std::path::Path;

use model::boot::cmdline::Change;
use model::boot::format::Format;
use model::boot::grub_cfg::{self, Copy};
use model::boot::grubenv::{self, Environment};
use model::boot::shell;
use model::boot::source::{EditError, Edited, Source};
use model::boot::{
    bls, booster, extlinux, grub_default, kernel_cmdline, kernelstub, loader_conf, modprobe,
    u_boot_menu, udev_rules, version,
};
use proptest::prelude::*;

/// What the editors expect, to be cut up and put together anew.
const SAMPLES: &[&str] = &[
    "GRUB_CMDLINE_LINUX_DEFAULT=\"quiet splash\" # comment\nGRUB_CMDLINE_LINUX=''\n",
    "GRUB_CMDLINE_LINUX_DEFAULT=\"$GRUB_CMDLINE_LINUX_DEFAULT console=ttyS0\"\n",
    "GRUB_DISTRIBUTOR=`lsb_release -i -s 2> /dev/null || echo Debian`\nexport X=${Y:-$(a \"b\")}\n",
    "if [ -n \"$X\" ]; then X=a; fi\ncase $X in a|b) X=\\\n;; esac\nf() { X=1; }\ncat <<-E\n\tX=\nE\n",
    "MODULES=(vfio_pci 'vfio' # x\n)\nMODULES+=(\"b\")\nadd_drivers+=\" vfio \"\n",
    "set default=\"${next_entry}\"\nsubmenu 'a' $menuentry_id_option 'b' {\n\tmenuentry 'c' --class d {\n",
    "\tlinux\t/boot/vmlinuz root=/dev/vda1 ro \"a b\" $vt_handoff\n\tinitrd /i\n}\n}\n",
    "menuentry \"entry\" --id entry { if x; then linux /k 'a'; else linux16 /k a; fi; }\n",
    "# GRUB Environment Block\nsaved_entry=a\\\\b\nnext_entry=1>2\n#####",
    "title Arch\nversion 6.9\nsort-key a\nlinux /k\ninitrd /i\noptions root=UUID=1 ro $x\noptions b\n",
    "default arch-[0-9]*\ntimeout 3\n",
    "root=ZFS=rpool/ROOT/pve-1 boot=zfs\n# comment\n",
    "{\n \"user\": {\n  \"kernel_options\": [\n   \"quiet\",\n   \"a\\\"b\"\n ]\n },\n \"default\": {}\n}",
    "DEFAULT entry\nLABEL entry\n\tMENU LABEL a\n\tLINUX /k\n\tAPPEND ro quiet\n",
    "blacklist nouveau\noptions vfio-pci ids=1:2 \\\n x=1\ninstall n* /bin/false\nsoftdep a pre: b post: c\n",
    "modules: a,-b # c\nmodules_force_load: 'vfio_pci'\nnetwork:\n  dhcp: on\n---\n",
    "ACTION==\"add\", SUBSYSTEM==\"pci\", DEVPATH==\"*/pci0000:00/0000:??:00.0\", ATTR{vendor}==\"0x1b36\", ATTR{device}==\"0x0010\", ENV{PASSTHRU}=\"0000:03:00.0\", ATTR{driver_override}=\"vfio-pci\", RUN{builtin}+=\"kmod load vfio-pci\"\n",
    "\r\n",
    "\\\n",
];

/// Pieces of samples, joined by noise.
fn garbage() -> impl Strategy<Value = String> {
    let piece = (0..SAMPLES.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let piece = piece.prop_map(|(sample, from, to)| {
        let sample = SAMPLES[sample];
        let (from, to) = (from.index(sample.len() + 1), to.index(sample.len() + 1));
        sample[from.min(to)..from.max(to)].to_owned()
    });
    // A whole sample now and then, or almost nothing is ever understood.
    let whole = (0..SAMPLES.len()).prop_map(|sample| SAMPLES[sample].to_owned());
    let piece = prop_oneof![piece, whole];
    let noise = prop_oneof![
        1 => any::<String>(), 2 => "[ '\"$`(){}\\\\;|&<>#=\n-]", 8 => Just(String::new())
    ];
    proptest::collection::vec((piece, noise), 0..6)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, noise)| piece + &noise).collect())
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![
        4 => "quiet|a|ro|root=1", 4 => "[a-c]=([a-c'$`\\\\{};#]{0,2}|\"[a-c $]\")", 1 => any::<String>(),
    ];
    (word, 0..4).prop_map(|(word, kind)| match kind {
        0 => Change::Set(word),
        1 => Change::Add(word),
        2 => Change::Include { name: "ids".to_owned(), values: vec![word] },
        _ => Change::Remove(word),
    })
}

type Edit<'e> = &'e dyn Fn(Source<'_>) -> Result<String, EditError>;

/// Each editor on one text.
fn each(text: &str, change: &Change, mut check: impl FnMut(&str, &str, Edit<'_>)) {
    let one = std::slice::from_ref(change);
    let names = ["vfio_pci".to_owned()];
    let copy = Copy { title: "a copy", id: "copy", changes: one };
    fn first(
        source: Source<'_>,
        edited: Result<Vec<Edited>, EditError>,
    ) -> Result<String, EditError> {
        Ok(edited?.into_iter().next().map_or_else(|| source.text.to_owned(), |edited| edited.text))
    }
    let editors: &[(&str, Edit<'_>)] = &[
        ("shell", &|s| first(s, shell::edit(&[s], "X", one))),
        ("shell, set", &|s| first(s, shell::set(&[s], "X", "a 'b'"))),
        ("grub_default", &|s| first(s, grub_default::edit(&[s], one))),
        ("u_boot_menu", &|s| first(s, u_boot_menu::edit(&[s], u_boot_menu::FALLBACK, one))),
        ("grub_cfg", &|s| grub_cfg::insert_copy(s, "entry", copy)),
        ("bls", &|s| bls::edit(s, one)),
        ("bls, copy", &|s| bls::copy(s, "a copy", &[])),
        ("kernel_cmdline", &|s| kernel_cmdline::edit(s, one)),
        ("kernelstub", &|s| kernelstub::edit(s, one)),
        ("extlinux", &|s| extlinux::edit(s, "entry", one)),
        ("extlinux, copy", &|s| extlinux::insert_copy(s, "entry", ("copy", "a copy"), one)),
        ("booster", &|s| booster::add(s, booster::List::Modules, &names)),
    ];
    for (name, edit) in editors {
        check(name, text, edit);
    }
}

/// Each parser on one text.
fn read(text: &str) {
    let source = Source::new("a-1+3-1.conf", text);
    let files = [source, source];
    if let Ok(menu) = grub_cfg::parse(source) {
        let mut bytes = text.as_bytes().to_vec();
        bytes.resize(grubenv::SIZE, b'#');
        let env = Environment::parse(&bytes).unwrap_or_default();
        let _ = menu.default_entry(&env);
        for entry in &menu.entries {
            let _ = (menu.find(&entry.title), menu.find(&entry.id));
            entry.kernels.iter().for_each(|kernel| drop(kernel.line()));
        }
    }
    let _ = (grub_default::arguments(&files), grub_default::variable(&files));
    let _ = (grub_default::setting(&files, "X"), grub_default::is_on(&files, "X"));
    let _ = (shell::value(&files, "X"), shell::is_assigned(&files, "X"));
    let _ = u_boot_menu::arguments(&files);
    let entries = [bls::parse(source), bls::parse(Source::new("b", text))];
    let _ = bls::compare(&entries[0], &entries[1]);
    let _ = loader_conf::default_entry(&loader_conf::parse(text), &entries);
    let _ = version::compare(text, "1.2");
    let _ = (kernel_cmdline::arguments(text), kernelstub::arguments(source));
    let menu = extlinux::parse(text);
    let _ = (menu.default_entry(), extlinux::without_labels(text, "a"));
    let label = menu.entries.first().map_or("", |entry| &entry.label);
    let _ = extlinux::with_initrd(source, label, "b");
    for format in [Format::Entry, Format::Line, Format::Kernelstub, Format::Extlinux] {
        let _ = (format.lines(source), format.edited(source, &[]));
    }
    if let Ok(rules) = udev_rules::parse(source) {
        let again = udev_rules::file(&rules).unwrap_or_default();
        assert_eq!(udev_rules::parse(Source::new("again", &again)).unwrap(), rules);
    }
    let file = modprobe::File { folder: "d", name: "a.conf", text };
    let _ = modprobe::Settings::read(&[file, file]).disabled("a");
}

proptest! {
    #![proptest_config(fuzz::seconds())]

    #[test]
    fn parsers(text in garbage()) {
        read(&text);
    }
}

proptest! {
    /// What an editor makes of a text, it leaves as it is the next time. A
    /// word that went may be refused then, as it may stand in what is
    /// computed.
    #[test]
    fn editors(text in garbage(), change in change()) {
        each(&text, &change, |name, text, edit| {
            let Ok(new) = edit(Source::new("file", text)) else { return };
            match edit(Source::new("file", &new)) {
                Ok(again) => assert_eq!(again, new, "{name}: {text:?}"),
                Err(error) => {
                    let is_gone = matches!(change, Change::Remove(_));
                    assert!(is_gone, "{name}: {text:?} -> {new:?}: {error}");
                }
            }
        });
    }
}

proptest! {
    /// A copy of an entry goes as it came.
    #[test]
    fn a_copy_and_the_way_back(text in garbage(), change in change()) {
        let changes = std::slice::from_ref(&change);
        let copy = Copy { title: "a copy", id: "copy", changes };
        let source = Source::new("grub.cfg", &text);
        let _ = grub_cfg::without_entry(source, "copy");
        let _ = grub_cfg::copy_entry(source, "entry", copy);
        if let Ok(with) = grub_cfg::insert_copy(source, "entry", copy) {
            if with == text {
                // It had that copy already.
                return Ok(());
            }
            let back = grub_cfg::without_entry(Source::new("grub.cfg", &with), "copy").unwrap();
            // A line that had no end may have one now.
            prop_assert_eq!(back.replace('\n', ""), text.replace('\n', ""));
        }
    }

    /// A variable of a block is refused or changed, and then says it.
    #[test]
    fn a_variable_of_a_block(text in garbage(), change in change()) {
        let changes = std::slice::from_ref(&change);
        let mut bytes = format!("# GRUB Environment Block\n{text}").into_bytes();
        bytes.resize(grubenv::SIZE, b'#');
        let _ = grubenv::edit("grubenv", text.as_bytes(), "X", changes);
        for name in ["saved_entry", "X", "options"] {
            if let Ok(Some((from, to))) = grubenv::edit("grubenv", &bytes, name, changes) {
                let mut block = Environment::parse(&bytes).unwrap();
                prop_assert_eq!(block.get(name), Some(from.as_str()));
                block.set(name, &to).unwrap();
                let again = grubenv::edit("grubenv", &block.to_bytes().unwrap(), name, changes);
                prop_assert_eq!(again, Ok(None));
            }
        }
    }
}

/// Long files of one thing: nothing is read again for each of them, and
/// nothing stands on the stack.
#[test]
fn long_files() {
    let change = Change::Add("a".to_owned());
    for piece in [
        "(",
        "{",
        "$(",
        "${X:-",
        "\"$(",
        "`",
        "'",
        "if ",
        "{ ",
        "X=$X\n",
        "X=\"$X$X\"\n",
        "X=a\n",
        "\\",
        "#",
        "export X=a\n",
        "export X=a Y=$X\n",
        "unset X\n",
        "eval\nX=a\n",
        "f() {",
        "X=(a",
        "X+=(a)\n",
        "submenu a {\n",
        "menuentry a {\n}\n",
        "menuentry a { linux /k b\n}\n",
        "cat <<E\n",
        "case a in (",
        "a && ",
        "a | ",
        "label entry\nlinux k\n",
        "options x\n",
        "title x\n",
        "blacklist a\\\n",
        "softdep a pre: b ",
        "modules:\n",
        "[",
        "{\"a\":",
        "a ",
        "\"",
        "~",
        "1",
    ] {
        let text = piece.repeat(3_000);
        read(&text);
        each(&text, &change, |_, text, edit| drop(edit(Source::new("file", text))));
    }
}

/// Who adds an editor adds it to this file.
#[test]
fn no_editor_is_left_out() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = fs::read_to_string(here.join("tests/boot_garbage.rs")).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(here.join("src/boot")).unwrap() {
        let path = entry.unwrap().path();
        let module = path.file_stem().unwrap().to_str().unwrap();
        // What is no text has tests of its own (`tests/cpio.rs`).
        if ["mod", "cmdline", "source", "pattern", "pieces", "initramfs"].contains(&module) {
            continue;
        }
        assert!(tests.contains(&format!("{module}::")), "{module}");
        count += 1;
    }
    assert!(count >= 12, "only {count} editors were found");
}
