//! The sections about the hardware: place, memory, interrupts, reset, power.

use model::function::{Bar, BarKind, PowerState, Sriov};
use model::parse::config::{Msix, Place};
use model::snapshot::Iommu;
use model::{Bdf, Fact, Function};

use super::{Subject, fact, option};
use crate::output::page::Page;
use crate::words;

impl Subject<'_> {
    pub(super) fn place(&self, page: &mut Page) {
        let function = self.function;
        page.section("place");
        let upstream = function.upstream.iter().map(|bridge| self.bridge(*bridge));
        match function.upstream.is_empty() {
            true => page.line("behind", "nothing: it is on a root bus"),
            false => page.lines("behind", upstream),
        }
        self.link(page);
        page.line("NUMA node", option(&function.numa_node, "none named by the firmware"));
        self.extended(page);
        page.line("IOMMU", fact(&self.snapshot.machine.iommu, iommu));
        page.line("IOMMU group", option(&function.group, "none"));
        if let Some(group) = self.snapshot.group_of(function.bdf) {
            page.lines("members", group.members.iter().map(|member| self.member(*member)));
            page.line("domain", fact(&group.domain, Clone::clone));
            let reserved = fact(&group.reserved, |regions| {
                let firmware = regions.iter().filter(|region| region.kind.starts_with("direct"));
                let texts: Vec<String> = firmware
                    .map(|region| format!("{:#x}-{:#x} {}", region.start, region.end, region.kind))
                    .collect();
                if texts.is_empty() { "none".to_owned() } else { texts.join(", ") }
            });
            page.line("firmware keeps", reserved);
        }
    }

    /// A bridge above: address, what it is, its name.
    fn bridge(&self, bdf: Bdf) -> String {
        let Some(bridge) = self.snapshot.get(bdf) else { return bdf.to_string() };
        let pcie = bridge.capabilities().known().and_then(|caps| caps.pcie);
        let kind = pcie.map(|pcie| words::pcie_kind(pcie.kind).replace('_', " "));
        let name = self.naming.of(bridge).device_text(bridge);
        super::join([Some(bdf.to_string().as_str()), kind.as_deref(), Some(name.as_str())])
    }

    fn link(&self, page: &mut Page) {
        let pcie = self.function.capabilities().map(|capabilities| capabilities.pcie);
        if let Fact::Known(Some(pcie)) = &pcie {
            page.line("PCIe type", words::pcie_kind(pcie.kind).replace('_', " "));
        }
        let text = fact(&pcie, |pcie| match pcie {
            // A chipset's own functions, and those of a host bridge's bus.
            None if self.function.upstream.is_empty() => {
                "none: on a root bus, without PCI Express".to_owned()
            }
            None => "none: conventional PCI".to_owned(),
            Some(pcie) => match pcie.link {
                None => "none: integrated in the root complex".to_owned(),
                Some(link) if words::downgraded(&link) => format!(
                    "{}, could be {} (downgraded)",
                    words::link(link.now),
                    words::link(link.max)
                ),
                Some(link) => words::link(link.now),
            },
        });
        page.line("link", text);
    }

    fn extended(&self, page: &mut Page) {
        let extended = self.function.extended();
        page.line(
            "ACS",
            fact(&extended, |extended| extended.acs.map_or("none".to_owned(), words::acs)),
        );
        page.line("ATS", fact(&extended, |extended| yes(extended.ats)));
        page.line("PASID", fact(&extended, |extended| yes(extended.pasid)));
    }

    fn member(&self, bdf: Bdf) -> String {
        let function = self.snapshot.get(bdf);
        let driver = match function.map(|function| &function.driver) {
            Some(Fact::Known(Some(driver))) => driver.as_str(),
            Some(Fact::Known(None)) => "no driver",
            _ => "driver unknown",
        };
        let stays = function.is_some_and(Function::stays).then_some("(a bridge: stays)");
        let this = (bdf == self.function.bdf).then_some("(this one)");
        super::join([Some(bdf.to_string().as_str()), Some(driver), stays, this])
    }

    pub(super) fn memory(&self, page: &mut Page) {
        let function = self.function;
        page.section("memory");
        bars(page, "BAR", &function.bars);
        page.line(
            "ROM",
            match &function.rom {
                Fact::Known(Some(size)) => words::size(*size),
                Fact::Known(None) => "none".to_owned(),
                Fact::Unknown(why) => format!("unknown ({why})"),
            },
        );
        if let Fact::Known(extended) = function.extended() {
            for rebar in &extended.rebar {
                let sizes: Vec<String> = words::rebar_sizes(rebar).map(words::size).collect();
                let label = format!("BAR {} resizes", rebar.bar);
                page.line(
                    label,
                    format!("{} now, of {}", words::size(rebar.current), sizes.join(", ")),
                );
            }
        }
    }

    pub(super) fn interrupts(&self, page: &mut Page) {
        page.section("interrupts");
        let capabilities = self.function.capabilities();
        page.line(
            "MSI",
            fact(&capabilities, |caps| {
                caps.msi.map_or("none".to_owned(), |msi| vectors(msi.vectors.into()))
            }),
        );
        page.line("MSI-X", fact(&capabilities, |caps| caps.msix.map_or("none".to_owned(), msix)));
        page.line(
            "line",
            fact(&self.function.irq, |irq| match irq {
                0 => "none".to_owned(),
                irq => irq.to_string(),
            }),
        );
    }

    pub(super) fn reset(&self, page: &mut Page) {
        page.section("reset");
        let methods = fact(&self.function.reset_methods, |methods| match methods.is_empty() {
            true => "none".to_owned(),
            false => methods.iter().map(|method| method.word()).collect::<Vec<_>>().join(", then "),
        });
        page.line("methods", methods);
        let flr = self
            .function
            .capabilities()
            .map(|caps| caps.af_flr || caps.pcie.is_some_and(|pcie| pcie.flr));
        page.line("function level", fact(&flr, |flr| yes(*flr)));
        let peers: Vec<String> = self.hit_by_bus_reset().map(|bdf| bdf.to_string()).collect();
        if !self.function.upstream.is_empty() {
            let text = if peers.is_empty() { "nothing else".to_owned() } else { peers.join(" ") };
            page.line("a bus reset hits", text);
        }
    }

    /// What else a reset of its bus takes: everything below the bridge above.
    fn hit_by_bus_reset(&self) -> impl Iterator<Item = Bdf> {
        let bridge = self.function.upstream.first();
        let below = bridge.into_iter().flat_map(|bridge| self.snapshot.below(*bridge));
        below.map(|function| function.bdf).filter(|bdf| *bdf != self.function.bdf)
    }

    pub(super) fn power(&self, page: &mut Page) {
        let function = self.function;
        page.section("power");
        page.line("runtime", fact(&function.runtime_status, |status| status.word().to_owned()));
        page.line("control", fact(&function.power_control, |control| control.word().to_owned()));
        page.line("D3cold allowed", fact(&function.d3cold_allowed, |allowed| yes(*allowed)));
        page.line(
            "state",
            fact(&function.power_state, |state| {
                state.map_or("no power management", PowerState::word).to_owned()
            }),
        );
    }

    pub(super) fn virtual_functions(&self, page: &mut Page) {
        let function = self.function;
        page.section("virtual functions");
        if let Some(physfn) = function.physfn {
            page.line("of", physfn);
        }
        let Some(sriov) = &function.sriov else { return };
        let active = fact(&sriov.active, ToString::to_string);
        page.line("active", format!("{active} of {}", fact(&sriov.total, ToString::to_string)));
        page.lines("addresses", &sriov.functions);
        bars(page, "all VFs' BAR", &function.vf_bars);
        each_vf(page, sriov, &function.vf_bars);
    }
}

