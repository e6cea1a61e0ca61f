//! What a guest cannot be, whatever its topology: every reason, not the first.

use std::collections::BTreeSet;
use std::path::Path;

use model::reason::{Code, Reason};

use crate::device::HostDevice;
use crate::machine::{
    Accel, Container, Firmware, GuestIommu, GuestSpec, HostFacts, MachineKind, Network,
};
use crate::qemu::version::{self, Version};

use super::for_kvm;

/// Above 255 processors a guest needs an IOMMU in x2APIC mode to interrupt
/// them all.
const MAX_CPUS: u32 = 255;
/// The path of a Unix socket, without its final zero (`sun_path`, unix(7)).
const MAX_SOCKET_PATH: usize = 107;
/// The name of a network interface (`IFNAMSIZ` without the final zero).
const MAX_INTERFACE: usize = 15;
/// Emulated devices have the slots 1 to 7 of the root bus.
const MAX_EMULATED: usize = 7;

pub(super) fn check(spec: &GuestSpec, facts: &HostFacts) -> Vec<Reason> {
    let mut reasons = Vec::new();
    reasons.extend(facts.version.and_then(Version::refusal));
    reasons.extend(name(spec));
    reasons.extend(accel(spec, facts));
    reasons.extend(size(spec));
    reasons.extend(iommu(spec, facts));
    reasons.extend(emulated(spec));
    reasons.extend(network(&spec.network));
    reasons.extend(forwards(&spec.network));
    reasons.extend(paths(spec));
    reasons.extend(devices(&spec.devices));
    reasons
}

fn refuse(text: impl Into<String>, hint: &str) -> Reason {
    Reason::machine(Code::Unsupported, text, hint)
}

fn name(spec: &GuestSpec) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if spec.name.is_empty() || spec.name.chars().any(char::is_control) {
        let text = format!("{:?} cannot be a guest's name", spec.name);
        reasons.push(refuse(text, "use letters, digits, `-` and `_`"));
    }
    if !is_uuid(&spec.uuid) {
        let text = format!("{:?} is not a UUID", spec.uuid);
        reasons.push(refuse(text, "the form is 8-4-4-4-12 hexadecimal digits"));
    }
    reasons
}

fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    let lengths: Vec<usize> = groups.iter().map(|group| group.len()).collect();
    lengths == [8, 4, 4, 4, 12]
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn accel(spec: &GuestSpec, facts: &HostFacts) -> Option<Reason> {
    (spec.accel == Accel::Kvm && !facts.kvm).then(|| {
        let text = "KVM was asked for and cannot be used on this host";
        refuse(text, &format!("{}; --accel tcg emulates, slowly", for_kvm(spec)))
    })
}

fn size(spec: &GuestSpec) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if spec.cpus == 0 || spec.cpus > MAX_CPUS {
        reasons.push(refuse(format!("{} processors; a guest has 1 to {MAX_CPUS}", spec.cpus), ""));
    }
    // SeaBIOS, OVMF and Linux want this much to say anything at all.
    if spec.memory.bytes < 64 << 20 || !spec.memory.bytes.is_multiple_of(1 << 20) {
        let text = format!("a guest cannot have {} bytes of memory", spec.memory.bytes);
        reasons.push(refuse(text, "give it whole MiB, 64 at least"));
    }
    let pages = spec.memory.hugepages;
    let whole = |page: u64| page.is_power_of_two() && spec.memory.bytes.is_multiple_of(page);
    if let Some(page) = pages.filter(|page| !whole(*page)) {
        let text = format!(
            "{} MiB of memory are not whole hugepages of {} KiB",
            spec.memory.bytes >> 20,
            page >> 10
        );
        reasons.push(refuse(text, "make the memory a multiple of the page size"));
    }
    reasons
}

fn iommu(spec: &GuestSpec, facts: &HostFacts) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let old = facts.version.filter(|version| *version < version::IOMMUFD);
    if let Some(old) = old.filter(|_| spec.container == Container::Iommufd) {
        let text = format!("QEMU {old} has no iommufd, {} is the first", version::IOMMUFD);
        reasons.push(refuse(text, "use the VFIO container, the default"));
    }
    if spec.container == Container::Iommufd && facts.iommufd == Some(false) {
        let text = "the host's kernel has no iommufd";
        let hint = "one with CONFIG_IOMMUFD and CONFIG_VFIO_DEVICE_CDEV (Linux 6.6) has; \
                    or use the VFIO container, the default";
        reasons.push(refuse(text, hint));
    }
    if spec.iommu == GuestIommu::On && spec.machine.kind() == MachineKind::Pseries {
        let text = "a pseries guest has an IOMMU by its nature; another cannot be added";
        reasons.push(refuse(text, "leave the choice to passthru (--viommu auto)"));
    }
    let narrow = facts.iommu_bits.filter(|bits| *bits < 39);
    if let Some(bits) = narrow.filter(|_| spec.has_iommu() && !spec.devices.is_empty()) {
        let text = format!(
            "the guest's virtual IOMMU translates 39 address bits at least, the host's only {bits}"
        );
        reasons.push(refuse(
            text,
            "without a virtual IOMMU (--viommu off) the device may work in part",
        ));
    }
    for function in spec.devices.iter().flat_map(|device| &device.functions) {
        if function.needs_remapping && spec.iommu == GuestIommu::Off {
            let text =
                "it needs interrupt remapping in the guest, and the virtual IOMMU was switched off";
            reasons.push(Reason::at(
                Code::Unsupported,
                function.bdf,
                text,
                "leave out --viommu off",
            ));
        }
    }
    reasons
}

