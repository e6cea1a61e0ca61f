//! What is asked for by options: hugepages, a group; and multithreading on POWER.

use super::*;
use model::plan::prepare::{
    GuestService, Hugepages, NoGroup, NoHugepages, NoService, UserGroup, against, once,
};
use model::reason::Code;
use model::setup::services::ServiceName;
use model::setup::{Pool, Smt};
use model::snapshot::ModuleState;
use model::usage::Use;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// 64 GiB, of which hugepages of two sizes can be made.
fn host() -> (Snapshot, Setup) {
    let (mut snapshot, mut setup) = (Shape::new().0, ready());
    snapshot.machine.memory_total = (64 * GIB).into();
    snapshot.machine.memory_available = (60 * GIB).into();
    let pool = |size| Pool { size, total: 0, free: 0 };
    setup.memory.pools = vec![pool(2 * MIB), pool(GIB)].into();
    (snapshot, setup)
}

fn pages(bytes: u64, page: Option<u64>) -> Asked {
    Asked { hugepages: Some(Hugepages { bytes, page }), ..Asked::default() }
}

#[test]
fn hugepages_are_reserved_at_boot() {
    let (snapshot, setup) = host();
    for (bytes, page, want) in [
        (32 * GIB, None, "default_hugepagesz=1G hugepages=32"),
        (32 * GIB, Some(2 * MIB), "default_hugepagesz=2M hugepages=16384"),
        (1536 * MIB, None, "default_hugepagesz=2M hugepages=768"),
    ] {
        let plan = asked(&snapshot, &setup, &debian(""), &pages(bytes, page)).unwrap();
        let text = shown(&plan);
        assert!(plan.reboot && text.contains(&format!("=\"{want}\"\n")), "{text}");
    }
    // Once more, with another count: in the place of the first.
    let boot = debian("GRUB_CMDLINE_LINUX=\"default_hugepagesz=1G hugepages=8 quiet\"\n");
    let plan = asked(&snapshot, &setup, &boot, &pages(4 * GIB, None)).unwrap();
    let text = shown(&plan);
    assert!(
        text.contains("+GRUB_CMDLINE_LINUX=\"default_hugepagesz=1G hugepages=4 quiet\""),
        "{text}"
    );
    // The kernel runs with them: no reboot is asked for.
    let setup =
        Setup { cmdline: "iommu=pt default_hugepagesz=1G hugepages=8".to_owned().into(), ..setup };
    let mut boot = boot;
    let menu =
        "menuentry 'Linux' {\n linux /vmlinuz iommu=pt default_hugepagesz=1G hugepages=8\n}\n";
    boot.files.insert(MENU.to_owned(), Content::from(menu));
    let plan = asked(&snapshot, &setup, &boot, &pages(8 * GIB, None)).unwrap();
    assert_eq!(plan, Preparation::default());
}

#[test]
fn hugepages_that_cannot_be() {
    let (snapshot, mut setup) = host();
    for (bytes, page, want) in [
        (32 * GIB, Some(16 * MIB), "this machine has no hugepages of 16 MiB, only of 2 MiB, 1 GiB"),
        (1536 * MIB, Some(GIB), "1.5 GiB are no whole number of hugepages of 1 GiB"),
        (3 * MIB, None, "3 MiB are no whole number of hugepages of 2 MiB"),
        (64 * GIB, None, "64 GiB of hugepages would leave the host less than 1 GiB of its 64 GiB"),
        (u64::MAX / GIB * GIB, None, "would leave the host less"),
    ] {
        let error = asked(&snapshot, &setup, &debian(""), &pages(bytes, page)).unwrap_err();
        assert!(error.to_string().contains(want), "{error}");
    }
    setup.memory.pools = Fact::Unknown(Why::NotPermitted);
    let error = asked(&snapshot, &setup, &debian(""), &pages(GIB, None)).unwrap_err();
    assert_eq!(error, Unplanned::Hugepages(NoHugepages::Unknown(Why::NotPermitted)));
}

/// Where pools of several sizes are set up, a count belongs to the size before it.
#[test]
fn hugepages_of_somebody_else_are_left_alone() {
    let (snapshot, mut setup) = host();
    let pool = "GRUB_CMDLINE_LINUX=\"hugepagesz=2M hugepages=512\"\n";
    let plan = asked(&snapshot, &setup, &debian(pool), &pages(4 * GIB, None)).unwrap();
    assert_eq!(plan.steps, []);
    assert!(plan.by_hand[0].contains("hugepagesz=1G hugepages=4"), "{:?}", plan.by_hand);
    setup.cmdline = "iommu=pt hugepagesz=1G hugepages=2".to_owned().into();
    let plan = asked(&snapshot, &setup, &debian(""), &pages(4 * GIB, None)).unwrap();
    assert_eq!((plan.steps.len(), plan.by_hand.len()), (0, 1));
}

