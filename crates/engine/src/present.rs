//! What a request names has to be there before anything is changed.
//!
//! In: a request and the root that it is meant for. Out: nothing, or what is
//! missing. A hypervisor would say so, too, but late and in its own words, and
//! a tap interface that is not there it would make.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use host::guests::{self, Interface};
use host::observe::{Named, block_device};
use host::paths::Root;
use model::reason::{Code, Reason};
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
) -> Option<Reason> {
    let image = request.image.as_deref().filter(|_| root.is_real())?;
    let Named { owners, claimed } = block_device(root, image)?;
    let image = image.display();
    if let Some(bdf) = movers(snapshot, devices).into_iter().find(|bdf| owners.contains(bdf)) {
        let text = format!("the image {image} is on it: the guest cannot have both");
        let hint = "start it from another image, or without this device";
        return Some(Reason::at(Code::DiskInUse, bdf, text, hint).blocking());
    }
    if !claimed || request.overrides.contains(&Code::DiskInUse) {
        return None;
    }
    let text = format!("the host has the image {image} in use: mounted, as swap or in a volume");
    let hint = "what the host writes below it tears the guest's file system; \
                `--override disk_in_use` lets it go";
    Some(match owners.first() {
        Some(bdf) => Reason::at(Code::DiskInUse, *bdf, text, hint),
        None => Reason::machine(Code::DiskInUse, text, hint),
    })
}
