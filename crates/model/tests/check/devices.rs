//! What single devices need: who gets them at boot, what holds them.

use model::check::{self, Finding, Remedy, Status, Subject};
use model::parse::config::Rebar;
use model::plan::persist::{self, Change};
use model::setup::Setup;
use model::setup::boot::Generator;
use model::setup::early::Early;
use model::snapshot::ModuleState;
use model::step::Step;
use model::{Fact, Snapshot, Why};

use crate::shapes::setup::ready;
use crate::shapes::{Shape, bdf};
use crate::{modprobe, of};

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
    assert_eq!(found.status, Status::Warn);
    assert!(found.text.contains("nouveau is loaded, is in the initramfs, and nothing"), "{found}");
    let keep = |module: &str| Remedy::Keep { module: module.to_owned() };
    assert_eq!(found.remedies, [keep("nouveau"), keep("nvidiafb")]);
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

/// With a rule of ours it is that which decides.
#[test]
fn a_binding_that_persists() {
    let snapshot = with_card(Some("nouveau"), 0x03_0000);
    let mut setup = at_boot("", Some((&["nouveau"], "")));
    let functions = &[bdf(GPU)];
    let change = Change::Persist { functions, driver: "vfio-pci" };
    let plan = persist::persist(&snapshot, &setup.boot, change, "passthru").unwrap();
    for step in plan.steps {
        if let Step::WriteFile { path, to: Some(to), .. } = step {
            setup.boot.files.insert(path, to);
        }
    }
    let found = of_card(&snapshot, &setup, "at_boot");
    assert_eq!(found.status, Status::Pass, "{found}");
    assert!(found.text.starts_with("a rule binds it to vfio-pci"), "{found}");
    // Of another device it says nothing.
    let other = Shape::new().endpoint(GPU, (0x10de, 0x2205), 0x03_0000, 1).driver(GPU, "nouveau");
    let found = of_card(&other.0, &setup, "at_boot");
    assert_eq!(found.status, Status::Warn, "{found}");
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
