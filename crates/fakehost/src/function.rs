//! A function's folder: from numbers to the files that sysfs shows.
//!
//! In: a [`FunctionSpec`]. Out: a folder below its bus, the links to it, its
//! group, its driver. The attributes are those of
//! Documentation/ABI/testing/sysfs-bus-pci and drivers/pci/pci-sysfs.c.

use std::fmt::Write;

use model::Bdf;

use crate::config_space::{self, HEADER_TYPE, MULTIFUNCTION};
use crate::machine::Machine;
use crate::place::Placed;
use crate::spec::{BarSpec, FunctionSpec};

/// Regions of a function, its SR-IOV ones included; a bridge has its windows besides.
const REGIONS: usize = 13;
const BRIDGE_REGIONS: usize = 17;

impl Machine {
    /// Put a function into the tree, as if it had been there at boot.
    pub(crate) fn add_function(&mut self, spec: FunctionSpec) {
        let bdf = spec.bdf;
        assert!(!self.has(bdf), "{bdf} is there already");
        let folder = format!("{}/{bdf}", self.bus_folder(bdf));
        let placed = self.space.place(&spec);
        self.put_identity(&folder, &spec);
        self.put_attributes(&folder, &spec);
        self.tree.put(format!("{folder}/config"), config_space::bytes(&spec, &placed));
        self.tree.put(format!("{folder}/resource"), regions(&spec, &placed));
        self.tree.link(format!("{folder}/subsystem"), "sys/bus/pci");
        self.tree.link(format!("sys/bus/pci/devices/{bdf}"), &folder);
        if let Some((first, _)) = spec.bridge {
            self.buses.insert((bdf.domain(), first), folder);
        }
        self.mark_multifunction(bdf);
        self.join_group(bdf, spec.group);
        if let Some(driver) = spec.driver {
            self.know_driver(&driver, (spec.vendor, spec.device));
            self.bind_at_boot(bdf, &driver);
            spec.offers.iter().for_each(|offer| self.put_offer(bdf, offer));
        }
    }

    /// Take a function out of the tree, as an unplugged one goes.
    pub(crate) fn remove_function(&mut self, bdf: Bdf) {
        self.detach(bdf);
        self.clear_shelf(bdf);
        self.leave_group(bdf);
        let folder = self.folder(bdf);
        self.tree.remove(format!("sys/bus/pci/devices/{bdf}"));
        self.tree.remove(folder);
    }

    fn put_identity(&self, folder: &str, spec: &FunctionSpec) {
        let modalias = spec.modalias();
        let put = |name: &str, text: String| self.tree.put(format!("{folder}/{name}"), text);
        put("vendor", format!("{:#06x}\n", spec.vendor));
        put("device", format!("{:#06x}\n", spec.device));
        put("subsystem_vendor", format!("{:#06x}\n", spec.subsystem.0));
        put("subsystem_device", format!("{:#06x}\n", spec.subsystem.1));
        put("class", format!("{:#08x}\n", spec.class));
        put("revision", format!("{:#04x}\n", spec.revision));
        put("modalias", format!("{modalias}\n"));
        let (vendor, device, class) = (spec.vendor, spec.device, spec.class);
        let (sub_vendor, sub_device) = spec.subsystem;
        let slot = spec.bdf;
        put(
            "uevent",
            format!(
                "PCI_CLASS={class:X}\nPCI_ID={vendor:04X}:{device:04X}\n\
                 PCI_SUBSYS_ID={sub_vendor:04X}:{sub_device:04X}\nPCI_SLOT_NAME={slot}\n\
                 MODALIAS={modalias}\n"
            ),
        );
    }

