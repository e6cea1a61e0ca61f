//! Services, the X server's configuration, framebuffers, drivers in the kernel.

use super::*;
use model::Step;
use model::check::{Remedy, Status};
use model::setup::Modules;
use model::snapshot::ModuleState;
use model::step::Undo;
use model::usage::Use;

const CARD: &str = "0000:01:00.0";
const CONF: &str = "/etc/X11/xorg.conf";
const CLASS: &str = "/usr/share/X11/xorg.conf.d/10-nvidia.conf";

fn card() -> Shape {
    consumer_card().driver(CARD, "nvidia")
}

/// The same with graphics of the processor, which stay.
fn with_other(ids: (u16, u16)) -> Shape {
    card().endpoint("0000:00:02.0", ids, 0x03_0000, 9).driver("0000:00:02.0", "i915")
}

fn running(units: &[&str]) -> Setup {
    let mut setup = ready();
    setup.screens.services = units.iter().map(|unit| (*unit).to_owned()).collect::<Vec<_>>().into();
    setup
}

fn found(shape: &Shape, setup: &Setup, name: &str) -> check::Finding {
    let subject = Subject { snapshot: &shape.0, setup, devices: &[bdf(CARD)] };
    let at = Some(bdf(CARD));
    let mut all = check::check(&subject).into_iter();
    all.find(|one| one.check.name == name && one.at == at).unwrap().finding
}

fn stops(plan: &Preparation) -> Vec<String> {
    let told = plan.steps.iter().map(ToString::to_string);
    told.filter(|text| text.starts_with("stop ") || text.contains("systemd")).collect()
}

#[test]
fn services_with_nothing_left_are_kept_from_starting() {
    let setup = running(&["gdm.service", "nvidia-persistenced.service", "xrdp.service"]);
    let plan = planned(&card().0, &setup, &[bdf(CARD)], &debian(""));
    assert!(plan.reboot);
    assert_snapshot!("services", shown(&plan));
    // On the way back what kept a unit from starting goes before it is started.
    let back: Vec<String> = plan
        .steps
        .iter()
        .rev()
        .filter_map(|step| match step.undo() {
            Undo::Step(step) => Some(step.to_string()),
            Undo::None(_) => None,
        })
        .collect();
    let at = |text: &str| back.iter().position(|step| step.contains(text)).unwrap();
    let removed = at("remove /etc/systemd/system/nvidia-persistenced.service.d/passthru.conf");
    assert!(removed < at("start nvidia-persistenced.service"), "{back:?}");
    // A desktop is not thrown out: it ends with the reboot.
    assert!(
        !plan
            .steps
            .iter()
            .any(|step| matches!(step, Step::StopUnit { unit, .. } if unit == "gdm.service"))
    );
}

#[test]
fn services_with_other_devices_stay() {
    let setup = running(&["gdm.service", "nvidia-dcgm.service"]);
    // Graphics of the processor are left to the desktop, and nothing to DCGM.
    let shape = with_other((0x8086, 0x4680));
    let plan = planned(&shape.0, &setup, &[bdf(CARD)], &debian(""));
    let drop_in = "make /etc/systemd/system/nvidia-dcgm.service.d/passthru.conf";
    assert_eq!(stops(&plan), ["stop nvidia-dcgm.service", drop_in]);
    let told = found(&shape, &setup, "screen_services");
    assert!(told.text.contains("gdm.service stays for 0000:00:02.0"), "{told}");
    // Another card of NVIDIA's: both stay, which is fine.
    let shape = with_other((0x10de, 0x2204));
    let plan = planned(&shape.0, &setup, &[bdf(CARD)], &debian(""));
    assert_eq!(stops(&plan), [""; 0]);
    let told = found(&shape, &setup, "screen_services");
    assert_eq!((told.status, told.remedies.len()), (Status::Pass, 0), "{told}");
    // So it is for a switch between cards of guests.
    let switch = card().endpoint("0000:05:00.0", (0x10de, 0x22a3), 0x06_8000, 9);
    let fabric = running(&["nvidia-fabricmanager.service"]);
    let told = found(&switch, &fabric, "screen_services");
    assert_eq!((told.status, told.remedies.len()), (Status::Pass, 0), "{told}");
    // One that holds the card is told of all the same.
    let shape = shape.held(CARD, "/dev/nvidia0", "Xorg", Some("gdm.service"));
    assert_eq!(found(&shape, &setup, "screen_services").status, Status::Warn);
    // When vfio-pci has it, nobody can take it.
    let shape = card().driver(CARD, "vfio-pci");
    assert_eq!(found(&shape, &setup, "screen_services").status, Status::Pass);
}

#[test]
fn what_was_kept_from_starting_stays_so() {
    let setup = running(&["gdm.service"]);
    let first = planned(&card().0, &setup, &[bdf(CARD)], &debian(""));
    let mut boot = debian("");
    for step in first.steps {
        if let Step::WriteFile { path, to: Some(to), .. } = step {
            boot.files.insert(path, to);
        }
    }
    let again = planned(&card().0, &setup, &[bdf(CARD)], &boot);
    assert_eq!(stops(&again), [""; 0]);
}

