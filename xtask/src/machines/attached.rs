//! What hangs on functions: disks, network interfaces, screens, nodes.
//!
//! In: the function's path. Out: devices as the kernel's drivers make them.
//! Serial numbers and addresses are made up, as in a masked recording.

use model::parse::umockdev::{Attribute, Device, Node};

use crate::machines::machine::Machine;

/// A device of a subsystem, at a path below sysfs.
fn device(path: &str, subsystem: &str, attributes: &[(&str, &str)]) -> Device {
    let mut device = Device::new(path, subsystem);
    for (name, text) in attributes {
        let text = Attribute::File(format!("{text}\n").into());
        device.attributes.insert((*name).to_owned(), text);
    }
    device
}

/// The same with a node in the folder of device nodes.
fn with_node(mut device: Device, name: &str, number: (u32, u32)) -> Device {
    let pair = |key: &str, value: String| (key.to_owned(), value);
    device.properties.push(pair("MAJOR", number.0.to_string()));
    device.properties.push(pair("MINOR", number.1.to_string()));
    device.properties.push(pair("DEVNAME", format!("/dev/{name}")));
    device.node = Some(Node { name: name.to_owned(), content: Vec::new() });
    let text = format!("{}:{}\n", number.0, number.1);
    device.attributes.insert("dev".to_owned(), Attribute::File(text.into()));
    device
}

fn link(device: &mut Device, name: &str, target: &str) {
    device.attributes.insert(name.to_owned(), Attribute::Link(target.to_owned()));
}

/// A disk and its partitions.
#[derive(Clone, Copy, Debug)]
pub struct Disk {
    pub name: &'static str,
    /// Device number of the whole disk; partitions follow.
    pub number: (u32, u32),
    /// Sectors of 512 bytes.
    pub sectors: u64,
    /// Start and length of each partition, in sectors.
    pub partitions: &'static [(u64, u64)],
}

impl Machine {
    /// An NVMe controller with one namespace: `nvme0` and `nvme0n1`.
    pub fn nvme(&mut self, address: &str, model: &str, disk: Disk) {
        let name = disk.name.strip_suffix("n1").unwrap_or(disk.name);
        let path = format!("{}/nvme/{name}", self.path(address));
        let index: u32 = name.trim_start_matches("nvme").parse().unwrap_or_default();
        let serial = format!("{:014}", index + 1);
        let attributes = [
            ("model", model),
            ("serial", &serial),
            ("address", address),
            ("state", "live"),
            ("transport", "pcie"),
        ];
        let mut controller = with_node(device(&path, "nvme", &attributes), name, (240, index));
        link(&mut controller, "device", &format!("../../../{address}"));
        self.device(controller);
        self.disk(&path, disk);
    }

    /// A SATA disk on a port of an AHCI controller.
    pub fn sata(&mut self, address: &str, port: u32, model: &str, disk: Disk) {
        let host = port - 1;
        let place = format!("ata{port}/host{host}/target{host}:0:0/{host}:0:0:0");
        let path = format!("{}/{place}", self.path(address));
        let attributes = [("vendor", "ATA"), ("model", model), ("state", "running"), ("type", "0")];
        self.device(device(&path, "scsi", &attributes));
        self.disk(&format!("{path}/block"), disk);
    }

    fn disk(&mut self, folder: &str, disk: Disk) {
        let path = format!("{folder}/{}", disk.name);
        let sectors = disk.sectors.to_string();
        let attributes = [("size", &sectors[..]), ("ro", "0"), ("removable", "0")];
        let whole = with_node(device(&path, "block", &attributes), disk.name, disk.number);
        self.device(whole);
        for (index, (start, sectors)) in disk.partitions.iter().enumerate() {
            let number = index as u32 + 1;
            let infix = if disk.name.ends_with(|c: char| c.is_ascii_digit()) { "p" } else { "" };
            let name = format!("{}{infix}{number}", disk.name);
            let (start, sectors) = (start.to_string(), sectors.to_string());
            let index = number.to_string();
            let attributes =
                [("partition", &index[..]), ("start", &start), ("size", &sectors), ("ro", "0")];
            let part = device(&format!("{path}/{name}"), "block", &attributes);
            self.device(with_node(part, &name, (disk.number.0, disk.number.1 + number)));
        }
    }

