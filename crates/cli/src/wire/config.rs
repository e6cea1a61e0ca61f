//! What configuration space says, as JSON.

use model::Fact;
use model::parse::config::{Acs, Capabilities, Config, Extended, LinkPair, Pcie, Place, Rebar};
use serde::Serialize;

use super::Unknown;
use crate::words::{downgraded, pcie_kind, rebar_sizes};

/// What configuration space says. `null` without an entry in `unknown`
/// means that the function has no such capability.
#[derive(Serialize, Default)]
pub struct ConfigJson {
    config_size: Option<usize>,
    msi_vectors: Option<u8>,
    msix_vectors: Option<u16>,
    msix_table: Option<PlaceJson>,
    msix_pba: Option<PlaceJson>,
    pcie_kind: Option<&'static str>,
    flr: Option<bool>,
    link: Option<LinkJson>,
    acs: Option<AcsJson>,
    ats: Option<bool>,
    pasid: Option<bool>,
    serial: Option<String>,
    resizable_bars: Option<Vec<RebarJson>>,
}

const STANDARD: &[&str] =
    &["msi_vectors", "msix_vectors", "msix_table", "msix_pba", "pcie_kind", "flr", "link"];
const EXTENDED: &[&str] = &["acs", "ats", "pasid", "serial", "resizable_bars"];

#[derive(Serialize)]
struct PlaceJson {
    bar: u8,
    offset: u32,
}

#[derive(Serialize)]
struct LinkJson {
    generation: u8,
    width: u8,
    max_generation: u8,
    max_width: u8,
    downgraded: bool,
}

#[derive(Serialize)]
struct AcsJson {
    capable: String,
    enabled: String,
}

#[derive(Serialize)]
struct RebarJson {
    bar: u8,
    current: u64,
    sizes: Vec<u64>,
}

impl ConfigJson {
    pub fn of<'a>(config: &'a Fact<Config>, unknown: &mut Unknown<'a>) -> Self {
        let mut json = Self::default();
        let config = match config {
            Fact::Known(config) => config,
            Fact::Unknown(why) => {
                unknown.note(&["config_size"], why);
                unknown.note(STANDARD, why);
                unknown.note(EXTENDED, why);
                return json;
            }
        };
        json.config_size = Some(config.len);
        match &config.capabilities {
            Fact::Known(capabilities) => json.standard(capabilities, unknown),
            Fact::Unknown(why) => {
                unknown.note(STANDARD, why);
                unknown.note(EXTENDED, why);
            }
        }
        json
    }

    fn standard<'a>(&mut self, capabilities: &'a Capabilities, unknown: &mut Unknown<'a>) {
        let Capabilities { power: _, msi, msix, pcie, af_flr, extended } = capabilities;
        self.msi_vectors = msi.map(|msi| msi.vectors);
        self.msix_vectors = msix.map(|msix| msix.vectors);
        self.msix_table = msix.map(|msix| PlaceJson::of(msix.table));
        self.msix_pba = msix.map(|msix| PlaceJson::of(msix.pba));
        self.pcie_kind = pcie.map(|pcie| pcie_kind(pcie.kind));
        self.flr = Some(*af_flr || pcie.is_some_and(|pcie| pcie.flr));
        self.link = pcie.as_ref().and_then(LinkJson::of);
        match extended {
            Fact::Known(extended) => self.extended(extended),
            Fact::Unknown(why) => unknown.note(EXTENDED, why),
        }
    }

    fn extended(&mut self, extended: &Extended) {
        let acs = |acs: Acs| AcsJson {
            capable: format!("{:#06x}", acs.capable),
            enabled: format!("{:#06x}", acs.enabled),
        };
        self.acs = extended.acs.map(acs);
        self.ats = Some(extended.ats);
        self.pasid = Some(extended.pasid);
        self.serial = extended.serial.map(|serial| format!("{serial:016x}"));
        self.resizable_bars = Some(extended.rebar.iter().map(RebarJson::of).collect());
    }
}

impl PlaceJson {
    fn of(place: Place) -> Self {
        Self { bar: place.bar, offset: place.offset }
    }
}

impl LinkJson {
    fn of(pcie: &Pcie) -> Option<Self> {
        let link = pcie.link.as_ref()?;
        let LinkPair { now, max } = link;
        Some(Self {
            generation: now.generation,
            width: now.width,
            max_generation: max.generation,
            max_width: max.width,
            downgraded: downgraded(link),
        })
    }
}

impl RebarJson {
    fn of(rebar: &Rebar) -> Self {
        Self { bar: rebar.bar, current: rebar.current, sizes: rebar_sizes(rebar).collect() }
    }
}
