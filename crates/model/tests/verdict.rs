//! Verdicts on small machines: one fact per test, the codes it leads to.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod shapes;

use model::function::{RuntimeStatus, Sriov};
use model::parse::config::{Msi, Msix, PcieKind, Place};
use model::reason::Weight;
use model::usage::{Master, Use, UseKind};
use model::verdict::{Kind, verdict};
use model::{Code, Fact, Why};
use shapes::verdicts::{NVME, expect, nvme};
use shapes::{Shape, bdf, consumer_card};

#[test]
fn a_plain_device_is_assignable() {
    expect(&nvme(), NVME, &Kind::Assignable, &[]);
}

#[test]
fn a_card_goes_in_company_and_its_bus_reset_is_no_reason() {
    let shape = consumer_card();
    let company = ["0000:01:00.1", "0000:01:00.2", "0000:01:00.3"].map(bdf).to_vec();
    expect(&shape, "0000:01:00.0", &Kind::InCompany(company), &[Code::GroupCompany]);
    // The root port is in the group and is no company.
    expect(&shape, "0000:00:01.0", &Kind::Not, &[Code::Bridge]);
}

#[test]
fn no_iommu_tells_firmware_and_kernel_apart() {
    for (firmware, words) in [(Some("DMAR"), "kernel has it off"), (None, "no IOMMU groups")] {
        let shape = nvme().without_iommu(firmware);
        expect(&shape, NVME, &Kind::Not, &[Code::NoIommu]);
        let text = &verdict(&shape.0, bdf(NVME)).reasons[0].text;
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn a_device_in_no_group_cannot_go() {
    let shape = nvme().with(NVME, |f| f.group = Fact::Known(None));
    expect(&shape, NVME, &Kind::Not, &[Code::NoGroup]);
}

#[test]
fn disks_by_what_is_on_them() {
    let mount = |at: &str| Use::Mount { block: "nvme0n1p1".to_owned(), at: at.to_owned() };
    let member = Use::Member { block: "nvme0n1".to_owned(), of: "dm-0".to_owned() };
    let swap = Use::Swap { block: "nvme0n1p2".to_owned() };
    for (usage, code) in [
        (mount("/"), Code::RootDisk),
        (mount("/boot/efi"), Code::RootDisk),
        (mount("/var/lib/libvirt"), Code::RootDisk),
        (swap, Code::RootDisk),
        (mount("/srv/data"), Code::DiskInUse),
        (mount("/variety"), Code::DiskInUse),
        (member, Code::DiskInUse),
    ] {
        expect(&nvme().used(NVME, usage), NVME, &Kind::Not, &[code]);
    }
}

fn interface(route: bool) -> Use {
    let addresses = vec!["192.0.2.10/24".to_owned()];
    Use::Interface {
        name: "eth0".to_owned(),
        addresses,
        up: true,
        default_route: route,
        carries: Vec::new(),
    }
}

#[test]
fn the_only_network_is_refused_and_one_of_two_is_not() {
    let (first, second) = ("0000:03:00.0", "0000:04:00.0");
    let one =
        Shape::new().endpoint(first, (0x8086, 0x10c9), 0x020000, 3).used(first, interface(true));
    expect(&one, first, &Kind::Not, &[Code::OnlyNetwork]);
    let two = one.endpoint(second, (0x8086, 0x10c9), 0x020000, 4).used(second, interface(true));
    expect(&two, first, &Kind::Assignable, &[Code::InterfaceInUse]);
    // In one group both would go.
    let shared = Shape::new()
        .endpoint(first, (0x8086, 0x10c9), 0x020000, 3)
        .endpoint(second, (0x8086, 0x10c9), 0x020000, 3)
        .used(first, interface(true))
        .used(second, interface(true));
    assert_eq!(verdict(&shared.0, bdf(first)).kind, Kind::Not);
}

#[test]
fn without_a_default_route_the_only_address_counts() {
    let card = "0000:03:00.0";
    let shape =
        Shape::new().endpoint(card, (0x8086, 0x10c9), 0x020000, 3).used(card, interface(false));
    expect(&shape, card, &Kind::Not, &[Code::OnlyNetwork]);
    let idle = Use::Interface {
        name: "eth0".to_owned(),
        addresses: Vec::new(),
        up: false,
        default_route: false,
        carries: Vec::new(),
    };
    let shape = Shape::new().endpoint(card, (0x8086, 0x10c9), 0x020000, 3).used(card, idle);
    expect(&shape, card, &Kind::Assignable, &[]);
}

#[test]
fn a_group_shared_with_what_the_host_needs() {
    let (sata, isa) = ("0000:00:1f.2", "0000:00:1f.0");
    let shape = Shape::new().endpoint(isa, (0x8086, 0x2918), 0x060100, 9).endpoint(
        sata,
        (0x8086, 0x2922),
        0x010601,
        9,
    );
    // What no driver has does not hinder, and does not move.
    expect(&shape, sata, &Kind::Assignable, &[]);
    expect(&shape, isa, &Kind::Not, &[Code::Chipset]);
    let shape = shape.driver(isa, "lpc_ich");
    let verdict = verdict(&shape.0, bdf(sata));
    assert_eq!(verdict.kind, Kind::Not);
    assert_eq!(verdict.reasons[0].code, Code::GroupSharedCritical);
    assert_eq!(verdict.reasons[0].at, Some(bdf(isa)));
}

#[test]
fn host_bridges_in_a_group_are_no_company() {
    let (dummy, card) = ("0000:00:01.0", "0000:00:01.3");
    let shape = Shape::new().endpoint(dummy, (0x1022, 0x1482), 0x060000, 4).endpoint(
        card,
        (0x1022, 0x1483),
        0x0c0330,
        4,
    );
    expect(&shape, card, &Kind::Assignable, &[]);
    expect(&shape, dummy, &Kind::Not, &[Code::Bridge]);
}

#[test]
fn the_boot_framebuffer_and_a_lit_display() {
    let card = "0000:01:00.0";
    let framebuffer = Use::BootFramebuffer { region: "BOOTFB".to_owned() };
    let shape = consumer_card().used(card, framebuffer);
    let found = verdict(&shape.0, bdf(card));
    assert_eq!((found.kind, found.reasons[0].code), (Kind::Not, Code::BootFramebuffer));
    let display = Use::Display { connector: "card0-DP-1".to_owned() };
    let found = verdict(&consumer_card().used(card, display).0, bdf(card));
    assert!(found.reasons.iter().any(|reason| reason.code == Code::DisplayInUse));
    assert_ne!(found.kind, Kind::Not);
}

#[test]
fn the_console_by_what_draws_it() {
    let card = "0000:01:00.0";
    let console = || Use::Console { screen: "fb0 (i915drmfb)".to_owned() };
    let display = || Use::Display { connector: "DP-1".to_owned() };
    let framebuffer = || Use::BootFramebuffer { region: "BOOTFB".to_owned() };
    let first = |shape: Shape, first| shape.with(card, |f| f.boot_vga = first);
    for (uses, boot_vga, refused) in [
        // A driver of its own, with the console on its framebuffer.
        (vec![console()], None, Some(Code::Console)),
        (vec![console(), display()], Some(true), Some(Code::Console)),
        // No text console (yet): the first screen, while it is lit.
        (vec![display()], Some(true), Some(Code::Console)),
        (vec![display()], Some(false), None),
        (vec![], Some(true), None),
        // One reason is enough: on Linux 6.9 simpledrm's framebuffer is the function's.
        (vec![console(), framebuffer()], Some(true), Some(Code::BootFramebuffer)),
        (vec![framebuffer(), display()], Some(true), Some(Code::BootFramebuffer)),
    ] {
        let shape = uses
            .iter()
            .fold(first(consumer_card(), boot_vga), |shape, usage| shape.used(card, usage.clone()));
        let found = verdict(&shape.0, bdf(card));
        let grave = found.reasons.iter().filter(|reason| reason.weight() >= Weight::Override);
        let grave: Vec<Code> = grave.map(|reason| reason.code).collect();
        assert_eq!(grave, Vec::from_iter(refused), "{uses:?}, {boot_vga:?}");
        assert_eq!(found.kind == Kind::Not, refused.is_some());
    }
}

#[test]
fn what_could_not_be_looked_for_is_not_none() {
    for (kind, words) in [
        (UseKind::Disk, "file systems"),
        (UseKind::Network, "routes"),
        (UseKind::Screen, "console"),
    ] {
        let shape = nvme().unseen(NVME, kind, Why::NotPermitted);
        expect(&shape, NVME, &Kind::Assignable, &[Code::UsesUnknown]);
        let reason = verdict(&shape.0, bdf(NVME)).reasons.remove(0);
        assert_eq!(reason.weight(), Weight::Unsure);
        assert!(reason.text.contains(words) && reason.text.contains("needs root"), "{reason}");
        assert!(reason.hint.contains("root"), "{}", reason.hint);
    }
    // What is known of it weighs on.
    let mount = Use::Mount { block: "nvme0n1p1".to_owned(), at: "/".to_owned() };
    let shape = nvme().unseen(NVME, UseKind::Disk, Why::NotProvided).used(NVME, mount);
    expect(&shape, NVME, &Kind::Not, &[Code::RootDisk, Code::UsesUnknown]);
}

#[test]
fn holders_out_of_sight() {
    let hidden = |shape: Shape| shape.with(NVME, |f| f.holders = Fact::Unknown(Why::NotPermitted));
    expect(&hidden(nvme()), NVME, &Kind::Assignable, &[Code::HoldersUnknown]);
    expect(&hidden(nvme().driver(NVME, "vfio-pci")), NVME, &Kind::Assignable, &[]);
    let listed = nvme().with(NVME, |f| f.holders = Fact::Unknown(Why::NotObserved));
    expect(&listed, NVME, &Kind::Assignable, &[]);
}

#[test]
fn a_holder_that_is_master_is_named_so() {
    let shape = nvme().held(NVME, "/dev/dri/card0", "Xorg", None).with(NVME, |f| {
        f.drm_masters = Fact::Known(vec![Master { pid: 4242, program: "Xorg".to_owned() }]);
    });
    let reasons = verdict(&shape.0, bdf(NVME)).reasons;
    assert_eq!(reasons[0].text, "Xorg (pid 4242) has /dev/dri/card0 open, DRM master");
}

#[test]
fn reserved_regions_by_kind() {
    expect(&nvme().reserved(20, "direct"), NVME, &Kind::Not, &[Code::ReservedRegion]);
    for kind in ["direct-relaxable", "msi", "reserved"] {
        expect(&nvme().reserved(20, kind), NVME, &Kind::Assignable, &[]);
    }
}

#[test]
fn behind_vmd_the_controller_goes_instead() {
    let (vmd, disk) = ("0000:00:0e.0", "10000:01:00.0");
    let shape = Shape::new()
        .endpoint(vmd, (0x8086, 0x467f), 0x010400, 5)
        .driver(vmd, "vmd")
        .endpoint(disk, (0x144d, 0xa80a), 0x010802, 5)
        .below(disk, &["10000:00:06.0", vmd]);
    let found = verdict(&shape.0, bdf(disk));
    assert_eq!((found.kind, found.reasons[0].code), (Kind::Not, Code::BehindVmd));
    assert!(found.reasons[0].hint.contains(vmd), "{}", found.reasons[0].hint);
    assert_eq!(found.reasons.len(), 1, "{:#?}", found.reasons);
    // The controller can go: what is behind it goes away with it.
    expect(&shape, vmd, &Kind::Assignable, &[Code::TakesBehind]);
    let mount = Use::Mount { block: "nvme0n1p1".to_owned(), at: "/".to_owned() };
    expect(&shape.used(disk, mount), vmd, &Kind::Not, &[Code::RootDisk, Code::TakesBehind]);
    // A high domain alone is no VMD (Hyper-V has them too).
    let lone = Shape::new().endpoint(disk, (0x144d, 0xa80a), 0x010802, 5);
    expect(&lone, disk, &Kind::Assignable, &[]);
}

#[test]
fn msix_tables_that_share_a_page() {
    let msix = |table: u32, pba: u32, pba_bar: u8| Msix {
        vectors: 16,
        table: Place { bar: 2, offset: table },
        pba: Place { bar: pba_bar, offset: pba },
    };
    for (table, pba, bar, shared) in [
        (0x2000, 0x3000, 2, false),
        (0x46800, 0x46068, 2, true),
        (0x46800, 0x46000, 2, false),
        (0x800, 0x0, 2, false),
        (0x800, 0x0, 4, true),
        (0x0, 0x800, 2, false),
    ] {
        let shape = nvme().capabilities(NVME, None, Some(msix(table, pba, bar)));
        let codes: &[Code] = if shared { &[Code::MsixSharedPage] } else { &[] };
        expect(&shape, NVME, &Kind::Assignable, codes);
    }
}

#[test]
fn the_two_named_accelerators() {
    for (ids, code) in
        [((0x1ac1, 0x089a), Code::MsixSharedPage), ((0x17cb, 0xa100), Code::NeedsGuestRemapping)]
    {
        let shape = Shape::new().endpoint(NVME, ids, 0x120000, 3);
        expect(&shape, NVME, &Kind::Assignable, &[code]);
    }
    // Any other device that asks for 32 vectors and has no MSI-X is in the same boat.
    let msi = Msi { vectors: 32, maskable: true, wide: true };
    let shape = nvme().capabilities(NVME, Some(msi), None);
    expect(&shape, NVME, &Kind::Assignable, &[Code::NeedsGuestRemapping]);
}

#[test]
fn big_ranges_against_guest_and_iommu() {
    expect(&nvme().memory(NVME, 16 << 30), NVME, &Kind::Assignable, &[]);
    expect(&nvme().memory(NVME, 128 << 30), NVME, &Kind::Assignable, &[Code::LargeBar]);
    expect(&nvme().memory(NVME, 1 << 48), NVME, &Kind::Not, &[Code::BarBeyondIommu]);
}

#[test]
fn conventional_pci_behind_a_bridge() {
    let (bridge, card) = ("0000:06:00.0", "0000:07:01.0");
    let shape = Shape::new()
        .bridge(bridge, PcieKind::PcieToPciBridge, 7)
        .endpoint(card, (0x8086, 0x100e), 0x020000, 7)
        .below(card, &[bridge]);
    expect(&shape, card, &Kind::Assignable, &[Code::ConventionalPci]);
}

#[test]
fn a_verdict_is_no_guess() {
    let why = || Why::Failed("no answer".to_owned());
    let unread = nvme().with(NVME, |f| f.driver = Fact::Unknown(why()));
    expect(&unread, NVME, &Kind::Not, &[Code::Unreadable]);
    let unread = nvme().with(NVME, |f| f.group = Fact::Unknown(why()));
    expect(&unread, NVME, &Kind::Not, &[Code::Unreadable]);
    let unread = nvme().with(NVME, |f| f.driver_override = Fact::Unknown(why()));
    expect(&unread, NVME, &Kind::Not, &[Code::Unreadable]);
    // What nobody looked at, or the kernel does not have, is no reason.
    for why in [Why::NotObserved, Why::NotProvided] {
        let unseen = nvme().with(NVME, |f| f.driver_override = Fact::Unknown(why));
        expect(&unseen, NVME, &Kind::Assignable, &[]);
    }
}

#[test]
fn wedged_and_virtual_functions() {
    let shape = nvme().with(NVME, |f| f.config = Fact::Unknown(Why::AllOnes));
    expect(&shape, NVME, &Kind::Not, &[Code::Wedged]);
    let sriov = |active| {
        Some(Sriov { total: Fact::Known(7), active: Fact::Known(active), functions: Vec::new() })
    };
    let shape = nvme().with(NVME, |f| f.sriov = sriov(2));
    expect(&shape, NVME, &Kind::Not, &[Code::ActiveVfs]);
    let shape = nvme().with(NVME, |f| f.sriov = sriov(0));
    expect(&shape, NVME, &Kind::Assignable, &[Code::HasVirtualFunctions]);
}

#[test]
fn what_is_not_known_is_said_once() {
    let shape = nvme().with(NVME, |f| {
        f.config = Fact::Unknown(Why::Suspended);
        f.runtime_status = Fact::Known(RuntimeStatus::Suspended);
    });
    expect(&shape, NVME, &Kind::Assignable, &[Code::Unknown]);
    let text = &verdict(&shape.0, bdf(NVME)).reasons[0].text;
    assert!(text.contains("capabilities") && text.contains("suspended"), "{text}");
}

#[test]
fn what_is_not_there() {
    expect(&nvme(), "0000:99:00.0", &Kind::Not, &[Code::NotFound]);
    let mut shape = nvme();
    shape.0.vanished.push(bdf("0000:99:00.0"));
    expect(&shape, "0000:99:00.0", &Kind::Not, &[Code::Vanished]);
}

#[test]
fn the_table_of_codes_is_sound() {
    let mut names: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Code::ALL.len(), "two codes share a name");
    for code in Code::ALL {
        assert!(!code.meaning().trim().is_empty(), "{code} is not explained");
        assert!(code.weight() <= Weight::Blocks);
    }
}
