//! The table of checks, walked; and what it says of made-up hosts.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

use std::collections::BTreeSet;

use model::boot::cmdline::Change;
use model::boot::modprobe::{File, Settings};
use model::check::{self, Checked, Finding, Remedy, Severity, Status, Subject};
use model::parse::config::Rebar;
use model::setup::boot::{Boot, Generator, Loader};
use model::setup::early::Early;
use model::setup::planned::{Planned, Stands};
use model::setup::{Access, Maker, Modules, Pool, Processor, Setup};
use model::snapshot::ModuleState;
use model::step::{Made, Step, Wanted};
use model::{Fact, Snapshot, Why};

mod shapes;

use shapes::setup::{grub, ready};
use shapes::{Shape, bdf};

fn checked(snapshot: &Snapshot, setup: &Setup) -> Vec<Checked> {
    check::check(&Subject { snapshot, setup, devices: &[] })
}

/// What a check of the host found.
fn of<'a>(checked: &'a [Checked], name: &str) -> &'a model::check::Finding {
    &checked.iter().find(|one| one.check.name == name).unwrap().finding
}

#[test]
fn the_table() {
    let mut names = BTreeSet::new();
    for check in check::all() {
        assert!(names.insert(check.name), "{} stands twice", check.name);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(check.name.chars().all(plain), "{}", check.name);
        assert!(check.about.ends_with(['.', ')']) && check.about.len() < 120, "{}", check.about);
    }
}

#[test]
fn a_ready_host() {
    let mut snapshot = Shape::new().0;
    snapshot.machine.memory_available = (8 << 30).into();
    snapshot.machine.memory_total = (16 << 30).into();
    let checked = checked(&snapshot, &ready());
    let not: Vec<_> = checked.iter().filter(|one| one.finding.status != Status::Pass).collect();
    assert!(not.is_empty(), "{not:#?}");
    assert!(check::is_ready(&checked));
}

/// What is only advised never keeps a host from being ready, whatever is known.
#[test]
fn advice_does_not_fail() {
    let unknown = |why: &Why| {
        let mut setup = ready();
        setup.cmdline = Fact::Unknown(why.clone());
        setup.modules = Modules::default();
        setup.security = Fact::Unknown(why.clone());
        setup.programs.qemu = Fact::Unknown(why.clone());
        setup
    };
    for setup in [ready(), unknown(&Why::NotProvided), unknown(&Why::NotPermitted)] {
        for one in checked(&Shape::new().0, &setup) {
            if one.check.severity == Severity::Advised {
                assert_ne!(one.finding.status, Status::Fail, "{one:?}");
            }
            let sentence = &one.finding.text;
            assert!(!sentence.is_empty() && !sentence.ends_with('.'), "{one:?}");
            let amiss = matches!(one.finding.status, Status::Fail | Status::Warn);
            assert_eq!(amiss, !one.finding.hint.is_empty(), "{one:?}");
        }
    }
}

fn without_iommu(table: Option<&str>) -> Snapshot {
    let mut snapshot = Shape::new().0;
    snapshot.groups.clear();
    if let Fact::Known(iommu) = &mut snapshot.machine.iommu {
        iommu.on = false;
        iommu.firmware = table.map(str::to_owned).into();
    }
    snapshot
}

#[test]
fn the_firmware_and_the_kernel_are_told_apart() {
    let setup = ready();
    let none = checked(&without_iommu(None), &setup);
    assert_eq!(of(&none, "iommu_firmware").status, Status::Fail);
    assert!(of(&none, "iommu_firmware").hint.contains("VT-d"));
    assert!(!check::is_ready(&none));

    let off = checked(&without_iommu(Some("DMAR")), &setup);
    assert_eq!(of(&off, "iommu_firmware").status, Status::Pass);
    let kernel = of(&off, "iommu_kernel");
    assert!(
        kernel.text.contains("the firmware offers an IOMMU, the kernel has it off"),
        "{kernel}"
    );
    let on = Remedy::Argument(Change::Set("intel_iommu=on".to_owned()));
    assert_eq!(kernel.remedies, std::slice::from_ref(&on));

    // What switches it off is taken away, and on AMD nothing is added.
    let amd = Setup {
        cmdline: "amd_iommu=off quiet".to_owned().into(),
        processor: Processor { maker: Maker::Amd, virtualization: Some(true), hypervisor: false }
            .into(),
        ..ready()
    };
    let off = checked(&without_iommu(Some("IVRS")), &amd);
    let gone = Remedy::Argument(Change::Remove("amd_iommu=off".to_owned()));
    assert_eq!(of(&off, "iommu_kernel").remedies, [gone]);
    let intel = Setup { cmdline: "intel_iommu=off".to_owned().into(), ..ready() };
    let off = checked(&without_iommu(Some("DMAR")), &intel);
    assert_eq!(of(&off, "iommu_kernel").remedies.last(), Some(&on));
}

