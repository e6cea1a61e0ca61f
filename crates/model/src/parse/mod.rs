//! Text and bytes in, values out.
//!
//! Every parser takes what was read (`&str`, `&[u8]`) and never reads itself,
//! so each has a table of samples and a property test that feeds it garbage
//! (`tests/garbage.rs`). What the kernel's documents do not foresee is
//! [`Why::Malformed`](crate::Why::Malformed), never a guess.

pub mod attribute;
pub mod config;
pub mod link;
pub mod modalias;
pub mod resource;

pub mod iommu;

pub mod console;
pub mod drm;
pub mod iomem;
pub mod mounts;
pub mod network;
pub mod process;
pub mod unit;

pub mod machine;
pub mod pci_ids;
pub mod setup;

pub mod cpio;

pub mod recording;
pub mod session;
pub mod sidecar;
pub mod umockdev;
