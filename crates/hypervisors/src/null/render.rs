//! A guest, described for people.

use std::fmt::Write;

use crate::machine::{Firmware, GuestSpec, Network};

/// One line for each thing that the guest would have.
pub fn text(spec: &GuestSpec) -> String {
    let mut text = String::new();
    let mut line = |words: String| {
        // Writing to a String does not fail.
        let _ = writeln!(text, "{words}");
    };
    line(format!("guest {} ({}) on {}", spec.name, spec.uuid, spec.machine.name()));
    let cpus = if spec.cpus == 1 { "processor" } else { "processors" };
    line(format!("  {} {cpus}, {} MiB of memory", spec.cpus, spec.memory.bytes >> 20));
    match &spec.firmware {
        Firmware::Default => line("  the machine's own firmware".to_owned()),
        Firmware::Ovmf { nvram, .. } => {
            line(format!("  UEFI with variables in {}", nvram.display()));
        }
    }
    if let Some(kernel) = &spec.kernel {
        line(format!("  kernel {}", kernel.kernel.display()));
    }
    for disk in &spec.disks {
        line(format!("  disk {}", disk.path.display()));
    }
    match &spec.network {
        Network::None => {}
        Network::User { mac, .. } => line(format!("  network card {mac}, outgoing only")),
        Network::Tap { mac, interface } => line(format!("  network card {mac} on {interface}")),
    }
    if spec.has_iommu() {
        line("  a virtual IOMMU".to_owned());
    }
    for device in &spec.devices {
        let names: Vec<String> =
            device.functions.iter().map(|function| function.bdf.to_string()).collect();
        line(format!("  device {}", names.join(" ")));
    }
    line(format!("  {} spare ports", spec.spare.count));
    text
}
