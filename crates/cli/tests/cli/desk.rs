//! Machines to look at, and the program to look at them with.

use std::fmt;
use std::process::Command;

use fakehost::FakeHost;

/// Names of what is in a [`desktop`], so that no test depends on the system's.
const PCI_IDS: &str = "\
10de  NVIDIA Corporation
\t1aef  GA102 High Definition Audio Controller
\t2206  GA102 [GeForce RTX 3080]
\t\t1458 403b  GeForce RTX 3080 Gaming OC
1022  Advanced Micro Devices, Inc. [AMD]
\t1480  Starship/Matisse Root Complex
144d  Samsung Electronics Co Ltd
\ta808  NVMe SSD Controller SM981/PM981/PM983
1b36  Red Hat, Inc.
\t000c  QEMU PCIe Root port
8086  Intel Corporation
\t15f3  Ethernet Controller I225-V
C 01  Mass storage controller
\t08  Non-Volatile memory controller
C 02  Network controller
\t00  Ethernet controller
C 03  Display controller
\t00  VGA compatible controller
C 04  Multimedia controller
\t03  Audio device
C 06  Bridge
\t00  Host bridge
\t04  PCI bridge
";

/// A desktop: a graphics card with sound, the root disk, a second disk and
/// the only network card, each behind a root port.
pub fn desktop() -> FakeHost {
    FakeHost::new()
        .file("usr/share/misc/pci.ids", PCI_IDS)
        .host_bridge("0000:00:00.0")
        .root_port("0000:00:01.0", 0x01)
        .root_port("0000:00:1b.0", 0x02)
        .root_port("0000:00:1b.4", 0x03)
        .root_port("0000:00:1c.0", 0x04)
        .gpu("0000:01:00.0")
        .with_audio()
        .nvme("0000:02:00.0")
        .nvme("0000:03:00.0")
        .nic("0000:04:00.0", "enp4s0")
        .mount("nvme0n1", "/")
        .ip("enp4s0", [192, 0, 2, 10].into())
        .default_route("enp4s0", [192, 0, 2, 1].into())
}

/// What the program said, and how it ended.
#[derive(Debug)]
pub struct Said {
    pub out: String,
    pub err: String,
    pub code: Option<i32>,
}

/// Runs the program on a machine's tree.
pub fn on(host: &FakeHost, args: &[&str]) -> Said {
    let mut all = args.to_vec();
    let root = host.root().display().to_string();
    all.extend(["--root", &root]);
    let mut said = passthru(&all);
    said.replace(&root, "[ROOT]");
    said
}

/// Runs the program.
pub fn passthru(args: &[&str]) -> Said {
    run(Command::new(env!("CARGO_BIN_EXE_passthru")).args(args))
}

/// Runs a command with an environment that has no say in the output.
pub fn run(command: &mut Command) -> Said {
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "COLUMNS"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    Said {
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
        code: output.status.code(),
    }
}

impl Said {
    /// Puts a word in place of one that differs from run to run.
    pub fn replace(&mut self, from: &str, to: &str) {
        self.out = self.out.replace(from, to);
        self.err = self.err.replace(from, to);
    }
}

impl Said {
    /// A guest's UUID, and the hardware address that is made of it, are new
    /// each time.
    pub fn replace_random_numbers(&mut self) {
        let marks = [("-uuid ", 36), ("guest vm1 (", 36), ("mac=", 17), ("network card ", 17)];
        for (before, length) in marks {
            if let Some(at) = self.out.find(before).map(|at| at + before.len()) {
                self.out.replace_range(at..at + length, "[RANDOM]");
            }
        }
        let json = "\"-uuid\",\n    \"";
        if let Some(at) = self.out.find(json).map(|at| at + json.len()) {
            self.out.replace_range(at..at + 36, "[RANDOM]");
        }
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { out, err, code } = self;
        match code {
            Some(code) => writeln!(f, "exit {code}")?,
            None => writeln!(f, "ended by a signal")?,
        }
        if !out.is_empty() {
            write!(f, "--- out\n{out}")?;
        }
        if !err.is_empty() {
            write!(f, "--- err\n{err}")?;
        }
        Ok(())
    }
}
