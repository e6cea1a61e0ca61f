//! What the host boots by, and what was prepared against what runs.

use model::boot::cmdline::Change;
use model::check::{Remedy, Status};
use model::setup::Setup;
use model::setup::boot::{Boot, Generator, Loader};
use model::setup::planned::{Planned, Stands};
use model::snapshot::ModuleState;
use model::step::{Made, Step, Wanted};
use model::{Fact, Why};

use crate::shapes::Shape;
use crate::shapes::setup::{grub, ready};
use crate::{checked, of};

#[test]
fn who_starts_the_kernel() {
    let found = |boot: Boot| {
        let setup = Setup { boot, ..ready() };
        of(&checked(&Shape::new().0, &setup), "boot_loader").clone()
    };
    let pass = found(grub());
    assert_eq!(
        (pass.status, &*pass.text),
        (Status::Pass, "GRUB starts the kernel, initramfs-tools makes its initramfs")
    );
    let own = Loader { name: "NixOS".to_owned(), ..Loader::default() };
    for (boot, status, text) in [
        (Boot { loader: own.into(), ..grub() }, Status::Warn, "the matter of NixOS"),
        (
            Boot { loader: Fact::Unknown(Why::NotProvided), ..grub() },
            Status::Warn,
            "no boot loader is found",
        ),
        (
            Boot { loader: Fact::Unknown(Why::NotPermitted), ..grub() },
            Status::Unknown,
            "needs root",
        ),
        (Boot { generator: Some(Generator::Booster).into(), ..grub() }, Status::Pass, "booster"),
        (Boot { generator: None.into(), ..grub() }, Status::Pass, "no program is found"),
    ] {
        let found = found(boot);
        assert_eq!(found.status, status, "{found}");
        assert!(found.text.contains(text), "{found}");
    }
}

/// Prepared with a menu, an image, modprobe's file and a module.
fn prepared(restarted: bool, menu: Stands, image: Stands, file: Stands) -> Planned {
    let made = |path: &str, wanted| Step::Make(Made::new(path, Vec::new(), wanted));
    let write = |path: &str, text: &str| Step::WriteFile {
        path: path.to_owned(),
        from: None,
        to: Some(text.into()),
    };
    let arguments =
        vec![Change::Set("intel_iommu=on".to_owned()), Change::Remove("iommu=off".to_owned())];
    let holds = Wanted::Initramfs { with: Vec::new(), without: Vec::new(), files: [].into() };
    let steps = vec![
        (write("/etc/modules-load.d/passthru.conf", "kvm_intel\n"), Stands::AsLeft.into()),
        (write("/etc/modprobe.d/passthru.conf", "x"), file.into()),
        (made("/boot/initrd.img-6.12", holds), image.into()),
        (made("/boot/grub/grub.cfg", Wanted::Menu { arguments }), menu.into()),
    ];
    Planned { at: 1_795_300_000, restarted, is_half: false, steps }
}

#[test]
fn what_runs_against_what_was_prepared() {
    use Stands::{AsLeft, Changed, Gone};
    let lacks = |text: &str| Changed(Some(text.to_owned()));
    let other = "another menu entry or another kernel was started";
    for (planned, cmdline, module, status, text) in [
        (
            prepared(true, AsLeft, AsLeft, AsLeft),
            "intel_iommu=on",
            true,
            Status::Pass,
            "is in effect (the last on 2026-11-2",
        ),
        (
            prepared(false, AsLeft, AsLeft, AsLeft),
            "quiet",
            true,
            Status::Warn,
            "the kernel was not started anew since",
        ),
        // Its image waits for that, too.
        (
            prepared(false, AsLeft, AsLeft, AsLeft),
            "intel_iommu=on",
            true,
            Status::Warn,
            "not started anew",
        ),
        (
            prepared(true, AsLeft, AsLeft, AsLeft),
            "iommu=off",
            true,
            Status::Warn,
            "runs without intel_iommu=on, with iommu=off",
        ),
        (prepared(true, AsLeft, AsLeft, AsLeft), "quiet", true, Status::Warn, other),
        (
            Planned { is_half: true, ..prepared(true, AsLeft, AsLeft, AsLeft) },
            "intel_iommu=on",
            true,
            Status::Warn,
            "only a part of what was prepared on 2026-11-2",
        ),
        (
            prepared(true, AsLeft, AsLeft, AsLeft),
            "intel_iommu=on",
            false,
            Status::Warn,
            "without the module kvm_intel",
        ),
        (
            prepared(true, lacks("`quiet`"), AsLeft, AsLeft),
            "quiet",
            true,
            Status::Warn,
            "the menu was made anew without it",
        ),
        (
            prepared(true, AsLeft, lacks("it lacks x"), AsLeft),
            "intel_iommu=on",
            true,
            Status::Warn,
            "initrd.img-6.12 was made anew since: it lacks x",
        ),
        (
            prepared(true, AsLeft, AsLeft, Changed(None)),
            "intel_iommu=on",
            true,
            Status::Warn,
            "passthru.conf was changed since",
        ),
        (
            prepared(true, AsLeft, AsLeft, Gone),
            "intel_iommu=on",
            true,
            Status::Warn,
            "passthru.conf is gone",
        ),
        // With its kernel; and a file that a later preparation wrote.
        (
            prepared(true, AsLeft, Gone, Stands::Superseded),
            "intel_iommu=on",
            true,
            Status::Pass,
            "in effect",
        ),
    ] {
        let mut setup = Setup { cmdline: cmdline.to_owned().into(), ..ready() };
        let state = if module { ModuleState::Loaded } else { ModuleState::Loadable };
        setup.modules.states.insert("kvm_intel".to_owned(), state.into());
        setup.planned = vec![planned.clone()].into();
        let checked = checked(&Shape::new().0, &setup);
        let found = of(&checked, "planned");
        assert_eq!(found.status, status, "{planned:?}: {found}");
        assert!(found.text.contains(text), "{planned:?}: {found}");
    }
    // An entry to try is over with the next start.
    let menu = "/boot/grub/grub.cfg".to_owned();
    let trial = Step::WriteFile { path: menu, from: Some("a".into()), to: Some("b".into()) };
    let steps = vec![(trial, Changed(None).into())];
    let trial = Planned { at: 1_795_300_000, restarted: true, is_half: false, steps };
    let setup = Setup { planned: vec![trial].into(), ..ready() };
    let checked_trial = checked(&Shape::new().0, &setup);
    let found = of(&checked_trial, "planned");
    assert!(found.status == Status::Pass && found.text.contains("an entry to try"), "{found}");
    let mut setup = Setup { planned: Fact::Unknown(Why::NotPermitted), ..ready() };
    assert_eq!(of(&checked(&Shape::new().0, &setup), "planned").status, Status::Unknown);
    let mut unread = prepared(true, AsLeft, AsLeft, AsLeft);
    unread.steps[2].1 = Fact::Unknown(Why::NotPermitted);
    setup.planned = vec![unread].into();
    setup.cmdline = "intel_iommu=on".to_owned().into();
    assert_eq!(of(&checked(&Shape::new().0, &setup), "planned").status, Status::Unknown);
}