/// For one start they are arguments of that start; the host's only driver of
/// a card that is in the kernel is told the same way.
#[test]
fn for_one_start() {
    let (mut snapshot, mut setup) = host();
    let card = consumer_card().driver("0000:01:00.0", "nouveau").0;
    (snapshot.functions, snapshot.groups) = (card.functions, card.groups);
    setup.modules.states.insert("nouveau".to_owned(), ModuleState::BuiltIn.into());
    setup.boot = Boot { loader: Fact::Unknown(Why::NotProvided), ..debian("") };
    let devices = [bdf("0000:01:00.0")];
    let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &devices };
    let plan = once(&subject, &check::check(&subject), &pages(4 * GIB, None)).unwrap();
    let text = shown(&plan);
    assert!(text.contains("default_hugepagesz=1G, hugepages=4, nouveau.modeset=0"), "{text}");
    let refused = once(&subject, &[], &pages(64 * GIB, None)).unwrap_err();
    assert!(matches!(refused, Unplanned::Hugepages(NoHugepages::TooMuch { .. })), "{refused}");
}

/// What the host boots by when a plan's files are there.
fn written(plan: &Preparation) -> Boot {
    let mut boot = debian("");
    for step in &plan.steps {
        if let model::Step::WriteFile { path, to: Some(to), .. } = step {
            boot.files.insert(path.clone(), to.clone());
        }
    }
    boot
}

fn group(name: &str, number: Fact<Option<u32>>) -> Asked {
    Asked { group: Some(UserGroup { name: name.to_owned(), number }), ..Asked::default() }
}

#[test]
fn a_group_may_run_guests() {
    let (snapshot, setup) = host();
    let kvm = group("kvm", Some(104).into());
    let plan = asked(&snapshot, &setup, &debian(""), &kvm).unwrap();
    assert!(!plan.reboot);
    assert_snapshot!("group", shown(&plan));
    // It is there: nothing to do, and nothing to tell.
    let boot = written(&plan);
    assert_eq!(asked(&snapshot, &setup, &boot, &kvm).unwrap(), Preparation::default());
}

#[test]
fn groups_that_cannot_be_given_devices() {
    let (snapshot, setup) = host();
    let refused = |asked_for: &Asked| match asked(&snapshot, &setup, &debian(""), asked_for) {
        Err(Unplanned::Group(error)) => error,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(&group("x", None.into())), NoGroup::Missing("x".to_owned()));
    assert!(matches!(refused(&group("me", Some(1000).into())), NoGroup::OfPeople { .. }));
    assert!(matches!(refused(&group("a\", RUN=\"x", Some(5).into())), NoGroup::Missing(_)));
    let unknown = refused(&group("kvm", Fact::Unknown(Why::NotPermitted)));
    assert_eq!(unknown, NoGroup::Unknown(Why::NotPermitted));
}

/// A service is another file than the group's members: PAM has no say in it.
#[test]
fn a_service_may_lock_memory() {
    let (snapshot, setup) = host();
    let service = |there: Fact<bool>| Asked {
        services: vec![GuestService { name: ServiceName::parse("vm@1").unwrap(), there }],
        ..Asked::default()
    };
    let plan = asked(&snapshot, &setup, &debian(""), &service(true.into())).unwrap();
    assert!(!plan.reboot);
    assert_snapshot!("service", shown(&plan));
    let boot = written(&plan);
    let again = asked(&snapshot, &setup, &boot, &service(true.into())).unwrap();
    assert_eq!(again, Preparation::default());
    let refused = |there| asked(&snapshot, &setup, &boot, &service(there)).unwrap_err();
    assert!(matches!(refused(false.into()), Unplanned::Service(NoService::Missing(_))));
    let unknown = refused(Fact::Unknown(Why::NotRecorded));
    assert_eq!((unknown.code(), unknown.hint()), ("no_service", ""));
}

