//! Which UEFI to use: QEMU's own descriptors of what is installed.
//!
//! In: the JSON files of `share/qemu/firmware` (interop schema
//! `docs/interop/firmware.json`), which the distribution orders by name. Out:
//! the first that fits. A file that is not understood is passed over: it is
//! for somebody else.

use std::path::PathBuf;

use serde_json::Value;

/// A UEFI as it is installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    pub code: PathBuf,
    pub template: PathBuf,
}

/// Features of a firmware that need what our guests do not have: SMM, or
/// keys that let only signed kernels boot (GPU drivers often are not).
const UNWANTED: &[&str] = &["requires-smm", "secure-boot", "enrolled-keys"];

/// The first UEFI for q35 guests among these descriptors. `descriptors`
/// holds the text of each file, in the order of the files' names.
pub fn choose<'a>(descriptors: impl IntoIterator<Item = &'a str>) -> Option<Installed> {
    descriptors.into_iter().find_map(|text| {
        let value: Value = serde_json::from_str(text).ok()?;
        fits(&value).then(|| installed(&value)).flatten()
    })
}

fn fits(value: &Value) -> bool {
    let interface = strings(value.get("interface-types")).any(|word| word == "uefi");
    let targets = value.get("targets").and_then(Value::as_array).into_iter().flatten();
    let target = targets.filter(|target| target.get("architecture") == Some(&"x86_64".into()));
    let machine = target.flat_map(|target| strings(target.get("machines"))).any(matches_q35);
    let plain = !strings(value.get("features")).any(|feature| UNWANTED.contains(&feature));
    interface && machine && plain
}

/// The schema's patterns are globs; those that distributions write end in `*`.
fn matches_q35(pattern: &str) -> bool {
    let stem = pattern.strip_suffix('*').unwrap_or(pattern);
    stem.starts_with("pc-q35") || pattern == "q35"
}

fn installed(value: &Value) -> Option<Installed> {
    let mapping = value.get("mapping")?;
    // Absent or `split`: program and variables are two files.
    let split = mapping.get("mode").is_none_or(|mode| mode == "split");
    if mapping.get("device")? != "flash" || !split {
        return None;
    }
    let file = |key: &str| {
        let part = mapping.get(key)?;
        let raw = part.get("format")? == "raw";
        part.get("filename")?.as_str().filter(|_| raw).map(PathBuf::from)
    };
    Some(Installed { code: file("executable")?, template: file("nvram-template")? })
}

fn strings(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}