/// A variable in GRUB's environment block is told as a file is.
#[test]
fn a_variable_that_was_changed_since() {
    let text = |text: &str| Some(text.to_owned());
    let step = Step::SetGrubVariable {
        path: "/boot/grub2/grubenv".to_owned(),
        name: "kernelopts".to_owned(),
        from: text("quiet"),
        to: text("quiet iommu=pt"),
    };
    let steps = vec![(step, Stands::Changed(None).into())];
    let planned = Planned { at: 1_795_300_000, restarted: true, is_half: false, steps };
    let setup = Setup { planned: vec![planned].into(), ..ready() };
    let checked = checked(&Shape::new().0, &setup);
    let found = of(&checked, "planned");
    assert_eq!(found.status, Status::Warn, "{found}");
    assert!(found.text.contains("/boot/grub2/grubenv was changed since"), "{found}");
}

/// A kernel that was started by hand, or by an entry to try.
#[test]
fn what_the_next_start_lacks() {
    let menu = |arguments: &str| {
        let text = format!(
            "set default=\"0\"\nmenuentry 'Linux' --id gnulinux-x {{\n linux /vmlinuz root=x {arguments}\n}}\n"
        );
        let mut boot = grub();
        boot.files.insert("/boot/grub/grub.cfg".to_owned(), (&text[..]).into());
        boot
    };
    let found = |runs: &str, boot: Boot| {
        let setup = Setup { cmdline: runs.to_owned().into(), boot, ..ready() };
        of(&checked(&Shape::new().0, &setup), "next_start").clone()
    };
    for (runs, next, text, changes) in [
        ("quiet iommu=pt", "iommu=pt", "has what decides", &[][..]),
        ("debug", "quiet", "has what decides", &[]),
        (
            "intel_iommu=on modprobe.blacklist=a modprobe.blacklist=b",
            "intel_iommu=off",
            "lacks that; the usual boot entry has intel_iommu=off, which",
            &["intel_iommu=on", "modprobe.blacklist=a", "modprobe.blacklist=b"],
        ),
        ("vfio_pci.ids=1:2", "", "started with vfio_pci.ids=1:2, and", &["vfio_pci.ids=1:2"]),
        ("quiet", "iommu=off", "has iommu=off, which", &["no iommu=off"]),
        // Prepared, and not started anew yet.
        ("intel_iommu=off iommu=nopt", "intel_iommu=on iommu=pt", "has what decides", &[]),
        ("intel_iommu=igfx_off", "intel_iommu=on,igfx_off", "has what decides", &[]),
        ("initcall_blacklist=a", "initcall_blacklist=a,b", "has what decides", &[]),
    ] {
        let found = found(runs, menu(next));
        assert!(found.text.contains(text), "{runs}, {next}: {found}");
        let remedies = found.remedies.iter().map(|remedy| match remedy {
            Remedy::Argument(change) => change.to_string(),
            other => panic!("{other:?}"),
        });
        assert_eq!(remedies.collect::<Vec<_>>(), changes, "{runs}, {next}");
        let want = if changes.is_empty() { Status::Pass } else { Status::Warn };
        assert_eq!(found.status, want, "{runs}, {next}");
    }
    let without = Boot { files: [].into(), ..grub() };
    assert_eq!(found("quiet", without).status, Status::Unknown);
}
