//! `grub.cfg`, as `grub-mkconfig` of Debian 12 writes it and as the guide for
//! POWER9 machines shows it: what is read, and what a copy of an entry changes.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use model::boot::cmdline::{Change, agreed};
use model::boot::grub_cfg::{self, Copy, Entry, Kernel};
use model::boot::grubenv::{Environment, SIZE};
use model::boot::source::{Problem, Source};
use proptest::prelude::*;

const DEBIAN: &str = include_str!("samples/boot/grub-debian-12.cfg");
const POWER: &str = include_str!("samples/boot/grub-power9.cfg");

fn source(text: &str) -> Source<'_> {
    Source::new("grub.cfg", text)
}

fn env(text: &str) -> Environment {
    let mut bytes = format!("# GRUB Environment Block\n{text}").into_bytes();
    bytes.resize(SIZE, b'#');
    Environment::parse(&bytes).unwrap()
}

fn default<'m>(
    text: &str,
    menu: &'m mut Option<grub_cfg::Menu>,
    block: &str,
) -> Result<&'m str, Problem> {
    let menu = menu.insert(grub_cfg::parse(source(text)).unwrap());
    Ok(menu.default_entry(&env(block))?.map_or("", |entry| &entry.title))
}

#[test]
fn a_generated_menu() {
    let menu = grub_cfg::parse(source(DEBIAN)).unwrap();
    let titles: Vec<_> = menu.entries.iter().map(|e| (e.parent, e.title.as_str())).collect();
    let linux = |rest: &str| format!("Debian GNU/Linux, with Linux 6.1.0-{rest}");
    let advanced = "Advanced options for Debian GNU/Linux";
    assert_eq!(
        titles,
        [
            (None, "Debian GNU/Linux"),
            (None, advanced),
            (Some(1), &*linux("40-amd64")),
            (Some(1), &linux("40-amd64 (recovery mode)")),
            (Some(1), &linux("37-amd64")),
            (Some(1), &linux("37-amd64 (recovery mode)")),
        ]
    );
    let first = &menu.entries[0];
    assert_eq!(first.id, "gnulinux-simple-4d574a87-ece1-476c-8102-23df7ba53d35");
    assert_eq!(first.initrds, ["/boot/initrd.img-6.1.0-40-amd64"]);
    assert_eq!(first.kernels[0].path, "/boot/vmlinuz-6.1.0-40-amd64");
    assert_eq!(first.kernels[0].line(), "root=/dev/vda1 ro quiet");
    assert!(menu.entries[1].is_submenu && menu.entries[1].kernels.is_empty());
    assert!(!menu.reads_bls && menu.entries.iter().all(|entry| !entry.is_conditional));
    let find = |spec: &str| menu.find(spec).map(|entry| entry.title.clone());
    let id = "gnulinux-advanced-4d574a87-ece1-476c-8102-23df7ba53d35";
    for (spec, title) in [
        ("0".to_owned(), "Debian GNU/Linux".to_owned()),
        ("1>2".to_owned(), linux("37-amd64")),
        (format!("{advanced}>{}", linux("40-amd64")), linux("40-amd64")),
        (format!("{id}>1"), linux("40-amd64 (recovery mode)")),
    ] {
        assert_eq!(find(&spec), Ok(title), "{spec}");
    }
    for spec in ["", "1", "2", "0>0", "1>9", "Debian", "37"] {
        assert_eq!(find(spec), Err(Problem::NoEntry(spec.to_owned())), "{spec}");
    }
}

#[test]
fn which_entry_boots() {
    let saved = DEBIAN.replace("set default=\"0\"", "set default=\"${saved_entry}\"");
    let third = DEBIAN.replace("set default=\"0\"", "set default=\"1>2\"");
    let simple = "Debian GNU/Linux";
    let old = "Debian GNU/Linux, with Linux 6.1.0-37-amd64";
    let new = "Debian GNU/Linux, with Linux 6.1.0-40-amd64";
    let advanced = "saved_entry=Advanced options for Debian GNU/Linux>";
    for (text, block, want) in [
        (DEBIAN, "", simple),
        (DEBIAN, "saved_entry=1>2\n", simple),
        (DEBIAN, "next_entry=1>2\n", old),
        (DEBIAN, "next_entry=\n", simple),
        (DEBIAN, "next_entry=nothing\n", simple),
        (DEBIAN, "next_entry=1\n", new),
        (&third, "", old),
        (&saved, "", simple),
        (&saved, "saved_entry=1>2\n", old),
        (&saved, &format!("{advanced}{old}\n"), old),
        (&saved, &format!("{advanced}gone\n"), new),
        ("", "", ""),
    ] {
        assert_eq!(default(text, &mut None, block), Ok(want), "{block}");
    }
    let hidden = "set default=1\nif a; then\nmenuentry b {\n}\nfi\nmenuentry 'c>d' {\n}\n";
    assert!(default(hidden, &mut None, "").is_err());
    let named = hidden.replace("default=1", "default='c>>d'");
    assert_eq!(default(&named, &mut None, ""), Ok("c>d"));
    let two = "set default=0\nif x; then set default=1; fi\nmenuentry a {\n}\n";
    assert!(default(two, &mut None, "").is_err());
}

