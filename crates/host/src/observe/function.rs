//! One PCI function, from its folder in sysfs.
//!
//! In: the folder of all functions and an address. Out: the function, or
//! that it vanished. About twenty system calls for a listing: the folder is
//! opened once, `modalias` holds all numbers, the target of the link holds
//! all bridges, and nothing is looked at that the verdict does not need.

use model::fact::Fact;
use model::function::{Function, RuntimeStatus, Sriov};
use model::ids::{DeviceId, VendorId};
use model::parse::config::{self, Config};
use model::parse::{attribute, link, modalias, resource};
use model::snapshot::GroupId;
use model::{Bdf, Class, Why};

use super::{Depth, Look};
use crate::read::{Buffer, Folder};

/// What is the same for all functions of a pass.
pub(super) struct Pass<'a> {
    pub look: Look<'a>,
    /// `/sys/bus/pci/devices`
    pub devices: Folder,
    /// Whether the kernel made IOMMU groups at all.
    pub grouped: bool,
}

/// Bytes of configuration space that serve a verdict: on real hardware each
/// register is a transaction, and what is above serves identities and readers.
const LISTED_CONFIG: usize = 256;
const WHOLE_CONFIG: usize = 4096;

/// Read one function. `None`: it is gone.
pub(super) fn function(pass: &Pass<'_>, bdf: Bdf, buffer: &mut Buffer) -> Option<Function> {
    let name = bdf.to_string();
    let function = match pass.devices.step(&name) {
        Ok(folder) => {
            let mut at =
                At { pass, folder, buffer, function: Function::unknown(bdf, &Why::NotObserved) };
            at.identity();
            at.place(&name);
            at.configuration();
            at.resources();
            if pass.look.depth != Depth::Listing {
                at.function.numa_node = at.fact("numa_node", attribute::numa_node);
            }
            if at.is_whole() {
                at.settings();
            }
            at.function
        }
        // A link to nowhere: the function went away under us.
        Err(Why::NotProvided | Why::Vanished) => return None,
        Err(why) => Function::unknown(bdf, &why),
    };
    let gone = |why: Option<&Why>| matches!(why, Some(Why::NotProvided | Why::Vanished));
    let doubtful = gone(function.vendor.why()) || gone(function.bars.why());
    if doubtful && !pass.devices.has(&name) {
        return None;
    }
    Some(function)
}

/// A function while it is read.
struct At<'a> {
    pass: &'a Pass<'a>,
    folder: Folder,
    buffer: &'a mut Buffer,
    function: Function,
}

