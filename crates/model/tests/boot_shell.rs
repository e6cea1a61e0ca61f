//! Files that a shell sources: what is read equals what a shell makes of them,
//! before an edit and after it.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::Write;
use std::process::{Command, Stdio};

use model::boot::cmdline::{Change, Cmdline, changed};
use model::boot::shell;
use model::boot::source::{Dynamic, EditError, Edited, Problem, Source};
use proptest::prelude::*;

const NAMES: [&str; 3] = ["X", "Y", "Z"];

/// What a shell says that the variables are behind some files.
fn shell(program: &str, files: &[String]) -> [String; 3] {
    let mut script = String::new();
    for file in files {
        script.push_str(file);
        script.push('\n');
    }
    script.push_str(r#"printf '%s\0%s\0%s' "${X-}" "${Y-}" "${Z-}""#);
    let mut child = Command::new(program)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .arg("-s")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut values = text.split('\0').map(str::to_owned);
    NAMES.map(|_| values.next().unwrap_or_else(|| panic!("{program}: {script}")))
}

fn sources(files: &[String]) -> Vec<Source<'_>> {
    files.iter().map(|file| Source::new("file", file)).collect()
}

fn with(files: &[String], edited: Vec<Edited>) -> Vec<String> {
    let mut files = files.to_vec();
    for Edited { index, text } in edited {
        files[index] = text;
    }
    files
}

/// A value in all ways of quoting.
fn literal() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        r"'[a-c $`\\=]{0,5}'",
        r#""([a-c ='~]|\\["$`\\]|\\\n|\\a){0,5}""#,
        r"([a-c=,.]|\\[ '~$]|\\\n){1,4}",
    ];
    prop::collection::vec(piece, 0..4).prop_map(|pieces| pieces.concat())
}

/// A line of which every value is known.
fn plain() -> impl Strategy<Value = String> {
    let name = || prop_oneof![3 => Just("X"), 1 => Just("Y"), 1 => Just("Z")];
    prop_oneof![
        4 => (name(), literal()).prop_map(|(name, value)| format!("{name}={value}\n")),
        2 => (name(), "[a-c ]{0,4}").prop_map(|(name, more)| format!("{name}=\"${name} {more}\"\n")),
        1 => (name(), "[a-c ]{0,4}").prop_map(|(name, more)| format!("{name}=\"{more} ${{{name}}}\"\n")),
        1 => name().prop_map(|name| format!("{name}=${name}\\ q\n")),
        1 => (name(), "[a-c]{0,4}").prop_map(|(name, value)| format!("export {name}={value}\n")),
        1 => (name(), literal(), name()).prop_map(|(a, v, b)| format!("  {a}={v} {b}=b;\t{a}=c # X=no\n")),
        1 => "# X='[a-c\"]{0,4}\n",
        1 => Just("cat <<'E' >/dev/null\nX=bad\nE\n".to_owned()),
        1 => Just("f() { X=f; }\n[ x ] || true\n".to_owned()),
        1 => name().prop_map(|name| format!("unset {name}\n")),
        1 => Just("X=1 true; LANG=C : 2>/dev/null\n\n".to_owned()),
    ]
}

/// A line after which something is perhaps not known.
fn dynamic() -> impl Strategy<Value = String> {
    const LINES: &[&str] = &[
        "if [ -n \"$X\" ]; then X=foo; elif true; then Y=2; else X=b; fi\n",
        "[ -n \"$X\" ] && X=\"$X c\"\n",
        "false || X=or\n",
        "X=$(echo dyn) Y=`echo \\`echo q\\``\n",
        "X=\"${X:-def} $((1 + 2))\"\n",
        ": \"${X:=set}\" ${Y=q}\n",
        "f\n",
        "f() { X=f; }; f\n",
        "case $X in a*) X=q;; (b | c) X=w ;; *) Y=z; esac\n",
        "eval X=z\n",
        "(X=sub; Y=sub)\n",
        "X=p | cat\n",
        "X=\"$Y y\"\n",
        "X=$Y\"$Z\"\n",
        "read X <<E\nhello there\nE\n",
        "for X in a b; do Y=\"$Y$X\"; done\n",
        "{ X=brace; }\n",
        "while :; do X=w; break; done\n",
        "! X=not\n",
        "X=1 : && Y=and\n",
        "X=~ Y=a:~\n",
        "export X=\"$Y\" Y=\"$X\"\n",
        "X=$# Y=$-\n",
        "X=$ Y=\"$\" Z=a$\n",
        "unset X Y\n",
        "X=t >/dev/null\n",
        "X=a \\\n  Y=b\n",
        "X=async & wait\n",
        "command eval Y=5\n",
        "readonly_=1; X='a'\"$X\"'b'\n",
    ];
    prop_oneof![2 => plain(), 3 => (0..LINES.len()).prop_map(|line| LINES[line].to_owned())]
}

