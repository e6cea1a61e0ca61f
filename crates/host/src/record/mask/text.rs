//! Names inside of the host's own tables: mounts, swap, boot arguments.
//!
//! In: the text of one file. Out: the same lines, with what somebody chose
//! (host names, volume names, folders, UUIDs) replaced. Never: a change of
//! what a verdict rests on: device numbers, kinds of file systems, the boot
//! arguments of the IOMMU.

use super::words::Words;
use crate::paths::Root;

/// Mount points that are the same on many machines, and their parents.
const KNOWN_FOLDERS: &[&str] = &[
    "bin", "boot", "cache", "dev", "docker", "efi", "etc", "home", "images", "lib", "lib64",
    "libvirt", "local", "log", "media", "mnt", "nix", "opt", "pool", "proc", "pve", "root", "run",
    "sbin", "snap", "srv", "store", "subvol", "sys", "tmp", "usr", "var", "vms", "volume1",
    "volume2", "@", "@home", "@log",
];

/// Boot arguments whose values are recorded. Others may hold addresses,
/// disks or passwords of an installer.
const KNOWN_ARGUMENTS: &[&str] = &[
    "amd_iommu",
    "amdgpu",
    "arm-smmu",
    "console",
    "default_hugepagesz",
    "disable_idle_d3",
    "efifb",
    "fbcon",
    "hugepages",
    "hugepagesz",
    "i915",
    "init_on_alloc",
    "initcall_blacklist",
    "intel_iommu",
    "iommu",
    "isolcpus",
    "kvm",
    "kvm_amd",
    "kvm_intel",
    "loglevel",
    "mem",
    "mitigations",
    "module_blacklist",
    "modprobe",
    "nouveau",
    "nvidia",
    "nvidia-drm",
    "pci",
    "pcie_acs_override",
    "pcie_aspm",
    "pcie_port_pm",
    "rd.driver.blacklist",
    "rd.driver.pre",
    "rdblacklist",
    "vfio-pci",
    "vfio_pci",
    "vfio_iommu_type1",
    "vga",
    "video",
    "xe",
    "xen-pciback",
];

/// Boot arguments without a value that are recorded. Any other may be a name.
const KNOWN_FLAGS: &[&str] = &[
    "debug",
    "emergency",
    "ignore_loglevel",
    "noacpi",
    "noapic",
    "nofb",
    "noiommu",
    "nokaslr",
    "nolapic",
    "nomodeset",
    "nomsi",
    "noresume",
    "nosmt",
    "nosplash",
    "plymouth",
    "quiet",
    "rescue",
    "rhgb",
    "ro",
    "rw",
    "single",
    "splash",
    "text",
];

/// A mount point or a folder: names that are not known are replaced.
pub(super) fn folder(path: &str, words: &mut Words) -> String {
    let mut part = |part: &str| {
        if part.is_empty() || KNOWN_FOLDERS.contains(&part) {
            part.to_owned()
        } else {
            words.name("folder", part)
        }
    };
    path.split('/').map(&mut part).collect::<Vec<_>>().join("/")
}

/// A block device by path: names of volumes are chosen by people.
pub(super) fn block(path: &str, words: &mut Words) -> String {
    let mut parts = path.rsplitn(2, '/');
    let (Some(name), Some(folder)) = (parts.next(), parts.next()) else { return path.to_owned() };
    let chosen = ["mapper", "by-uuid", "by-label", "by-id", "by-partuuid", "by-partlabel"];
    if chosen.iter().any(|chosen| folder.ends_with(chosen)) {
        return format!("{folder}/{}", words.name("volume", name));
    }
    path.to_owned()
}

/// What is below a loop device: a block device, or somebody's file.
pub(super) fn backing(path: &str, words: &mut Words) -> String {
    match path.starts_with(&Root::node_text("")) {
        true => block(path, words),
        false => folder(path, words),
    }
}

