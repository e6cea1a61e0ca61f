//! What the state directory knows of devices: their names, and who holds them.
//!
//! In: the context. Out: names by address, verdicts as things are. Whoever
//! may not read the state still gets a listing: then this is empty, and says why.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use engine::assignment::Holdings;
use engine::{Engine, Registered};
use model::snapshot::Gap;
use model::verdict::Verdict;
use model::{Bdf, Function, Snapshot, Why};

use crate::context::Context;
use crate::error::Error;

/// What is known of devices beyond the machine itself.
#[derive(Debug, Default)]
pub struct Known {
    registered: Vec<Registered>,
    names: BTreeMap<Bdf, String>,
    holdings: Holdings,
    /// Why nothing is known.
    pub gap: Option<Gap>,
}

impl Known {
    /// Reads the state. Not being permitted to is no error.
    pub fn load(cx: &Context) -> Result<Self, Error> {
        match Self::read(&cx.engine()) {
            Err(engine::Error::File { path, source })
                if source.kind() == ErrorKind::PermissionDenied =>
            {
                let gap = Gap { path: path.display().to_string(), why: Why::NotPermitted };
                Ok(Self { gap: Some(gap), ..Self::default() })
            }
            read => Ok(read?),
        }
    }

    fn read(engine: &Engine) -> Result<Self, engine::Error> {
        let registered = engine.registered()?;
        let named = |device: &Registered| (device.bdf, device.name.to_string());
        let names = registered.iter().map(named).collect();
        Ok(Self { registered, names, holdings: engine.holdings()?, gap: None })
    }

    /// The function that a text means.
    pub fn find<'a>(&self, text: &str, snapshot: &'a Snapshot) -> Result<&'a Function, Error> {
        let bdf = engine::resolve(text, snapshot, &self.registered)?;
        snapshot.get(bdf).ok_or(Error::NoDevice(bdf))
    }

    /// The name that a device is registered under.
    pub fn name(&self, bdf: Bdf) -> Option<&str> {
        self.names.get(&bdf).map(String::as_str)
    }

    /// Whether it can be passed through, as things are.
    pub fn verdict(&self, snapshot: &Snapshot, bdf: Bdf) -> Verdict {
        self.holdings.verdict(snapshot, bdf)
    }
}