#[test]
fn interrupts_and_kvm() {
    let mut setup = ready();
    setup.remapping = Some(false).into();
    setup.kvm = Access::Refused.into();
    let found = checked(&Shape::new().0, &setup);
    assert_eq!(of(&found, "interrupt_remapping").status, Status::Fail);
    assert!(of(&found, "kvm").hint.contains("group"));
    let key = ("vfio_iommu_type1".to_owned(), "allow_unsafe_interrupts".to_owned());
    setup.modules.parameters.insert(key, "Y".to_owned().into());
    let found = checked(&Shape::new().0, &setup);
    assert_eq!(of(&found, "interrupt_remapping").status, Status::Warn);

    setup.kvm = Access::Missing.into();
    setup.modules.states.insert("kvm_intel".to_owned(), ModuleState::Loadable.into());
    let found = checked(&Shape::new().0, &setup);
    assert_eq!(of(&found, "kvm").remedies, [Remedy::Load("kvm_intel".to_owned())]);
}

#[test]
fn unsafe_interrupts() {
    let found = |setup: &Setup| of(&checked(&Shape::new().0, setup), "unsafe_interrupts").clone();
    let mut setup = ready();
    assert_eq!(found(&setup).status, Status::Pass);
    // What it will be when the module is loaded: the boot argument counts before files.
    setup.modprobe = modprobe("options vfio_iommu_type1 x=1 allow_unsafe_interrupts=1\n").into();
    assert!(found(&setup).text.contains("for nothing"), "{}", found(&setup));
    setup.cmdline = "vfio_iommu_type1.allow_unsafe_interrupts=0".to_owned().into();
    assert_eq!(found(&setup).status, Status::Pass);
    setup.modprobe = Fact::Unknown(Why::NotPermitted);
    assert_eq!(found(&setup).status, Status::Unknown);
    // And what it is.
    let key = ("vfio_iommu_type1".to_owned(), "allow_unsafe_interrupts".to_owned());
    setup.modules.parameters.insert(key, "Y".to_owned().into());
    setup.remapping = Some(false).into();
    assert!(found(&setup).text.contains("break out"), "{}", found(&setup));
}

const GPU: &str = "0000:01:00.0";

/// A host with a card that nouveau wants, whatever has it.
fn with_card(driver: Option<&str>, class: u32) -> Snapshot {
    let mut shape = Shape::new().endpoint(GPU, (0x10de, 0x2204), class, 1);
    if let Some(driver) = driver {
        shape = shape.driver(GPU, driver);
    }
    shape.0.machine.kernel = "6.12".to_owned().into();
    shape.0
}

fn of_card(snapshot: &Snapshot, setup: &Setup, name: &str) -> Finding {
    let devices = [bdf(GPU)];
    let checked = check::check(&Subject { snapshot, setup, devices: &devices });
    of(&checked, name).clone()
}

fn modprobe(text: &str) -> Settings {
    Settings::read(&[File { folder: "/etc/modprobe.d", name: "x.conf", text }])
}

/// What modprobe is told on the disk and in the image, which has these modules.
fn at_boot(disk: &str, image: Option<(&[&str], &str)>) -> Setup {
    let mut setup = ready();
    let claims = ["nouveau", "nvidiafb"].map(str::to_owned).to_vec();
    setup.modules.claims.insert(bdf(GPU), claims.into());
    for (module, state) in [("nouveau", ModuleState::Loaded), ("nvidiafb", ModuleState::Loadable)] {
        setup.modules.states.insert(module.to_owned(), state.into());
    }
    setup.modprobe = modprobe(disk).into();
    setup.early = match image {
        None => Fact::Unknown(Why::NotPermitted),
        Some((modules, text)) => Early {
            path: "/boot/initrd.img-6.12".to_owned(),
            modules: modules.iter().map(|name| (*name).to_owned()).collect(),
            modprobe: modprobe(text),
        }
        .into(),
    };
    setup
}