fn files(line: impl Strategy<Value = String>) -> impl Strategy<Value = Vec<String>> {
    let file = prop::collection::vec(line, 0..5).prop_map(|lines| lines.concat());
    prop::collection::vec((file, any::<bool>()), 1..4).prop_map(|files| {
        let cut = |text: String| text.strip_suffix('\n').map(str::to_owned).unwrap_or(text);
        files.into_iter().map(|(text, ends)| if ends { text } else { cut(text) }).collect()
    })
}

fn change() -> impl Strategy<Value = Change> {
    let word = prop_oneof![Just("new=1".to_owned()), "[a-c]", "[a-c]=[a-c$'\"]"];
    (word, 0..4).prop_map(|(word, kind)| match kind {
        0 => Change::Set(word),
        1 => Change::Add(word),
        2 => Change::Include { name: "new".to_owned(), values: vec!["1".to_owned(), word] },
        _ => Change::Remove(word),
    })
}

/// Whether a second edit changes nothing: a word that went may be refused, as
/// it may stand in what is computed.
fn is_settled(again: &Result<Vec<Edited>, EditError>) -> bool {
    match again {
        Ok(edited) => edited.is_empty(),
        Err(error) => matches!(error.problem, Problem::Dynamic { .. }),
    }
}

/// What holds of every edit that is not refused.
fn check(files: &[String], changes: &[Change], program: &str) -> Result<(), TestCaseError> {
    let before = shell(program, files);
    let list = sources(files);
    for (name, value) in NAMES.iter().zip(&before) {
        if let Ok(known) = shell::value(&list, name) {
            prop_assert_eq!(&known.unwrap_or_default(), value, "{} {:?}", name, files);
        }
    }
    let Ok(edited) = shell::edit(&list, "X", changes) else { return Ok(()) };
    let files_after = with(files, edited);
    let after = shell(program, &files_after);
    prop_assert_eq!(&after[1..], &before[1..], "{:?} -> {:?}", files, &files_after);
    for change in changes.iter().filter(|_| changes.len() == 1) {
        // What is computed may say anything besides.
        let says = match change {
            Change::Set(word) => Cmdline::new(&after[0]).has(word),
            Change::Remove(_) => shell::value(&list, "X").is_err() || change.is_in(&after[0]),
            _ => change.is_in(&after[0]),
        };
        // A line with a quote that has no end takes no words.
        let is_open = before[0].matches('"').count() % 2 == 1;
        prop_assert!(says || is_open, "{:?} -> {:?}", files, &files_after);
    }
    if shell::value(&list, "X").is_ok() {
        let want = changed(&before[0], changes);
        let (want, is) = (Cmdline::new(&want), Cmdline::new(&after[0]));
        prop_assert!(is.words().eq(want.words()), "{:?} -> {:?}", files, &files_after);
    }
    if changes.len() == 1 {
        let again = shell::edit(&sources(&files_after), "X", changes);
        prop_assert!(is_settled(&again), "{:?}: {:?}", files_after, again);
    }
    Ok(())
}

