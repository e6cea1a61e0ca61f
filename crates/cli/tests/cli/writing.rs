//! Where output goes, and what happens when it cannot go there.

use std::process::Command;

use crate::desk::{Said, desktop, run};

/// Runs the program by a shell, for which `{}` stands in the script.
fn by_shell(script: &str) -> Said {
    let script = script.replace("{}", env!("CARGO_BIN_EXE_passthru"));
    run(Command::new("bash").args(["-c", &script]))
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let host = desktop();
    let root = host.root().display();
    for what in ["--help", "--version", "list --help", "completions bash"] {
        for to in [">&-", ">/dev/full"] {
            let said = by_shell(&format!("{{}} {what} {to}"));
            assert_eq!(said.code, Some(1), "{what} {to}: {said}");
            assert!(said.err.contains("cannot write to standard output"), "{what} {to}: {said}");
        }
    }
    for what in ["list", "list --json", "show 01:00.0", "bind 03:00.0 --dry-run"] {
        for to in [">&-", ">/dev/full"] {
            let said = by_shell(&format!("{{}} {what} --root {root} {to}"));
            assert_eq!(said.code, Some(1), "{what} {to}: {said}");
        }
    }
}

#[test]
fn output_that_nobody_wants_is_none() {
    let host = desktop();
    let root = host.root().display();
    for what in ["--help".to_owned(), format!("list --root {root}")] {
        for to in [">/dev/null", "<&-", "2>&- >/dev/null", "> >(true)"] {
            let said = by_shell(&format!("{{}} {what} {to}"));
            assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{what} {to}: {said}");
        }
        let said = by_shell(&format!("{{}} {what} | true; exit ${{PIPESTATUS[0]}}"));
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{what}: {said}");
    }
}
