//! Refused at every operation; disks, programs and files that are bad: nothing
//! is changed then.

use fakehost::{Botch, Errno, On};
use model::port::FileChange;

use super::*;

#[test]
fn refused_at_any_operation() {
    for stack in telling() {
        let machine = Stacked::of(stack);
        let forth = machine.operations(|machine| machine.prepare().unwrap()).len();
        let back = machine.operations(|machine| machine.undo().unwrap()).len();
        for nth in 1..=forth {
            let told = format!("{}, forth, {nth}", stack.name);
            let machine = Stacked::of(stack);
            machine.host.refuse(On::nth(nth), Errno::IO);
            if machine.prepare().is_ok() {
                // Nothing hangs on it: a link that is a copy then.
                machine.host.calm();
                machine.undo().unwrap();
            }
            machine.host.calm();
            assert_eq!(machine.differs(), [""; 0], "{told}");
        }
        for nth in 1..=back {
            let told = format!("{}, back, {nth}", stack.name);
            let machine = Stacked::of(stack);
            machine.prepare().unwrap();
            machine.host.calm();
            machine.host.refuse(On::nth(nth), Errno::IO);
            let refused = machine.undo().is_err();
            machine.host.calm();
            assert!(refused || machine.differs().is_empty(), "{told}: {:?}", machine.differs());
            machine.undo().unwrap();
            assert_eq!(machine.differs(), [""; 0], "{told}");
        }
    }
}

/// What an error says, and that it says each thing once.
#[track_caller]
fn says(error: &Error, words: &[&str], told: &str) {
    let text = error.to_string();
    for word in words {
        assert_eq!(text.matches(word).count(), 1, "{told}: `{word}` once in: {text}");
    }
}

/// What to do about the step that failed.
#[track_caller]
fn hint_of(error: &Error) -> &'static str {
    let Error::Failed(failure) = error else { panic!("{error}") };
    failure.errors[0].error.hint().unwrap_or_else(|| panic!("no hint: {error}"))
}

#[test]
fn a_disk_that_is_read_only_or_full() {
    for stack in changed() {
        let machine = Stacked::of(stack);
        let log = machine.operations(|machine| machine.prepare().unwrap());
        let on_boot = |op: &Op| matches!(op, Op::File { path, .. } if path.starts_with("boot/"));
        if !log.iter().any(on_boot) {
            continue;
        }
        for (errno, hint) in [(Errno::ROFS, "mounted read-only"), (Errno::NOSPC, "is full")] {
            let machine = Stacked::of(stack);
            machine.host.refuse_always(On::below("boot/"), errno);
            let error = machine.prepare().unwrap_err();
            machine.host.calm();
            assert!(hint_of(&error).contains(hint), "{error}");
            assert!(error.to_string().contains("boot/"), "{}: {error}", stack.name);
            assert_eq!(machine.differs(), [""; 0], "{}: {error}", stack.name);
        }
    }
}

/// A file system without links, on which the copy of the image does not fit.
#[test]
fn no_room_for_the_second_image() {
    let machine = Stacked::named("debian-systemd-boot");
    machine.host.refuse_always(On::file(FileChange::Link, "boot/"), Errno::PERM);
    machine.host.refuse_always(On::file(FileChange::Write, "passthru-copy"), Errno::NOSPC);
    let error = machine.prepare().unwrap_err();
    says(&error, &["keep a copy of", "no space left on device"], "");
    assert!(hint_of(&error).contains("full"), "{error}");
    assert_eq!(machine.differs(), [""; 0]);
    // With room for it.
    machine.host.calm();
    machine.host.refuse_always(On::file(FileChange::Link, "boot/"), Errno::PERM);
    machine.prepare().unwrap();
    assert!(!machine.differs().is_empty());
    machine.undo().unwrap();
    assert_eq!(machine.differs(), [""; 0]);
}

#[test]
fn a_program_that_fails_at_what_it_makes() {
    let botches = [
        (Botch::Fails, "status 1"),
        (Botch::Killed, "by a signal"),
        (Botch::Nothing, "there is none"),
        (Botch::Empty, "it is empty"),
        (Botch::Half, "is not as it must be"),
        (Botch::Garbage, "is not as it must be"),
        (Botch::Bare, "is not as it must be"),
    ];
    let mut tried = 0;
    for stack in changed() {
        let machine = Stacked::of(stack);
        let programs: Vec<String> = machine
            .steps()
            .iter()
            .filter_map(|step| match step {
                Step::Make(made) => Some(made.program().to_owned()),
                _ => None,
            })
            .collect();
        for program in &programs {
            for (botch, why) in botches {
                let told = format!("{}, {program}, {botch:?}", stack.name);
                let machine = Stacked::of(stack);
                machine.host.botch(program, botch);
                let error = machine.prepare().expect_err(&told);
                let text = error.to_string();
                assert!(text.contains(why), "{told}: {text}");
                says(&error, &[&format!("anew by {program}:")], &told);
                assert!(!hint_of(&error).is_empty(), "{told}");
                assert_eq!(machine.differs(), [""; 0], "{told}");
                // Once it works again, so does the whole.
                machine.host.mend();
                machine.prepare().unwrap_or_else(|error| panic!("{told}: {error}"));
                tried += 1;
            }
        }
    }
    assert!(tried > 50, "{tried}");
}

/// A file that was cut off in the middle is not edited, and nothing else is done.
#[test]
fn sources_that_are_damaged() {
    let machine = || Stacked::named("debian-grub");
    let grub = "etc/default/grub";
    let whole = machine().text(grub);
    let quote = whole.find("\"quiet\"").unwrap() + 3;
    for (path, text) in [
        (grub, whole[..quote].to_owned()),
        (grub, format!("{}\0{}", &whole[..quote], &whole[quote..])),
        (grub, "\0".repeat(512)),
        (grub, format!("{whole}if true; then")),
    ] {
        let machine = machine();
        machine.put(path, &text);
        let machine = Stacked::around(machine.host);
        let error = machine.prepare().unwrap_err();
        assert!(error.to_string().contains("/etc/default/grub`"), "{error}");
        assert_eq!(machine.differs(), [""; 0], "{error}");
    }
    // In the middle of a line that matters to nobody: as the shell reads it.
    let machine = machine();
    machine.put(grub, &whole[..whole.find("GRUB_TIMEOUT").unwrap() + 9]);
    let machine = Stacked::around(machine.host);
    let done = machine.prepare();
    machine.host.calm();
    if done.is_ok() {
        machine.undo().unwrap();
    }
    assert_eq!(machine.differs(), [""; 0], "{done:?}");
}

/// A menu that was cut off is made anew, and the way back is a whole one.
#[test]
fn a_menu_that_is_damaged() {
    let machine = Stacked::named("debian-grub");
    let whole = machine.text("boot/grub/grub.cfg");
    for text in [&whole[..whole.len() / 2], "", "\0\0\0"] {
        let machine = Stacked::named("debian-grub");
        machine.put("boot/grub/grub.cfg", text);
        machine.prepare().unwrap();
        assert!(machine.text("boot/grub/grub.cfg").contains("iommu=pt"));
        machine.undo().unwrap();
        assert_eq!(machine.differs(), [""; 0], "what is put back boots");
    }
}