proptest! {
    /// Where nothing is computed, nothing is refused but a word that cannot
    /// be taken apart.
    #[test]
    fn plain_values_are_what_sh_makes_of_them(files in files(plain())) {
        let list = sources(&files);
        let known = NAMES.map(|name| shell::value(&list, name).unwrap().unwrap_or_default());
        prop_assert_eq!(known, shell("sh", &files), "{:?}", files);
    }

    #[test]
    fn edits_of_plain_files(files in files(plain()), change in change()) {
        check(&files, &[change], "sh")?;
    }

    #[test]
    fn edits_of_files_that_compute(files in files(dynamic()), change in change()) {
        check(&files, &[change], "sh")?;
    }

    #[test]
    fn bash_sees_the_same(
        files in files(prop_oneof![
            2 => dynamic(),
            1 => "[XY]\\+=('[a-c ]{0,3}'|\" [a-c]{1,2}\"|[a-c])\n",
            1 => Just("Z=(a b) Y[1]=2\n".to_owned()),
            1 => Just("Y=$'a\\'b' Z=$\"t\" X+=c\n".to_owned()),
            1 => Just("declare Y=d; export X+=' e'\n".to_owned()),
            1 => Just("function g { X=g; }\nZ=$((Y = 3)); X=\"$X q\"\n".to_owned()),
            1 => Just("[[ -n $X && $Y == a* ]] && Y=n\ncat <<< X=1 &>/dev/null\n".to_owned()),
        ]),
        changes in prop::collection::vec(change(), 1..3),
    ) {
        check(&files, &changes, "bash")?;
    }

    /// A value that is set is the value, in a shell too.
    #[test]
    fn values_that_are_set(files in files(dynamic()), new in r#"[a-c$`"'\\ ]{0,6}"#) {
        let Ok(edited) = shell::set(&sources(&files), "X", &new) else { return Ok(()) };
        let after = with(&files, edited);
        let (was, is) = (shell("sh", &files), shell("sh", &after));
        prop_assert_eq!(&is[0], &new, "{:?} -> {:?}", files, after);
        prop_assert_eq!(&is[1..], &was[1..], "{:?} -> {:?}", files, after);
        prop_assert_eq!(shell::set(&sources(&after), "X", &new).unwrap(), vec![]);
    }
}

/// One file, one change, and the file that comes of it.
#[test]
fn edits() {
    let set = |word: &str| Change::Set(word.to_owned());
    let remove = |word: &str| Change::Remove(word.to_owned());
    for (text, change, want) in [
        ("X=\"quiet splash\"\n", set("iommu=pt"), "X=\"quiet splash iommu=pt\"\n"),
        ("X='quiet'", set("iommu=pt"), "X='quiet iommu=pt'"),
        ("X=\"\"\n", set("iommu=pt"), "X=\"iommu=pt\"\n"),
        ("X=''\n", set("iommu=pt"), "X='iommu=pt'\n"),
        ("X=\n", set("iommu=pt"), "X=iommu=pt\n"),
        ("X=quiet\n", set("iommu=pt"), "X=\"quiet iommu=pt\"\n"),
        ("X=quiet\r\n", set("iommu=pt"), "X=\"quiet iommu=pt\"\r\n"),
        ("X=\"quiet\"\r\n", set("iommu=pt"), "X=\"quiet iommu=pt\"\r\n"),
        ("", set("iommu=pt"), "X=\"iommu=pt\"\n"),
        ("Y=1", set("iommu=pt"), "Y=1\nX=\"iommu=pt\"\n"),
        ("Y=1\r\n", set("iommu=pt"), "Y=1\r\nX=\"iommu=pt\"\r\n"),
        ("#X=\"quiet\"\n", set("iommu=pt"), "#X=\"quiet\"\nX=\"iommu=pt\"\n"),
        ("X=\"a\" # b\n", set("iommu=pt"), "X=\"a iommu=pt\" # b\n"),
        ("export X='a'  \n", set("iommu=pt"), "export X='a iommu=pt'  \n"),
        ("X=a Y=2\n", set("iommu=pt"), "X=\"a iommu=pt\" Y=2\n"),
        ("X=\"a\"\nX=\"b\"\n", set("iommu=pt"), "X=\"a\"\nX=\"b iommu=pt\"\n"),
        ("X=\"a \\\n  b\"\n", set("iommu=pt"), "X=\"a \\\n  b iommu=pt\"\n"),
        ("X=\"a iommu=off b\"\n", set("iommu=pt"), "X=\"a iommu=pt b\"\n"),
        ("X=\"a iommu=pt\"\n", set("iommu=pt"), "X=\"a iommu=pt\"\n"),
        ("X=\"a\"\n", set("d=\"x $y\""), "X=\"a d=\\\"x \\$y\\\"\"\n"),
        ("X='a'\n", set("d=\"it's\""), "X='a d=\"it'\\''s\"'\n"),
        ("X=\"a\"\nX=\"$X tty\"\n", set("iommu=pt"), "X=\"a\"\nX=\"$X tty iommu=pt\"\n"),
        ("X=\"a\"\nX=\"tty $X\"\n", set("iommu=pt"), "X=\"a\"\nX=\"tty $X iommu=pt\"\n"),
        ("X=\"a b\"\nX=\"$X tty\"\n", remove("a"), "X=\"b\"\nX=\"$X tty\"\n"),
        ("X=a\nX=\"$X tty\"\n", remove("a"), "X=\nX=\"$X tty\"\n"),
        ("X=\"a\"\nX+=\" tty\"\n", set("iommu=pt"), "X=\"a\"\nX+=\" tty iommu=pt\"\n"),
        ("X=$(cat f)\n", set("iommu=pt"), "X=$(cat f)\nX=\"$X iommu=pt\"\n"),
        ("if t; then X=a; fi\n", set("iommu=pt"), "if t; then X=a; fi\nX=\"$X iommu=pt\"\n"),
        ("X=\"$(cat f) b\"\n", remove("b"), "X=\"$(cat f)\"\n"),
        ("X=\"a\"\nY=\"$X\"\n", set("iommu=pt"), "X=\"a\"\nY=\"$X\"\nX=\"$X iommu=pt\"\n"),
    ] {
        let edited = shell::edit(&[Source::new("f", text)], "X", std::slice::from_ref(&change));
        let after = with(&[text.to_owned()], edited.unwrap());
        assert_eq!(after[0], want, "{text:?} {change:?}");
    }
}

