//! The kernel, or a program, says no: in its words, with a hint.

use std::path::Path;

use fakehost::{Errno, FakeHost, On};
use host::apply::{Applier, ApplyError, Outcome};
use host::paths::Root;
use model::Step;
use model::port::{AttrWriter, Showed, Wrote};

use crate::*;

#[test]
fn a_driver_that_does_not_bind_is_explained() {
    let mut texts = Vec::new();
    let mut explain = |host: &FakeHost, at: &str, driver: &str| {
        let error = failed(apply(host, &probe(at, driver)));
        assert!(matches!(error, ApplyError::NotBound { .. }), "{error}");
        texts.push(text(host, &error));
    };
    let free = |host: FakeHost| {
        host.meddle("sys/bus/pci/drivers/nvme/unbind", NVME);
        host
    };
    let chosen = |host: FakeHost, at: &str, driver: &str| {
        host.meddle(&format!("sys/bus/pci/devices/{at}/driver_override"), driver);
        host
    };
    explain(&free(host()), NVME, "uio");
    explain(&free(host()), NVME, "vfio-pci");
    explain(&chosen(free(host()), NVME, "pci-stub"), NVME, "nvme");
    explain(&chosen(host(), "0000:00:00.0", "pcieport"), "0000:00:00.0", "pcieport");
    let refused = free(host());
    refused.refuse_probe(NVME, "nvme", Errno::IO);
    explain(&refused, NVME, "nvme");
    let none = FakeHost::new().without_iommu().edu("0000:04:00.0").loaded("vfio-pci");
    explain(&chosen(none, "0000:04:00.0", "vfio-pci"), "0000:04:00.0", "vfio-pci");
    insta::assert_snapshot!(texts.join("\n"), @r"
    0000:01:00.0 was not bound to uio: the kernel chose nvme
    0000:01:00.0 was not bound to vfio-pci: the kernel chose nvme
    0000:01:00.0 was not bound to nvme: driver_override asks for pci-stub
    hint: the kernel log says what the driver found
    0000:00:00.0 was not bound to pcieport: pcieport does not know the device, or refused it
    hint: the kernel log says what the driver found
    0000:01:00.0 was not bound to nvme: nvme does not know the device, or refused it
    hint: the kernel log says what the driver found
    0000:04:00.0 was not bound to vfio-pci: it is in no IOMMU group: the IOMMU is off, or absent
    hint: the kernel log says what the driver found
    ");
}

#[test]
fn refusals_carry_the_kernels_words_and_a_hint() {
    let mut texts = Vec::new();
    for (step, errno) in [
        (unbind(NVME, "nvme"), Errno::BUSY),
        (choose(NVME, None, Some("vfio-pci")), Errno::PERM),
        (power(NVME, "auto", "on"), Errno::ROFS),
        (d3cold(NVME, true, false), Errno::ACCESS),
        (probe("0000:00:00.0", "pcieport"), Errno::INVAL),
    ] {
        let host = host();
        let before = host.snapshot_tree();
        host.refuse(On::AnyWrite, errno);
        let error = failed(apply(&host, &step));
        assert_eq!(error.errno(), Some(errno.raw_os_error()), "{step}");
        texts.push(text(&host, &error));
        same(&before, &host);
    }
    insta::assert_snapshot!(texts.join("\n"), @r"
    cannot write `0000:01:00.0` to `/sys/bus/pci/drivers/nvme/unbind`: device or resource busy
    hint: something still uses the device; `passthru show` names who holds it
    cannot write `vfio-pci` to `/sys/bus/pci/devices/0000:01:00.0/driver_override`: operation not permitted
    hint: the kernel is locked down (Secure Boot), or a security module forbids it
    cannot write `on` to `/sys/bus/pci/devices/0000:01:00.0/power/control`: read-only file system
    hint: sysfs is mounted read-only, as in a container; run on the host itself
    cannot write `0` to `/sys/bus/pci/devices/0000:01:00.0/d3cold_allowed`: permission denied
    hint: only root may change devices; run as root
    cannot write `0000:00:00.0` to `/sys/bus/pci/drivers_probe`: invalid argument
    hint: the driver refuses this device: vfio-pci takes no bridge and nothing without an IOMMU group; a reserved memory region is named in the kernel log
    ");
}

#[test]
fn a_refused_write_whose_effect_is_there_is_done() {
    // Somebody was faster, or the writing process was killed over it.
    for (step, path, value) in [
        (unbind(NVME, "nvme"), "sys/bus/pci/drivers/nvme/unbind".to_owned(), NVME),
        (d3cold(NVME, true, false), format!("sys/bus/pci/devices/{NVME}/d3cold_allowed"), "0"),
    ] {
        let host = host();
        let kernel = Forgetful { host: host.clone(), path, value };
        let root = Root::new(host.root());
        let mut applier = Applier::new(root, Box::new(kernel), Box::new(host.runner()));
        assert_eq!(applier.apply(&step), Outcome::Done, "{step}");
    }
}

/// A kernel that does what it is asked and says that it did not.
#[derive(Debug)]
struct Forgetful {
    host: FakeHost,
    path: String,
    value: &'static str,
}

impl AttrWriter for Forgetful {
    fn write(&mut self, _: &Path, _: &str) -> Wrote {
        self.host.meddle(&self.path, self.value);
        Wrote::failed(Errno::PIPE.raw_os_error())
    }

    fn read(&mut self, path: &Path) -> Showed {
        self.host.kernel().read(path)
    }
}

#[test]
fn units_that_fail() {
    let host = host();
    let start = |unit: &str| apply(&host, &Step::StartUnit { unit: unit.into(), triggers: vec![] });
    let mut texts = vec![text(&host, &failed(start("missing.service")))];
    host.refuse(On::command("systemctl start"), Errno::IO);
    texts.push(text(&host, &failed(start("sleeper.service"))));
    host.hang(On::command("systemctl start"));
    texts.push(text(&host, &failed(start("sleeper.service"))));
    texts.push(text(&host, &failed(start("--force"))));
    let stop = apply(&host, &Step::StopUnit { unit: "missing.service".into(), triggers: vec![] });
    assert_eq!(stop, Outcome::Already, "what is not there does not run");
    insta::assert_snapshot!(texts.join("\n"), @r"
    `systemctl start missing.service` ended with status 5: Failed to start missing.service: Unit missing.service not found.
    `systemctl start sleeper.service` ended with status 1: systemctl: Input/output error (os error 5)
    `systemctl` did not end within 100 s
    `--force` cannot be the name of a driver, module or unit
    ");
}