    fn put_attributes(&self, folder: &str, spec: &FunctionSpec) {
        let put = |name: &str, text: &str| self.tree.put(format!("{folder}/{name}"), text);
        put("driver_override", "(null)\n");
        put("enable", if spec.driver.is_some() { "1\n" } else { "0\n" });
        put("irq", &format!("{}\n", spec.irq));
        put("numa_node", &format!("{}\n", spec.numa_node));
        put("local_cpulist", "0-1\n");
        put("power/control", &format!("{}\n", spec.power_control));
        put("power/runtime_status", &format!("{}\n", spec.runtime_status));
        put("remove", "");
        if !spec.reset_methods.is_empty() {
            put("reset", "");
            put("reset_method", &format!("{}\n", spec.reset_methods));
        }
        if let Some(allowed) = spec.d3cold_allowed {
            put("d3cold_allowed", if allowed { "1\n" } else { "0\n" });
        }
        if let Some(boot) = spec.boot_vga {
            put("boot_vga", if boot { "1\n" } else { "0\n" });
        }
        if let Some(sriov) = &spec.sriov {
            put("sriov_totalvfs", &format!("{}\n", sriov.total));
            put("sriov_numvfs", "0\n");
            put("sriov_drivers_autoprobe", "1\n");
            put("sriov_offset", &format!("{}\n", sriov.offset));
            put("sriov_stride", &format!("{}\n", sriov.stride));
            put("sriov_vf_device", &format!("{:x}\n", sriov.vf_device));
        }
        if let Some([now, max]) = spec.express.as_ref().and_then(|express| express.link) {
            for (name, (generation, width)) in [("current", now), ("max", max)] {
                put(&format!("{name}_link_speed"), &format!("{} PCIe\n", speed(generation)));
                put(&format!("{name}_link_width"), &format!("{width}\n"));
            }
        }
    }

    /// Every function of a device with several says so in its header.
    fn mark_multifunction(&self, bdf: Bdf) {
        let slot: Vec<Bdf> = self.functions().into_iter().filter(|f| f.same_slot(bdf)).collect();
        // Virtual functions share slots and are no functions of one device.
        let real = |f: &&Bdf| !self.tree.exists(format!("{}/physfn", self.folder(**f)));
        if slot.len() < 2 {
            return;
        }
        for function in slot.iter().filter(real) {
            let path = format!("{}/config", self.folder(*function));
            let mut config = self.tree.bytes(&path).unwrap_or_default();
            if let Some(header) = config.get_mut(HEADER_TYPE) {
                *header |= MULTIFUNCTION;
                self.tree.put(&path, config);
            }
        }
    }
}

/// `resource`: start, end and flags of each region, zeroes where there is none.
fn regions(spec: &FunctionSpec, placed: &Placed) -> String {
    let count = if spec.bridge.is_some() { BRIDGE_REGIONS } else { REGIONS };
    let mut lines = vec![(0u64, 0u64, 0u64); count];
    let line = |bar: &BarSpec, start: u64, copies: u64| {
        (start, start + bar.size * copies - 1, bar.resource_flags())
    };
    for (bar, start) in spec.bars.iter().zip(&placed.bars) {
        lines[usize::from(bar.index)] = line(bar, *start, 1);
    }
    if spec.rom > 0 {
        lines[6] = (placed.rom, placed.rom + spec.rom - 1, 0x4_6200);
    }
    if let Some(sriov) = &spec.sriov {
        for (bar, start) in sriov.bars.iter().zip(&placed.vf_bars) {
            lines[7 + usize::from(bar.index)] = line(bar, *start, sriov.total.into());
        }
    }
    lines.iter().fold(String::new(), |mut text, (start, end, flags)| {
        let _ = writeln!(text, "{start:#018x} {end:#018x} {flags:#018x}");
        text
    })
}

fn speed(generation: u8) -> &'static str {
    match generation {
        1 => "2.5 GT/s",
        2 => "5.0 GT/s",
        3 => "8.0 GT/s",
        4 => "16.0 GT/s",
        5 => "32.0 GT/s",
        6 => "64.0 GT/s",
        _ => "Unknown",
    }
}
