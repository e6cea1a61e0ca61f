//! Images of the initramfs, by the kernel that they are for.
//!
//! In: a root directory, the loader's entries. Out: the image that boots each
//! release. Never: what is in them.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufReader, Read};

use model::Fact;
use model::boot::bls;
use model::boot::source::Source;
use model::file::Content;
use model::setup::boot::{Format, Loader};

use crate::paths::Root;
use crate::read;

/// How the image of a release is called: Debian, Red Hat, SUSE.
const IMAGES: &[(&str, &str)] = &[("initrd.img-", ""), ("initramfs-", ".img"), ("initrd-", "")];

/// Images that entries name, where they are beside them on the partition that
/// the firmware reads: those are what boots, and not the ones in `/boot`.
pub(super) fn images_of_entries(
    root: &Root,
    loader: &Fact<Loader>,
    files: &BTreeMap<String, Content>,
    images: &BTreeMap<String, String>,
) -> Vec<(String, String)> {
    let entries = loader.known().into_iter().flat_map(|loader| &loader.files);
    let entries = entries.filter(|(_, format)| *format == Format::Entry);
    let named = entries.filter_map(|(path, _)| {
        let (partition, _) = path.split_once("/loader/entries/")?;
        let entry = bls::parse(Source::new(path, &files.get(path)?.text()));
        let image = format!("{partition}{}", entry.initrds.last()?);
        root.at(&image).exists().then_some((entry.version, image))
    });
    let named: Vec<(Option<String>, String)> = named.collect();
    let boots = |image: &String| named.iter().any(|(_, named)| named == image);
    let found = named.iter().filter_map(|(version, image)| {
        // kernelstub's entries name no release, and a copy of an image.
        let copied = || {
            let mut others = images.iter().filter(|(_, other)| !boots(other));
            others.find(|(_, other)| same(root, other, image)).map(|(release, _)| release)
        };
        Some((version.as_ref().or_else(copied)?.clone(), image.clone()))
    });
    found.collect()
}

/// Whether two files are two, and alike.
fn same(root: &Root, one: &str, other: &str) -> bool {
    let (one, other) = (root.at(one), root.at(other));
    let alike = || -> io::Result<bool> {
        if one == other || fs::metadata(&one)?.len() != fs::metadata(&other)?.len() {
            return Ok(false);
        }
        let mut bytes = BufReader::new(fs::File::open(&other)?).bytes();
        for byte in BufReader::new(fs::File::open(&one)?).bytes() {
            if bytes.next().transpose()? != Some(byte?) {
                return Ok(false);
            }
        }
        Ok(true)
    };
    alike().unwrap_or(false)
}

/// Images by the release of their kernel, which must have its modules here.
pub(super) fn images(root: &Root) -> BTreeMap<String, String> {
    let names = read::names(&root.boot()).unwrap_or_default();
    let images = names.iter().filter_map(|name| {
        let release = IMAGES.iter().find_map(|(before, behind)| {
            let release = name.strip_prefix(before)?.strip_suffix(behind)?;
            root.modules_of(release).is_dir().then_some(release)
        })?;
        Some((release.to_owned(), format!("{}/{name}", Root::boot_text())))
    });
    // Arch's have the name of the kernel's package (`pkgbase`, which the hooks
    // of mkinitcpio and booster read).
    let releases = read::names(&root.modules_of("")).unwrap_or_default();
    let named = releases.into_iter().filter_map(|release| {
        let package = read::text(&root.modules_of(&release).join("pkgbase")).ok()?;
        let named = ["booster", "initramfs"]
            .map(|by| format!("{}/{by}-{}.img", Root::boot_text(), package.trim()));
        let image = named.into_iter().find(|image| root.at(image).exists())?;
        Some((release, image))
    });
    images.chain(named).collect()
}
