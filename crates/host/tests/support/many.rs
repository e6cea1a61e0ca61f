//! A machine with very many functions: a benchmark's subject.

use super::tree::{Device, Tree};

const DEVICES: &[(u16, u16, u32, &str)] = &[
    (0x10de, 0x2330, 0x03_0200, "nvidia"),
    (0x144d, 0xa824, 0x01_0802, "nvme"),
    (0x15b3, 0x101e, 0x02_0000, "mlx5_core"),
    (0x8086, 0x0dd8, 0x08_8000, "idxd"),
    (0x1002, 0x74a1, 0x12_0000, "amdgpu"),
];

/// Put `count` functions into a tree: root ports, 30 to a domain, with eight
/// endpoints behind each, and a group for each of them.
pub fn fill(tree: &Tree, count: usize) {
    let mut left = count;
    for domain in 0u32.. {
        for slot in 1..=30u8 {
            if left == 0 {
                return;
            }
            left -= 1 + behind_port(tree, domain, slot, (left - 1).min(8));
        }
    }
}

/// One root port and so many endpoints behind it.
fn behind_port(tree: &Tree, domain: u32, slot: u8, endpoints: usize) -> usize {
    let port = format!("{domain:04x}:00:{slot:02x}.0");
    let group = (domain * 30 + u32::from(slot)) * 16;
    let mut bridge = Device::port(&port, (0, slot, slot));
    bridge.group = Some(group);
    tree.add(&bridge);
    for index in 0..endpoints {
        let (vendor, device, class, driver) = DEVICES[(usize::from(slot) + index) % DEVICES.len()];
        let bdf = format!("{domain:04x}:{slot:02x}:{index:02x}.0");
        let mut endpoint = Device::endpoint(&bdf, (vendor, device), class);
        endpoint.above = vec![port.clone()];
        endpoint.driver = Some(driver);
        endpoint.group = Some(group + 1 + index as u32);
        tree.add(&endpoint);
    }
    endpoints
}