#[test]
fn who_gets_the_device_at_boot() {
    let out = "blacklist nouveau\nblacklist nvidiafb\n";
    let wait = "softdep nouveau pre: vfio-pci\noptions vfio-pci ids=1234:1,10de:2204\nblacklist nvidiafb\n";
    let other = "softdep nouveau pre: vfio-pci\noptions vfio-pci ids=10de:2205\n";
    let has: &[&str] = &["nouveau"];
    let both: &[&str] = &["nouveau", "vfio_pci"];
    for (disk, image, status, text) in [
        (
            "",
            Some((has, "")),
            Status::Warn,
            "nouveau has it, is in the initramfs, and nothing keeps it from the device at boot; nothing keeps nvidiafb from",
        ),
        ("", Some((&[][..], "")), Status::Warn, "nouveau has it, and nothing keeps"),
        ("", None, Status::Warn, "nouveau has it, and nothing keeps"),
        // A name that is an alias of nothing keeps no device from it.
        ("alias nouveau off\n", None, Status::Warn, "nouveau has it, and nothing keeps"),
        (
            out,
            Some((&[][..], "")),
            Status::Pass,
            "nouveau is blacklisted in /etc/modprobe.d/x.conf; nvidiafb",
        ),
        (out, Some((has, out)), Status::Pass, "x.conf, and in the initramfs, too"),
        (
            out,
            Some((has, "")),
            Status::Warn,
            "nouveau is blacklisted in /etc/modprobe.d/x.conf, but it is in the initramfs, whose copy",
        ),
        (out, None, Status::Unknown, "needs root"),
        ("install nouveau /bin/false\n", Some((has, out)), Status::Pass, "nouveau is disabled in"),
        (
            wait,
            Some((both, wait)),
            Status::Pass,
            "nouveau waits for vfio-pci, which takes its ids (/etc/modprobe.d/x.conf)",
        ),
        (wait, Some((has, wait)), Status::Warn, "and vfio-pci is not"),
        (other, Some((both, other)), Status::Warn, "nothing keeps"),
    ] {
        let setup = at_boot(disk, image);
        let found = of_card(&with_card(Some("nouveau"), 0x03_0000), &setup, "at_boot");
        assert_eq!(found.status, status, "{disk:?} {image:?}: {found}");
        assert!(found.text.contains(text), "{disk:?} {image:?}: {found}");
    }
}

#[test]
fn an_old_image_is_made_anew_by_its_own_program() {
    let snapshot = with_card(Some("nouveau"), 0x03_0000);
    let mut setup = at_boot("blacklist nouveau", Some((&["nouveau"], "")));
    let found = of_card(&snapshot, &setup, "at_boot");
    assert!(found.hint.contains("`update-initramfs -u`"), "{}", found.hint);
    assert_eq!(found.remedies, [Remedy::ByHand(found.hint.clone())]);
    setup.boot.generator = Some(Generator::Mkinitcpio).into();
    let found = of_card(&snapshot, &setup, "at_boot");
    assert!(found.hint.contains("`mkinitcpio -P`"), "{}", found.hint);
}

#[test]
fn boot_arguments_decide_about_drivers() {
    let snapshot = with_card(Some("nouveau"), 0x03_0000);
    for (cmdline, built_in, apart) in [
        ("modprobe.blacklist=nouveau,nvidiafb", false, true),
        ("module_blacklist=nouveau", false, true),
        ("vfio-pci.ids=10DE:2204:1:2", true, true),
        ("vfio-pci.ids=10de:2204", false, false),
        ("vfio-pci.ids=10de:2204 rd.driver.pre=vfio-pci", false, true),
        ("quiet", false, false),
    ] {
        let mut setup = at_boot("", Some((&["nouveau"], "")));
        setup.cmdline = cmdline.to_owned().into();
        if built_in {
            setup.modules.states.insert("vfio_pci".to_owned(), ModuleState::BuiltIn.into());
        }
        let found = of_card(&snapshot, &setup, "at_boot");
        assert_eq!(found.text.contains("nouveau has it"), !apart, "{cmdline}: {found}");
    }
}

/// With vfio-pci now, or with nobody, it is told what the next boot brings.
#[test]
fn a_device_that_was_bound_is_told_about() {
    let free = at_boot("", Some((&["nouveau"], "")));
    let found = of_card(&with_card(Some("vfio-pci"), 0x03_0000), &free, "at_boot");
    assert_eq!(found.status, Status::Pass);
    assert!(found.text.contains("nouveau is loaded, is in the initramfs, and nothing"), "{found}");
    // Loaded, and nobody's: it would take it.
    let found = of_card(&with_card(None, 0x03_0000), &free, "at_boot");
    assert_eq!(found.status, Status::Warn, "{found}");

    let mut setup = at_boot("", None);
    setup.modules.claims.insert(bdf(GPU), Vec::new().into());
    let found = of_card(&with_card(None, 0x03_0000), &setup, "at_boot");
    assert_eq!((found.status, &*found.text), (Status::Pass, "this kernel has no module for it"));
    setup.modules.claims.insert(bdf(GPU), Fact::Unknown(Why::NotRecorded));
    let found = of_card(&with_card(None, 0x03_0000), &setup, "at_boot");
    assert_eq!(found.status, Status::Unknown);
}

