//! Devices that are known, by their ids, to need care.
//!
//! A table: what is special about a device that neither its configuration
//! space nor the kernel tells. Each row names its source. Whatever can be
//! read from the device itself is a rule in [`crate::verdict`], not a row
//! here.

use crate::function::Function;
use crate::reason::Code;

/// One row: which devices, and what about them.
#[derive(Clone, Copy, Debug)]
pub struct Quirk {
    pub vendor: u16,
    /// Device ids; empty for every device of the vendor that `class` lets through.
    pub devices: &'static [u16],
    /// Base class that must match as well.
    pub class: Option<u8>,
    pub code: Code,
    pub text: &'static str,
    pub hint: &'static str,
    /// Where this is known from.
    pub source: &'static str,
}

/// Intel VMD controllers (`drivers/pci/controller/vmd.c`, `vmd_ids`).
pub const VMD: &[u16] =
    &[0x201d, 0x28c0, 0x467f, 0x4c3d, 0x7d0b, 0x9a0b, 0xa77f, 0xad0b, 0xb06f, 0xb07f, 0xb60b];

/// The table.
pub const QUIRKS: &[Quirk] = &[
    Quirk {
        vendor: 0x1ac1,
        devices: &[0x089a],
        class: None,
        code: Code::MsixSharedPage,
        text: "the Coral Edge TPU keeps its MSI-X table in a page with other registers",
        hint: "works on KVM and Xen; ESXi refuses it by design",
        source: "https://github.com/google-coral/libedgetpu/issues/48",
    },
    Quirk {
        vendor: 0x17cb,
        devices: &[0xa100],
        class: None,
        code: Code::NeedsGuestRemapping,
        text: "the Cloud AI 100 needs 32 MSI vectors, and so interrupt remapping in the guest",
        hint: "on QEMU the guest gets an emulated IOMMU with interrupt remapping; Hyper-V needs a kernel of 5.19 or later in the guest",
        source: "https://quic.github.io/cloud-ai-sdk-pages/latest/Getting-Started/Installation/hypervisors/",
    },
    Quirk {
        vendor: 0x1002,
        devices: POLARIS_VEGA_NAVI1,
        class: Some(0x03),
        code: Code::QuirkCondition,
        text: "this AMD GPU does not come back from a bus reset: the second guest, or the host, may hang",
        hint: "load the vendor-reset module, which adds the reset method device_specific",
        source: "https://github.com/gnif/vendor-reset",
    },
    Quirk {
        vendor: 0x1002,
        devices: &[0x74a0, 0x74a1, 0x74a2, 0x74a5, 0x74a9, 0x74bd, 0x75a0, 0x75a3],
        class: None,
        code: Code::QuirkCondition,
        text: "an Instinct MI300 or MI350 that is reset badly answers with ones until the host is power-cycled",
        hint: "shut guests down cleanly; look at the device with `passthru show` before the next guest",
        source: "https://github.com/amd/MxGPU-Virtualization/issues/25",
    },
    Quirk {
        vendor: 0x10de,
        devices: &[0x1af1, 0x22a3],
        class: Some(0x06),
        code: Code::QuirkCondition,
        text: "an NVSwitch connects all GPUs of the board: a guest that owns it sees the traffic of all",
        hint: "leave it to the host's Fabric Manager, or pass all GPUs and switches of the board to one guest",
        source: "https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/",
    },
    Quirk {
        vendor: 0x168c,
        devices: &[0x0030, 0x0032, 0x0033, 0x0034, 0x003c, 0x003e],
        class: None,
        code: Code::QuirkCondition,
        text: "this Atheros adapter does not survive a bus reset, and the kernel does none",
        hint: "restart the host when a guest leaves it unusable",
        source: "linux drivers/pci/quirks.c, quirk_no_bus_reset",
    },
    Quirk {
        vendor: 0x1b4b,
        devices: &[
            0x9120, 0x9123, 0x9125, 0x9128, 0x9130, 0x9170, 0x9172, 0x917a, 0x9182, 0x9183, 0x91a0,
            0x9215, 0x9220, 0x9230, 0x9235,
        ],
        class: Some(0x01),
        code: Code::QuirkCondition,
        text: "this Marvell SATA controller does DMA under the address of a function that does not exist",
        hint: "works on kernels that know this model's alias; otherwise the IOMMU reports DMAR faults for function 1",
        source: "linux drivers/pci/quirks.c, quirk_dma_func1_alias",
    },
];