/// The POWER guide: multithreading off, idle GPUs left awake.
#[test]
fn power() {
    let mut snapshot = Shape::new().0;
    snapshot.machine.arch = "ppc64le".to_owned().into();
    let mut setup = ready();
    setup.smt = Smt { control: "4".to_owned(), active: true }.into();
    setup.remapping = None.into();
    let boot = debian("GRUB_CMDLINE_LINUX=\"crashkernel=auto\"\n");
    let plan = planned(&snapshot, &setup, &[], &boot);
    assert_snapshot!("power", shown(&plan));
    // Nothing here can switch it while it runs.
    setup.smt = Smt { control: "notimplemented".to_owned(), active: true }.into();
    let none = planned(&snapshot, &setup, &[], &boot);
    assert!(!none.steps.iter().any(|step| matches!(step, model::Step::SetSmt { .. })), "{none:?}");
    assert!(none.by_hand[0].contains("ppc64_cpu --smt=off"), "{:?}", none.by_hand);
    // Off and asked for, nothing is left to do.
    setup.smt = Smt { control: "off".to_owned(), active: false }.into();
    setup.cmdline = "smt-enabled=off vfio-pci.disable_idle_d3=1".to_owned().into();
    assert_eq!(planned(&snapshot, &setup, &[], &boot).steps, []);
}

/// What somebody asks for is merged like what a check asks for, and is the last word.
#[test]
fn arguments_that_are_asked_for() {
    let words = ["pcie_aspm=off", "pcie_aspm=off"].map(str::to_owned).to_vec();
    let words = Asked { arguments: words, ..Asked::default() };
    let boot = debian("GRUB_CMDLINE_LINUX_DEFAULT=\"quiet pcie_aspm=force\"\n");
    let (snapshot, setup) = host();
    let plan = asked(&snapshot, &setup, &boot, &words).unwrap();
    assert!(
        shown(&plan).contains("+GRUB_CMDLINE_LINUX_DEFAULT=\"quiet pcie_aspm=off\"\n"),
        "{}",
        shown(&plan)
    );
    assert!(plan.reboot);
}

/// AppArmor's file of the administrator keeps what is in it; other modules are a person's.
#[test]
fn libvirts_guests_may_read_rom_files() {
    let path = "/etc/apparmor.d/local/abstractions/libvirt-qemu";
    let asked = |folder: &str| Asked { roms: Some(folder.to_owned()), ..Asked::default() };
    let mut boot = debian("");
    boot.files.insert(path.to_owned(), Content::from("/mine r,\n"));
    let confined = |module: &str, folder: &str| {
        let security = vec![module.to_owned()].into();
        let setup = Setup { security, boot: boot.clone(), ..ready() };
        let snapshot = Shape::new().0;
        let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &[] };
        prepare(&subject, &check::check(&subject), &asked(folder))
    };
    let plan = confined("apparmor", "/srv/roms").unwrap();
    let text = shown(&plan);
    assert!(text.contains(" /mine r,\n+# Of `passthru prepare`:\n+/srv/roms/** rk,\n"), "{text}");
    let plan = confined("selinux", "/srv/roms").unwrap();
    assert_eq!(plan.steps, []);
    assert!(plan.by_hand[0].contains("virt_content_t"), "{:?}", plan.by_hand);
    assert_eq!(confined("capability", "/srv/roms").unwrap(), Preparation::default());
    let error = confined("apparmor", "/srv/{a,b}").unwrap_err();
    assert!(error.to_string().starts_with("`/srv/{a,b}`"), "{error}");
}

/// The host would not start without its root disk: no guest gets it at boot unless somebody lets it go by name.
#[test]
fn what_the_host_needs_is_refused() {
    let used = Use::Mount { block: "nvme0n1".to_owned(), at: "/".to_owned() };
    let shape = Shape::new().endpoint("0000:03:00.0", (0x1b36, 0x0010), 0x01_0802, 1);
    let snapshot = shape.driver("0000:03:00.0", "nvme").used("0000:03:00.0", used).0;
    let (setup, devices) = (ready(), [bdf("0000:03:00.0"), bdf("0000:99:00.0")]);
    let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &devices };
    let codes = |let_go: &[Code]| -> Vec<Code> {
        let reasons = against(&subject, &let_go.iter().copied().collect());
        reasons.into_iter().map(|reason| reason.code).collect()
    };
    assert_eq!(codes(&[]), [Code::RootDisk, Code::NotFound]);
    assert_eq!(codes(&[Code::RootDisk]), [Code::NotFound]);
    // That the host is not ready is what a preparation is for.
    let snapshot = without_iommu();
    let subject = Subject { snapshot: &snapshot, setup: &setup, devices: &[] };
    assert_eq!(against(&subject, &[].into()), []);
}
