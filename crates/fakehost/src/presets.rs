//! Devices by name, with the numbers of real ones (pci.ids, lspci of the field).

use model::Bdf;

use crate::spec::{BarKind, BarSpec, Express, FunctionSpec, MsiSpec, MsixSpec, Offer, SriovSpec};

const MIB: u64 = 1 << 20;
const WIDE: BarKind = BarKind::Memory64 { prefetchable: true };
const WIDE_PLAIN: BarKind = BarKind::Memory64 { prefetchable: false };

/// An address in a test's source: a wrong one is a wrong test.
pub(crate) fn address(text: &str) -> Bdf {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// A consumer graphics card (RTX 3080) on the driver `nvidia`.
pub fn gpu(bdf: Bdf) -> FunctionSpec {
    FunctionSpec {
        subsystem: (0x1458, 0x403b),
        revision: 0xa1,
        bars: vec![
            BarSpec { index: 0, size: 16 * MIB, kind: BarKind::Memory32 },
            BarSpec { index: 1, size: 256 * MIB, kind: WIDE },
            BarSpec { index: 3, size: 32 * MIB, kind: WIDE },
            BarSpec { index: 5, size: 128, kind: BarKind::Io },
        ],
        rom: MIB / 2,
        express: Some(Express {
            link: Some([(1, 16), (4, 16)]),
            rebar: vec![(1, 0x7fc0)],
            ..Express::default()
        }),
        boot_vga: Some(false),
        ..FunctionSpec::new(bdf, (0x10de, 0x2206), 0x03_00_00).driver("nvidia")
    }
}

/// The sound function of such a card.
pub fn gpu_audio(bdf: Bdf) -> FunctionSpec {
    FunctionSpec {
        subsystem: (0x1458, 0x403b),
        revision: 0xa1,
        ..FunctionSpec::new(bdf, (0x10de, 0x1aef), 0x04_03_00).driver("snd_hda_intel")
    }
}

/// The USB function of a card of the generation before.
pub fn gpu_usb(bdf: Bdf) -> FunctionSpec {
    let bar = BarSpec { index: 0, size: MIB / 4, kind: WIDE };
    FunctionSpec {
        bars: vec![bar],
        ..FunctionSpec::new(bdf, (0x10de, 0x1ad6), 0x0c_03_30).driver("xhci_hcd")
    }
}

/// The USB-C controller of a card of the generation before.
pub fn gpu_ucsi(bdf: Bdf) -> FunctionSpec {
    FunctionSpec { ..FunctionSpec::new(bdf, (0x10de, 0x1ad7), 0x0c_80_00).driver("nvidia-gpu") }
}

/// A server's accelerator (H100): no display, no audio, FLR, a large register.
pub fn accelerator(bdf: Bdf) -> FunctionSpec {
    FunctionSpec {
        subsystem: (0x10de, 0x16c1),
        revision: 0xa1,
        bars: vec![
            BarSpec { index: 0, size: 16 * MIB, kind: WIDE },
            BarSpec { index: 2, size: 131_072 * MIB, kind: WIDE },
            BarSpec { index: 4, size: 32 * MIB, kind: WIDE },
        ],
        express: Some(Express {
            flr: true,
            link: Some([(5, 16), (5, 16)]),
            ats: true,
            serial: Some(0x4861_3f00_b02a_c104),
            ..Express::default()
        }),
        msix: Some(MsixSpec { vectors: 9, table: (0, 0xb9_0000), pba: (0, 0xba_0000) }),
        reset_methods: "flr bus".to_owned(),
        ..FunctionSpec::new(bdf, (0x10de, 0x2330), 0x03_02_00).driver("nvidia")
    }
}

/// An NVMe drive with one namespace of 256 GiB.
pub fn nvme(bdf: Bdf, controller: &str) -> FunctionSpec {
    let serial = "S466NX0K500001".to_owned();
    let controller = controller.to_owned();
    FunctionSpec {
        subsystem: (0x144d, 0xa801),
        bars: vec![BarSpec { index: 0, size: 0x4000, kind: WIDE_PLAIN }],
        express: Some(Express {
            flr: true,
            serial: Some(0x0025_3858_0100_0001),
            ..Express::default()
        }),
        msi: Some(MsiSpec { vectors: 32, maskable: false }),
        msix: Some(MsixSpec { vectors: 33, table: (0, 0x3000), pba: (0, 0x2000) }),
        reset_methods: "flr bus".to_owned(),
        offers: vec![Offer::Nvme { controller, serial, bytes: 262_144 * MIB }],
        ..FunctionSpec::new(bdf, (0x144d, 0xa808), 0x01_08_02).driver("nvme")
    }
}

/// A network card with one interface.
pub fn nic(bdf: Bdf, interface: &str) -> FunctionSpec {
    let name = interface.to_owned();
    let mac = format!("02:00:{:02x}:{:02x}:00:00", bdf.bus(), bdf.device() << 3 | bdf.function());
    FunctionSpec {
        bars: vec![
            BarSpec { index: 0, size: MIB, kind: BarKind::Memory32 },
            BarSpec { index: 3, size: 0x4000, kind: BarKind::Memory32 },
        ],
        express: Some(Express { flr: true, link: Some([(2, 1), (2, 1)]), ..Express::default() }),
        msix: Some(MsixSpec { vectors: 5, table: (3, 0), pba: (3, 0x2000) }),
        reset_methods: "flr bus".to_owned(),
        offers: vec![Offer::Interface { name, mac }],
        ..FunctionSpec::new(bdf, (0x8086, 0x15f3), 0x02_00_00).driver("igc")
    }
}

/// A network card with virtual functions (82576), as QEMU's `igb`.
pub fn sriov_nic(bdf: Bdf, interface: &str, total: u16) -> FunctionSpec {
    let register = |index| BarSpec { index, size: 0x4000, kind: WIDE };
    FunctionSpec {
        device: 0x10c9,
        sriov: Some(SriovSpec {
            total,
            offset: 0x80,
            stride: 2,
            vf_device: 0x10ca,
            bars: vec![register(0), register(3)],
        }),
        ..nic(bdf, interface).driver("igb")
    }
}

/// QEMU's `edu`: a plain accelerator without a driver, bus reset only.
pub fn edu(bdf: Bdf) -> FunctionSpec {
    FunctionSpec {
        subsystem: (0x1af4, 0x1100),
        revision: 0x10,
        bars: vec![BarSpec { index: 0, size: MIB, kind: BarKind::Memory32 }],
        ..FunctionSpec::new(bdf, (0x1234, 0x11e8), 0x00_ff_00)
    }
}

/// A port or bridge that leads to the buses from `first` to `last`.
pub fn bridge(bdf: Bdf, kind: u8, (first, last): (u8, u8)) -> FunctionSpec {
    FunctionSpec {
        bars: Vec::new(),
        bridge: Some((first, last)),
        express: Some(Express::port(kind)),
        reset_methods: String::new(),
        ..FunctionSpec::new(bdf, (0x1b36, 0x000c), 0x06_04_00).driver("pcieport")
    }
}

/// A host bridge, driverless as AMD's dummies are.
pub fn host_bridge(bdf: Bdf) -> FunctionSpec {
    FunctionSpec {
        bars: Vec::new(),
        msi: None,
        reset_methods: String::new(),
        irq: 0,
        d3cold_allowed: None,
        ..FunctionSpec::conventional(bdf, (0x1022, 0x1480), 0x06_00_00)
    }
}

/// Intel's Volume Management Device: its drives are in a domain of their own.
pub fn vmd(bdf: Bdf) -> FunctionSpec {
    FunctionSpec {
        bars: vec![
            BarSpec { index: 0, size: 32 * MIB, kind: WIDE },
            BarSpec { index: 2, size: 32 * MIB, kind: BarKind::Memory32 },
            BarSpec { index: 4, size: MIB, kind: WIDE_PLAIN },
        ],
        express: Some(Express {
            kind: Express::ROOT_COMPLEX_ENDPOINT,
            link: None,
            ..Express::default()
        }),
        reset_methods: String::new(),
        ..FunctionSpec::new(bdf, (0x8086, 0x201d), 0x01_04_00).driver("vmd")
    }
}