#[test]
fn the_guide_for_power9() {
    let changes = [Change::Set("vfio-pci.disable_idle_d3=1".to_owned())];
    let title = "CentOS Linux (4.14.0-49.10.1.el7a.ppc64le) 7 (AltArch) - passthru testing";
    let copy = Copy { title, id: "passthru-testing", changes: &changes };
    let which = "CentOS Linux (4.14.0-49.10.1.el7a.ppc64le) 7 (AltArch)";
    let new = grub_cfg::insert_copy(source(POWER), which, copy).unwrap();
    assert!(new.starts_with(POWER));
    let differing: Vec<_> = POWER
        .lines()
        .zip(new[POWER.len()..].lines())
        .filter(|(one, other)| one != other)
        .map(|(_, other)| other)
        .collect();
    assert_eq!(differing.len(), 2);
    assert!(differing[0].starts_with(&format!("menuentry '{title}' --class centos")));
    assert!(differing[0].ends_with("$menuentry_id_option 'passthru-testing' {"));
    assert!(differing[1].ends_with("quiet LANG=en_US.UTF-8 vfio-pci.disable_idle_d3=1"));
    assert_eq!(grub_cfg::insert_copy(source(&new), which, copy).unwrap(), new);
    assert_eq!(grub_cfg::without_entry(source(&new), "passthru-testing").unwrap(), POWER);
    let other = Copy { changes: &[], ..copy };
    let error = grub_cfg::insert_copy(source(&new), which, other).unwrap_err();
    assert_eq!(error.problem, Problem::SameEntry("passthru-testing".to_owned()));
}

#[test]
fn copies() {
    let set = |word: &str| Change::Set(word.to_owned());
    let remove = |word: &str| Change::Remove(word.to_owned());
    for (line, change, want) in [
        ("linux /k", set("a"), "linux /k a"),
        ("linux\t/k  ro quiet ", set("a=1"), "linux\t/k  ro quiet a=1 "),
        ("linuxefi /k $kernelopts ${extra}", set("a"), "linuxefi /k $kernelopts ${extra} a"),
        ("linux16 /k a=1 b \\\n  c", set("a=2"), "linux16 /k a=2 b \\\n  c"),
        ("linux /k a=1 b c", remove("b"), "linux /k a=1 c"),
        ("linux /k b c", remove("b"), "linux /k c"),
        ("linux /k b", remove("b"), "linux /k"),
        ("linux /k a b a", set("a=1"), "linux /k a=1 b"),
        ("linux /k a -- b", set("c"), "linux /k a c -- b"),
        ("linux /k -- b", set("c"), "linux /k c -- b"),
        ("linux /k 'a b' c", remove("c"), "linux /k 'a b'"),
        ("linux /k \"d=x $y\" c", set("c=1"), "linux /k \"d=x $y\" c=1"),
        ("linux /k a # b", set("c=$x"), "linux /k a 'c=$x' # b"),
        ("linux /k a", set("d=\"x y\""), "linux /k a 'd=x y'"),
        ("linux /k d=\"x y\"", remove("d"), "linux /k"),
        (
            "if x; then linux /k a; else linux16 /k; fi",
            set("b"),
            "if x; then linux /k a b; else linux16 /k b; fi",
        ),
    ] {
        let cfg = |id: &str, line: &str| {
            format!("menuentry \"t$v\" --id={id} --unrestricted {{\n{line}\n}}\n")
        };
        let text = cfg("x", line);
        let changes = [change];
        let copy = Copy { title: "it's", id: "y", changes: &changes };
        let want = cfg("'y'", want).replace("\"t$v\"", r"'it'\''s'");
        assert_eq!(grub_cfg::copy_entry(source(&text), "x", copy).unwrap(), want, "{line}");
        let new = grub_cfg::insert_copy(source(&text), "x", copy).unwrap();
        assert_eq!(new, text + &want);
    }
}

