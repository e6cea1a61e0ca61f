//! Disk images: what one is, and a private layer over it.
//!
//! In: paths and what `qemu-img` printed. Out: commands for somebody else to
//! run, and facts. A base image is never written: a guest gets an overlay.

use std::path::Path;

use model::port::Cmd;
use serde_json::Value;

use crate::machine::DiskFormat;

/// What `qemu-img info` says about an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// QEMU's word for the format (`qcow2`, `raw`, `vmdk`, …).
    pub format: String,
    /// Size of the disk that the guest sees, in bytes.
    pub virtual_size: u64,
}

/// Why the output of `qemu-img info` was not understood.
#[derive(Debug, thiserror::Error)]
pub enum InfoError {
    #[error("`qemu-img info` printed no JSON")]
    Json(#[from] serde_json::Error),
    #[error("`qemu-img info` printed no `{0}`")]
    Missing(&'static str),
}

/// Ask what an image is; [`parse_info`] reads the answer. Only for images
/// that the user brings: a guest's own disk is never guessed at.
pub fn info(path: &Path) -> Cmd {
    // -U: a running guest may hold the lock, and nothing is written.
    Cmd::new("qemu-img", ["info", "-U", "--output=json", &path.display().to_string()])
}

/// Make `overlay`, a new image that keeps what the guest writes over `base`.
pub fn overlay(base: &Path, format: DiskFormat, overlay: &Path) -> Cmd {
    let base_format = match format {
        DiskFormat::Qcow2 => "qcow2",
        DiskFormat::Raw | DiskFormat::Block => "raw",
    };
    let (base, overlay) = (base.display().to_string(), overlay.display().to_string());
    Cmd::new("qemu-img", ["create", "-q", "-f", "qcow2", "-F", base_format, "-b", &base, &overlay])
}

/// The answer to [`info`].
pub fn parse_info(json: &str) -> Result<ImageInfo, InfoError> {
    let value: Value = serde_json::from_str(json)?;
    let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
    let size = value.get("virtual-size").and_then(Value::as_u64);
    Ok(ImageInfo {
        format: text("format").ok_or(InfoError::Missing("format"))?,
        virtual_size: size.ok_or(InfoError::Missing("virtual-size"))?,
    })
}

impl ImageInfo {
    /// The format, if it is one that guests are given; `path` tells a block
    /// device from a file.
    pub fn disk_format(&self, is_block_device: bool) -> Option<DiskFormat> {
        match (self.format.as_str(), is_block_device) {
            ("raw", true) => Some(DiskFormat::Block),
            ("raw", false) => Some(DiskFormat::Raw),
            ("qcow2", false) => Some(DiskFormat::Qcow2),
            _ => None,
        }
    }
}
