//! Which function a user means.
//!
//! In: an address, a registered name, or `vendor:device` where only one
//! matches. Out: the function's address. A name stands for a device and not
//! for an address: if another device sits where it was registered, it is
//! refused.

use model::identity::Likeness;
use model::plan::Refusal;
use model::reason::{Code, Reason};
use model::{Bdf, Snapshot};

use crate::error::Error;
use crate::store::Registered;

/// The functions that these texts mean, each once, in the order given.
pub(crate) fn resolve_all(
    texts: &[String],
    snapshot: &Snapshot,
    registered: &[Registered],
) -> Result<Vec<Bdf>, Error> {
    let mut found: Vec<Bdf> = Vec::new();
    for text in texts {
        let bdf = resolve(text, snapshot, registered)?;
        if !found.contains(&bdf) {
            found.push(bdf);
        }
    }
    Ok(found)
}

/// The function that this text means. Whether one is there at all is not
/// asked of an address.
pub fn resolve(text: &str, snapshot: &Snapshot, registered: &[Registered]) -> Result<Bdf, Error> {
    if let Some(device) = registered.iter().find(|device| device.name.as_str() == text) {
        return Ok(identified(device, snapshot)?);
    }
    if let Ok(bdf) = Bdf::parse_typed(text) {
        return Ok(bdf);
    }
    match by_ids(text, snapshot) {
        None => Err(Error::UnknownDevice(text.to_owned())),
        Some(matches) => match matches[..] {
            [] => Err(Error::UnknownDevice(text.to_owned())),
            [bdf] => Ok(bdf),
            _ => Err(Error::AmbiguousDevice { text: text.to_owned(), matches }),
        },
    }
}

/// Functions of `vendor:device`; `None` when the text is not that.
fn by_ids(text: &str, snapshot: &Snapshot) -> Option<Vec<Bdf>> {
    let (vendor, device) = text.split_once(':')?;
    let number = |part: &str| {
        let plain = part.len() == 4 && part.bytes().all(|byte| byte.is_ascii_hexdigit());
        u16::from_str_radix(part, 16).ok().filter(|_| plain)
    };
    let (vendor, device) = (number(vendor)?, number(device)?);
    let functions = snapshot.functions.values().filter(|function| {
        function.vendor.known().is_some_and(|known| known.0 == vendor)
            && function.device.known().is_some_and(|known| known.0 == device)
    });
    Some(functions.map(|function| function.bdf).collect())
}

/// The address of a registered device, if it still is the one there.
fn identified(device: &Registered, snapshot: &Snapshot) -> Result<Bdf, Refusal> {
    let (code, text) = match snapshot.get(device.bdf).map(|found| device.identity.compare(found)) {
        Some(Likeness::Same) => return Ok(device.bdf),
        Some(Likeness::Other(difference)) => (
            Code::IdentityMismatch,
            format!("not the device that is named {}: {difference}", device.name),
        ),
        Some(Likeness::Unreadable) => {
            let text = format!("whether it is {} cannot be read", device.name);
            (Code::IdentityMismatch, text)
        }
        None => (Code::NotFound, format!("{}, which was here, is gone", device.name)),
    };
    let hint = match device.identity.find(snapshot) {
        Some(now) => {
            let name = &device.name;
            format!(
                "it sits at {now} now: `passthru device remove {name}`, then add {now} as {name}"
            )
        }
        None => "`passthru list --all` shows what is there".to_owned(),
    };
    Err(Refusal { reasons: vec![Reason::at(code, device.bdf, text, hint)] })
}
