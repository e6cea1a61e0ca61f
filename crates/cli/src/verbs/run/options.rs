//! The options that shape the guest, as an engine's request has them.

use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Args, ValueEnum};
use engine::{Hugepages, NetworkRequest, RunRequest};
use hypervisors::machine::{Accel, Container, Forward, GuestIommu, Kernel};

use crate::error::Error;
use crate::size;

/// What the guest boots.
#[derive(Debug, Args)]
#[command(next_help_heading = "What it boots")]
pub struct Boot {
    /// A disk image (qcow2, raw) or block device; it is never written, the
    /// guest gets a layer of its own over it
    // What is said of the last two is that they need a kernel.
    #[arg(required_unless_present_any = ["kernel", "initrd", "append"])]
    image: Option<PathBuf>,

    /// A kernel to boot without a boot loader
    #[arg(long, value_name = "FILE")]
    kernel: Option<PathBuf>,

    /// The kernel's initial file system
    #[arg(long, value_name = "FILE", requires = "kernel")]
    initrd: Option<PathBuf>,

    /// The kernel's command line; without it, the kernel speaks on the console
    #[arg(long, value_name = "TEXT", requires = "kernel")]
    append: Option<String>,

    /// What runs before the operating system
    #[arg(long, value_enum, default_value_t = FirmwareWord::Default)]
    firmware: FirmwareWord,
}

/// What the guest is made of.
#[derive(Debug, Args)]
#[command(next_help_heading = "The guest")]
pub struct Shape {
    /// Memory, as in 4G
    #[arg(long, value_name = "SIZE", default_value = "1G", value_parser = size::parse)]
    memory: u64,

    /// Virtual processors
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    cpus: u32,

    /// What runs its instructions: `auto` is KVM where it can be used
    #[arg(long, value_enum, default_value_t = AccelWord::Auto)]
    accel: AccelWord,

    /// The machine that is emulated (q35, pseries, pc-q35-9.2)
    #[arg(long, value_name = "NAME")]
    machine_type: Option<String>,

    /// Hide from the guest that it runs on KVM
    #[arg(long)]
    hidden: bool,

    /// An emulated IOMMU in the guest: `auto` where a device needs it; `--viommu`
    /// alone is `on`
    #[arg(long, value_enum, default_value_t = Switch::Auto, num_args = 0..=1, default_missing_value = "on")]
    viommu: Switch,

    /// Take its memory from hugepages: `auto`, `on`, `off`, or a size as in 1G;
    /// `auto` is when enough are free near the devices, `--hugepages` alone is `on`
    #[arg(long, value_name = "WHEN", num_args = 0..=1, default_value = "auto", default_missing_value = "on", value_parser = hugepages)]
    hugepages: Hugepages,

    /// Use /dev/iommu in place of the VFIO container
    #[arg(long)]
    iommufd: bool,

    /// Empty ports for devices that come while it runs
    #[arg(long, value_name = "N", default_value_t = 4)]
    spare_ports: u32,

    /// Its network: `user`, `none`, or `tap:INTERFACE`
    #[arg(long, default_value = "user", value_parser = network)]
    network: NetworkRequest,

    /// A port of this host's loopback that leads to one of the guest
    #[arg(long, value_name = "HOST:GUEST", value_parser = forward)]
    forward: Vec<Forward>,

    /// The hypervisor's program, when it is not the usual one
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,

