//! What a preparation would do: its dry run, diffs included, is what is asserted here.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

#[path = "prepare/asked.rs"]
mod asked;
#[path = "prepare/modules.rs"]
mod modules;
#[path = "prepare/screens.rs"]
mod screens;
mod shapes;

use insta::assert_snapshot;
use model::boot::cmdline::Change;
use model::check::{self, Subject};
use model::file::Content;
use model::plan::prepare::{Asked, Preparation, Unplanned, prepare};
use model::setup::Setup;
use model::setup::boot::{Boot, Format, Generator, Loader, Menu};
use model::{Bdf, Fact, Snapshot, Why};
use shapes::setup::{booted_by, ready, shown};
use shapes::{Shape, bdf, consumer_card};

const SETTINGS: &str = "/etc/default/grub";
const MENU: &str = "/boot/grub/grub.cfg";
const RELEASE: &str = "6.12.43+deb13-amd64";

/// Debian with GRUB.
fn debian(settings: &str) -> Boot {
    let menu = Menu { path: MENU.to_owned(), program: Some("grub-mkconfig".to_owned()) };
    let grub = Loader {
        name: "GRUB".to_owned(),
        settings: vec![SETTINGS.to_owned()],
        menu: Some(menu),
        ..Loader::default()
    };
    Boot {
        loader: grub.into(),
        generator: Some(Generator::InitramfsTools).into(),
        images: [(RELEASE.to_owned(), format!("/boot/initrd.img-{RELEASE}"))].into(),
        configuration: "/etc".to_owned(),
        files: [(SETTINGS.to_owned(), Content::from(settings))].into(),
    }
}

fn planned(snapshot: &Snapshot, setup: &Setup, devices: &[Bdf], boot: &Boot) -> Preparation {
    let setup = &booted_by(setup, boot);
    let subject = Subject { snapshot, setup, devices };
    prepare(&subject, &check::check(&subject), &Asked::default()).unwrap()
}

/// What is asked for beyond the checks, of a host that needs nothing else.
fn asked(
    snapshot: &Snapshot,
    setup: &Setup,
    boot: &Boot,
    asked: &Asked,
) -> Result<Preparation, Unplanned> {
    let setup = &booted_by(setup, boot);
    let subject = Subject { snapshot, setup, devices: &[] };
    prepare(&subject, &check::check(&subject), asked)
}

/// The firmware offers an IOMMU, and the kernel does not use it.
fn without_iommu() -> Snapshot {
    Shape::new().without_iommu(Some("DMAR")).0
}

#[test]
fn a_host_that_is_ready_needs_nothing() {
    let done = planned(&Shape::new().0, &ready(), &[], &debian(""));
    assert_eq!(done, Preparation::default());
}

#[test]
fn boot_arguments_go_into_the_settings_and_the_menu() {
    let snapshot = without_iommu();
    let setup = Setup { cmdline: "quiet".to_owned().into(), ..ready() };
    let boot = debian("# mine\nGRUB_CMDLINE_LINUX_DEFAULT='quiet  splash'  # why\nGRUB_TIMEOUT=5");
    let plan = planned(&snapshot, &setup, &[], &boot);
    assert!(plan.reboot);
    assert_snapshot!("boot_arguments", shown(&plan));

    // The same once more, when it was done and not booted: nothing is left to do.
    let mut boot = debian("GRUB_CMDLINE_LINUX_DEFAULT='quiet intel_iommu=on iommu=pt'\n");
    let menu = "menuentry 'Linux' {\n linux /vmlinuz quiet intel_iommu=on iommu=pt\n}\n";
    boot.files.insert(MENU.to_owned(), Content::from(menu));
    let plan = planned(&snapshot, &setup, &[], &boot);
    assert_eq!((plan.steps.len(), plan.reboot), (0, true));
}

