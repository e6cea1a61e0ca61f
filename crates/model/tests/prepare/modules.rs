//! Drivers that are kept from devices at boot, where others have said
//! something about them already.

use super::*;
use model::boot::modprobe::{File, Settings};
use model::setup::Access;
use model::snapshot::ModuleState;

const DRIVE: &str = "0000:03:00.0";

/// A drive with nvme, beside another of the host's.
fn drives() -> Shape {
    let shape = Shape::new().endpoint(DRIVE, (0x144d, 0xa80a), 0x01_0802, 1);
    let shape = shape.endpoint("0000:04:00.0", (0x1b36, 0x0010), 0x01_0802, 2);
    shape.driver(DRIVE, "nvme").driver("0000:04:00.0", "nvme")
}

/// A host whose modprobe reads these files.
fn told(files: &[(&str, &str)]) -> Setup {
    let files: Vec<File<'_>> =
        files.iter().map(|(name, text)| File { folder: "etc/modprobe.d", name, text }).collect();
    Setup { modprobe: Settings::read(&files).into(), ..ready() }
}

fn of_drive(setup: &Setup) -> Preparation {
    planned(&drives().0, setup, &[bdf(DRIVE)], &debian(""))
}

/// `ids` is one text: the last one that says it is heard.
#[test]
fn ids_of_others_stay() {
    let plan = of_drive(&told(&[("gpu.conf", "options vfio-pci ids=10de:2204\n")]));
    let text = shown(&plan);
    assert!(text.contains("+options vfio-pci ids=144d:a80a,10de:2204\n"), "{text}");
    assert!(!text.contains("vfio-pci.ids="), "{text}");

    // Theirs would be heard last: then all of them are arguments, which come behind.
    let plan = of_drive(&told(&[("vfio.conf", "options vfio-pci ids=10de:2204\n")]));
    let text = shown(&plan);
    assert!(text.contains("\"vfio-pci.ids=144d:a80a,10de:2204\""), "{text}");

    let mut setup = told(&[]);
    setup.cmdline = "quiet vfio-pci.ids=10de:2204 iommu=pt".to_owned().into();
    let boot = debian("GRUB_CMDLINE_LINUX_DEFAULT=\"vfio-pci.ids=10de:2204\"\n");
    let text = shown(&planned(&drives().0, &setup, &[bdf(DRIVE)], &boot));
    assert!(
        text.contains("+GRUB_CMDLINE_LINUX_DEFAULT=\"vfio-pci.ids=10de:2204,144d:a80a\""),
        "{text}"
    );
}

/// The first softdep of a module is the one that counts.
#[test]
fn softdeps_of_others_stay() {
    let plan = of_drive(&told(&[("z.conf", "softdep nvme pre: a b post: c\n")]));
    let text = shown(&plan);
    assert!(text.contains("+softdep nvme pre: vfio-pci a b post: c\n"), "{text}");
    assert_eq!(plan.by_hand, [""; 0]);

    let plan = of_drive(&told(&[("a.conf", "softdep nvme post: c\n")]));
    let want = "write `softdep nvme pre: vfio-pci post: c` in place of what etc/modprobe.d/a.conf says of nvme: of two such lines the first one counts";
    assert_eq!(plan.by_hand, [want]);

    let plan = of_drive(&told(&[("a.conf", "softdep nvme pre: vfio-pci\n")]));
    assert_eq!(plan.by_hand, [""; 0]);
}

/// What the module is called decides, and not the driver.
#[test]
fn a_driver_of_another_modules_name() {
    let usb = Shape::new().endpoint(DRIVE, (0x1912, 0x0014), 0x0c_0330, 1);
    let usb = usb.driver(DRIVE, "xhci_hcd");
    let mut setup = ready();
    setup.modules.states.insert("xhci_hcd".to_owned(), ModuleState::BuiltIn.into());
    setup.modules.states.insert("xhci_pci".to_owned(), ModuleState::Loaded.into());
    setup.modules.of_drivers.insert("xhci_hcd".to_owned(), "xhci_pci".to_owned());
    let plan = planned(&usb.0, &setup, &[bdf(DRIVE)], &debian(""));
    assert!(shown(&plan).contains("+softdep xhci_pci pre: vfio-pci\n"), "{}", shown(&plan));
    assert_eq!(plan.by_hand, [""; 0]);
}

/// A plain bind is over with the next boot, when ids take both.
#[test]
fn a_twin_that_is_with_vfio_for_now() {
    let twins = Shape::new().endpoint(DRIVE, (0x1b36, 0x0010), 0x01_0802, 1);
    let twins = twins.endpoint("0000:04:00.0", (0x1b36, 0x0010), 0x01_0802, 2);
    let twins = twins.driver(DRIVE, "nvme").driver("0000:04:00.0", "vfio-pci");
    let plan = planned(&twins.0, &ready(), &[bdf(DRIVE)], &debian(""));
    assert!(plan.by_hand[0].contains("passthru bind --persist"), "{:?}", plan.by_hand);
    assert!(!shown(&plan).contains("ids="), "{}", shown(&plan));
}