    /// Behind `--`: added to the hypervisor's command line as they are
    #[arg(last = true, value_name = "ARG")]
    extra: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FirmwareWord {
    /// What the machine brings (SeaBIOS, SLOF)
    Default,
    /// OVMF, with variables of the guest's own
    Uefi,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AccelWord {
    Auto,
    Kvm,
    Tcg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Switch {
    Auto,
    On,
    Off,
}

impl Boot {
    /// The hypervisor runs in another folder, so paths are made absolute.
    pub fn into_request(self, request: &mut RunRequest) -> Result<(), Error> {
        let Self { image, kernel, initrd, append, firmware } = self;
        request.image = image.as_deref().map(absolute).transpose()?;
        let initrd = initrd.as_deref().map(absolute).transpose()?;
        let kernel = kernel.as_deref().map(absolute).transpose()?;
        request.kernel = kernel.map(|kernel| Kernel { kernel, initrd, append });
        request.uefi = matches!(firmware, FirmwareWord::Uefi);
        Ok(())
    }
}

impl Shape {
    pub fn into_request(self, request: &mut RunRequest) -> Result<(), Error> {
        request.memory = self.memory;
        request.cpus = self.cpus;
        request.accel = match self.accel {
            AccelWord::Auto => Accel::Auto,
            AccelWord::Kvm => Accel::Kvm,
            AccelWord::Tcg => Accel::Tcg,
        };
        request.machine = self.machine_type;
        request.hide_kvm = self.hidden;
        request.iommu = match self.viommu {
            Switch::Auto => GuestIommu::Auto,
            Switch::On => GuestIommu::On,
            Switch::Off => GuestIommu::Off,
        };
        request.hugepages = self.hugepages;
        request.container = if self.iommufd { Container::Iommufd } else { Container::Vfio };
        request.spare.count = self.spare_ports;
        request.network = self.network;
        match &mut request.network {
            NetworkRequest::User { forwards } => *forwards = self.forward,
            _ if self.forward.is_empty() => {}
            _ => return Err(conflict("only the network `user` has ports to --forward")),
        }
        request.program = self.program;
        request.extra = self.extra;
        Ok(())
    }
}

fn conflict(text: &str) -> Error {
    let mut command = crate::command();
    // Only then do its verbs know what they are called.
    command.build();
    let error = match command.find_subcommand_mut("run") {
        Some(run) => run.error(ErrorKind::ArgumentConflict, text),
        None => command.error(ErrorKind::ArgumentConflict, text),
    };
    Error::Arguments(error)
}

fn absolute(path: &Path) -> Result<PathBuf, Error> {
    let doing = || format!("find {}", path.display());
    std::path::absolute(path).map_err(|source| Error::Io { doing: doing(), source })
}

fn hugepages(text: &str) -> Result<Hugepages, String> {
    match text {
        "auto" => Ok(Hugepages::Auto),
        "on" => Ok(Hugepages::On),
        "off" => Ok(Hugepages::Off),
        size => match size::parse(size) {
            Ok(bytes) if bytes.is_power_of_two() => Ok(Hugepages::Size(bytes)),
            _ => Err("it is `auto`, `on`, `off`, or the size of a page, as in 2M".to_owned()),
        },
    }
}

fn network(text: &str) -> Result<NetworkRequest, &'static str> {
    match text.split_once(':') {
        Some(("tap", interface)) if !interface.is_empty() => {
            Ok(NetworkRequest::Tap { interface: interface.to_owned() })
        }
        None if text == "user" => Ok(NetworkRequest::User { forwards: Vec::new() }),
        None if text == "none" => Ok(NetworkRequest::None),
        _ => Err("it is `user`, `none`, or `tap:INTERFACE`"),
    }
}

fn forward(text: &str) -> Result<Forward, &'static str> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    let ports = text.split_once(':').and_then(|(host, guest)| Some((port(host)?, port(guest)?)));
    let (host, guest) = ports.ok_or("the form is HOST:GUEST, two ports from 1 to 65535")?;
    Ok(Forward { host, guest })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks() {
        for (text, want) in [
            ("user", Some(NetworkRequest::User { forwards: Vec::new() })),
            ("none", Some(NetworkRequest::None)),
            ("tap:tap0", Some(NetworkRequest::Tap { interface: "tap0".to_owned() })),
            ("tap:", None),
            ("tap", None),
            ("bridge:br0", None),
            ("", None),
        ] {
            assert_eq!(network(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn pages() {
        for (text, want) in [
            ("auto", Some(Hugepages::Auto)),
            ("on", Some(Hugepages::On)),
            ("off", Some(Hugepages::Off)),
            ("1G", Some(Hugepages::Size(1 << 30))),
            ("3M", None),
            ("", None),
            ("yes", None),
        ] {
            assert_eq!(hugepages(text).ok(), want, "{text:?}");
        }
    }

    #[test]
    fn forwards() {
        assert_eq!(forward("2222:22"), Ok(Forward { host: 2222, guest: 22 }));
        for text in ["", ":", "22", "0:22", "22:0", "70000:22", "a:b", "1:2:3"] {
            assert!(forward(text).is_err(), "{text:?}");
        }
    }
}
