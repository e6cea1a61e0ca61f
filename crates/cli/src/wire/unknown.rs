//! `"unknown": {"field": "why"}`: what could not be read, and why.

use model::{Fact, Why};
use serde::{Serialize, Serializer};

/// Fields that are `null` because they are not known.
#[derive(Debug, Default)]
pub struct Unknown<'a>(Vec<(&'static str, &'a Why)>);

impl<'a> Unknown<'a> {
    /// The value of a field, or `None` and a note of why.
    pub fn field<T>(&mut self, name: &'static str, fact: &'a Fact<T>) -> Option<&'a T> {
        match fact {
            Fact::Known(value) => Some(value),
            Fact::Unknown(why) => {
                self.0.push((name, why));
                None
            }
        }
    }

    /// Notes that these fields are not known.
    pub fn note(&mut self, names: &[&'static str], why: &'a Why) {
        self.0.extend(names.iter().map(|name| (*name, why)));
    }

    /// As [`Self::field`], for one that may have no value although it is known.
    pub fn optional<T>(&mut self, name: &'static str, fact: &'a Fact<Option<T>>) -> Option<&'a T> {
        self.field(name, fact)?.as_ref()
    }
}

impl Serialize for Unknown<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = |why: &Why| why.to_string();
        serializer.collect_map(self.0.iter().map(|(name, why)| (name, text(why))))
    }
}
