//! A drive behind a root port, and what is expected of a verdict.

use model::Code;
use model::parse::config::PcieKind;
use model::verdict::{Kind, verdict};

use super::{Shape, bdf};

pub const NVME: &str = "0000:02:00.0";

pub fn nvme() -> Shape {
    Shape::new()
        .bridge("0000:00:02.0", PcieKind::RootPort, 2)
        .endpoint(NVME, (0x144d, 0xa80a), 0x010802, 20)
        .below(NVME, &["0000:00:02.0"])
        .driver(NVME, "nvme")
}

#[track_caller]
pub fn expect(shape: &Shape, address: &str, kind: &Kind, codes: &[Code]) {
    let verdict = verdict(&shape.0, bdf(address));
    let found: Vec<Code> = verdict.reasons.iter().map(|reason| reason.code).collect();
    assert_eq!((&verdict.kind, &found[..]), (kind, codes), "{:#?}", verdict.reasons);
}