fn emulated(spec: &GuestSpec) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let count = spec.disks.len() + usize::from(spec.network != Network::None);
    if count > MAX_EMULATED {
        let text = format!("{count} emulated devices; a guest has room for {MAX_EMULATED}");
        reasons.push(refuse(text, "give it fewer disks"));
    }
    if spec.hide_kvm && spec.machine.kind() == MachineKind::Pseries {
        let text = "a pseries guest always knows its hypervisor (PAPR): nothing hides it";
        reasons.push(refuse(text, "leave out --hidden"));
    }
    let uefi = spec.firmware != Firmware::Default;
    if uefi && spec.machine.kind() == MachineKind::Pseries {
        reasons.push(refuse(
            "POWER has no UEFI",
            "leave out --firmware: the machine brings its own (SLOF)",
        ));
    }
    reasons
}

fn network(network: &Network) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mac = match network {
        Network::None => return reasons,
        Network::User { mac, .. } => mac,
        Network::Tap { mac, interface } => {
            let long = interface.is_empty() || interface.len() > MAX_INTERFACE;
            if long || interface.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control())
            {
                let text = format!("{interface:?} cannot be a network interface's name");
                reasons.push(refuse(text, ""));
            }
            mac
        }
    };
    if !is_mac(mac) {
        let text = format!("{mac:?} is not the address of one network card");
        let hint = "the form is 52:54:00:xx:xx:xx; the lowest bit of the first byte is 0";
        reasons.push(refuse(text, hint));
    }
    reasons
}

/// Each port of the host's leads to one place.
fn forwards(network: &Network) -> Option<Reason> {
    let Network::User { forwards, .. } = network else { return None };
    let mut seen = BTreeSet::new();
    let twice = forwards.iter().find(|forward| !seen.insert(forward.host))?;
    Some(refuse(format!("port {} of the host is forwarded twice", twice.host), ""))
}

/// Six bytes, and not a group address.
fn is_mac(text: &str) -> bool {
    let bytes: Vec<Option<u8>> = text
        .split(':')
        .map(|part| {
            u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2 && !part.starts_with('+'))
        })
        .collect();
    bytes.len() == 6
        && bytes.iter().all(Option::is_some)
        && bytes[0].is_some_and(|byte| byte & 1 == 0)
}

fn paths(spec: &GuestSpec) -> Vec<Reason> {
    let mut reasons: Vec<Reason> = all_paths(spec).into_iter().filter_map(bad_path).collect();
    let console = spec.console.iter().map(|console| &console.socket);
    for socket in console.chain(&spec.monitors) {
        if socket.as_os_str().len() > MAX_SOCKET_PATH {
            let text = format!(
                "`{}` is too long for a socket: {MAX_SOCKET_PATH} bytes at most",
                socket.display()
            );
            reasons.push(refuse(text, "use a shorter state directory or name"));
        }
    }
    reasons
}

fn all_paths(spec: &GuestSpec) -> Vec<&Path> {
    let mut paths: Vec<&Path> = spec.monitors.iter().map(AsRef::as_ref).collect();
    paths.extend(spec.disks.iter().map(|disk| disk.path.as_path()));
    if let Firmware::Ovmf { code, template, nvram } = &spec.firmware {
        paths.extend([code, template, nvram].map(AsRef::<Path>::as_ref));
    }
    if let Some(kernel) = &spec.kernel {
        paths.push(&kernel.kernel);
        paths.extend(kernel.initrd.as_deref());
    }
    if let Some(console) = &spec.console {
        paths.extend([console.socket.as_path(), &console.log]);
    }
    for function in spec.devices.iter().flat_map(|device| &device.functions) {
        paths.push(&function.sysfs);
        paths.extend(function.rom_file.as_deref());
    }
    paths
}

/// An argument is text, and a relative path would be looked up wherever the
/// hypervisor happens to run.
fn bad_path(path: &Path) -> Option<Reason> {
    let why = match path.to_str() {
        None => "is not UTF-8",
        Some(text) if text.contains('\0') => "has a zero byte in it",
        Some(_) if !path.is_absolute() => "is not absolute",
        Some(_) => return None,
    };
    Some(refuse(format!("the path `{}` {why}", path.display()), ""))
}

fn devices(devices: &[HostDevice]) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut seen = BTreeSet::new();
    for device in devices {
        let Some(first) = device.functions.first() else {
            reasons.push(refuse("a device without functions", ""));
            continue;
        };
        for function in &device.functions {
            if !seen.insert(function.bdf) {
                let text = "it was given to the guest twice";
                reasons.push(Reason::at(Code::Unsupported, function.bdf, text, ""));
            }
            if !function.bdf.same_slot(first.bdf) {
                let text = format!("it is not in one slot with {}", first.bdf);
                reasons.push(Reason::at(
                    Code::Unsupported,
                    function.bdf,
                    text,
                    "pass it as a device of its own",
                ));
            }
        }
    }
    reasons
}