fn configured(files: &[(&str, &str)]) -> (Setup, Boot) {
    let (mut setup, mut boot) = (ready(), debian(""));
    setup.screens.xorg =
        files.iter().map(|(path, _)| (*path).to_owned()).collect::<Vec<_>>().into();
    boot.files.extend(files.iter().map(|(path, text)| ((*path).to_owned(), Content::from(*text))));
    (setup, boot)
}

const DEVICE: &str = "Section \"Device\"\n  Driver \"nvidia\"\nEndSection\n";
const OUTPUT: &str = "Section \"OutputClass\"\n  MatchDriver \"nvidia-drm\"\nEndSection\n";

#[test]
fn x11_is_not_told_of_cards_that_go() {
    let (setup, boot) = configured(&[(CONF, DEVICE), (CLASS, OUTPUT)]);
    let plan = planned(&card().0, &setup, &[bdf(CARD)], &boot);
    let files: Vec<_> = plan.steps.iter().filter(|step| step.to_string().contains("X11")).collect();
    assert_eq!(files.len(), 2, "{files:?}");
    assert_snapshot!("x11", files.iter().map(|step| step.diff()).collect::<String>());
    // What is left names no driver, so that the check has nothing more to say.
    for step in files {
        let Step::WriteFile { to: Some(to), .. } = step else { panic!("{step}") };
        assert!(!model::parse::setup::xorg_names(&to.text(), check::NVIDIA), "{to:?}");
    }
}

#[test]
fn x11_is_left_alone_where_more_depends_on_it() {
    let by_hand = |shape: &Shape, files: &[(&str, &str)], change: &dyn Fn(&mut Boot)| {
        let (setup, mut boot) = configured(files);
        change(&mut boot);
        let plan = planned(&shape.0, &setup, &[bdf(CARD)], &boot);
        let text = shown(&plan);
        assert!(!plan.steps.iter().any(|step| step.to_string().contains("X11")), "{text}");
        text
    };
    let same = |_: &mut Boot| {};
    // A keyboard is set up in it.
    let keyboard =
        format!("{DEVICE}Section \"InputClass\"\n  Option \"XkbLayout\" \"de\"\nEndSection\n");
    let text = by_hand(&card(), &[(CONF, &keyboard)], &same);
    assert!(
        text.contains(&format!("by hand: take what names NVIDIA's driver out of {CONF}")),
        "{text}"
    );
    // Another such card stays.
    let text = by_hand(&with_other((0x10de, 0x2204)), &[(CONF, DEVICE)], &same);
    assert!(text.contains("that only 0000:00:02.0 is the host's"), "{text}");
    // What packages bring is not written to on a system that is an image.
    let ostree = |boot: &mut Boot| {
        boot.loader = Loader { name: "rpm-ostree".to_owned(), ..Loader::default() }.into();
    };
    let text = by_hand(&card(), &[(CLASS, OUTPUT)], &ostree);
    assert!(text.contains("this system has ways of its own"), "{text}");
}

#[test]
fn the_firmwares_framebuffer() {
    let drawn = |kernel: &str, region: &str, other: bool| {
        let shape = if other { with_other((0x8086, 0x4680)) } else { card() };
        let used = Use::BootFramebuffer { region: region.to_owned() };
        let mut shape = shape.used(CARD, used);
        shape.0.machine.kernel = kernel.to_owned().into();
        found(&shape, &ready(), "framebuffer").remedies
    };
    let video = Remedy::Argument(Change::Add("video=efifb:off".to_owned()));
    let sysfb = Remedy::Argument(Change::Include {
        name: "initcall_blacklist".to_owned(),
        values: vec!["sysfb_init".to_owned()],
    });
    assert_eq!(drawn("5.15.0-91-generic", "efifb", true), [video]);
    assert_eq!(drawn("5.15.0-91-generic", "BOOTFB", true), [sysfb]);
    // vfio-pci does it by itself.
    assert_eq!(drawn("6.12.43+deb13-amd64", "BOOTFB", true), []);
    // The host's only screen is a person's to give away.
    let [Remedy::ByHand(text)] = &drawn("5.15.0", "efifb", false)[..] else { panic!() };
    assert!(text.contains("video=efifb:off") && text.contains("only screen"), "{text}");
}

fn with_states(states: &[(&str, ModuleState)]) -> Setup {
    let mut setup = ready();
    let added = states.iter().map(|(name, state)| ((*name).to_owned(), (*state).into()));
    let states = setup.modules.states.clone().into_iter().chain(added).collect();
    setup.modules = Modules { states, ..Modules::default() };
    setup
}

/// modprobe's configuration does nothing about what is in the kernel.
#[test]
fn drivers_that_are_built_in() {
    let shape = consumer_card().driver(CARD, "nouveau");
    let setup = with_states(&[
        ("nouveau", ModuleState::BuiltIn),
        ("xhci_hcd", ModuleState::BuiltIn),
        ("vfio_pci", ModuleState::BuiltIn),
    ]);
    let plan = planned(&shape.0, &setup, &[bdf(CARD)], &debian("GRUB_CMDLINE_LINUX=\"quiet\"\n"));
    assert_snapshot!("built_in", shown(&plan));
}
