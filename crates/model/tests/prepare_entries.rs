//! More entries in the boot menu: one that is booted once, and one with the image of before.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod shapes;

use insta::assert_snapshot;
use model::Step;
use model::boot::source::Source;
use model::boot::{bls, grub_cfg};
use model::check::{self, Subject};
use model::file::Content;
use model::plan::prepare::{Asked, Preparation, once, prepare};
use model::setup::boot::{Boot, Chooser, Format, Generator, Loader, Menu};
use model::setup::{Setup, Smt};
use model::step::Once;
use model::{Bdf, Fact, Snapshot, Why};
use shapes::setup::{booted_by, ready, shown};
use shapes::{Shape, bdf, consumer_card};

const MENU: &str = "/boot/grub/grub.cfg";
const ENVIRONMENT: &str = "/boot/grub/grubenv";
const SEED: &str = include_str!("samples/boot/grub-power9.cfg");
const DEBIAN: &str = include_str!("samples/boot/grub-debian-12.cfg");
const MADE_ON_POWER: &[&str] = &[
    include_str!("samples/grub/power9-debian13-nvme.cfg"),
    include_str!("samples/grub/power9-debian13-sata.cfg"),
];

/// One that needs nothing else, and was started with who knows what.
fn host() -> Setup {
    Setup { cmdline: Fact::Unknown(Why::NotPermitted), ..ready() }
}

fn boot(loader: Loader, files: &[(&str, &str)]) -> Boot {
    Boot {
        loader: loader.into(),
        generator: Some(Generator::InitramfsTools).into(),
        images: [].into(),
        configuration: "/etc".to_owned(),
        files: files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), Content::from(*text)))
            .collect(),
    }
}

fn grub(menu: &str) -> Boot {
    let environment = Some(ENVIRONMENT.to_owned());
    let by = Once::Grub { program: "grub-reboot".to_owned(), environment: ENVIRONMENT.to_owned() };
    let made = Menu { path: MENU.to_owned(), program: Some("grub-mkconfig".to_owned()) };
    let loader = Loader {
        name: "GRUB".to_owned(),
        menu: Some(made),
        environment,
        chooser: Some(Chooser { by, chosen: None }),
        ..Loader::default()
    };
    boot(loader, &[(MENU, menu)])
}

/// A loader that reads GRUB's menu, and remembers nothing of it.
fn petitboot(menu: &str) -> Boot {
    let read = Menu { path: MENU.to_owned(), program: None };
    let name = "Petitboot (which reads GRUB's menu)".to_owned();
    boot(Loader { name, menu: Some(read), ..Loader::default() }, &[(MENU, menu)])
}

fn planned(snapshot: &Snapshot, setup: &Setup, devices: &[Bdf], boot: &Boot) -> Preparation {
    let setup = &booted_by(setup, boot);
    let subject = Subject { snapshot, setup, devices };
    once(&subject, &check::check(&subject), &Asked::default()).unwrap()
}

/// The POWER guide's machine: its cards are to be passed, and its threads are on.
fn power9() -> (Snapshot, Setup) {
    let shape = Shape::new().endpoint("0002:01:00.0", (0x10de, 0x15f9), 0x03_0200, 1);
    let mut snapshot = shape.driver("0002:01:00.0", "nouveau").0;
    snapshot.machine.arch = "ppc64le".to_owned().into();
    let smt = Smt { control: "on".to_owned(), active: true };
    (snapshot, Setup { smt: smt.into(), ..host() })
}

/// The default is changed by nothing, and the menu by nothing but the copy.
fn is_a_copy(before: &str, plan: &Preparation) -> String {
    let Some(Step::WriteFile { to: Some(to), .. }) = plan.steps.first() else {
        panic!("{}", shown(plan))
    };
    let text = to.text().into_owned();
    assert_eq!(
        grub_cfg::without_entry(Source::new(MENU, &text), "passthru-testing").unwrap(),
        before
    );
    text
}

#[test]
fn the_power_guides_entry() {
    let (snapshot, setup) = power9();
    let plan = planned(&snapshot, &setup, &[bdf("0002:01:00.0")], &petitboot(SEED));
    assert_snapshot!("power_guide", shown(&plan));
    is_a_copy(SEED, &plan);
}

#[test]
fn menus_that_grub_mkconfig_wrote_on_power() {
    let (snapshot, setup) = power9();
    for menu in MADE_ON_POWER {
        let plan = planned(&snapshot, &setup, &[bdf("0002:01:00.0")], &petitboot(menu));
        let text = is_a_copy(menu, &plan);
        let menu = grub_cfg::parse(Source::new(MENU, &text)).unwrap();
        let copy = menu.entries.iter().find(|entry| entry.id == "passthru-testing").unwrap();
        assert!(copy.title.ends_with(" - passthru testing"), "{}", copy.title);
        let line = copy.kernels[0].line();
        for word in ["vfio-pci.disable_idle_d3=1", "smt-enabled=off", "modprobe.blacklist=nouveau"]
        {
            assert!(line.contains(word), "{word} {line}");
        }
        assert!(plan.by_hand[0].contains(&copy.title), "{:?}", plan.by_hand);
    }
}