    /// A volume of device mapper or MD on other block devices.
    pub fn volume(
        &mut self,
        name: &'static str,
        number: (u32, u32),
        kind: &[(&str, &str)],
        members: &[&str],
    ) {
        let path = format!("/devices/virtual/block/{name}");
        let mut volume = with_node(device(&path, "block", kind), name, number);
        for member in members {
            let target = self.block_path(member);
            let up = "../".repeat(path.matches('/').count() + 1);
            link(&mut volume, &format!("slaves/{member}"), &format!("{up}{}", &target[1..]));
            let up = "../".repeat(target.matches('/').count() + 1);
            let holder = format!("{up}{}", &path[1..]);
            self.attach_holder(member, name, &holder);
        }
        self.device(volume);
    }

    /// An Ethernet interface. The last byte of its address is its index.
    pub fn interface(&mut self, folder: &str, name: &str, index: u32, up: bool) {
        let address = format!("02:00:00:00:00:{index:02x}");
        let (state, flags) = if up { ("up", "0x1003") } else { ("down", "0x1002") };
        let index = index.to_string();
        let attributes = [
            ("address", &address[..]),
            ("operstate", state),
            ("flags", flags),
            ("ifindex", &index),
            ("iflink", &index),
            ("mtu", "1500"),
            ("type", "1"),
            ("dev_port", "0"),
        ];
        let mut net = device(&format!("{folder}/net/{name}"), "net", &attributes);
        net.properties.push(("INTERFACE".to_owned(), name.to_owned()));
        net.properties.push(("IFINDEX".to_owned(), index));
        if up {
            net.attributes.insert("carrier".to_owned(), Attribute::File("1\n".into()));
        }
        if !folder.starts_with("/devices/virtual") {
            let parent = folder.rsplit('/').next().unwrap_or_default();
            link(&mut net, "device", &format!("../../../{parent}"));
        }
        self.device(net);
    }

    /// A DRM card with its connectors: name, status, enabled.
    pub fn card(&mut self, address: &str, index: u32, connectors: &[(&str, &str, &str)]) {
        let folder = format!("{}/drm", self.path(address));
        let name = format!("card{index}");
        let card = device(&format!("{folder}/{name}"), "drm", &[]);
        let mut card = with_node(card, &format!("dri/{name}"), (226, index));
        link(&mut card, "device", &format!("../../../{address}"));
        self.device(card);
        for (connector, status, enabled) in connectors {
            let path = format!("{folder}/{name}/{name}-{connector}");
            let mut on = device(&path, "drm", &[("status", status), ("enabled", enabled)]);
            link(&mut on, "device", &format!("../../{name}"));
            self.device(on);
        }
        let render = format!("renderD{}", 128 + index);
        let path = format!("{folder}/{render}");
        let node =
            with_node(device(&path, "drm", &[]), &format!("dri/{render}"), (226, 128 + index));
        self.device(node);
    }

    /// Another character device of a function: `apex/apex_0`, `accel/accel0`.
    pub fn character(&mut self, address: &str, subsystem: &str, node: &str, number: (u32, u32)) {
        let name = node.rsplit('/').next().unwrap_or(node);
        let path = format!("{}/{subsystem}/{name}", self.path(address));
        let mut character = with_node(device(&path, subsystem, &[]), node, number);
        link(&mut character, "device", &format!("../../../{address}"));
        self.device(character);
    }

    /// The platform device of the firmware's screen, and the text console on it.
    pub fn screen(&mut self, name: &str, driver: &str) {
        let path = format!("/devices/platform/{name}");
        let mut screen = device(&path, "platform", &[]);
        link(&mut screen, "driver", &format!("../../../bus/platform/drivers/{driver}"));
        self.device(screen);
        self.framebuffer(&path, "simpledrmdrmfb");
    }

    /// The text console on the framebuffer that a function's own driver made.
    pub fn console(&mut self, address: &str, framebuffer: &str) {
        let path = self.path(address);
        self.framebuffer(&path, framebuffer);
    }

    /// A framebuffer with the consoles bound to it, as fbcon leaves them: the
    /// first driver has none any more.
    fn framebuffer(&mut self, parent: &str, name: &str) {
        let path = format!("{parent}/graphics/fb0");
        let mut screen = with_node(device(&path, "graphics", &[("name", name)]), "fb0", (29, 0));
        let parent = parent.rsplit('/').next().unwrap_or_default();
        link(&mut screen, "device", &format!("../../../{parent}"));
        self.device(screen);
        for (index, name, bind) in
            [(0, "(S) dummy device", "0"), (1, "(M) frame buffer device", "1")]
        {
            let path = format!("/devices/virtual/vtconsole/vtcon{index}");
            self.device(device(&path, "vtconsole", &[("name", name), ("bind", bind)]));
        }
    }
}
