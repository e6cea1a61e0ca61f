//! Machines in a few lines, for tests of verdicts and plans.
//!
//! A [`Shape`] is a snapshot under construction. Every function starts as
//! an ordinary PCI Express endpoint that can be reset alone; each method
//! changes one fact.

#![allow(dead_code)]

pub mod plans;
pub mod setup;
pub mod verdicts;

use std::collections::BTreeMap;

use model::function::{Bar, BarKind, PowerControl, ResetMethod, RuntimeStatus};
use model::parse::config::{Capabilities, Config, Extended, HeaderKind, Msi, Msix, Pcie, PcieKind};
use model::snapshot::{Iommu, Machine, ModuleState, Reserved};
use model::usage::{Holder, Unseen, Use, UseKind};
use model::{Bdf, Class, DeviceId, Fact, Function, Group, GroupId, Snapshot, VendorId, Why};

pub struct Shape(pub Snapshot);

/// An address that is known to be one.
pub fn bdf(text: &str) -> Bdf {
    text.parse().unwrap()
}

impl Shape {
    /// A machine with an IOMMU of 48 bits and nothing on its buses.
    pub fn new() -> Self {
        let un = || Why::NotObserved;
        let iommu = Iommu {
            on: true,
            firmware: Fact::Known(Some("DMAR".to_owned())),
            address_width: Fact::Known(48),
            units: vec!["dmar0".to_owned()],
        };
        let machine = Machine {
            arch: Fact::Known("x86_64".to_owned()),
            kernel: Fact::Unknown(un()),
            hostname: Fact::Unknown(un()),
            boot_id: Fact::Known("boot-1".to_owned()),
            iommu: Fact::Known(iommu),
            guest_drivers: [("vfio-pci".to_owned(), ModuleState::Loaded.into())].into(),
            kvm: Fact::Known(true),
            memory_available: Fact::Unknown(un()),
            memory_total: Fact::Unknown(un()),
        };
        Self(Snapshot {
            machine,
            functions: BTreeMap::new(),
            groups: BTreeMap::new(),
            vanished: Vec::new(),
            gaps: Vec::new(),
        })
    }

    /// An endpoint with an own driver and group, below `upstream`.
    pub fn endpoint(mut self, address: &str, ids: (u16, u16), class: u32, group: u32) -> Self {
        let bdf = bdf(address);
        let mut function = Function::unknown(bdf, &Why::NotObserved);
        function.vendor = Fact::Known(VendorId(ids.0));
        function.device = Fact::Known(DeviceId(ids.1));
        function.class = Fact::Known(Class(class));
        function.driver = Fact::Known(None);
        function.driver_override = Fact::Known(None);
        function.group = Fact::Known(Some(GroupId(group)));
        function.config = Fact::Known(config(HeaderKind::Endpoint, PcieKind::Endpoint));
        function.reset_methods = Fact::Known(vec![ResetMethod::Flr, ResetMethod::Bus]);
        function.power_control = Fact::Known(PowerControl::Auto);
        function.runtime_status = Fact::Known(RuntimeStatus::Active);
        function.d3cold_allowed = Fact::Known(true);
        function.bars = Fact::Known(Vec::new());
        function.holders = Fact::Known(Vec::new());
        let id = GroupId(group);
        let members = self.0.groups.entry(id).or_insert_with(|| Group {
            id,
            members: Vec::new(),
            domain: Fact::Known("DMA-FQ".to_owned()),
            reserved: Fact::Known(Vec::new()),
        });
        members.members.push(bdf);
        members.members.sort();
        self.0.functions.insert(bdf, function);
        self
    }

    /// A PCI-to-PCI bridge of some kind.
    pub fn bridge(self, address: &str, kind: PcieKind, group: u32) -> Self {
        let shape = self.endpoint(address, (0x8086, 0x3420), 0x060400, group);
        shape.with(address, |function| {
            function.config = Fact::Known(config(HeaderKind::Bridge, kind));
            function.driver = Fact::Known(Some("pcieport".to_owned()));
        })
    }

    /// Change one function.
    pub fn with(mut self, address: &str, change: impl FnOnce(&mut Function)) -> Self {
        change(self.0.functions.get_mut(&bdf(address)).unwrap());
        self
    }

    pub fn below(self, address: &str, upstream: &[&str]) -> Self {
        let chain = upstream.iter().map(|text| bdf(text)).collect();
        self.with(address, |function| function.upstream = chain)
    }