#[test]
fn grub_is_told_of_the_entry() {
    let snapshot = Shape::new().without_iommu(Some("DMAR")).0;
    let plan = planned(&snapshot, &host(), &[], &grub(DEBIAN));
    is_a_copy(DEBIAN, &plan);
    let Some(Step::BootOnce { from: None, to: Some(id), .. }) = plan.steps.last() else {
        panic!("{}", shown(&plan))
    };
    assert_eq!(id, "passthru-testing");
    // Once more: the entry is the same, and was chosen.
    let mut again = grub(&is_a_copy(DEBIAN, &plan));
    let loader = Loader {
        chooser: again
            .loader
            .known()
            .unwrap()
            .chooser
            .clone()
            .map(|chooser| Chooser { chosen: Some(id.clone()), ..chooser }),
        ..again.loader.known().unwrap().clone()
    };
    again.loader = loader.into();
    assert_eq!(planned(&snapshot, &host(), &[], &again).steps, []);
}

#[test]
fn an_entry_of_its_own_for_systemd_boot() {
    let path = "/boot/efi/loader/entries/debian-6.12.conf";
    let entry = "title Debian\nversion 6.12\nlinux /debian/linux\ninitrd /debian/initrd.img-6.12\noptions root=LABEL=x quiet\n";
    let chooser = Chooser { by: Once::SystemdBoot, chosen: None };
    let loader = Loader {
        name: "systemd-boot".to_owned(),
        files: vec![(path.to_owned(), Format::Entry)],
        chooser: Some(chooser),
        ..Loader::default()
    };
    let mut boot = boot(loader, &[(path, entry)]);
    let snapshot = Shape::new().without_iommu(Some("DMAR")).0;
    let plan = planned(&snapshot, &host(), &[], &boot);
    assert_snapshot!("systemd_boot", shown(&plan));
    // Whatever the others are called, and with their keys or without, it is not the first of them.
    let Some(Step::WriteFile { path: new, to: Some(to), .. }) = plan.steps.first() else {
        panic!()
    };
    let copy = bls::parse(Source::new(new, &to.text()));
    for (name, keys) in [
        ("debian-6.12", ""),
        ("0a1b-6.12", ""),
        ("almalinux-6.12", ""),
        ("arch", "sort-key arch\n"),
    ] {
        let other = bls::parse(Source::new(&format!("/x/{name}.conf"), &format!("{entry}{keys}")));
        assert!(bls::compare(&other, &copy).is_lt(), "{name}");
    }

    // For good, the image is made anew, and one entry has the old one.
    boot.images = [("6.12".to_owned(), "/boot/efi/debian/initrd.img-6.12".to_owned())].into();
    let card = consumer_card().driver("0000:01:00.0", "nouveau").0;
    let (devices, setup) = ([bdf("0000:01:00.0")], booted_by(&host(), &boot));
    let subject = Subject { snapshot: &card, setup: &setup, devices: &devices };
    let plan = prepare(&subject, &check::check(&subject), &Asked::default()).unwrap();
    let old = plan.steps.iter().find(|step| step.to_string().contains("passthru-old-image"));
    assert!(
        old.unwrap().diff().contains("+initrd /debian/.initrd.img-6.12.passthru-old\n"),
        "{}",
        shown(&plan)
    );
}

#[test]
fn the_old_image_is_offered_by_grub() {
    let release =
        DEBIAN.lines().find_map(|line| line.split_once("initrd.img-")).unwrap().1.to_owned();
    let mut boot = grub(DEBIAN);
    boot.images = [(release.clone(), format!("/boot/initrd.img-{release}"))].into();
    let card = consumer_card().driver("0000:01:00.0", "nouveau").0;
    let (devices, setup) = ([bdf("0000:01:00.0")], booted_by(&host(), &boot));
    let subject = Subject { snapshot: &card, setup: &setup, devices: &devices };
    let plan = prepare(&subject, &check::check(&subject), &Asked::default()).unwrap();
    assert_snapshot!("old_image", shown(&plan));
}

#[test]
fn extlinux_has_a_label_more() {
    let path = "/boot/extlinux/extlinux.conf";
    let text =
        "default l0\nlabel l0\n\tmenu label Debian\n\tlinux /vmlinuz\n\tappend root=LABEL=x\n";
    let loader = Loader {
        name: "extlinux".to_owned(),
        files: vec![(path.to_owned(), Format::Extlinux)],
        ..Loader::default()
    };
    let snapshot = Shape::new().without_iommu(Some("DMAR")).0;
    let plan = planned(&snapshot, &host(), &[], &boot(loader, &[(path, text)]));
    assert_snapshot!("extlinux", shown(&plan));
}

/// A driver that others need is not kept out: the device is taken from it later.
#[test]
fn what_others_need_stays() {
    let shape = Shape::new().endpoint("0000:03:00.0", (0x1b36, 0x0010), 0x01_0802, 1);
    let snapshot = shape.driver("0000:03:00.0", "nvme").0;
    let plan = planned(&snapshot, &host(), &[bdf("0000:03:00.0")], &grub(DEBIAN));
    assert_eq!(plan.steps, []);
    assert!(plan.by_hand[0].starts_with("nvme will have"), "{:?}", plan.by_hand);
}