#[test]
fn a_driver_that_nobody_else_needs_is_kept_out() {
    let card = consumer_card().driver("0000:01:00.0", "nouveau");
    let plan = planned(&card.0, &ready(), &[bdf("0000:01:00.0")], &debian(""));
    assert_snapshot!("driver_kept_out", shown(&plan));
}

#[test]
fn a_driver_that_others_need_comes_after_vfio() {
    let shape = |other: (u16, u16)| {
        let shape = Shape::new().endpoint("0000:03:00.0", (0x1b36, 0x0010), 0x01_0802, 1);
        let shape = shape.endpoint("0000:04:00.0", other, 0x01_0802, 2);
        shape.driver("0000:03:00.0", "nvme").driver("0000:04:00.0", "nvme")
    };
    let meant = [bdf("0000:03:00.0")];
    let plan = planned(&shape((0x144d, 0xa808)).0, &ready(), &meant, &debian(""));
    assert_snapshot!("driver_after_vfio", shown(&plan));
    // Two of a kind, of which one stays.
    let plan = planned(&shape((0x1b36, 0x0010)).0, &ready(), &meant, &debian(""));
    assert_snapshot!("two_of_a_kind", shown(&plan));
}

/// Every place that has arguments is changed, each in its own format.
#[test]
fn other_boot_loaders() {
    let (entry, line) = ("/boot/efi/loader/entries/debian-6.12.conf", "/etc/kernel/cmdline");
    let (stub, extlinux) = ("/etc/kernelstub/configuration", "/boot/extlinux/extlinux.conf");
    let files = [
        (entry, Format::Entry, "title Debian\r\nlinux /vmlinuz\r\noptions root=LABEL=x quiet\r\n"),
        (line, Format::Line, "root=LABEL=x quiet"),
        (
            stub,
            Format::Kernelstub,
            "{\n  \"user\": {\n    \"kernel_options\": [\n      \"quiet\"\n    ]\n  }\n}\n",
        ),
        (
            extlinux,
            Format::Extlinux,
            "default l0\nlabel l0\n\tlinux /vmlinuz\n\tappend root=LABEL=x\nlabel l0r\n\tlinux /vmlinuz\n\tappend single\n",
        ),
    ];
    let loader = Loader {
        name: "all of them".to_owned(),
        files: files.iter().map(|(path, format, _)| ((*path).to_owned(), *format)).collect(),
        ..Loader::default()
    };
    let texts = files.iter().map(|(path, _, text)| ((*path).to_owned(), Content::from(*text)));
    let boot = Boot { loader: loader.into(), files: texts.collect(), ..debian("") };
    let plan = planned(&without_iommu(), &ready(), &[], &boot);
    assert!(plan.reboot);
    assert_snapshot!("other_boot_loaders", shown(&plan));
}

/// Its image has no copy of what modprobe is told unless it is named.
#[test]
fn dracut_is_told_what_to_take_along() {
    let card = consumer_card().driver("0000:01:00.0", "nouveau");
    let boot = Boot { generator: Some(Generator::Dracut).into(), ..debian("") };
    let plan = planned(&card.0, &ready(), &[bdf("0000:01:00.0")], &boot);
    let text = shown(&plan);
    for line in [
        "+add_drivers+=\" vfio_pci vfio vfio_iommu_type1 \"\n",
        "+omit_drivers+=\" nouveau \"\n",
        "+install_items+=\" /etc/modprobe.d/passthru.conf \"\n",
    ] {
        assert!(text.contains(line), "{line} {text}");
    }
}