/// `mountinfo`: root and mount point are folders, the source is a device,
/// options may name another host (Documentation/filesystems/proc.rst, 3.5).
pub(super) fn mountinfo(text: &str, words: &mut Words) -> String {
    let mut line = |line: &str| {
        let mut columns: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let Some(dash) = columns.iter().position(|column| column == "-") else {
            return line.to_owned();
        };
        for at in [3, 4].into_iter().filter(|at| *at < dash) {
            columns[at] = folder(&columns[at], words);
        }
        if let Some(source) = columns.get_mut(dash + 2) {
            *source = mount_source(source, words);
        }
        if let Some(options) = columns.get_mut(dash + 3) {
            *options = read_write(options);
        }
        columns.join(" ")
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// A device stays a device; a share, a data set or a label is made of names.
fn mount_source(source: &str, words: &mut Words) -> String {
    if source.starts_with('/') {
        return block(source, words);
    }
    match source {
        "none" | "proc" | "sysfs" | "tmpfs" | "devtmpfs" | "overlay" | "udev" => source.to_owned(),
        source => source.split('/').map(|part| pool(part, words)).collect::<Vec<_>>().join("/"),
    }
}

/// A share of a hypervisor's, as its mount names it.
pub(super) fn share(tag: &str, words: &mut Words) -> String {
    // The kernel ends it with a zero, or with nothing.
    let word = tag.trim_end_matches(['\n', '\0']);
    mount_source(word, words) + &tag[word.len()..]
}

fn pool(name: &str, words: &mut Words) -> String {
    if name.is_empty() { String::new() } else { words.name("source", name) }
}

/// What udev knows of a disk: a label names the pool that it is part of.
pub(super) fn udev(text: &str, words: &mut Words) -> String {
    let mut line = |line: &str| match line.strip_prefix("E:ID_FS_LABEL=") {
        Some(label) => format!("E:ID_FS_LABEL={}\n", pool(label, words)),
        None => format!("{line}\n"),
    };
    text.lines().map(&mut line).collect()
}

fn read_write(options: &str) -> String {
    let first = options.split(',').next().unwrap_or_default();
    if first == "ro" { "ro".to_owned() } else { "rw".to_owned() }
}

/// `swaps`: the first column is a device or a file.
pub(super) fn swaps(text: &str, words: &mut Words) -> String {
    let mut line = |line: &str| {
        let Some((path, rest)) = line.split_once([' ', '\t']) else { return line.to_owned() };
        if !path.starts_with('/') {
            return line.to_owned();
        }
        let masked = if rest.trim_start().starts_with("file") {
            folder(path, words)
        } else {
            block(path, words)
        };
        format!("{masked}{}{rest}", &line[path.len()..=path.len()])
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// `cmdline`: values of arguments that are not known are replaced, and so are
/// words that are not. What is behind `--` is for the first process.
pub(super) fn cmdline(text: &str, words: &mut Words) -> String {
    let mut last = false;
    let mut argument = |argument: &str| {
        if last && !argument.is_empty() {
            return words.name("word", argument);
        }
        last |= argument == "--";
        let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
        let module = key.split('.').next().unwrap_or(key);
        let known = [key, module].iter().any(|name| KNOWN_ARGUMENTS.contains(name));
        match value {
            _ if known || argument == "--" || KNOWN_FLAGS.contains(&argument) => {
                argument.to_owned()
            }
            "" if !argument.contains('=') => words.name("word", argument),
            "" => argument.to_owned(),
            value => format!("{key}={}", words.name("value", value)),
        }
    };
    // A quoted value may go on over blanks: what follows belongs to it.
    let mut quoted = false;
    let mut starts = |word: &&str| {
        let inside = quoted;
        quoted ^= word.matches('"').count() % 2 == 1;
        !inside
    };
    let words = text.trim_end().split(' ').filter(&mut starts);
    let arguments: Vec<String> = words.map(&mut argument).collect();
    arguments.join(" ") + "\n"
}

/// Lines `Key: value` (or `key value`) without the ones that identify a card.
pub(super) fn without_keys(text: &str, keys: &[&str]) -> String {
    let is_kept = |line: &&str| !keys.iter().any(|key| line.trim_start().starts_with(key));
    text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_keep_their_devices() {
        let text = "\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw,errors=remount-ro
23 22 253:0 /secret /home/alice rw - xfs /dev/mapper/alice--vg-home rw,seclabel
24 22 0:45 / /mnt/backup rw - nfs4 nas.example.com:/alice rw,clientaddr=192.168.1.7
";
        let want = "\
22 1 259:2 / / rw,relatime shared:1 - ext4 /dev/nvme0n1p2 rw
23 22 253:0 /folder1 /home/folder2 rw - xfs /dev/mapper/volume3 rw
24 22 0:45 / /mnt/folder4 rw - nfs4 source5/source2 rw
";
        assert_eq!(mountinfo(text, &mut Words::default()), want);
    }

    #[test]
    fn boot_arguments_that_matter_are_kept() {
        let text = "BOOT_IMAGE=/vmlinuz root=UUID=12-34 ro quiet intel_iommu=on \
                    vfio-pci.ids=10de:1e87 password=\"x y\" rd.luks.uuid=12-34 rd.driver.pre=vfio-pci \
                    systemd.machine_id=1234 kvm.ignore_msrs=1 hunter2 -- --token t 10.9.8.7\n";
        let want = "BOOT_IMAGE=value1 root=value2 ro quiet intel_iommu=on \
                    vfio-pci.ids=10de:1e87 password=value3 rd.luks.uuid=value4 \
                    rd.driver.pre=vfio-pci systemd.machine_id=value5 kvm.ignore_msrs=1 \
                    word6 -- word7 word8 word9\n";
        assert_eq!(cmdline(text, &mut Words::default()), want);
    }

    #[test]
    fn swaps_keep_their_columns() {
        let text = "Filename\t\t\tType\n/dev/mapper/a-swap      partition\t8 0 -2\n/home/al/swap file\t8\n/dev/sda2 partition 1\n";
        let want = "Filename\t\t\tType\n/dev/mapper/volume1      partition\t8 0 -2\n/home/folder2/folder3 file\t8\n/dev/sda2 partition 1\n";
        assert_eq!(swaps(text, &mut Words::default()), want);
    }
}