/// A driver's module may have another name, and may be part of the kernel.
#[test]
fn drivers_and_their_modules() {
    let of_module = |driver: &str, module: &str, disk: &str| {
        let mut setup = at_boot(disk, Some((&[], "")));
        setup.modules.claims.insert(bdf(GPU), vec![module.to_owned()].into());
        setup.modules.of_drivers.insert(driver.to_owned(), module.to_owned());
        of_card(&with_card(Some(driver), 0x0c_0330), &setup, "at_boot")
    };
    let found = of_module("i801_smbus", "i2c_i801", "blacklist i801_smbus\n");
    assert_eq!(found.text, "i2c_i801 has it, and nothing keeps it from the device at boot");
    let found = of_module("i801_smbus", "i2c_i801", "blacklist i2c-i801\n");
    assert_eq!(found.status, Status::Pass, "{found}");
    // This one needs the module of the driver's name, which waits.
    let wait = "softdep xhci_hcd pre: vfio-pci\noptions vfio-pci ids=10de:2204\n";
    let found = of_module("xhci_hcd", "xhci_pci", wait);
    assert_eq!(found.status, Status::Pass, "{found}");

    let mut setup = at_boot("blacklist xhci_hcd", None);
    setup.modules.claims.clear();
    setup.modules.states.insert("xhci_hcd".to_owned(), ModuleState::BuiltIn.into());
    let found = of_card(&with_card(Some("xhci_hcd"), 0x0c_0330), &setup, "at_boot");
    assert_eq!(found.status, Status::Warn, "{found}");
    assert!(found.text.contains("built into the kernel"), "{found}");
}

#[test]
fn services_hold_what_they_are_for() {
    let mut setup = ready();
    setup.screens.services =
        vec!["gdm.service".to_owned(), "nvidia-persistenced.service".to_owned()].into();
    for (ids, class, driver, held) in [
        // Graphics, a 3D controller, an accelerator, NVSwitch, the card's audio and USB port.
        (0x10de, 0x03_0000, None, "gdm.service, nvidia-persistenced.service would hold it"),
        (0x10de, 0x03_0200, None, "gdm.service, nvidia-persistenced.service would hold it"),
        (0x10de, 0x12_0000, None, "nvidia-persistenced.service would hold it"),
        (0x10de, 0x06_8000, Some("nvidia-nvswitch"), "nvidia-persistenced.service would hold it"),
        (0x10de, 0x04_0300, Some("snd_hda_intel"), ""),
        (0x10de, 0x0c_8000, Some("nvidia-gpu"), ""),
        (0x1002, 0x03_8000, None, "gdm.service would hold it"),
        (0x1002, 0x12_0000, None, ""),
    ] {
        let mut shape = Shape::new().endpoint(GPU, (ids, 1), class, 1);
        if let Some(driver) = driver {
            shape = shape.driver(GPU, driver);
        }
        let found = of_card(&shape.0, &setup, "screen_services");
        let status = if held.is_empty() { Status::Pass } else { Status::Warn };
        assert_eq!(found.status, status, "{ids:x} {class:x}: {found}");
        assert!(found.text.contains(held), "{ids:x} {class:x}: {found}");
    }
}

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
        (Boot { generator: Some(Generator::Booster).into(), ..grub() }, Status::Warn, "booster"),
        (Boot { generator: None.into(), ..grub() }, Status::Pass, "no program is found"),
    ] {
        let found = found(boot);
        assert_eq!(found.status, status, "{found}");
        assert!(found.text.contains(text), "{found}");
    }
}

