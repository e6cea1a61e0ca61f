//! `show --json`: one function, whole.

use model::function::{Bar, BarKind, Function, Sriov};
use model::snapshot::{Group, Reserved};
use model::verdict::Verdict;
use model::{Bdf, Snapshot};
use serde::Serialize;

use super::config::ConfigJson;
use super::row::HeadJson;
use super::uses::{HolderJson, MasterJson, UseJson};
use super::{Unknown, VerdictJson};
use crate::naming::Naming;

/// One function, whole.
#[derive(Serialize)]
pub struct DetailsJson<'a> {
    #[serde(flatten)]
    head: HeadJson<'a>,
    subsystem_vendor: Option<String>,
    subsystem_device: Option<String>,
    subsystem_name: Option<&'a str>,
    revision: Option<String>,
    driver_override: Option<&'a str>,
    #[serde(flatten)]
    group: GroupJson<'a>,
    bars: Option<Vec<BarJson>>,
    vf_bars: Option<Vec<BarJson>>,
    rom_size: Option<u64>,
    #[serde(flatten)]
    config: ConfigJson,
    reset_methods: Option<Vec<&'a str>>,
    runtime_status: Option<&'static str>,
    power_state: Option<&'static str>,
    power_control: Option<&'static str>,
    d3cold_allowed: Option<bool>,
    boot_vga: Option<bool>,
    interrupt_line: Option<u32>,
    sriov: Option<SriovJson>,
    physical_function: Option<String>,
    uses: Vec<UseJson<'a>>,
    drm_masters: Option<Vec<MasterJson<'a>>>,
    holders: Option<Vec<HolderJson<'a>>>,
    verdict: VerdictJson<'a>,
    unknown: Unknown<'a>,
}

/// The IOMMU group beside its number.
#[derive(Serialize)]
struct GroupJson<'a> {
    group_members: Vec<MemberJson<'a>>,
    group_domain: Option<&'a str>,
    group_reserved: Option<Vec<ReservedJson<'a>>>,
    /// Bits of an address that the IOMMU translates.
    iommu_address_width: Option<u8>,
}

#[derive(Serialize)]
struct MemberJson<'a> {
    address: String,
    driver: Option<&'a str>,
    /// Bridges and host bridges stay when the group moves.
    stays: bool,
}

#[derive(Serialize)]
struct ReservedJson<'a> {
    start: String,
    end: String,
    kind: &'a str,
}

#[derive(Serialize)]
struct BarJson {
    index: u8,
    start: String,
    size: u64,
    kind: &'static str,
    wide: bool,
    prefetchable: bool,
}

#[derive(Serialize)]
struct SriovJson {
    total: Option<u32>,
    active: Option<u32>,
    functions: Vec<String>,
}

impl<'a> DetailsJson<'a> {
    pub fn of(
        snapshot: &'a Snapshot,
        function: &'a Function,
        naming: &'a Naming,
        verdict: &'a Verdict,
    ) -> Self {
        let mut unknown = Unknown::default();
        let un = &mut unknown;
        let subsystem = un.field("subsystem", &function.subsystem);
        let resets = un.field("reset_methods", &function.reset_methods);
        let holders = un.field("holders", &function.holders);
        let masters = un.field("drm_masters", &function.drm_masters);
        Self {
            head: HeadJson::of(function, naming, un),
            subsystem_vendor: subsystem.map(|(vendor, _)| vendor.to_string()),
            subsystem_device: subsystem.map(|(_, device)| device.to_string()),
            subsystem_name: naming.card(function),
            revision: un.field("revision", &function.revision).map(|rev| format!("{rev:02x}")),
            driver_override: un
                .optional("driver_override", &function.driver_override)
                .map(String::as_str),
            group: GroupJson::of(snapshot, function.bdf, un),
            bars: un.field("bars", &function.bars).map(|bars| BarJson::all(bars)),
            vf_bars: un.field("vf_bars", &function.vf_bars).map(|bars| BarJson::all(bars)),
            rom_size: un.optional("rom_size", &function.rom).copied(),
            config: ConfigJson::of(&function.config, un),
            reset_methods: resets.map(|all| all.iter().map(|method| method.word()).collect()),
            runtime_status: un.field("runtime_status", &function.runtime_status).map(|s| s.word()),
            power_state: un.optional("power_state", &function.power_state).map(|s| s.word()),
            power_control: un.field("power_control", &function.power_control).map(|c| c.word()),
            d3cold_allowed: un.field("d3cold_allowed", &function.d3cold_allowed).copied(),
            boot_vga: function.boot_vga,
            interrupt_line: un.field("interrupt_line", &function.irq).copied().filter(|n| *n > 0),
            sriov: function.sriov.as_ref().map(|sriov| SriovJson::of(sriov, un)),
            physical_function: function.physfn.map(|bdf| bdf.to_string()),
            uses: function.uses.iter().map(UseJson::of).collect(),
            drm_masters: masters.map(|all| all.iter().map(MasterJson::of).collect()),
            holders: holders.map(|all| all.iter().map(HolderJson::of).collect()),
            verdict: VerdictJson::of(verdict),
            unknown,
        }
    }
}

impl<'a> GroupJson<'a> {
    fn of(snapshot: &'a Snapshot, bdf: Bdf, unknown: &mut Unknown<'a>) -> Self {
        let iommu = unknown.field("iommu_address_width", &snapshot.machine.iommu);
        let iommu_address_width = iommu
            .filter(|iommu| iommu.on)
            .and_then(|iommu| unknown.field("iommu_address_width", &iommu.address_width).copied());
        let Some(group) = snapshot.group_of(bdf) else {
            return Self {
                group_members: Vec::new(),
                group_domain: None,
                group_reserved: None,
                iommu_address_width,
            };
        };
        let reserved = unknown.field("group_reserved", &group.reserved);
        Self {
            group_members: MemberJson::all(snapshot, group),
            group_domain: unknown.field("group_domain", &group.domain).map(String::as_str),
            group_reserved: reserved.map(|all| all.iter().map(ReservedJson::of).collect()),
            iommu_address_width,
        }
    }
}

impl<'a> MemberJson<'a> {
    fn all(snapshot: &'a Snapshot, group: &'a Group) -> Vec<Self> {
        let member = |bdf: &Bdf| {
            let function = snapshot.get(*bdf);
            let driver = function.and_then(Function::driver_name);
            let stays = function.is_some_and(Function::stays);
            Self { address: bdf.to_string(), driver, stays }
        };
        group.members.iter().map(member).collect()
    }
}

impl<'a> ReservedJson<'a> {
    fn of(region: &'a Reserved) -> Self {
        let Reserved { start, end, kind } = region;
        Self { start: format!("{start:#x}"), end: format!("{end:#x}"), kind }
    }
}

impl BarJson {
    fn all(bars: &[Bar]) -> Vec<Self> {
        bars.iter().map(Self::of).collect()
    }

    fn of(bar: &Bar) -> Self {
        let (kind, wide, prefetchable) = match bar.kind {
            BarKind::Io => ("io", false, false),
            BarKind::Memory { wide, prefetchable } => ("memory", wide, prefetchable),
        };
        let start = format!("{:#x}", bar.start);
        Self { index: bar.index, start, size: bar.size, kind, wide, prefetchable }
    }
}

impl SriovJson {
    fn of<'a>(sriov: &'a Sriov, unknown: &mut Unknown<'a>) -> Self {
        Self {
            total: unknown.field("sriov.total", &sriov.total).copied(),
            active: unknown.field("sriov.active", &sriov.active).copied(),
            functions: sriov.functions.iter().map(ToString::to_string).collect(),
        }
    }
}
