//! How the host is set up: what `check` asks for beside the devices.
//!
//! In: a root directory, the devices that are meant. Out: a [`Setup`], each
//! fact for itself. Never: a command that is run, a module that is loaded, a
//! device that is woken.

mod boot;
mod early;
mod modules;
pub(crate) mod smt;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::check::NVIDIA;
use model::parse::machine::processor_arch;
use model::parse::setup::{
    chosen, group as group_number, os_release, processor, remapped, xorg_names,
};
use model::setup::services::{Purpose, SERVICES, ServiceName};
use model::setup::{Access, Firmware, Memory, Pool, Programs, Screens, Setup};
use model::{Bdf, Fact, Snapshot, Why};

pub(crate) use self::boot::chosen_once;
pub(crate) use self::boot::kernels;
pub use self::boot::kernels::names_lost_kernels;
pub use self::boot::{boot, content, grub_variable, read_also};
pub use self::early::has_copy;
use crate::paths::Root;
use crate::{guests, memory, process, read};

/// Look at how the host is set up. What only programs can say of themselves,
/// or the journal, is [`NotObserved`](Why::NotObserved).
pub fn setup(root: &Root, snapshot: &Snapshot, devices: &[Bdf]) -> Setup {
    let cpuinfo = text(root, &root.cpuinfo());
    let boot = boot(root);
    Setup {
        early: match devices.is_empty() {
            true => Fact::Unknown(Why::NotObserved),
            false => early::early(root, snapshot, &boot),
        },
        boot,
        modprobe: early::modprobe(root),
        planned: Fact::Unknown(Why::NotObserved),
        guests: Fact::Unknown(Why::NotObserved),
        os: os(root),
        cmdline: word(root, &root.cmdline()),
        remapping: remapping(root, snapshot, &cpuinfo),
        processor: cpuinfo.and_then(|text| processor(&text)).into(),
        product: product(root),
        kvm: kvm(root).into(),
        modules: modules::modules(root, snapshot, devices),
        smt: smt::smt(root).into(),
        firmware: Firmware {
            efi: root.efi().exists().into(),
            secure_boot: secure_boot(root).into(),
            lockdown: lockdown(root).into(),
        },
        memory: Memory {
            pools: recorded(root, pools(root)),
            lock_limit: recorded(root, process::lock_limit(root, None)),
        },
        programs: Programs {
            qemu: Fact::Unknown(Why::NotObserved),
            libvirt: Fact::Unknown(Why::NotObserved),
            uefi: uefi(root),
        },
        screens: Screens { services: services(root), xorg: xorg(root) },
        security: text(root, &root.security("lsm"))
            .map(|text| text.trim().split(',').map(str::to_owned).collect())
            .into(),
    }
}

/// The number of a group of the machine's own (group(5)); those of a
/// directory on the network are not there when devices come up.
///
/// # Errors
///
/// Where the groups cannot be read.
pub fn user_group(root: &Root, name: &str) -> Result<Option<u32>, Why> {
    text(root, &root.groups()).map(|text| group_number(&text, name))
}

/// Whether the machine has a service, or the template of it.
pub fn has_service(root: &Root, name: &ServiceName) -> Fact<bool> {
    if root.is_recorded() {
        return Fact::Unknown(Why::NotRecorded);
    }
    let names = [Some(name.clone()), name.template()];
    let mut names = names.iter().flatten();
    // Links, too, wherever they lead: a root that is looked at from outside has its own.
    let has =
        |name: &str| root.units().iter().any(|folder| folder.join(name).symlink_metadata().is_ok());
    names.any(|name| has(name.as_str())).into()
}

fn text(root: &Root, path: &Path) -> Result<String, Why> {
    read::text(path).map_err(|why| of_recording(root, why))
}

fn recorded<T>(root: &Root, fact: Fact<T>) -> Fact<T> {
    match fact {
        Fact::Unknown(why) => Fact::Unknown(of_recording(root, why)),
        known => known,
    }
}

/// That a recording lacks something says nothing about its machine.
fn of_recording(root: &Root, why: Why) -> Why {
    match why {
        Why::NotProvided if root.is_recorded() => Why::NotRecorded,
        why => why,
    }
}

fn word(root: &Root, path: &Path) -> Fact<String> {
    text(root, path).map(|text| text.trim().to_owned()).into()
}

fn os(root: &Root) -> Fact<model::setup::Os> {
    let texts = root.os_release().map(|path| text(root, &path));
    let found = texts.into_iter().reduce(|first, second| first.or(second));
    found.unwrap_or(Err(Why::NotProvided)).map(|text| os_release(&text)).into()
}

fn product(root: &Root) -> Fact<String> {
    let maker = word(root, &root.dmi("sys_vendor"));
    maker.and_then(|maker| {
        word(root, &root.dmi("product_name")).map(|name| format!("{maker} {name}"))
    })
}

