use proptest::prelude::*;

use super::*;
use crate::boot::cmdline::Cmdline;

const DEBIAN: &str = "## IMPORTANT WARNING\n\ndefault l0\nmenu title U-Boot menu\nprompt 0\n\
    timeout 50\n\nlabel l0\n\tmenu label Debian 6.1.0-37-arm64\n\tlinux /vmlinuz-6.1.0-37-arm64\n\
    \tinitrd /initrd.img-6.1.0-37-arm64\n\tfdtdir /usr/lib/linux-image-6.1.0-37-arm64/\n\t\n\
    \tappend root=UUID=1 ro quiet\n\nlabel l0r\n\tmenu label Debian (rescue target)\n\
    \tlinux /vmlinuz-6.1.0-37-arm64\n\tappend root=UUID=1 ro single\n";

fn set(word: &str) -> Change {
    Change::Set(word.to_owned())
}

fn source(text: &str) -> Source<'_> {
    Source::new("extlinux.conf", text)
}

#[test]
fn what_boots() {
    let menu = parse(DEBIAN);
    let first = menu.default_entry().unwrap();
    assert_eq!(first.arguments, "root=UUID=1 ro quiet");
    assert_eq!(first.title.as_deref(), Some("Debian 6.1.0-37-arm64"));
    assert_eq!(first.kernel.as_deref(), Some("/vmlinuz-6.1.0-37-arm64"));
    assert_eq!((menu.entries.len(), menu.includes), (2, false));
    let menu =
        parse("ONTIMEOUT b\r\nLabel a\r\n\tMenu Default\r\n KERNEL /k\r\nLABEL b\r\nInclude x");
    assert_eq!(menu.default.as_deref(), Some("a"));
    assert_eq!((menu.default_entry().map(|e| &*e.label), menu.includes), (Some("b"), true));
    assert_eq!(parse("label a\n").default_entry(), None);
}

#[test]
fn edits() {
    for (text, want) in [
        ("label a\nlinux /k\nappend x\n", "label a\nlinux /k\nappend x b\n"),
        ("LABEL a\r\n  KERNEL /k\r\n", "LABEL a\r\n  KERNEL /k\r\n  append b\r\n"),
        ("label a\n\tlinux /k", "label a\n\tlinux /k\n\tappend b\n"),
        ("label a\nlinux /k\nappend\nlabel c\n", "label a\nlinux /k\nappend b\nlabel c\n"),
        (
            "label a\nappend x \nlinux /k\nAppend\ty \n",
            "label a\nappend x \nlinux /k\nAppend\ty b \n",
        ),
    ] {
        assert_eq!(edit(source(text), "a", &[set("b")]).unwrap(), want, "{text:?}");
        assert_eq!(edit(source(want), "a", &[set("b")]).unwrap(), want);
    }
    let problem = |text: &str| edit(source(text), "a", &[set("b")]).unwrap_err().problem;
    assert_eq!(problem("label b\n"), Problem::NoEntry("a".to_owned()));
    assert_eq!(problem("label a\n"), Problem::NoKernel("a".to_owned()));
    let open = "label a\nlinux k\nappend \"x\n";
    assert_eq!(problem(open), Problem::Unterminated("a quoted text of the line or of a change"));
}

#[test]
fn copies() {
    let new = ("testing", "Debian - testing");
    let copied = insert_copy(source(DEBIAN), "l0", new, &[set("iommu=pt")]).unwrap();
    let menu = parse(&copied);
    let labels: Vec<_> = menu.entries.iter().map(|entry| &*entry.label).collect();
    assert_eq!(labels, ["l0", "testing", "l0r"]);
    let entry = menu.entry("testing").unwrap();
    assert_eq!(entry.arguments, "root=UUID=1 ro quiet iommu=pt");
    assert_eq!(entry.title.as_deref(), Some("Debian - testing"));
    assert_eq!(insert_copy(source(&copied), "l0", new, &[set("iommu=pt")]).unwrap(), copied);
    assert!(insert_copy(source(&copied), "l0", new, &[]).is_err());
    assert!(insert_copy(source(DEBIAN), "l0", ("a\nb", "t"), &[]).is_err());
    let bare = insert_copy(source("label a\nlinux k"), "a", ("b", "B"), &[]).unwrap();
    assert_eq!(bare, "label a\nlinux k\nlabel b\n\tmenu label B\nlinux k\n");
}

proptest! {
    #[test]
    fn one_entry_changes(
        lines in prop::collection::vec(
            "[ \t]{0,2}(label [a-c]|LINUX /k|append[ \t][x-z =]{0,5}|#.?|menu label q|default a|)[ ]?\r?\n", 0..12),
        word in "[x-z](=1)?", removes: bool,
    ) {
        let text = lines.concat();
        let change = if removes { Change::Remove(word) } else { Change::Set(word) };
        let before = parse(&text);
        let Ok(new) = edit(source(&text), "a", std::slice::from_ref(&change)) else {
            prop_assert!(before.entry("a").is_none_or(|entry| entry.kernel.is_none()));
            return Ok(());
        };
        let after = parse(&new);
        let want = change.apply(&before.entry("a").unwrap().arguments);
        let is = &after.entry("a").unwrap().arguments;
        prop_assert!(Cmdline::new(is).words().eq(Cmdline::new(&want).words()), "{:?}", new);
        prop_assert_eq!(edit(source(&new), "a", &[change]).unwrap(), new.clone());
        let others = |menu: &Menu| -> Vec<_> {
            let mut entries = menu.entries.iter();
            entries.find(|entry| entry.label == "a");
            entries.map(|e| (e.label.clone(), e.arguments.clone())).collect()
        };
        prop_assert_eq!(others(&before), others(&after));
    }

    #[test]
    fn garbage(text: String, label in "[a-c]") {
        let _ = edit(source(&text), &label, &[set("a")]);
        let _ = insert_copy(source(&text), &label, ("n", "t"), &[]);
    }
}
