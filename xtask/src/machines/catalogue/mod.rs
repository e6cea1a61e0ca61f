//! The described machines. Sources stand in `machines/NAME/SOURCE.md`.

use host::record::Recording;

use crate::machines::config::{
    ACS_ISOLATES, Kind, Link, acs, aer, bridge_subsystem, express, msi, msix, pm,
};
use crate::machines::function::{Function, bridge, function};

mod aic100;
mod desktop;
mod laptop;
mod nas;
mod no_iommu;
mod power;
mod server;
mod vmd;

/// A machine: the name of its folder, and what gives its recording.
pub type Described = (&'static str, fn() -> Recording);

/// Every described machine.
pub const ALL: &[Described] = &[
    ("aic100-epyc", aic100::machine),
    ("desktop-rtx2080", desktop::machine),
    ("laptop-igd-gtx1650", laptop::machine),
    ("nas-coral", nas::machine),
    ("no-iommu-gtx970", no_iommu::machine),
    ("power8-s822lc-p100", power::s822lc),
    ("power9-ac922-v100", power::ac922),
    ("server-8gpu-a100", server::machine),
    ("vmd-xeon-nvme", vmd::machine),
];

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// A root port, with Access Control Services unless it is an old client's.
fn root_port(address: &str, ids: (u16, u16), buses: (u8, u8), speed: Link) -> Function {
    bridge(address, ids, buses)
        .caps([express(Kind::RootPort, false, Some(speed)), msi(1, false), pm()])
        .extended([aer(), acs(0x1f, ACS_ISOLATES)])
        .resets("pm")
}

/// A port of a switch: upstream or downstream.
fn switch_port(
    address: &str,
    ids: (u16, u16),
    buses: (u8, u8),
    (kind, speed): (Kind, Link),
) -> Function {
    let port = bridge(address, ids, buses)
        .caps([
            pm(),
            msi(8, true),
            express(kind, false, Some(speed)),
            bridge_subsystem(ids.0, ids.1),
        ])
        .resets("pm");
    match kind {
        Kind::Downstream => port.extended([aer(), acs(0x5f, ACS_ISOLATES)]),
        _ => port.extended([aer()]),
    }
}

/// An NVMe controller with its table in BAR 0.
fn nvme(address: &str, ids: (u16, u16), speed: Link) -> Function {
    function(address, ids, 0x010802)
        .driver("nvme")
        .memory64(0, 16 * KIB)
        .interrupt(1, 16)
        .caps([
            pm(),
            msi(1, false),
            express(Kind::Endpoint, true, Some(speed)),
            msix(33, (0, 0x3000), (0, 0x2000)),
        ])
        .extended([aer()])
        .resets("flr bus")
}

/// A function inside of a chipset: a driver, one memory range, MSI.
fn chipset(address: &str, ids: (u16, u16), class: u32) -> Function {
    function(address, ids, class).caps([pm(), msi(1, false)]).resets("pm")
}

/// A host bridge without capabilities or driver.
fn host_bridge(address: &str, ids: (u16, u16)) -> Function {
    function(address, ids, 0x060000)
}
