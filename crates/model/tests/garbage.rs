//! Every text that the kernel prints, damaged: parsers refuse, and never panic.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod fuzz;

use std::fs;
use std::path::Path;

use model::Bdf;
use model::parse::{
    attribute, config, console, drm, iomem, iommu, link, machine, modalias, mounts, network,
    pci_ids, process, recording, resource, session, setup, unit,
};
use proptest::prelude::*;

/// What the parsers expect, to be cut up and put together anew.
const SAMPLES: &[&str] = &[
    "ID_LIKE=\"ubuntu debian\"\nPRETTY_NAME='x'\n",
    "none [integrity] confidentiality\n",
    "  0: 1 IR-PCI-MSI 0-edge x\n",
    "MatchDriver \"nvidia-drm\"\n",
    "Section \"Device\"\nDriver \"nvidia\"\nEndSection\n",
    "kvm:x:104:me,you\n",
    "alias pci:v000010DEd*sv*sd*bc03sc*i* nouveau\n",
    "pci:v000010DEd00002204sv00001458sd0000403Bbc03sc00i00\n",
    "0x00000000fb000000 0x00000000fbffffff 0x0000000000040200\n",
    "0x00000000fee00000 0x00000000feefffff msi\n",
    "d0000000-d07e8fff : BOOTFB\n",
    "27 1 254:0 / /a\\040b rw,relatime shared:1 - ext4 /dev/vda rw,discard\n",
    "Filename Type\n/swap\\040file file 1048572 0 -3\n",
    "Iface Destination Gateway\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n",
    "Local:\n  +-- 0.0.0.0/0 3 0 5\n   |-- 192.0.2.2\n   /32 host LOCAL\n",
    "fd000000000000000000000000000002 04 40 00 82     eth0\n",
    "1234 (a) b (c)) S 1 1 1 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2 3",
    "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n",
    "MemTotal:       24682416 kB\n",
    "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/drivers/vfio/vfio.ko.xz\n",
    "10de  NVIDIA\n\t2204  GA102\n\t\t1458 403b  Card\nC 03  Display\n\t00  VGA\n\t\t00  VGA\n",
    "../../../devices/pci0000:00/0000:00:01.0/10000:01:00.0\n",
    "domain 0\nlocation_id 49920\n",
    "Device Minor: 3\n",
    "d2008c40660462",
    "Id=a.service\nRequiredBy=b.service c.service\nActiveState=active\n\nId=b.service\n",
    "-1",
    "254:0",
    "processor\t: 0\naddress sizes\t: 46 bits physical, 48 bits virtual\n\nprocessor\t: 1\n",
    "  command tgid dev master a uid magic\n  gnome-shell 1893 0 y y 1000 0\n",
    "(M) frame buffer device\n",
    "root=/dev/sda2 ro console=ttyS0,115200n8 fbcon=font:8x8,map:01\n",
    "tty0 ttyS0\n",
    "UID=1000\nTYPE=wayland\nSEAT=seat0\n",
    "CapEff:\t000001ffffffffff\n",
    "Node 0 MemTotal:       24682416 kB\n",
    "hugepages-2048kB",
    "Max locked memory         8388608              8388608              bytes     \n",
];

/// Pieces of samples, joined by noise.
fn garbage() -> impl Strategy<Value = String> {
    let piece = (0..SAMPLES.len(), any::<prop::sample::Index>(), any::<prop::sample::Index>());
    let piece = piece.prop_map(|(sample, from, to)| {
        let sample = SAMPLES[sample];
        let (from, to) = (from.index(sample.len() + 1), to.index(sample.len() + 1));
        sample[from.min(to)..from.max(to)].to_owned()
    });
    let noise = prop_oneof![any::<String>(), Just("\n".to_owned()), Just(String::new())];
    proptest::collection::vec((piece, noise), 0..8)
        .prop_map(|pieces| pieces.into_iter().map(|(piece, noise)| piece + &noise).collect())
}

