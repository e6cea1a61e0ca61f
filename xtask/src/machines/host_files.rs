//! What stands in the sidecar of a described machine: processor, IOMMU units, ACPI
//! tables, mounts and the network's tables.

use model::parse::umockdev::{Attribute, Device};

use crate::machines::machine::Machine;

impl Machine {
    /// An x86 processor that runs guests, by its vendor (`GenuineIntel`) and
    /// the address bits that it has.
    pub fn x86(&mut self, vendor: &str, bits: u8) {
        let guests = if vendor == "AuthenticAMD" { "svm" } else { "vmx" };
        let text = format!(
            "vendor_id\t: {vendor}\nflags\t\t: lm {guests}\naddress sizes\t: {bits} bits physical, 48 bits virtual\n"
        );
        self.text("/proc/cpuinfo", &text);
    }

    /// Interrupts of devices go through the IOMMU's remapping.
    pub fn remaps_interrupts(&mut self) {
        self.text("/proc/interrupts", "     CPU0\n   0: 0 IR-IO-APIC\n   1: 0 IR-PCI-MSI\n");
    }

    /// A POWER processor, by its name.
    pub fn power(&mut self, name: &str) {
        self.text("/proc/cpuinfo", &format!("cpu\t\t: {name}, altivec supported\n"));
    }

    /// An Intel unit: its registers' address, capabilities and extended ones.
    pub fn intel_unit(&mut self, index: u32, registers: u64, caps: (&str, &str)) {
        let path = format!("/devices/virtual/iommu/dmar{index}");
        let mut unit = Device::new(path, "iommu");
        let address = format!("0x{registers:x}");
        for (name, text) in [
            ("intel-iommu/address", &address[..]),
            ("intel-iommu/cap", caps.0),
            ("intel-iommu/ecap", caps.1),
            ("intel-iommu/version", "1:0"),
        ] {
            unit.attributes.insert(name.to_owned(), Attribute::File(format!("{text}\n").into()));
        }
        self.device(unit);
    }

    /// An AMD unit, by its PCI function, whose child it is.
    pub fn amd_unit(&mut self, index: u32, address: &str, features: &str) {
        let path = format!("{}/iommu/ivhd{index}", self.path(address));
        let mut unit = Device::new(path, "iommu");
        for (name, text) in [("amd-iommu/cap", "40"), ("amd-iommu/features", features)] {
            unit.attributes.insert(name.to_owned(), Attribute::File(format!("{text}\n").into()));
        }
        unit.attributes.insert("device".to_owned(), Attribute::Link(format!("../../../{address}")));
        self.device(unit);
    }

    /// The table by which the firmware describes its IOMMUs: the header, the
    /// address width (DMAR), and no structures behind it.
    pub fn acpi_table(&mut self, signature: &str, rest: &[u8]) {
        let mut table = signature.as_bytes().to_vec();
        table.extend((36 + rest.len() as u32).to_le_bytes());
        table.extend([1, 0]);
        table.extend(*b"PASTHR");
        table.extend(*b"RECORDED");
        table.extend(1u32.to_le_bytes());
        table.extend(*b"PASS");
        table.extend(1u32.to_le_bytes());
        table.extend(rest);
        // All bytes of a table add up to zero (ACPI 6.5, 5.2.6).
        let sum = table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        table[9] = sum.wrapping_neg();
        self.bytes(&format!("/sys/firmware/acpi/tables/{signature}"), table);
    }

    /// DMAR: the host's address width, interrupt remapping on.
    pub fn dmar(&mut self, width: u8) {
        self.remaps_interrupts();
        self.acpi_table("DMAR", &[&[width - 1, 1][..], &[0; 10]].concat());
    }

    /// What the NVIDIA driver says of a card. It makes no device in sysfs for
    /// its node, whose number is the minor.
    pub fn nvidia(&mut self, address: &str, model: &str, minor: u32) {
        let text = format!(
            "Model: \t\t {model}\nBus Type: \t PCIe\nDMA Size: \t 47 bits\n\
             Bus Location: \t {address}\nDevice Minor: \t {minor}\n"
        );
        self.text(&format!("/proc/driver/nvidia/gpus/{address}/information"), &text);
        self.text(&format!("/dev/nvidia{minor}"), "");
        self.text("/dev/nvidiactl", "");
    }

    /// Firmware that describes no IOMMU.
    pub fn no_tables(&mut self) {
        self.folder("/sys/firmware/acpi/tables");
    }

    /// Mounts: device number, mount point, file system, source.
    pub fn mounts(&mut self, mounts: &[(&str, &str, &str, &str)]) {
        let row = |(index, (number, at, fs, source)): (usize, &(&str, &str, &str, &str))| {
            format!("{} 1 {number} / {at} rw,relatime shared:1 - {fs} {source} rw\n", 20 + index)
        };
        let text: String = mounts.iter().enumerate().map(row).collect();
        self.text("/proc/1/mountinfo", &text);
    }

    /// Swap areas, all partitions.
    pub fn swaps(&mut self, devices: &[&str]) {
        let mut text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n".to_owned();
        for (index, path) in devices.iter().enumerate() {
            text.push_str(&format!("{path} partition\t8388604\t\t0\t\t-{}\n", index + 2));
        }
        self.text("/proc/swaps", &text);
    }

    /// An interface with the address `10.1.NET.2/24` each; the first has the
    /// default route.
    pub fn network(&mut self, interfaces: &[&str]) {
        let mut routes =
            "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
                .to_owned();
        let mut trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n".to_owned();
        let mut v6 = "00000000000000000000000000000001 01 80 10 80 lo\n".to_owned();
        for (index, name) in interfaces.iter().enumerate() {
            let net = index + 1;
            if index == 0 {
                routes.push_str(&format!(
                    "{name}\t00000000\t01{net:02X}010A\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
                ));
            }
            routes.push_str(&format!(
                "{name}\t00{net:02X}010A\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
            ));
            trie.push_str(&format!("     |-- 10.1.{net}.2\n        /32 host LOCAL\n"));
            v6.push_str(&format!(
                "fe8000000000000000000000000000{net:02x} {:02x} 40 20 80 {name}\n",
                net + 1
            ));
        }
        self.text("/proc/net/route", &routes);
        self.text("/proc/net/fib_trie", &trie);
        self.text("/proc/net/if_inet6", &v6);
        self.text("/proc/net/ipv6_route", "");
    }
}