fn iommu(iommu: &Iommu) -> String {
    match &iommu.address_width {
        _ if !iommu.on => "off".to_owned(),
        Fact::Known(bits) => format!("on, it translates {bits} address bits"),
        // Only Intel's and AMD's drivers tell.
        Fact::Unknown(why) => format!("on, how many address bits it translates is unknown ({why})"),
    }
}

fn bars(page: &mut Page, label: &str, bars: &Fact<Vec<Bar>>) {
    match bars {
        Fact::Known(bars) => {
            for bar in bars {
                page.line(format!("{label} {}", bar.index), bar_text(bar));
            }
        }
        Fact::Unknown(why) => page.line(format!("{label}s"), format!("unknown ({why})")),
    }
}

/// The range of all virtual functions is made of equal parts.
fn each_vf(page: &mut Page, sriov: &Sriov, bars: &Fact<Vec<Bar>>) {
    let (Some(total @ 1..), Some(bars)) = (sriov.total.known(), bars.known()) else { return };
    for bar in bars {
        page.line(format!("one VF's BAR {}", bar.index), words::size(bar.size / u64::from(*total)));
    }
}

fn bar_text(bar: &Bar) -> String {
    let kind = match bar.kind {
        BarKind::Io => "I/O ports",
        BarKind::Memory { wide: false, prefetchable: false } => "32-bit",
        BarKind::Memory { wide: false, prefetchable: true } => "32-bit, prefetchable",
        BarKind::Memory { wide: true, prefetchable: false } => "64-bit",
        BarKind::Memory { wide: true, prefetchable: true } => "64-bit, prefetchable",
    };
    let place = match bar.start {
        0 => "not placed".to_owned(),
        start => format!("at {start:#x}"),
    };
    format!("{:>8}  {kind}, {place}", words::size(bar.size))
}

fn msix(msix: Msix) -> String {
    let place = |place: Place| format!("BAR {} at {:#x}", place.bar, place.offset);
    format!("{}, table in {}, PBA in {}", vectors(msix.vectors), place(msix.table), place(msix.pba))
}

fn yes(value: bool) -> String {
    if value { "yes" } else { "no" }.to_owned()
}

fn vectors(count: u16) -> String {
    format!("{count} {}", if count == 1 { "vector" } else { "vectors" })
}