proptest! {
    #![proptest_config(fuzz::seconds())]

    #[test]
    fn attributes(text in garbage()) {
        let _ = attribute::hex(&text);
        let _ = (attribute::hex16(&text), attribute::power_state(&text));
        let _ = attribute::number::<u32>(&text);
        let _ = attribute::flag(&text);
        let _ = attribute::numa_node(&text);
        let _ = attribute::driver_override(&text);
        let _ = attribute::reset_methods(&text);
        let _ = attribute::power_control(&text);
        let _ = attribute::runtime_status(&text);
        let _ = attribute::device_number(&text);
        let _ = attribute::kfd_node(&text);
        let _ = attribute::nvidia_minor(&text);
        let _ = modalias::parse(&text);
        let _ = (link::owner(&text), link::upstream(&text), link::name(&text));
        link::functions(&text).for_each(drop);
        let _ = attribute::malformed(&text);
    }

    #[test]
    fn tables(text in garbage()) {
        if let Ok(resources) = resource::parse(&text) {
            prop_assert!(resources.bars.iter().all(|bar| bar.size > 0 && bar.index < 6));
            prop_assert!(resources.vf_bars.iter().all(|bar| bar.size > 0 && bar.index < 6));
        }
        let _ = iommu::reserved_regions(&text);
        let _ = iommu::amd_width(&text);
        if let Ok(width) = iommu::intel_width(&text) {
            prop_assert!((1..=64).contains(&width));
        }
        let _ = iomem::framebuffers(&text);
        let _ = machine::meminfo(&text, "MemTotal");
        let _ = machine::lists_module(&text, "vfio_pci");
        let _ = machine::address_bits(&text);
        let _ = machine::processor_arch(&text);
        let _ = machine::node_meminfo(&text, "MemTotal");
        let _ = machine::hugepage_size(&text);
    }

    #[test]
    fn addresses(domain: u32, bus: u8, device in 0..=0x1fu8, function in 0..=7u8, text in ".{0,24}") {
        let bdf = Bdf::new(domain, bus, device, function).unwrap();
        prop_assert_eq!(bdf.to_string().parse::<Bdf>(), Ok(bdf));
        prop_assert_eq!(Bdf::parse_typed(&bdf.to_string().to_uppercase()), Ok(bdf));
        if let Ok(bdf) = Bdf::parse_typed(&text) {
            prop_assert_eq!(bdf.to_string().parse::<Bdf>(), Ok(bdf));
        }
        let _ = text.parse::<Bdf>();
    }

    #[test]
    fn uses(text in garbage()) {
        mounts::mounts(&text).for_each(drop);
        mounts::swaps(&text).for_each(drop);
        let routes = network::routes(&text).unwrap_or_default();
        let _ = network::ipv4(&network::local_addresses(&text), &routes);
        let _ = (network::ipv6(&text), network::ipv6_defaults(&text));
        let _ = (process::has_capability(&text, 14), process::locked_memory(&text));
        let _ = (process::start_time(&text), process::state(&text), process::unit(&text));
        let _ = (process::threads(&text), process::login(&text));
        let _ = (process::lock_limit(&text, &text), session::desktop_of(&text));
        prop_assert!(unit::units(&text).iter().all(|unit| !unit.id.is_empty()));
    }

    #[test]
    fn screens(text in garbage()) {
        let _ = (console::drawer(&text), console::mapped(&text));
        let _ = (console::is_on_screen(&text), console::boots_on_screen(&text));
        if let Ok(masters) = drm::masters(&text) {
            prop_assert!(masters.len() < text.lines().count());
        }
    }

    #[test]
    fn setups(text in garbage(), other in garbage()) {
        let _ = (setup::os_release(&text), setup::processor(&text), setup::remapped(&text));
        let _ = (setup::chosen(&text), setup::xorg_names(&text, "nvidia"));
        let _ = (setup::xorg_is_only(&text, "nvidia"), setup::group(&text, "kvm"));
        let _ = (modalias::claims(&text, &other), modalias::claims(&format!("alias {text}"), &text));
    }

    #[test]
    fn recordings(text in garbage(), bytes: Vec<u8>) {
        let _ = (recording::check_relative(&text), recording::check_absolute(&text));
        let _ = (recording::check_target(&text), recording::check_link(&text, &text));
        let _ = (recording::unescape(&text), recording::from_hex(&text));
        let _ = (recording::key_value(&text), recording::shorten(&text));
        let _ = (recording::is_text(&bytes), config::is_virtual_function(&bytes));
        let mut out = String::new();
        recording::escape(&bytes, &mut out);
        recording::to_hex(&bytes, &mut out);
    }

    #[test]
    fn names(text in garbage(), ids: (u16, u16, u16, u16), class: u32) {
        use model::{Class, DeviceId, VendorId};
        let names = pci_ids::PciIds::new(text);
        let (vendor, device) = (VendorId(ids.0), DeviceId(ids.1));
        for (vendor, device) in [(vendor, device), (VendorId(0x10de), DeviceId(0x2204))] {
            let _ = (names.vendor(vendor), names.device(vendor, device));
            let _ = names.subsystem((vendor, device), (VendorId(ids.2), DeviceId(ids.3)));
        }
        let _ = (names.class(Class(class)), names.class(Class(0x03_0000)));
    }
}

/// Who adds a parser adds it to these files.
#[test]
fn no_parser_is_left_out() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = |name: &str| fs::read_to_string(here.join("tests").join(name)).unwrap();
    let tests = ["garbage.rs", "recording_formats.rs", "config_space.rs"].map(text).concat();
    let mut count = 0;
    for entry in fs::read_dir(here.join("src/parse")).unwrap() {
        let path = entry.unwrap().path();
        let Ok(source) = fs::read_to_string(&path) else { continue };
        let module = path.file_stem().unwrap().to_str().unwrap();
        for line in source.lines().filter_map(|line| line.strip_prefix("pub fn ")) {
            let name = line.split(['(', '<']).next().unwrap();
            let called = ["(", "::"].map(|end| format!("{module}::{name}{end}"));
            assert!(called.iter().any(|call| tests.contains(call)), "{module}::{name}");
            count += 1;
        }
    }
    assert!(count > 40, "only {count} parsers were found");
}