impl At<'_> {
    /// Whether all of it is to be read. Known once it is known what it is.
    fn is_whole(&self) -> bool {
        match self.pass.look.depth {
            Depth::Listing => false,
            Depth::Plan => !self.function.stays(),
            Depth::Whole => true,
        }
    }

    fn text(&mut self, name: &str) -> Result<&str, Why> {
        self.folder.text(name, self.buffer)
    }

    fn fact<T>(&mut self, name: &str, parse: impl FnOnce(&str) -> Result<T, Why>) -> Fact<T> {
        self.text(name).and_then(parse).into()
    }

    /// The last part of a link's target; `None` when there is no such link.
    fn link(&mut self, name: &str) -> Result<Option<&str>, Why> {
        match self.folder.link(name, self.buffer) {
            Ok(target) => Ok(Some(link::name(target))),
            Err(Why::NotProvided) => Ok(None),
            Err(why) => Err(why),
        }
    }

    /// What it is.
    fn identity(&mut self) {
        match self.text("modalias").and_then(modalias::parse) {
            Ok(ids) => {
                self.function.vendor = ids.vendor.into();
                self.function.device = ids.device.into();
                self.function.subsystem = ids.subsystem.into();
                self.function.class = ids.class.into();
            }
            Err(_) => self.identity_by_files(),
        }
    }

    /// The same, a file for each number.
    fn identity_by_files(&mut self) {
        self.function.vendor = self.fact("vendor", attribute::hex16).map(VendorId);
        self.function.device = self.fact("device", attribute::hex16).map(DeviceId);
        let vendor = self.fact("subsystem_vendor", attribute::hex16);
        let device = self.fact("subsystem_device", attribute::hex16);
        self.function.subsystem =
            vendor.and_then(|vendor| device.map(|device| (VendorId(vendor), DeviceId(device))));
        self.function.class = self
            .fact("class", |text| {
                let class = u32::try_from(attribute::hex(text)?);
                class
                    .ok()
                    .filter(|class| *class < 1 << 24)
                    .ok_or_else(|| attribute::malformed(text))
            })
            .map(Class);
    }

    /// Where it is and who has it.
    fn place(&mut self, name: &str) {
        if let Ok(target) = self.pass.devices.link(name, self.buffer) {
            self.function.upstream = link::upstream(target);
        }
        self.function.driver = self.link("driver").map(|name| name.map(str::to_owned)).into();
        self.function.group = if self.pass.grouped { self.group().into() } else { None.into() };
    }

    fn group(&mut self) -> Result<Option<GroupId>, Why> {
        let Some(name) = self.link("iommu_group")? else { return Ok(None) };
        attribute::number(name).map(|id| Some(GroupId(id)))
    }

    /// Configuration space, unless reading it would wake the device, or wait
    /// for a change that is stuck.
    fn configuration(&mut self) {
        self.function.runtime_status = self.fact("power/runtime_status", attribute::runtime_status);
        let spared = self.pass.look.in_doubt.spares(self.function.bdf, self.function.group_id());
        let why = match spared {
            true => Some(Why::InDoubt),
            false if self.pass.look.wakes.contains(&self.function.bdf) => None,
            false => closed(&self.function.runtime_status),
        };
        let (config, vf) = match why {
            Some(why) => (Fact::Unknown(why), None),
            None => self.read_config(),
        };
        self.function.revision = match config.known() {
            Some(config) => config.revision.into(),
            None => self.fact("revision", |text| {
                u8::try_from(attribute::hex(text)?).map_err(|_| attribute::malformed(text))
            }),
        };
        self.function.power_state = match &config {
            Fact::Known(Config { capabilities: Fact::Known(caps), .. }) => caps.power.into(),
            _ if !self.is_whole() => Fact::Unknown(Why::NotObserved),
            _ => self.fact("power_state", attribute::power_state).map(Some),
        };
        self.function.config = config;
        // Who cannot see the registers has to look for the link.
        if vf.unwrap_or(true) {
            let physfn = self.link("physfn").ok().flatten();
            self.function.physfn = physfn.and_then(|name| name.parse().ok());
        }
    }

    /// What was read, and whether it is a virtual function if that can be said.
    fn read_config(&mut self) -> (Fact<Config>, Option<bool>) {
        let whole = self.is_whole();
        let most = if whole { WHOLE_CONFIG } else { LISTED_CONFIG };
        let bytes = match self.folder.bytes("config", most, self.buffer) {
            Ok(bytes) => bytes,
            Err(why) => return (Fact::Unknown(why), None),
        };
        let mut config = Config::parse(bytes);
        let vf = config.known().map(|_| config::is_virtual_function(bytes));
        if !whole
            && let Fact::Known(Config { capabilities: Fact::Known(caps), .. }) = &mut config
            && caps.extended.known().is_none()
        {
            caps.extended = Fact::Unknown(Why::NotObserved);
        }
        (config, vf)
    }

    /// Its ranges, resets and virtual functions. Nobody but a reader needs
    /// those of bridges, which are never passed through.
    fn resources(&mut self) {
        if !self.is_whole() && self.function.stays() {
            return;
        }
        let resources = self.fact("resource", resource::parse);
        self.function.rom = resources.as_ref().map(|resources| resources.rom);
        self.function.vf_bars = resources.as_ref().map(|resources| resources.vf_bars.clone());
        self.function.bars = resources.map(|resources| resources.bars);
        self.function.reset_methods = self.reset_methods();
        if self.function.class.known().is_none_or(|class| class.is_display()) {
            self.function.boot_vga = self.text("boot_vga").and_then(attribute::flag).ok();
        }
        if self.function.physfn.is_none() {
            self.function.sriov = self.sriov();
        }
    }

    /// Since Linux 5.15 `reset_method` is there exactly if there is a way to
    /// reset (`pci_dev_reset_method_attr_is_visible()` in drivers/pci/pci.c);
    /// before, `reset` was, and did not say which.
    fn reset_methods(&mut self) -> Fact<Vec<model::function::ResetMethod>> {
        match self.text("reset_method").map(attribute::reset_methods) {
            Err(Why::NotProvided) if self.folder.has("reset") => Fact::Unknown(Why::NotProvided),
            Err(Why::NotProvided) => Vec::new().into(),
            methods => methods.into(),
        }
    }

    /// The virtual functions are counted by their links: `sriov_numvfs` takes
    /// the device's lock (`sriov_numvfs_show()` in drivers/pci/iov.c), and
    /// with it waits for whoever is stuck holding it.
    fn sriov(&mut self) -> Option<Sriov> {
        let total = match self.text("sriov_totalvfs").and_then(attribute::number) {
            Err(Why::NotProvided) => return None,
            total => total.into(),
        };
        let names = match self.folder.folder(".").and_then(|folder| folder.names()) {
            Ok(names) => names,
            Err(why) => {
                return Some(Sriov { total, active: Fact::Unknown(why), functions: Vec::new() });
            }
        };
        let mut functions = Vec::new();
        for name in names.iter().filter(|name| name.starts_with("virtfn")) {
            let target = self.link(name).ok().flatten();
            functions.extend(target.and_then(|target| target.parse::<Bdf>().ok()));
        }
        functions.sort();
        let active =
            u32::try_from(functions.len()).map_err(|_| Why::Malformed("virtfn".to_owned()));
        Some(Sriov { total, active: active.into(), functions })
    }

    /// What a verdict does not need and a plan or a reader does.
    fn settings(&mut self) {
        self.function.d3cold_allowed = self.fact("d3cold_allowed", attribute::flag);
        self.function.power_control = self.fact("power/control", attribute::power_control);
        self.function.irq = self.fact("irq", attribute::number);
    }
}

/// Why configuration space must not be read, if it must not: the kernel
/// resumes a suspended device for it (`pci_config_pm_runtime_get()` in
/// drivers/pci/pci.c).
fn closed(status: &Fact<RuntimeStatus>) -> Option<Why> {
    match status {
        Fact::Known(status) if status.may_read_config() => None,
        Fact::Known(RuntimeStatus::Error) => {
            Some(Why::Failed("its runtime power management is in error".to_owned()))
        }
        Fact::Known(_) => Some(Why::Suspended),
        // A kernel without runtime power management suspends nothing.
        Fact::Unknown(Why::NotProvided) => None,
        Fact::Unknown(why) => Some(why.clone()),
    }
}
