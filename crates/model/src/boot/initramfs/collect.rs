//! Entries, as they come, into what is known of an image.
//!
//! In: entries and the ends of segments. Out: an [`Initramfs`]. Never: the
//! content of a file that is no configuration.

use std::collections::BTreeMap;

use super::{File, Generator, Initramfs, Module, Segment, Unified, module_name, without_usr};
use crate::Fact;
use crate::fact::Why;
use crate::parse::cpio::{Content, Entry, Inode};

/// The longest file that is kept, in bytes. Configuration has a few hundred;
/// the longest that is wanted, a list of built-in modules, has some 20,000.
pub const LONGEST: u32 = 256 << 10;

/// Folders whose files configure how modules are loaded, without `usr/`.
const FOLDERS: &[&str] = &[
    "etc/modprobe.d/",
    "lib/modprobe.d/",
    "run/modprobe.d/",
    "etc/modules-load.d/",
    "lib/modules-load.d/",
    "etc/cmdline.d/",
];
/// Single files that do so.
const FILES: &[&str] = &[
    "conf/modules",
    "etc/modules",
    "etc/cmdline",
    "etc/modprobe.conf",
    "config",
    "buildconfig",
    "etc/booster.init.yaml",
];
/// Lists of a kernel's modules, in its folder.
const LISTS: &[&str] = &["modules.builtin"];
/// Where kernels have their modules.
const MODULES: &str = "lib/modules/";
/// Endings of modules, of those also that kmod unpacks.
const ENDINGS: &[&str] = &[".ko", ".ko.gz", ".ko.xz", ".ko.zst", ".ko.bz2", ".ko.lzma"];
/// Folders of udev's rules.
const RULES: &[&str] = &["etc/udev/rules.d/", "lib/udev/rules.d/", "run/udev/rules.d/"];

/// Whether a file says something on which driver gets a device at boot. By its
/// name from the root.
pub fn is_configuration(name: &str) -> bool {
    let name = without_usr(name);
    let is_list = |(_, file): (&str, &str)| LISTS.contains(&file);
    FOLDERS.iter().any(|folder| name.starts_with(folder))
        || FILES.contains(&name)
        || name.strip_prefix(MODULES).and_then(|rest| rest.split_once('/')).is_some_and(is_list)
}

/// Gathers what is known of an image.
#[derive(Debug, Default)]
pub struct Collector {
    initramfs: Initramfs,
    /// Place of the best trace of a generator.
    trace: Option<usize>,
    linked: BTreeMap<Inode, Linked>,
}

/// A file with several names, of which one brings the content.
#[derive(Debug, Default)]
struct Linked {
    /// Names that came before the content.
    waiting: Vec<String>,
    text: Option<Fact<String>>,
}

impl Collector {
    /// An entry, in the order of the archives.
    pub fn add(&mut self, entry: Entry) {
        let trace = Generator::trace(&entry.name);
        self.trace = [self.trace, trace].into_iter().flatten().min();
        if let Some(module) = module(&entry.name) {
            self.initramfs.modules.insert(module);
            return;
        }
        if is_rule(&entry.name) {
            self.initramfs.rules.insert(entry.name.clone());
        }
        self.add_file(entry);
    }

    fn add_file(&mut self, entry: Entry) {
        let is_symlink = entry.is_symlink();
        let is_linked = entry.is_linked();
        let (name, inode) = (entry.name, entry.inode);
        let known = match entry.content {
            Content::NotAsked => return,
            Content::Bytes(bytes) => Some(Fact::Known(text(bytes))),
            Content::TooLong => {
                Some(Fact::Unknown(Why::Failed(format!("`{name}` is longer than {LONGEST} bytes"))))
            }
            Content::Elsewhere => None,
        };
        if !is_linked {
            let known = known.unwrap_or_else(|| missing(&name));
            let file = if is_symlink { File::Link(known) } else { File::Text(known) };
            self.initramfs.files.insert(name, file);
            return;
        }
        let linked = self.linked.entry(inode).or_default();
        if known.is_some() {
            linked.text = known;
        }
        let Some(text) = &linked.text else {
            self.initramfs.files.insert(name.clone(), File::Text(missing(&name)));
            return linked.waiting.push(name);
        };
        for name in linked.waiting.drain(..).chain([name]) {
            self.initramfs.files.insert(name, File::Text(text.clone()));
        }
    }

    /// What is beside the initramfs in a unified kernel image.
    pub fn unified(&mut self, unified: Unified) {
        self.initramfs.unified = Some(unified);
    }

    /// What was appended to the image.
    pub fn bootconfig(&mut self, text: String) {
        self.initramfs.bootconfig = Some(text);
    }

    /// The end of a segment.
    pub fn end(&mut self, segment: Segment) {
        self.initramfs.segments.push(segment);
    }

    /// What is known now.
    pub fn finish(self) -> Initramfs {
        Initramfs { generator: self.trace.and_then(Generator::of), ..self.initramfs }
    }
}

fn missing(name: &str) -> Fact<String> {
    Fact::Unknown(Why::Failed(format!("no other name of `{name}` brings its content")))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

fn module(name: &str) -> Option<Module> {
    let rest = without_usr(name).strip_prefix(MODULES)?;
    let file = rest.rsplit('/').next()?;
    let stem = ENDINGS.iter().find_map(|ending| file.strip_suffix(ending))?;
    let release = rest.split_once('/').map(|(release, _)| release.to_owned());
    (!stem.is_empty()).then(|| Module { name: module_name(stem), release })
}

fn is_rule(name: &str) -> bool {
    let name = without_usr(name);
    name.ends_with(".rules") && RULES.iter().any(|folder| name.starts_with(folder))
}