    pub fn driver(self, address: &str, driver: &str) -> Self {
        self.with(address, |function| function.driver = Fact::Known(Some(driver.to_owned())))
    }

    pub fn resets(self, address: &str, methods: &[ResetMethod]) -> Self {
        self.with(address, |function| function.reset_methods = Fact::Known(methods.to_vec()))
    }

    pub fn used(self, address: &str, usage: Use) -> Self {
        self.with(address, |function| function.uses.push(usage))
    }

    pub fn unseen(self, address: &str, kind: UseKind, why: Why) -> Self {
        let unseen = Unseen { kind, path: "/proc/table".to_owned(), why };
        self.with(address, |function| function.unseen.push(unseen))
    }

    pub fn held(self, address: &str, node: &str, program: &str, unit: Option<&str>) -> Self {
        let holder = Holder {
            pid: 4242,
            start_time: 1,
            program: program.to_owned(),
            node: node.to_owned(),
            unit: unit.map(ToOwned::to_owned),
            login: unit.filter(|unit| is_login(unit)).map(|_| 1000),
            // Session 7 is one over the network.
            desktop: unit.is_some_and(|unit| is_login(unit) && unit != "session-7.scope"),
        };
        self.with(address, |function| {
            let others = function.holders.known().cloned().into_iter().flatten();
            function.holders = Fact::Known(others.chain([holder]).collect());
        })
    }

    pub fn memory(self, address: &str, size: u64) -> Self {
        let kind = BarKind::Memory { wide: true, prefetchable: true };
        let bar = Bar { index: 0, start: 1 << 40, size, kind };
        self.with(address, |function| function.bars = Fact::Known(vec![bar]))
    }

    pub fn capabilities(self, address: &str, msi: Option<Msi>, msix: Option<Msix>) -> Self {
        self.with(address, |function| {
            let mut config = config(HeaderKind::Endpoint, PcieKind::Endpoint);
            if let Fact::Known(capabilities) = &mut config.capabilities {
                capabilities.msi = msi;
                capabilities.msix = msix;
            }
            function.config = Fact::Known(config);
        })
    }

    pub fn reserved(mut self, group: u32, kind: &str) -> Self {
        let region = Reserved { start: 0x7000_0000, end: 0x7fff_ffff, kind: kind.to_owned() };
        self.0.groups.get_mut(&GroupId(group)).unwrap().reserved = Fact::Known(vec![region]);
        self
    }

    pub fn without_iommu(mut self, firmware: Option<&str>) -> Self {
        self.0.machine.iommu = Fact::Known(Iommu {
            on: false,
            firmware: Fact::Known(firmware.map(ToOwned::to_owned)),
            address_width: Fact::Unknown(Why::NotProvided),
            units: Vec::new(),
        });
        self.0.groups.clear();
        for function in self.0.functions.values_mut() {
            function.group = Fact::Known(None);
        }
        self
    }
}

/// A consumer graphics card: display, audio, USB and UCSI in one group
/// behind one root port, reset by the bus only.
pub fn consumer_card() -> Shape {
    let port = ["0000:00:01.0"];
    let mut shape = Shape::new().bridge(port[0], PcieKind::RootPort, 1);
    for (function, device, class, driver) in [
        (0, 0x1e87, 0x030000, Some("nvidia")),
        (1, 0x10f8, 0x040300, Some("snd_hda_intel")),
        (2, 0x1ad8, 0x0c0330, Some("xhci_hcd")),
        (3, 0x1ad9, 0x0c8000, None),
    ] {
        let address = format!("0000:01:00.{function}");
        shape = shape.endpoint(&address, (0x10de, device), class, 1).below(&address, &port);
        shape = shape.resets(&address, &[ResetMethod::Bus]);
        if let Some(driver) = driver {
            shape = shape.driver(&address, driver);
        }
    }
    shape
}

fn config(header: HeaderKind, kind: PcieKind) -> Config {
    let capabilities = Capabilities {
        power: None,
        msi: None,
        msix: None,
        pcie: Some(Pcie { kind, flr: true, link: None }),
        af_flr: false,
        extended: Fact::Known(Extended::default()),
    };
    Config {
        header,
        multifunction: false,
        len: 4096,
        secondary_bus: None,
        interrupt_pin: 1,
        revision: 0,
        capabilities: Fact::Known(capabilities),
    }
}

/// A unit that is a user's, not the system's.
fn is_login(unit: &str) -> bool {
    unit.starts_with("session-") || unit.starts_with("user@")
}
