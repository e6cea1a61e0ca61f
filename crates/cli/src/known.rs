//! What the state directory knows of devices: their names, and who holds them.
//!
//! In: the context. Out: names by address, verdicts as things are. Whoever
//! cannot read the state, be it damaged or not theirs to read, still gets a
//! listing: then this is empty, and says why.

use std::io::ErrorKind;

use engine::assignment::Holdings;
use engine::{Engine, Registered};
use host::observe::InDoubt;
use model::identity::Likeness;
use model::snapshot::Gap;
use model::verdict::Verdict;
use model::{Bdf, Function, Snapshot, Why};

use crate::context::Context;
use crate::error::{Error, chain};

/// What is known of devices beyond the machine itself.
#[derive(Debug, Default)]
pub struct Known {
    registered: Vec<Registered>,
    holdings: Holdings,
    /// Why nothing is known.
    pub gap: Option<Gap>,
    /// What to do about that; may be empty.
    hint: &'static str,
}

impl Known {
    /// Reads the state, or says why it cannot be read.
    pub fn load(cx: &Context) -> Self {
        let engine = cx.engine();
        Self::read(&engine).unwrap_or_else(|error| {
            let why = match &error {
                engine::Error::File { source, .. }
                    if source.kind() == ErrorKind::PermissionDenied =>
                {
                    Why::NotPermitted
                }
                error => Why::Failed(chain(error)),
            };
            let path = cx.root.shown(&engine.state().database());
            Self { gap: Some(Gap { path, why }), hint: error.hint(), ..Self::default() }
        })
    }

    fn read(engine: &Engine) -> Result<Self, engine::Error> {
        let registered = engine.registered()?;
        let holdings = engine.holdings()?;
        Ok(Self { registered, holdings, ..Self::default() })
    }

    /// What is to be left alone when the machine is looked at.
    pub fn in_doubt(&self) -> InDoubt {
        self.holdings.in_doubt()
    }

    /// That nothing is known, for standard error.
    pub fn note(&self) -> Option<String> {
        let Gap { path, why } = self.gap.as_ref()?;
        let known = "registered names and guests are not known";
        Some(match (why, self.hint) {
            (Why::NotPermitted, _) => format!("{known}: {path} {why}"),
            (why, "") => format!("{known}: {why}"),
            (why, hint) => format!("{known}: {why}\nhint: {hint}"),
        })
    }

    /// The function that a text means.
    pub fn find<'a>(&self, text: &str, snapshot: &'a Snapshot) -> Result<&'a Function, Error> {
        let bdf = match (engine::resolve(text, snapshot, &self.registered), &self.gap) {
            (Err(engine::Error::UnknownDevice(text)), Some(_)) => {
                return Err(Error::NamesUnknown(text));
            }
            (found, _) => found?,
        };
        snapshot.get(bdf).ok_or(Error::NoDevice(bdf))
    }

    /// The name that a device is registered under. Another one that sits at
    /// its address by now has none.
    pub fn name(&self, function: &Function) -> Option<&str> {
        let device = self.registered.iter().find(|device| device.bdf == function.bdf)?;
        let other = matches!(device.identity.compare(function), Likeness::Other(_));
        (!other).then(|| device.name.as_str())
    }

    /// Whether it can be passed through, as things are.
    pub fn verdict(&self, snapshot: &Snapshot, bdf: Bdf) -> Verdict {
        self.holdings.verdict(snapshot, bdf)
    }
}