/// Only x86 leaves it to the IOMMU whether a device can forge interrupts.
fn remapping(
    root: &Root,
    snapshot: &Snapshot,
    cpuinfo: &Result<String, Why>,
) -> Fact<Option<bool>> {
    let arch = snapshot.machine.arch.known().cloned();
    let by_processor = || processor_arch(cpuinfo.as_ref().ok()?).ok();
    match arch.as_deref().or_else(by_processor) {
        Some("x86_64" | "i686") => {
            text(root, &root.interrupts()).and_then(|text| remapped(&text)).map(Some).into()
        }
        Some(_) => Fact::Known(None),
        None => Fact::Unknown(Why::NotProvided),
    }
}

/// Of a tree that is not this machine, whoever may use the node is not known:
/// that it is there is what the tree says.
fn kvm(root: &Root) -> Access {
    match root.kvm().exists() {
        false => Access::Missing,
        true if !root.is_real() || guests::can_use_kvm(root) => Access::Usable,
        true => Access::Refused,
    }
}

/// Four bytes of attributes, then the value (Documentation/filesystems/efivarfs.rst).
fn secure_boot(root: &Root) -> Result<Option<bool>, Why> {
    if !root.efi().exists() {
        return Ok(None);
    }
    match read::bytes(&root.efi_variable("SecureBoot"), 16) {
        Ok(bytes) => Ok(Some(bytes.get(4) == Some(&1))),
        Err(error) => match read::why(error.raw_os_error().unwrap_or_default()) {
            // Firmware without the variable cannot refuse anything.
            Why::NotProvided => Ok(Some(false)),
            why => Err(why),
        },
    }
}

fn lockdown(root: &Root) -> Result<Option<String>, Why> {
    match text(root, &root.security("lockdown")) {
        Ok(text) => chosen(&text).map(Some),
        Err(Why::NotProvided) => Ok(None),
        Err(why) => Err(why),
    }
}

fn pools(root: &Root) -> Fact<Vec<Pool>> {
    let pool = |size: u64| {
        let free = memory::free_hugepages(root, size, None).known().copied()?;
        let total = memory::all_hugepages(root, size).known().copied()?;
        Some(Pool { size, total: total / size, free: free / size })
    };
    memory::hugepage_sizes(root).map(|mut sizes| {
        sizes.sort_unstable();
        sizes.into_iter().filter_map(pool).collect()
    })
}

fn uefi(root: &Root) -> Fact<usize> {
    match read::names(&root.qemu_firmware()) {
        Ok(names) => names.iter().filter(|name| name.ends_with(".json")).count().into(),
        Err(Why::NotProvided) => 0.into(),
        Err(why) => Fact::Unknown(why),
    }
}

/// An active service has a control group of its own.
fn services(root: &Root) -> Fact<Vec<String>> {
    let folders = root.service_groups();
    let Some(folder) = folders.iter().find(|folder| folder.is_dir()) else {
        return Fact::Unknown(Why::NotProvided);
    };
    let of_users = user_folders(root);
    let active = SERVICES.iter().filter(|(unit, purpose)| {
        // A desktop's own way over the network is a service of whoever has logged in.
        let is_users = || of_users.iter().any(|folder| folder.join(unit).is_dir());
        folder.join(unit).is_dir() || (*purpose == Purpose::Remote && is_users())
    });
    active.map(|(unit, _)| (*unit).to_owned()).collect::<Vec<_>>().into()
}

/// Folders with one folder per active service of a user's manager
/// (systemd.special(7), `app.slice` and `session.slice`).
fn user_folders(root: &Root) -> Vec<PathBuf> {
    let folders = root.user_groups().into_iter().flat_map(|users| {
        let names = read::names(&users).unwrap_or_default().into_iter();
        names.filter_map(move |name| {
            let user = name.strip_prefix("user-")?.strip_suffix(".slice")?;
            Some(users.join(&name).join(format!("user@{user}.service")))
        })
    });
    folders
        .flat_map(|manager| ["app.slice", "session.slice"].map(|name| manager.join(name)))
        .collect()
}

/// Files of the X server's configuration, by their path on that machine.
fn xorg(root: &Root) -> Fact<Vec<String>> {
    let mut found = BTreeSet::new();
    let mut look = |path: String| -> Result<(), Why> {
        match text(root, &root.at(&path)) {
            Ok(text) if xorg_names(&text, NVIDIA) => {
                found.insert(path);
                Ok(())
            }
            Ok(_) | Err(Why::NotProvided | Why::NotRecorded) => Ok(()),
            Err(why) => Err(why),
        }
    };
    let result = Root::xorg_folders().iter().try_for_each(|folder| {
        let names = match read::names(&root.at(folder)) {
            Err(Why::NotProvided) => return Ok(()),
            names => names?,
        };
        let named = names.iter().filter(|name| name.ends_with(".conf"));
        named.map(|name| format!("{folder}/{name}")).try_for_each(&mut look)
    });
    match result.and_then(|()| look(Root::xorg_file().to_owned())) {
        Ok(()) => found.into_iter().collect::<Vec<_>>().into(),
        Err(why) => Fact::Unknown(why),
    }
}