/// Polaris 10-12, Vega 10 and 20, Navi 10, 12 and 14.
const POLARIS_VEGA_NAVI1: &[u16] = &[
    0x67c0, 0x67c1, 0x67c2, 0x67c4, 0x67c7, 0x67c8, 0x67c9, 0x67ca, 0x67cc, 0x67cf, 0x67d0, 0x67df,
    0x6fdf, 0x67e0, 0x67e1, 0x67e3, 0x67e7, 0x67e8, 0x67e9, 0x67eb, 0x67ef, 0x67ff, 0x6980, 0x6981,
    0x6985, 0x6986, 0x6987, 0x6995, 0x6997, 0x699f, 0x6860, 0x6861, 0x6862, 0x6863, 0x6864, 0x6867,
    0x6868, 0x6869, 0x686a, 0x686b, 0x686c, 0x686d, 0x686e, 0x686f, 0x687f, 0x66a0, 0x66a1, 0x66a2,
    0x66a3, 0x66a4, 0x66a7, 0x66af, 0x7310, 0x7312, 0x7318, 0x7319, 0x731a, 0x731b, 0x731e, 0x731f,
    0x7340, 0x7341, 0x7347, 0x734f, 0x7360, 0x7362,
];

/// The rows that are about this function.
pub fn of(function: &Function) -> impl Iterator<Item = &'static Quirk> {
    let vendor = function.vendor.known().map(|id| id.0);
    let device = function.device.known().map(|id| id.0);
    let base = function.class.known().map(|class| class.base());
    QUIRKS.iter().filter(move |quirk| {
        vendor == Some(quirk.vendor)
            && (quirk.devices.is_empty() || device.is_some_and(|id| quirk.devices.contains(&id)))
            && quirk.class.is_none_or(|class| base == Some(class))
    })
}

/// It needs interrupt remapping in the guest: by a row of the table, or for
/// its 32 MSI vectors with no MSI-X to use instead. Without remapping Linux
/// gives an x86 device one MSI vector: the vector domain has no
/// `MSI_FLAG_MULTI_PCI_MSI` (`arch/x86/kernel/apic/msi.c`).
pub fn needs_guest_remapping(function: &Function) -> bool {
    let told = of(function).any(|quirk| quirk.code == Code::NeedsGuestRemapping);
    let many = function.capabilities().known().is_some_and(|capabilities| {
        capabilities.msix.is_none() && capabilities.msi.is_some_and(|msi| msi.vectors >= 32)
    });
    told || many
}

/// An Intel VMD controller.
pub fn is_vmd(function: &Function) -> bool {
    let ids = function.vendor.known().zip(function.device.known());
    function.driver_name() == Some("vmd")
        || ids.is_some_and(|(vendor, device)| vendor.0 == 0x8086 && VMD.contains(&device.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_name_their_source_and_are_about_something() {
        for quirk in QUIRKS {
            assert!(!quirk.source.is_empty() && !quirk.text.is_empty(), "{quirk:?}");
            assert!(!quirk.devices.is_empty() || quirk.class.is_some(), "{quirk:?}");
            let mut devices = quirk.devices.to_vec();
            devices.sort_unstable();
            devices.dedup();
            assert_eq!(devices.len(), quirk.devices.len(), "a device stands twice: {quirk:?}");
        }
    }
}