/// Prepared with a menu, an image, modprobe's file and a module.
fn prepared(restarted: bool, menu: Stands, image: Stands, file: Stands) -> Planned {
    let made = |path: &str, wanted| {
        Step::Make(Made { path: path.to_owned(), command: Vec::new(), wanted })
    };
    let write = |path: &str, text: &str| Step::WriteFile {
        path: path.to_owned(),
        from: None,
        to: Some(text.into()),
    };
    let arguments =
        vec![Change::Set("intel_iommu=on".to_owned()), Change::Remove("iommu=off".to_owned())];
    let holds = Wanted::Initramfs { with: Vec::new(), without: Vec::new(), modprobe: "x".into() };
    let steps = vec![
        (write("/etc/modules-load.d/passthru.conf", "kvm_intel\n"), Stands::AsLeft.into()),
        (write("/etc/modprobe.d/passthru.conf", "x"), file.into()),
        (made("/boot/initrd.img-6.12", holds), image.into()),
        (made("/boot/grub/grub.cfg", Wanted::Menu { arguments }), menu.into()),
    ];
    Planned { at: 1_795_300_000, restarted, steps }
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
    let mut setup = Setup { planned: Fact::Unknown(Why::NotPermitted), ..ready() };
    assert_eq!(of(&checked(&Shape::new().0, &setup), "planned").status, Status::Unknown);
    let mut unread = prepared(true, AsLeft, AsLeft, AsLeft);
    unread.steps[2].1 = Fact::Unknown(Why::NotPermitted);
    setup.planned = vec![unread].into();
    setup.cmdline = "intel_iommu=on".to_owned().into();
    assert_eq!(of(&checked(&Shape::new().0, &setup), "planned").status, Status::Unknown);
}

#[test]
fn memory_for_guests() {
    let mut snapshot = Shape::new().0;
    snapshot.machine.memory_available = (8 << 30).into();
    snapshot.machine.memory_total = (32 << 30).into();
    let mut setup = ready();
    let found = |setup: &Setup, name| of(&checked(&snapshot, setup), name).text.clone();
    assert_eq!(found(&setup, "memory"), "8 GiB of 32 GiB can be given to guests");
    let small = Pool { size: 2 << 20, total: 1024, free: 512 };
    let none = Pool { size: 16 << 30, total: 0, free: 0 };
    setup.memory.pools = vec![small, Pool { size: 1 << 30, total: 4, free: 4 }, none].into();
    assert_eq!(
        found(&setup, "memory"),
        "8 GiB of 32 GiB can be given to guests, and 5 GiB more in hugepages"
    );
    let pools = found(&setup, "hugepages");
    assert!(
        pools.starts_with("512 of 1024 pages of 2 MiB free: room for guests of 1 GiB"),
        "{pools}"
    );
    assert!(!pools.contains("16 GiB"), "{pools}");
    setup.memory.lock_limit = Some(4 << 30).into();
    assert!(found(&setup, "memlock").starts_with("up to 4 GiB of memory can be locked"));
}

/// The four commits of the AIC100 guide came with Linux 5.19.
#[test]
fn guests_of_hyperv() {
    let mut setup = ready();
    let found = |setup: &Setup, kernel: &str| {
        let mut snapshot = Shape::new().0;
        snapshot.machine.kernel = kernel.to_owned().into();
        of(&checked(&snapshot, setup), "hyperv_guest").clone()
    };
    assert_eq!(found(&setup, "5.4.0").status, Status::Pass);
    setup.product = "Microsoft Corporation Virtual Machine".to_owned().into();
    for (kernel, status) in [
        ("5.19.0-1-amd64", Status::Pass),
        ("6.1.0", Status::Pass),
        ("5.18.19", Status::Warn),
        ("4.19.0", Status::Warn),
    ] {
        let found = found(&setup, kernel);
        assert_eq!(found.status, status, "{kernel}: {found}");
    }
    let hint = found(&setup, "5.15.0").hint;
    for commit in ["08e61e861a0e", "455880dfe292", "b4b77778ecc5", "a2bad844a67b"] {
        assert!(hint.contains(commit), "{commit}: {hint}");
    }
}

/// QEMU shows guests ranges that can be resized since 8.1.
#[test]
fn ranges_that_can_be_resized() {
    let mut setup = ready();
    let mut snapshot = with_card(None, 0x03_0000);
    assert_eq!(of_card(&snapshot, &setup, "resizable_bar").text, "no memory range can be resized");
    let function = snapshot.functions.get_mut(&bdf(GPU)).unwrap();
    let Fact::Known(config) = &mut function.config else { panic!("no configuration space") };
    let Fact::Known(capabilities) = &mut config.capabilities else { panic!("no capabilities") };
    let Fact::Known(extended) = &mut capabilities.extended else { panic!("no extended ones") };
    extended.rebar = vec![Rebar { bar: 1, sizes: 0x7fc0, current: 256 << 20 }];
    let told = "range 1 has 256 MiB of at most 16 GiB";
    let found = of_card(&snapshot, &setup, "resizable_bar");
    assert_eq!((found.status, &*found.text), (Status::Pass, told));
    setup.programs.qemu = Some((8, 0, 5)).into();
    let found = of_card(&snapshot, &setup, "resizable_bar");
    assert_eq!(found.status, Status::Warn);
    assert!(found.text.starts_with(&format!("{told}, which QEMU 8.0.5 hides")), "{found}");
}
