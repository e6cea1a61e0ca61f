//! The command line as a whole: every verb has help and the options it must have.

use clap::Command;

use crate::desk::passthru;

/// Verbs that change nothing on the machine and keep nothing.
const READING: &[&str] = &[
    "passthru list",
    "passthru show",
    "passthru check",
    "passthru device list",
    "passthru instance list",
    "passthru instance show",
    "passthru instance logs",
    "passthru instance console",
    "passthru record",
    "passthru completions",
];

/// Every verb, with its words.
fn verbs(command: &Command, words: &str, all: &mut Vec<(String, Command)>) {
    if !command.has_subcommands() {
        all.push((words.to_owned(), command.clone()));
    }
    for verb in command.get_subcommands() {
        verbs(verb, &format!("{words} {}", verb.get_name()), all);
    }
}

fn all_verbs() -> Vec<(String, Command)> {
    let mut command = cli::command();
    command.build();
    let mut all = Vec::new();
    verbs(&command, "passthru", &mut all);
    all
}

#[test]
fn the_command_line_is_consistent() {
    cli::command().debug_assert();
}

#[test]
fn every_verb_and_option_has_help() {
    for (words, verb) in all_verbs() {
        assert!(verb.get_about().is_some(), "{words} has no help");
        for arg in verb.get_arguments() {
            assert!(arg.get_help().is_some(), "{words} {arg} has no help");
        }
    }
}

#[test]
fn every_verb_prints_json() {
    for (words, verb) in all_verbs() {
        assert!(verb.get_arguments().any(|arg| arg.get_long() == Some("json")), "{words}");
    }
}

#[test]
fn changing_verbs_have_a_dry_run_and_others_have_none() {
    for (words, verb) in all_verbs() {
        let has = verb.get_arguments().any(|arg| arg.get_long() == Some("dry-run"));
        assert_eq!(has, !READING.contains(&words.as_str()), "{words}");
    }
}

#[test]
fn help_of_every_verb() {
    for (words, _) in all_verbs() {
        let mut args: Vec<&str> = words.split(' ').skip(1).collect();
        args.push("--help");
        insta::assert_snapshot!(words.replace(' ', "_"), passthru(&args));
    }
    insta::assert_snapshot!("passthru", passthru(&["--help"]));
}

#[test]
fn completions_know_every_verb() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = passthru(&["completions", shell]);
        assert_eq!(script.code, Some(0), "{script}");
        for (words, _) in all_verbs() {
            let verb = words.split(' ').next_back().unwrap();
            assert!(script.out.contains(verb), "{shell} does not know {words}");
        }
    }
}
