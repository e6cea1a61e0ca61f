//! `list --json`: one line per function.

use model::{Function, Snapshot};
use serde::{Serialize, Serializer};

use super::uses::unseen_field;
use super::{Unknown, VerdictJson};
use crate::naming::Naming;

/// The whole listing.
#[derive(Serialize)]
pub struct ListJson<'a> {
    functions: Rows<'a>,
    /// Listed by the kernel and gone when they were read.
    vanished: Vec<String>,
    gaps: Vec<GapJson<'a>>,
}

/// A source that could not be read.
#[derive(Serialize)]
pub struct GapJson<'a> {
    path: &'a str,
    why: String,
}

/// The functions of a listing. Rows are made while they are written: ten
/// thousand functions do not take the memory of ten thousand rows.
struct Rows<'a> {
    snapshot: &'a Snapshot,
    naming: &'a Naming,
    shown: &'a [&'a Function],
}

/// What every function is told by, in a listing and on its page.
#[derive(Serialize)]
pub struct HeadJson<'a> {
    address: String,
    /// The name that it is registered under.
    name: Option<&'a str>,
    vendor: Option<String>,
    device: Option<String>,
    class: Option<String>,
    vendor_name: Option<&'a str>,
    device_name: Option<&'a str>,
    class_name: Option<&'a str>,
    driver: Option<&'a str>,
    group: Option<u32>,
    numa_node: Option<u32>,
    /// Bridges above it, the nearest first.
    upstream: Vec<String>,
}

#[derive(Serialize)]
struct RowJson<'a> {
    #[serde(flatten)]
    head: HeadJson<'a>,
    verdict: VerdictJson<'a>,
    unknown: Unknown<'a>,
}

impl<'a> ListJson<'a> {
    pub fn of(snapshot: &'a Snapshot, naming: &'a Naming, shown: &'a [&'a Function]) -> Self {
        let gap =
            |gap: &'a model::snapshot::Gap| GapJson { path: &gap.path, why: gap.why.to_string() };
        Self {
            functions: Rows { snapshot, naming, shown },
            vanished: snapshot.vanished.iter().map(ToString::to_string).collect(),
            gaps: snapshot.gaps.iter().chain(&naming.known.gap).map(gap).collect(),
        }
    }
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeSeq;
        let mut rows = serializer.serialize_seq(Some(self.shown.len()))?;
        for function in self.shown {
            let mut unknown = Unknown::default();
            let head = HeadJson::of(function, self.naming, &mut unknown);
            let verdict = self.naming.known.verdict(self.snapshot, function.bdf);
            rows.serialize_element(&RowJson { head, verdict: VerdictJson::of(&verdict), unknown })?;
        }
        rows.end()
    }
}

impl<'a> HeadJson<'a> {
    pub fn of(function: &'a Function, naming: &'a Naming, unknown: &mut Unknown<'a>) -> Self {
        let named = naming.of(function);
        if let Some(gap) = &naming.known.gap {
            unknown.note(&["name"], &gap.why);
        }
        for unseen in &function.unseen {
            unknown.note(&[unseen_field(unseen.kind)], &unseen.why);
        }
        Self {
            address: function.bdf.to_string(),
            name: named.registered,
            vendor: unknown.field("vendor", &function.vendor).map(ToString::to_string),
            device: unknown.field("device", &function.device).map(ToString::to_string),
            class: unknown.field("class", &function.class).map(ToString::to_string),
            vendor_name: named.vendor,
            device_name: named.device,
            class_name: named.class,
            driver: unknown.optional("driver", &function.driver).map(String::as_str),
            group: unknown.optional("group", &function.group).map(|group| group.0),
            numa_node: unknown.optional("numa_node", &function.numa_node).copied(),
            upstream: function.upstream.iter().map(ToString::to_string).collect(),
        }
    }
}
