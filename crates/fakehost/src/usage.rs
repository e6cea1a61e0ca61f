//! What the pretended host does with its devices: mounts, swap, addresses,
//! the boot screen, processes. All of it is text below `proc`.

use std::net::Ipv4Addr;

use crate::host::FakeHost;
use crate::machine::ROUTE_HEAD;
use crate::presets::address;

impl FakeHost {
    /// A file system on a block device (`nvme0n1`), mounted.
    #[must_use]
    pub fn mount(self, block: &str, at: &str) -> Self {
        self.with(|state| {
            let tree = &state.machine.tree;
            let number = tree.text(format!("sys/class/block/{block}/dev"));
            let number = number.unwrap_or_else(|| panic!("there is no block device {block}"));
            let node = node(block);
            let line = format!("30 1 {number} / {at} rw,relatime shared:1 - ext4 {node} rw\n");
            tree.append("proc/1/mountinfo", &line);
        })
    }

    /// Swap on a block device.
    #[must_use]
    pub fn swap(self, block: &str) -> Self {
        let line = format!("{:<40}partition\t8388604\t\t0\t\t-2\n", node(block));
        self.with(|state| state.machine.tree.append("proc/swaps", &line))
    }

    /// An IPv4 address on an interface, in a network of 24 bits.
    #[must_use]
    pub fn ip(self, interface: &str, ip: Ipv4Addr) -> Self {
        let network = Ipv4Addr::from_bits(ip.to_bits() & 0xffff_ff00);
        let route = route(interface, network, Ipv4Addr::UNSPECIFIED, 24);
        let leaf = format!("           |-- {ip}\n              /32 host LOCAL\n");
        self.with(|state| {
            state.machine.tree.append("proc/net/route", &route);
            state.machine.tree.append("proc/net/fib_trie", &leaf);
        })
    }

    /// The way to everywhere leads through this interface.
    #[must_use]
    pub fn default_route(self, interface: &str, gateway: Ipv4Addr) -> Self {
        let first = route(interface, Ipv4Addr::UNSPECIFIED, gateway, 0);
        self.with(|state| {
            let tree = &state.machine.tree;
            let others = tree.text("proc/net/route").unwrap_or_default();
            let others: String = others.lines().skip(1).map(|line| format!("{line}\n")).collect();
            tree.put("proc/net/route", format!("{ROUTE_HEAD}{first}{others}"));
        })
    }

    /// The firmware's screen is drawn through the second register of a
    /// graphics card, or its first if it has one only.
    #[must_use]
    pub fn boot_screen(self, bdf: &str) -> Self {
        let bdf = address(bdf);
        self.with(|state| {
            let machine = &state.machine;
            let regions = machine.attribute(bdf, "resource").unwrap_or_default();
            let line = [1, 0].iter().find_map(|index| regions.lines().nth(*index).and_then(range));
            let (start, end) = line.unwrap_or_else(|| panic!("{bdf} has no memory"));
            let screen = start + 0x7e_8fff;
            let text =
                format!("{start:08x}-{end:08x} : {bdf}\n  {start:08x}-{screen:08x} : BOOTFB\n");
            machine.tree.append("proc/iomem", &text);
            if machine.attribute(bdf, "boot_vga").is_some() {
                machine.set_attribute(bdf, "boot_vga", "1");
            }
        })
    }

    /// A process that holds a device node (`nvidia0`, `dri/card0`) open. The
    /// unit is where systemd runs it, as in `system.slice/sshd.service`.
    #[must_use]
    pub fn process(self, pid: u32, program: &str, nodes: &[&str], unit: Option<&str>) -> Self {
        let name: String = program.rsplit('/').next().unwrap_or(program).chars().take(15).collect();
        self.with(|state| {
            let tree = &state.machine.tree;
            let folder = format!("proc/{pid}");
            let stat = format!(
                "{pid} ({name}) S 1 {pid} {pid} 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 {} 0 0\n",
                u64::from(pid) * 100
            );
            tree.put(format!("{folder}/stat"), stat);
            tree.put(format!("{folder}/comm"), format!("{name}\n"));
            tree.put(format!("{folder}/cmdline"), format!("{program}\0"));
            tree.put(format!("{folder}/cgroup"), format!("0::/{}\n", unit.unwrap_or_default()));
            tree.raw_link(format!("{folder}/exe"), program.as_ref());
            tree.dir(format!("{folder}/fd"));
            for (fd, held) in nodes.iter().enumerate() {
                tree.put_new(format!("dev/{held}"), "");
                tree.raw_link(format!("{folder}/fd/{}", fd + 3), node(held).as_ref());
            }
        })
    }
}

/// A device node as the machine itself would name it.
fn node(name: &str) -> String {
    ["", "dev", name].join("/")
}

/// A line of `/proc/net/route`: addresses in memory order, as one number.
fn route(interface: &str, to: Ipv4Addr, by: Ipv4Addr, bits: u32) -> String {
    let hex = |address: Ipv4Addr| format!("{:08X}", u32::from_le_bytes(address.octets()));
    let mask = Ipv4Addr::from_bits(u32::MAX.checked_shl(32 - bits).unwrap_or_default());
    let flags = if by.is_unspecified() { "0001" } else { "0003" };
    let (to, by, mask) = (hex(to), hex(by), hex(mask));
    format!("{interface}\t{to}\t{by}\t{flags}\t0\t0\t0\t{mask}\t0\t0\t0\n")
}

/// Start and end of a memory region, `None` for an empty one.
fn range(line: &str) -> Option<(u64, u64)> {
    let mut words = line.split(' ');
    let mut number = || u64::from_str_radix(words.next()?.trim_start_matches("0x"), 16).ok();
    let (start, end) = (number()?, number()?);
    (end > start).then_some((start, end))
}