#[test]
fn refusals() {
    let unterminated = Problem::Unterminated;
    for (text, line, problem) in [
        ("menuentry 'a", 1, unterminated("a quoted text")),
        ("\nmenuentry \"a {\n}\n", 2, unterminated("a quoted text")),
        ("menuentry a {\n", 1, unterminated("a block")),
        ("menuentry a --class b\n", 1, unterminated("an entry")),
        ("if a; then\n", 1, unterminated("a condition")),
        ("menuentry a {\nif b; then\n}\n", 2, unterminated("a condition")),
        ("menuentry a {\nfi\n}\n", 2, Problem::Unbalanced("fi".to_owned())),
        ("\n}\n", 2, Problem::Unbalanced("}".to_owned())),
        ("menuentry --id a {\n}\n", 1, Problem::Format("an entry has no title")),
        ("menuentry a {\nlinux /k b{c}\n}", 2, Problem::Unexpected("{".to_owned())),
        ("menuentry x {\n\n}\n", 1, Problem::NoKernel("x".to_owned())),
        (
            "menuentry x {\nlinux /k 'a\"b'\n}\n",
            2,
            Problem::NotWritable("a\"b".to_owned(), "the arguments of an entry"),
        ),
    ] {
        let changes = [Change::Add("c".to_owned())];
        let copy = Copy { title: "t", id: "i", changes: &changes };
        let error = grub_cfg::copy_entry(source(text), "x", copy).unwrap_err();
        assert_eq!((error.line, error.problem), (Some(line), problem), "{text:?}");
    }
}

fn words() -> impl Strategy<Value = String> {
    let word = prop_oneof![
        4 => "[a-c](=[0-2,]{1,3})?",
        1 => "'[a-c]=[0-2 ]{0,3}'",
        1 => "\"[a-c] \\$x\"",
        1 => "\\$[a-c]{1,2}",
        1 => r"[a-c]\\[ '$]",
        1 => "\\\\\n",
    ];
    prop::collection::vec((word, "[ \t]{1,2}"), 0..6)
        .prop_map(|words| words.into_iter().map(|(word, blank)| blank + &word).collect())
}

fn entry() -> impl Strategy<Value = String> {
    (0..3_usize, words(), any::<bool>()).prop_map(|(kind, words, quoted)| {
        let quote = if quoted { '"' } else { '\'' };
        match kind {
            0 => format!("menuentry {quote}N M{quote} --class c $menuentry_id_option 'N' {{\n\tlinux\t/k{words}\n\tinitrd /i\n}}\n"),
            1 => format!("submenu N {{\n  menuentry {quote}N m{quote} {{ linux /k{words} \n}}\n}} # x\n"),
            _ => format!("if [ a ]; then\nmenuentry N --id=N --unrestricted {{\nif b; then linux /k{words}\nfi; initrd /i /j;}}\nfi\n"),
        }
    })
}

proptest! {
    /// A copy is there, says what it should, and nothing else changed.
    #[test]
    fn copies_change_nothing_else(
        entries in prop::collection::vec(entry(), 1..4),
        pick: prop::sample::Index, word in "[a-c](=[0-2]{1,2})?", kind in 0..3,
    ) {
        let text: String =
            entries.iter().enumerate().map(|(n, entry)| entry.replace('N', &format!("e{n}"))).collect();
        let menu = grub_cfg::parse(source(&text)).unwrap();
        let with_kernels: Vec<&Entry> = menu.entries.iter().filter(|e| !e.is_submenu).collect();
        let which = with_kernels[pick.index(with_kernels.len())];
        let path = match which.parent {
            Some(parent) => format!("{}>{}", menu.entries[parent].title, which.title),
            None => which.title.clone(),
        };
        let change = match kind {
            0 => Change::Set(word),
            1 => Change::Add(word),
            _ => Change::Remove(word),
        };
        let changes = [change];
        let copy = Copy { title: "the copy", id: "copy", changes: &changes };
        // An apostrophe or a lone quote cannot be told apart on the line.
        let Ok(new) = grub_cfg::insert_copy(source(&text), &path, copy) else {
            let lines: Vec<_> = which.kernels.iter().map(Kernel::line).collect();
            prop_assert!(lines.iter().any(|line| line.contains(['\'', '"', '$'])), "{}", text);
            return Ok(());
        };
        let after = grub_cfg::parse(source(&new)).unwrap();
        let made = after.entries.iter().find(|entry| entry.id == "copy").unwrap();
        let want: Vec<_> = which.kernels.iter().map(|k| agreed(&k.line(), &changes).unwrap()).collect();
        prop_assert_eq!(made.kernels.iter().map(Kernel::line).collect::<Vec<_>>(), want);
        prop_assert_eq!(&made.initrds, &which.initrds);
        prop_assert_eq!(grub_cfg::insert_copy(source(&new), &path, copy).unwrap(), new.clone());
        let without = grub_cfg::without_entry(source(&new), "copy").unwrap();
        prop_assert_eq!(without.lines().collect::<Vec<_>>(), text.lines().collect::<Vec<_>>());
    }
}