/// One file has everybody's modules.
#[test]
fn booster_is_told_in_its_own_file() {
    let card = consumer_card().driver("0000:01:00.0", "nouveau");
    let mut boot = Boot { generator: Some(Generator::Booster).into(), ..debian("") };
    let plan = planned(&card.0, &ready(), &[bdf("0000:01:00.0")], &boot);
    let text = shown(&plan);
    for line in ["+modules_force_load: vfio_pci,vfio,vfio_iommu_type1\n", "+modules: -nouveau\n"] {
        assert!(text.contains(line), "{line} {text}");
    }
    assert!(text.contains("anew by booster"), "{text}");
    boot.files.insert("/etc/booster.yaml".to_owned(), Content::from("modules:\n  - a\n"));
    let setup = booted_by(&ready(), &boot);
    let devices = [bdf("0000:01:00.0")];
    let subject = Subject { snapshot: &card.0, setup: &setup, devices: &devices };
    let error = prepare(&subject, &check::check(&subject), &Asked::default()).unwrap_err();
    assert!(error.to_string().starts_with("`/etc/booster.yaml`"), "{error}");
}

/// The kernel refuses what modprobe in an image does not know of.
#[test]
fn an_image_that_nobody_is_known_to_make() {
    let card = consumer_card().driver("0000:01:00.0", "nouveau");
    let boot = Boot { generator: None.into(), ..debian("") };
    let plan = planned(&card.0, &ready(), &[bdf("0000:01:00.0")], &boot);
    let text = shown(&plan);
    assert!(text.contains("+GRUB_CMDLINE_LINUX_DEFAULT=\"module_blacklist=nouveau\"\n"), "{text}");
    assert!(plan.by_hand[0].contains("initramfs anew"), "{:?}", plan.by_hand);
}

/// What was prepared for other devices stays.
#[test]
fn an_earlier_preparation_is_added_to() {
    let card = consumer_card().driver("0000:01:00.0", "nouveau");
    let mut boot = debian("");
    let earlier = "# heading\nsoftdep nvme pre: vfio-pci\noptions vfio-pci ids=1b36:0010\n";
    boot.files.insert("/etc/modprobe.d/passthru.conf".to_owned(), Content::from(earlier));
    let plan = planned(&card.0, &ready(), &[bdf("0000:01:00.0")], &boot);
    let text = shown(&plan);
    assert!(text.contains(" softdep nvme pre: vfio-pci\n"), "{text}");
    assert!(text.contains("+options vfio-pci ids=1b36:0010,10de:10f8,10de:1ad8\n"), "{text}");
}

#[test]
fn what_is_not_known_is_left_to_a_person() {
    let snapshot = without_iommu();
    let other = Loader { name: "rpm-ostree".to_owned(), ..Loader::default() };
    for loader in [other.into(), Fact::Unknown(Why::NotProvided)] {
        let boot = Boot { loader, ..debian("") };
        let plan = planned(&snapshot, &ready(), &[], &boot);
        assert_eq!(plan.steps, []);
        assert!(plan.by_hand[0].contains("intel_iommu=on"), "{:?}", plan.by_hand);
    }
    // A file that is not understood is not edited.
    let boot = debian("GRUB_CMDLINE_LINUX_DEFAULT=\"$(cat args)\"\n");
    let setup = Setup { cmdline: "amd_iommu=off".to_owned().into(), boot, ..ready() };
    let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &[] };
    let error = prepare(&subject, &check::check(&subject), &Asked::default()).unwrap_err();
    assert!(error.to_string().starts_with("`/etc/default/grub`, line 1"), "{error}");
}

/// Planning changes no argument that is there already, in whatever order.
#[test]
fn a_plan_is_a_function_of_what_is() {
    let snapshot = without_iommu();
    let setup = Setup { cmdline: String::new().into(), ..ready() };
    let boot = debian("GRUB_CMDLINE_LINUX=\"iommu=pt\"\n");
    let one = planned(&snapshot, &setup, &[], &boot);
    assert_eq!(one, planned(&snapshot, &setup, &[], &boot));
    let wanted = Change::Set("iommu=pt".to_owned());
    let diff = shown(&one);
    assert!(diff.contains("+GRUB_CMDLINE_LINUX=\"iommu=pt intel_iommu=on\""), "{wanted} {diff}");
}