/// What is refused, and where.
#[test]
fn refusals() {
    let computed = Problem::Dynamic { name: "X".to_owned(), how: Dynamic::Computed };
    let conditional = Problem::Dynamic { name: "X".to_owned(), how: Dynamic::Conditional };
    let elsewhere = Problem::Dynamic { name: "X".to_owned(), how: Dynamic::Elsewhere };
    let entangled = Problem::Entangled("X".to_owned());
    let other =
        Problem::OfAnother { name: "X".to_owned(), other: "Y".to_owned(), word: "a".to_owned() };
    for (text, line, problem) in [
        ("\nX=$(cat f)\n", 2, computed),
        ("X=a\nif t\nthen X=b\nfi\n", 3, conditional),
        ("X=a\nL=(b ${X:=c})\n", 2, elsewhere),
        ("Y=a\nX=\"$Y b\"\n", 1, other),
        ("X=a\nY=$X\n", 1, entangled),
        ("Y=1\nX=\"a", 2, Problem::Unterminated("a quoted text")),
        ("X=`a", 1, Problem::Unterminated("a substitution")),
        ("X=${a", 1, Problem::Unterminated("an expansion")),
        ("cat <<E\nX=1\n", 1, Problem::Unterminated("a here-document")),
        ("if true; then\n", 1, Problem::Unbalanced("if tr".to_owned())),
        ("X=a\nfi\n", 2, Problem::Unbalanced("fi".to_owned())),
        ("X=a\n)\n", 2, Problem::Unbalanced(")".to_owned())),
        ("\n((X = 3))\n", 2, Problem::Unexpected("((".to_owned())),
        ("a b (\n", 1, Problem::Unexpected("(".to_owned())),
    ] {
        let change = [Change::Remove("a".to_owned())];
        let error = shell::edit(&[Source::new("f", text)], "X", &change).unwrap_err();
        assert_eq!((error.line, error.problem), (Some(line), problem), "{text:?}");
    }
    let none = shell::edit(&[], "X", &[Change::Add("a".to_owned())]);
    assert_eq!(none.unwrap_err().problem, Problem::Entangled("X".to_owned()));
}
