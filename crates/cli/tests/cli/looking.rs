//! `list` and `show` by the real program on pretended machines.

use std::process::Command;

use fakehost::FakeHost;

use crate::desk::{desktop, on, run};

#[test]
fn list() {
    insta::assert_snapshot!(on(&desktop(), &["list"]));
}

#[test]
fn list_all() {
    insta::assert_snapshot!(on(&desktop(), &["list", "--all"]));
}

#[test]
fn list_tree() {
    insta::assert_snapshot!(on(&desktop(), &["list", "--tree"]));
}

#[test]
fn list_json() {
    insta::assert_snapshot!(on(&desktop(), &["list", "--json"]));
}

#[test]
fn list_of_nothing() {
    insta::assert_snapshot!(on(&FakeHost::new(), &["list"]));
}

#[test]
fn no_instances() {
    insta::assert_snapshot!(on(&desktop(), &["instance", "list"]));
}

#[test]
fn list_without_an_iommu() {
    insta::assert_snapshot!(on(&desktop().without_iommu(), &["list"]));
}

#[test]
fn show() {
    insta::assert_snapshot!(on(&desktop(), &["show", "01:00.0"]));
}

#[test]
fn show_by_ids() {
    insta::assert_snapshot!(on(&desktop(), &["show", "8086:15f3"]));
}

#[test]
fn show_json() {
    insta::assert_snapshot!(on(&desktop(), &["show", "01:00.0", "--json"]));
}

/// Every function of the machine has a page, in text and as JSON that parses.
#[test]
fn everything_that_is_listed_can_be_shown() {
    let host = desktop();
    let list = on(&host, &["list", "--all", "--json"]);
    let list: serde_json::Value = serde_json::from_str(&list.out).unwrap();
    let functions = list["functions"].as_array().unwrap();
    assert!(functions.len() >= 10, "{list}");
    for function in functions {
        let address = function["address"].as_str().unwrap();
        let page = on(&host, &["show", address]);
        assert_eq!(page.code, Some(0), "{page}");
        assert!(page.out.starts_with(address), "{page}");
        let json = on(&host, &["show", address, "--json"]);
        let json: serde_json::Value = serde_json::from_str(&json.out).unwrap();
        assert_eq!(json["address"], function["address"]);
        assert_eq!(json["verdict"], function["verdict"], "{address}");
    }
}

#[test]
fn colour_comes_only_when_it_is_asked_for_in_a_pipe() {
    let host = desktop();
    let plain = on(&host, &["list"]);
    assert!(!plain.out.contains('\u{1b}'), "{plain}");
    let mut command = Command::new(env!("CARGO_BIN_EXE_passthru"));
    command.arg("list").arg("--root").arg(host.root()).env("CLICOLOR_FORCE", "1");
    let output = command.output().unwrap();
    let forced = String::from_utf8(output.stdout).unwrap();
    assert!(forced.contains("\u{1b}[31mno: root_disk\u{1b}[0m"), "{forced:?}");
    command.env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    let output = command.output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}

#[test]
fn a_reader_that_goes_away_ends_the_listing_in_silence() {
    let host = desktop();
    let script = format!(
        "{} list --all --root {} | head -c 1 >/dev/null; exit ${{PIPESTATUS[0]}}",
        env!("CARGO_BIN_EXE_passthru"),
        host.root().display()
    );
    // `list` is slower than `head` or not: either way it must say nothing.
    let said = run(Command::new("bash").args(["-c", &script]));
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{said}");
}
