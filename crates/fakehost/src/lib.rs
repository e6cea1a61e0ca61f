//! A pretended kernel: a tree of files that reacts to writes as sysfs does.
//!
//! In: devices, by a builder or from a recorded tree, and faults to order.
//! Out: a root folder to read, and the doors that `model::port` names:
//! [`FakeKernel`] for writes, [`FakeRunner`] for commands, [`FakeDisk`] for
//! changes of files. It is for tests and benchmarks: what is wrong with a
//! fixture is a panic, not an error.
//!
//! ```text
//! root/
//!   sys/
//!     devices/pci0000:00/0000:00:01.0/0000:65:00.0/    one folder per function, below its bridge
//!       vendor device class config resource uevent …   as the kernel prints them
//!       driver_override reset power/control sriov_…    react to writes
//!       driver       -> ../../../../bus/pci/drivers/nvidia
//!       iommu_group  -> ../../../../kernel/iommu_groups/34
//!       nvme/ net/ drm/ …                              come and go with the driver
//!     bus/pci/
//!       devices/0000:65:00.0 -> ../../../devices/pci0000:00/0000:00:01.0/0000:65:00.0
//!       drivers/nvidia/{bind,unbind,new_id,remove_id,0000:65:00.0}
//!       drivers_probe
//!     kernel/iommu_groups/34/{type,reserved_regions,devices/}
//!     class/{block,net,drm,iommu,…}/   block/   dev/   module/
//!   proc/
//!     1/mountinfo swaps iomem meminfo net/ sys/kernel/
//!     4000001/{stat,wchan}                             a process that hangs in the kernel
//!   dev/vfio/34                                        while VFIO has a member of the group
//!   lib/modules/…/modules.dep
//! ```
//!
//! ```
//! use fakehost::FakeHost;
//! use model::port::AttrWriter;
//!
//! let host = FakeHost::new().root_port("0000:00:01.0", 0x65).gpu("0000:65:00.0").with_audio();
//! let unbind = host.root().join("sys/bus/pci/drivers/nvidia/unbind");
//! host.kernel().write(&unbind, "0000:65:00.0");
//! assert_eq!(host.driver_of("0000:65:00.0"), None);
//! ```
#![allow(
    clippy::expect_used,
    reason = "a fixture that cannot write its own temporary folder ends the test"
)]

mod host;

mod build;
mod presets;
mod spec;
mod usage;

mod faults;

mod machine;
mod tree;

mod adopt;
mod config_space;
mod function;
mod group;
mod offers;
mod place;

mod driver;
mod mdev;
mod react;
mod sriov;

mod disk;
mod inject;
mod kernel;
mod runner;
mod units;

mod generators;
mod image;
pub mod stacks;

mod snapshot;
mod visitor;

pub use disk::FakeDisk;
pub use generators::Botch;
pub use host::FakeHost;
pub use inject::{Killed, Moment, On, Op, until_killed};
pub use kernel::FakeKernel;
pub use mdev::MdevType;
pub use runner::FakeRunner;
pub use rustix::io::Errno;
pub use snapshot::{Entry, TreeSnapshot};
pub use spec::{BarKind, BarSpec, Express, FunctionSpec, MsiSpec, MsixSpec, Offer, SriovSpec};
pub use visitor::Visitor;

/// Specifications of devices by name, to change before they are added.
pub mod devices {
    pub use crate::presets::{
        accelerator, bridge, edu, gpu, gpu_audio, gpu_ucsi, gpu_usb, host_bridge, nic, nvme,
        sriov_nic, vmd,
    };
}