/// Bound for now, or without a driver: what would take it at the next boot is kept out all the same.
#[test]
fn a_device_that_no_driver_of_the_host_has() {
    let mut setup = ready();
    setup.modules.claims.insert(bdf(DRIVE), vec!["nvme".to_owned()].into());
    for driver in [Some("vfio-pci"), None] {
        let shape = Shape::new().endpoint(DRIVE, (0x144d, 0xa80a), 0x01_0802, 1);
        let shape = driver.into_iter().fold(shape, |shape, driver| shape.driver(DRIVE, driver));
        setup.modules.states.insert("nvme".to_owned(), ModuleState::Loaded.into());
        let text = shown(&planned(&shape.0, &setup, &[bdf(DRIVE)], &debian("")));
        assert!(text.contains("+softdep nvme pre: vfio-pci\n"), "{driver:?}: {text}");
        assert!(text.contains("+options vfio-pci ids=144d:a80a\n"), "{driver:?}: {text}");
        assert!(!text.contains("blacklist nvme"), "others may come: {text}");
    }
    const CARD: &str = "0000:01:00.0";
    let mut setup = ready();
    setup.modules.claims.insert(bdf(CARD), vec!["nouveau".to_owned()].into());
    let card = consumer_card().driver(CARD, "vfio-pci");
    let text = shown(&planned(&card.0, &setup, &[bdf(CARD)], &debian("")));
    assert!(text.contains("+blacklist nouveau\n"), "{text}");
}

/// What would take the card when its driver does not is kept out as well, and
/// NVIDIA's by the kernel itself.
#[test]
fn modules_that_would_come_instead() {
    const CARD: &str = "0000:01:00.0";
    let claims = |names: &[&str]| {
        let mut setup = ready();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        setup.modules.claims.insert(bdf(CARD), names.into());
        setup
    };
    let plan = |driver: &str, setup: &Setup| {
        let card = consumer_card().driver(CARD, driver);
        shown(&planned(&card.0, setup, &[bdf(CARD)], &debian("")))
    };
    let text = plan("nouveau", &claims(&["nouveau", "nvidia-current", "vfio-pci"]));
    for line in ["+blacklist nouveau\n", "+blacklist nvidia_current\n", "module_blacklist=nvidia"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    assert!(!text.contains("blacklist vfio"), "{text}");
    let text = plan("nvidia", &claims(&["nouveau", "nvidia_current"]));
    for line in ["+blacklist nvidia\n", "+blacklist nvidia_current\n", "+blacklist nouveau\n"] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // Another card of NVIDIA's stays with that driver.
    let cards = consumer_card().driver(CARD, "nouveau");
    let cards = cards.endpoint("0000:05:00.0", (0x10de, 0x2204), 0x03_0000, 9);
    let cards = cards.driver("0000:05:00.0", "nvidia");
    let setup = claims(&["nouveau", "nvidia_current"]);
    let text = shown(&planned(&cards.0, &setup, &[bdf(CARD)], &debian("")));
    assert!(text.contains("blacklist nouveau") && !text.contains("nvidia"), "{text}");
    assert!(!plan("amdgpu", &claims(&["amdgpu"])).contains("module_blacklist"));
}

/// What an earlier preparation kept out stays out of images, and what it
/// loads is loaded.
#[test]
fn on_top_of_an_earlier_preparation() {
    let mut boot = Boot { generator: Some(Generator::Dracut).into(), ..debian("") };
    let earlier = "# x\nblacklist nouveau\nalias nouveau off\nblacklist lbm-nouveau\n";
    boot.files.insert("/etc/modprobe.d/passthru.conf".to_owned(), Content::from(earlier));
    boot.files
        .insert("/etc/modules-load.d/passthru.conf".to_owned(), Content::from("# x\nirqbypass\n"));
    let mut setup = ready();
    setup.kvm = Access::Missing.into();
    setup.modules.states.insert("kvm_intel".to_owned(), ModuleState::Loadable.into());
    let plan = planned(&drives().0, &setup, &[bdf(DRIVE)], &boot);
    let text = shown(&plan);
    for line in ["+omit_drivers+=\" nouveau \"\n", " irqbypass\n+kvm_intel\n"] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

/// Without groups nothing says what goes with a card: its sound does.
#[test]
fn the_sound_of_a_card_goes_with_it_without_groups() {
    let card = consumer_card().without_iommu(Some("DMAR"));
    let card = card.driver("0000:01:00.0", "nouveau").driver("0000:01:00.1", "snd_hda_intel");
    let text = shown(&planned(&card.0, &ready(), &[bdf("0000:01:00.0")], &debian("")));
    assert!(text.contains("+softdep snd_hda_intel pre: vfio-pci\n"), "{text}");
}
