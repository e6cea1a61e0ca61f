//! What a request names has to be there before anything is changed.
//!
//! In: a request and the root that it is meant for. Out: nothing, or what is
//! missing. A hypervisor would say so, too, but late and in its own words, and
//! a tap interface that is not there it would make.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use host::guests::{self, Interface};
use host::observe::block_device;
use host::paths::Root;
use model::reason::{Code, Reason, Weight};
use model::usage::Use;
use model::{Bdf, Fact, Snapshot};

use crate::bind::movers;

use crate::error::Error;
use crate::request::{NetworkRequest, RunRequest};

/// Everything that a request names, but for its image: what that is, is asked
/// of somebody who looks into it.
pub(crate) fn check(request: &RunRequest, root: &Root) -> Result<(), Error> {
    if let Some(kernel) = &request.kernel {
        file(&kernel.kernel)?;
        kernel.initrd.as_deref().map_or(Ok(()), file)?;
    }
    match &request.network {
        NetworkRequest::Tap { interface } => tap(interface, root),
        NetworkRequest::None | NetworkRequest::User { .. } => Ok(()),
    }
}

/// A regular file that can be opened.
pub(crate) fn file(path: &Path) -> Result<(), Error> {
    let failed = |error| Error::file(path, error);
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is no regular file")));
    }
    File::open(path).map(drop).map_err(failed)
}

fn tap(interface: &str, root: &Root) -> Result<(), Error> {
    // Names that are none are refused later.
    if interface.contains('/') {
        return Ok(());
    }
    let text = match guests::interface(root, interface) {
        // A tree may have no interfaces in it.
        Fact::Known(Interface::Tap) | Fact::Unknown(_) => return Ok(()),
        Fact::Known(Interface::Other) => format!("{interface} is no tap interface"),
        Fact::Known(Interface::Missing) => {
            format!("this machine has no network interface {interface}")
        }
    };
    let hint = "`ip tuntap add dev NAME mode tap` makes one, for a bridge to be plugged into";
    Err(Error::refused(Reason::machine(Code::NotFound, text, hint)))
}

/// What speaks against the image that a guest is to start from, where it is a
/// block device: it is on a function that goes to the guest itself, or the
/// host writes to it, below what the guest has over it.
pub(crate) fn against_image(
    request: &RunRequest,
    devices: &[Bdf],
    snapshot: &Snapshot,
    root: &Root,
) -> Vec<Reason> {
    let Some(image) = request.image.as_deref().filter(|_| root.is_real()) else { return vec![] };
    let Some((block, owners)) = block_device(root, image) else { return vec![] };
    let image = image.display();
    let going = movers(snapshot, devices);
    let mut reasons = Vec::new();
    for bdf in owners {
        if going.contains(&bdf) {
            let text = format!("the image {image} is on it: the guest cannot have both");
            let hint = "start it from another image, or without this device";
            reasons.push(Reason::at(Code::DiskInUse, bdf, text, hint).blocking());
            continue;
        }
        let uses = snapshot.get(bdf).into_iter().flat_map(|function| &function.uses);
        for usage in uses.filter(|usage| is_of(usage, &block)) {
            let text = format!("{usage}, and {image} is to be a guest's image");
            let hint = "what the host writes below it tears the guest's file system; \
                        `--override disk_in_use` lets it go";
            reasons.push(Reason::at(Code::DiskInUse, bdf, text, hint));
        }
    }
    let let_go = |reason: &Reason| {
        reason.weight() != Weight::Blocks && request.overrides.contains(&reason.code)
    };
    reasons.retain(|reason| !let_go(reason));
    reasons
}

/// Whether a use is one of a block device, or of a part of it.
fn is_of(usage: &Use, block: &str) -> bool {
    let (Use::Mount { block: used, .. }
    | Use::Swap { block: used }
    | Use::Member { block: used, .. }) = usage
    else {
        return false;
    };
    // Parts of what ends in a number have a `p` between (`nvme0n1p2`, `vda2`).
    let before = if block.ends_with(|last: char| last.is_ascii_digit()) { "p" } else { "" };
    let part = |rest: &str| {
        let number = rest.strip_prefix(before).unwrap_or_default();
        !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let name = used.split(' ').next().unwrap_or(used);
    name == block || name.strip_prefix(block).is_some_and(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_block_device() {
        let mount = |block: &str| Use::Mount { block: block.to_owned(), at: "/".to_owned() };
        for (used, block, want) in [
            ("vda", "vda", true),
            ("vda1", "vda", true),
            ("vda", "vda1", false),
            ("vdab", "vda", false),
            ("nvme0n1p2", "nvme0n1", true),
            ("nvme0n10", "nvme0n1", false),
            ("dm-0 (vg-root)", "dm-0", true),
        ] {
            assert_eq!(is_of(&mount(used), block), want, "{used} {block}");
        }
    }
}
