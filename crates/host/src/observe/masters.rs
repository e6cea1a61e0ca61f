//! DRM masters: which processes may set modes of each graphics card.
//!
//! In: the cards of `/sys/class/drm`, and `dri/N/clients` of debugfs, which
//! root alone reads. Out: the masters of each function, none for those without
//! a card. The kernel makes the table under a lock of the device
//! (`drm_clients_info()` takes `filelist_mutex`), which a removal that hangs
//! may hold (`amdgpu_gem_force_release()`): so it is read as what takes the
//! device's lock is, in a process that can be abandoned, and not at all of a
//! device that is in doubt. Never: `DRM_IOCTL_*`, which needs the card opened,
//! and who opens a card without a master becomes it (`drm_master_open()`).

use std::collections::BTreeMap;

use model::parse::{drm, link};
use model::port::Showed;
use model::usage::Master;
use model::{Bdf, Fact, Function, Why};

use super::overrides::Locked;
use crate::paths::Root;
use crate::read::{self, Buffer, Folder};

/// What a reader in another process hands back at most.
const PAGE: usize = 4096;

/// Fill in the fact.
pub(super) fn masters(
    root: &Root,
    functions: &mut BTreeMap<Bdf, Function>,
    locked: &mut Locked<'_>,
) {
    let cards = cards(root);
    for function in functions.values_mut() {
        let in_doubt = function.config.why() == Some(&Why::InDoubt);
        let minor = cards.as_ref().map(|cards| cards.get(&function.bdf).copied());
        function.drm_masters = match minor {
            Err(why) => Fact::Unknown(why.clone()),
            Ok(None) => Fact::Known(Vec::new()),
            Ok(Some(_)) if in_doubt => Fact::Unknown(Why::InDoubt),
            Ok(Some(minor)) => of_card(root, minor, locked).into(),
        };
    }
}

/// The minor number of each function's card: `card0` and not its connectors.
fn cards(root: &Root) -> Result<BTreeMap<Bdf, u32>, Why> {
    let folder = match Folder::open(&root.class("drm")) {
        Ok(folder) => folder,
        Err(Why::NotProvided) => return Ok(BTreeMap::new()),
        Err(why) => return Err(why),
    };
    let mut buffer = Buffer::default();
    let mut cards = BTreeMap::new();
    for name in folder.names()? {
        let minor = name.strip_prefix("card").and_then(|number| number.parse().ok());
        let Some(minor) = minor else { continue };
        if let Some(owner) = folder.link(&name, &mut buffer).ok().and_then(link::owner) {
            cards.insert(owner, minor);
        }
    }
    Ok(cards)
}

fn of_card(root: &Root, minor: u32, locked: &mut Locked<'_>) -> Result<Vec<Master>, Why> {
    let path = root.drm_clients(minor);
    let text = match locked {
        Locked::Skip => return Err(Why::NotObserved),
        Locked::Plain => read::text(&path)?,
        Locked::Through(attrs) => match attrs.read(&path) {
            Showed::Content(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Showed::Failed { errno, .. } => return Err(read::why(errno)),
            Showed::Stuck(stuck) => return Err(super::overrides::stuck(&stuck)),
        },
    };
    let Some((whole, _)) = text.rsplit_once('\n').filter(|_| text.len() >= PAGE) else {
        return drm::masters(&text);
    };
    // There may be more than fits. The oldest clients come first, and so
    // most often the master; that there is none is not known.
    match drm::masters(whole)? {
        masters if masters.is_empty() => Err(Why::Truncated),
        masters => Ok(masters),
    }
}
