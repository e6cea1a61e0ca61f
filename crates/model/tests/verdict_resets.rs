//! Verdicts about resets: what state the next owner finds, and who else is hit.

#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod shapes;

use model::function::ResetMethod;
use model::parse::config::PcieKind;
use model::verdict::{Kind, verdict};
use model::{Code, Fact, Why};
use shapes::verdicts::{NVME, expect, nvme};
use shapes::{Shape, bdf};

#[test]
fn a_bus_reset_that_hits_a_function_outside_is_a_reason() {
    let sibling = "0000:02:00.1";
    let shape = nvme()
        .endpoint(sibling, (0x144d, 0xa80a), 0x010802, 21)
        .below(sibling, &["0000:00:02.0"])
        .resets(NVME, &[ResetMethod::Bus]);
    expect(&shape, NVME, &Kind::Not, &[Code::ResetHitsOthers]);
    let shape = shape.resets(NVME, &[ResetMethod::Pm, ResetMethod::Bus]);
    expect(&shape, NVME, &Kind::Assignable, &[]);
}

#[test]
fn a_bus_reset_reaches_what_is_deeper_below() {
    let shape = nvme()
        .bridge("0000:02:01.0", PcieKind::PciToPcieBridge, 22)
        .endpoint("0000:03:00.0", (0x8086, 0x100e), 0x020000, 23)
        .below("0000:03:00.0", &["0000:02:01.0", "0000:00:02.0"])
        .resets(NVME, &[ResetMethod::Bus]);
    expect(&shape, NVME, &Kind::Not, &[Code::ResetHitsOthers]);
}

#[test]
fn no_way_to_reset_is_told_and_does_not_forbid() {
    expect(&nvme().resets(NVME, &[]), NVME, &Kind::Assignable, &[Code::NoReset]);
    // An older kernel has no `reset_method`: that matters where others may be hit.
    let old =
        |shape: Shape| shape.with(NVME, |f| f.reset_methods = Fact::Unknown(Why::NotProvided));
    expect(&old(nvme()), NVME, &Kind::Assignable, &[]);
    let sibling = "0000:02:00.1";
    let shape = nvme()
        .endpoint(sibling, (0x144d, 0xa80a), 0x010802, 21)
        .below(sibling, &["0000:00:02.0"])
        .with(NVME, |f| f.config = Fact::Unknown(Why::Suspended));
    let found = verdict(&old(shape).0, bdf(NVME));
    assert!(found.reasons.iter().any(|reason| reason.text.contains(sibling)), "{found:?}");
}
